"""`information_schema` and other tables made of the catalog itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.athena import table_files
from services.athena import trino_types as t
from services.athena.catalog import Catalog
from services.athena.dialect.parsing import position
from services.athena.dialect.relations import TableSource
from services.athena.dialect.typed import OutputColumn, Query, text
from services.athena.errors import SqlRefused
from services.athena.trino_types import Type

_CATALOG = "awsdatacatalog"


def rows_source(
    columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[str | None]]
) -> TableSource:
    """A table of text cells, cast to the columns' types."""
    names = [f"v{i}" for i in range(len(columns))]
    items = ", ".join(
        f"CAST({n} AS {t.duck_type(kind)})" for n, (_, kind) in zip(names, columns, strict=True)
    )
    if rows:
        cells = ", ".join(
            "(" + ", ".join("NULL" if c is None else text(c) for c in row) + ")" for row in rows
        )
        sql = f"SELECT {items} FROM (VALUES {cells}) AS raw({', '.join(names)})"
    else:
        empty = ", ".join("CAST(NULL AS VARCHAR)" for _ in names)
        sql = f"SELECT {items} FROM (SELECT {empty}) AS raw({', '.join(names)}) WHERE false"
    query = Query(sql, [OutputColumn(n, kind) for n, kind in columns])
    return TableSource([(n, kind, False) for n, kind in columns], query=query)


def source(catalog: Catalog, name: str, node: Any, binder: Any) -> TableSource:
    """`information_schema.<name>`. Raises TABLE_NOT_FOUND."""
    makers = {"tables": _tables, "columns": _columns, "schemata": _schemata, "views": _views}
    if name not in makers:
        line, column = position(node)
        raise SqlRefused(
            f"Table '{_CATALOG}.information_schema.{name}' does not exist",
            line,
            column,
            "TABLE_NOT_FOUND",
        )
    return makers[name](catalog)


def _texts(*names: str) -> list[tuple[str, Type]]:
    return [(name, t.VARCHAR) for name in names]


def _schemata(catalog: Catalog) -> TableSource:
    names = sorted(entry["Name"] for entry in catalog.databases())
    rows = [[_CATALOG, name] for name in [*names, "information_schema"]]
    return rows_source(_texts("catalog_name", "schema_name"), rows)


def _all_tables(catalog: Catalog) -> list[dict[str, Any]]:
    return [table for entry in catalog.databases() for table in catalog.tables(entry["Name"])]


def _tables(catalog: Catalog) -> TableSource:
    rows = [
        [_CATALOG, x["DatabaseName"], x["Name"], "VIEW" if table_files.is_view(x) else "BASE TABLE"]
        for x in _all_tables(catalog)
    ]
    return rows_source(_texts("table_catalog", "table_schema", "table_name", "table_type"), rows)


def _views(catalog: Catalog) -> TableSource:
    from services.athena.show_create import view_definition

    rows = [
        [_CATALOG, x["DatabaseName"], x["Name"], view_definition(x)["originalSql"]]
        for x in _all_tables(catalog)
        if table_files.is_view(x)
    ]
    return rows_source(
        _texts("table_catalog", "table_schema", "table_name", "view_definition"), rows
    )


def _columns(catalog: Catalog) -> TableSource:
    rows: list[list[str | None]] = []
    for table in _all_tables(catalog):
        stored = (table.get("StorageDescriptor") or {}).get("Columns") or []
        keys = table.get("PartitionKeys") or []
        for place, column in enumerate(stored + keys, 1):
            try:
                kind = str(t.from_hive(column.get("Type") or "string"))
            except (t.TypeUnknown, ValueError):
                kind = column.get("Type") or "unknown"
            extra = "partition key" if place > len(stored) else None
            rows.append(
                [
                    _CATALOG,
                    table["DatabaseName"],
                    table["Name"],
                    column["Name"],
                    str(place),
                    None,
                    "YES",
                    kind,
                    column.get("Comment"),
                    extra,
                ]
            )
    columns = _texts("table_catalog", "table_schema", "table_name", "column_name")
    columns += [("ordinal_position", t.BIGINT)]
    columns += _texts("column_default", "is_nullable", "data_type", "comment", "extra_info")
    return rows_source(columns, rows)
