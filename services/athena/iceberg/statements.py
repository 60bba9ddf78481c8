"""Statements on Iceberg tables: INSERT, CTAS, UPDATE, DELETE, MERGE, OPTIMIZE, VACUUM, and scans."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from services.athena import duckdb_errors, parquet_columns, table_files, trino_types, written_files
from services.athena.dialect.parsing import parse
from services.athena.dialect.typed import OutputColumn, Query
from services.athena.errors import QueryFailed, SqlRefused
from services.athena.execution_engine import Answer, Column, QueryContext
from services.athena.iceberg import row_changes
from services.athena.iceberg.tables import IcebergTables
from services.athena.table_scan import name as quoted
from services.athena.trino_types import Type

if TYPE_CHECKING:
    from services.athena.duckdb_engine import DuckDbEngine

Shape = dict[str, Any]
_MAINTENANCE = re.compile(
    r"(?:(?P<optimize>OPTIMIZE)\s+(?P<table>\S+)\s+REWRITE\s+DATA\s+USING\s+BIN_PACK(?P<where>\s+WHERE\s+.*)?"
    r"|VACUUM\s+(?P<vacuumed>\S+))\s*$",
    re.IGNORECASE | re.DOTALL,
)
#: Properties of CREATE TABLE AS that are none of the table's own.
_NOT_KEPT = ("table_type", "is_external", "location", "partitioning", "format", "external_location")


def entry_of(engine: DuckDbEngine, node: Any, context: QueryContext) -> Shape:
    """The Iceberg table that a statement changes. Raises SqlRefused for any other."""
    database, name = (node.db or context.database).lower(), node.name.lower()
    entry = engine.translator(context).find(node, database, name)
    if not table_files.is_iceberg(entry):
        raise SqlRefused(
            "Modifying Hive table rows is only supported for transactional tables",
            1, 1, "NOT_SUPPORTED",
        )  # fmt: skip
    return entry


def _arrow(
    engine: DuckDbEngine, connection: Any, sql: str, query: Query, context: QueryContext
) -> Any:
    """The rows of a translated query under their own names, as files hold them."""
    how = written_files.Format("PARQUET", "")
    names = [f"o{i}" for i in range(len(query.columns))]
    items = [
        f"{written_files.to_file(n, c.type, how)} AS {quoted(c.name)}"
        for n, c in zip(names, query.columns, strict=True)
    ]
    text = f"SELECT {', '.join(items)} FROM ({sql}) AS o({', '.join(names)})"
    with duckdb_errors.translated(engine.cache.folder, context):
        return connection.sql(text).to_arrow_table()


def _answer(count: int, kind: str) -> Answer:
    return Answer(
        [Column("rows", trino_types.BIGINT)],
        update_count=count, manifest=[], substatement_type=kind,
    )  # fmt: skip


def append(
    engine: DuckDbEngine, connection: Any, entry: Shape, sql: str, query: Query,
    context: QueryContext,
) -> Answer:  # fmt: skip
    """INSERT INTO, once its query is fitted to the table's columns."""
    tables = IcebergTables(context.catalog, engine.store)
    table = tables.load(entry)
    rows = _arrow(engine, connection, sql, query, context)
    context.check()
    tables.append(table, rows)
    return _answer(rows.num_rows, "INSERT")


def create_as(
    engine: DuckDbEngine, tree: exp.Create, where: tuple[str, str],
    options: Mapping[str, Any], context: QueryContext,
) -> Answer:  # fmt: skip
    """CREATE TABLE … WITH (table_type = 'ICEBERG') AS SELECT."""
    if str(options.get("format", "PARQUET")).upper() != "PARQUET":
        raise QueryFailed("NOT_SUPPORTED: Iceberg tables are written as PARQUET by this engine")
    location = options.get("location") or options.get("external_location")
    connection = engine.begin(context)
    translated, sql = engine.translated(tree.expression, context, connection)
    rows = _arrow(engine, connection, sql, translated.query, context)
    tables = IcebergTables(context.catalog, engine.store)
    table = tables.create(
        *where,
        str(location or f"{context.location}/tables/{context.query_execution_id}"),
        {c.name.lower(): _storable(c.type) for c in translated.query.columns},
        comments={},
        transforms=options.get("partitioning") or options.get("partitioned_by") or (),
        properties={k: str(v) for k, v in options.items() if k not in _NOT_KEPT},
    )
    with_data = tree.find(exp.WithDataProperty)
    if not (with_data is not None and with_data.args.get("no")):
        tables.append(table, rows)
    return _answer(rows.num_rows, "CREATE_TABLE_AS_SELECT")


def _storable(kind: Type) -> Type:
    return trino_types.VARCHAR if kind.name == "unknown" else kind


def change_rows(engine: DuckDbEngine, tree: Any, context: QueryContext) -> Answer:
    """UPDATE, DELETE, MERGE."""
    entry = entry_of(engine, tree.this, context)
    tables = IcebergTables(context.catalog, engine.store)
    table = tables.load(entry)
    columns = tables.columns(entry)
    wanted = row_changes.change(tree, columns)
    connection = engine.begin(context)
    if wanted.joined is not None and _number(engine, connection, wanted.joined, context) > _number(
        engine, connection, wanted.all_rows, context
    ):
        raise QueryFailed(
            "MERGE_TARGET_ROW_MULTIPLE_MATCHES: One MERGE target table row matched more than "
            "one source row"
        )
    count = sum(_number(engine, connection, each, context) for each in wanted.counts)
    if count:
        _, sql = engine.translated(wanted.rows, context, connection)
        named = [OutputColumn(n, k) for n, k in columns.items()]
        rows = _arrow(engine, connection, sql, Query(sql, named), context)
        context.check()
        tables.replace(table, rows)
    return _answer(count, type(tree).__name__.upper())


def _number(engine: DuckDbEngine, connection: Any, tree: Any, context: QueryContext) -> int:
    _, sql = engine.translated(tree, context, connection)
    with duckdb_errors.translated(engine.cache.folder, context):
        return int(connection.execute(sql).fetchall()[0][0])


def maintain(engine: DuckDbEngine, sql: str, context: QueryContext) -> Answer | None:
    """OPTIMIZE and VACUUM; None for any other statement."""
    found = _MAINTENANCE.match(sql)
    if not found:
        return None
    node = parse(f"SELECT * FROM {found['table'] or found['vacuumed']}").find(exp.Table)
    entry = entry_of(engine, node, context)
    tables = IcebergTables(context.catalog, engine.store)
    table = tables.load(entry)
    if not found["optimize"]:
        tables.vacuum(table, int(context.now * 1000))
        return _answer(0, "VACUUM")
    if tables.data_files(table) > 1:
        rows, scanned = tables.rows(table, (), None)
        context.scanned(scanned)
        context.check()
        tables.replace(table, rows)
    return _answer(0, "OPTIMIZE")


# --- scans


def columns_of(entry: Shape, context: QueryContext, store: Any) -> dict[str, Type]:
    return IcebergTables(context.catalog, store).columns(entry)


def scan_sql(
    engine: DuckDbEngine, connection: Any, entry: Shape, columns: Mapping[str, Type],
    used: Sequence[str], context: QueryContext,
) -> str:  # fmt: skip
    """A sub-select with all columns in order; those that nobody uses are NULL."""
    tables = IcebergTables(context.catalog, engine.store)
    table = tables.load(entry)
    if inspected := entry.get("$inspect"):
        rows = tables.metadata(table, inspected)
    else:
        snapshot_id = _version(engine, connection, tables, table, entry.get("$version"), context)
        rows, scanned = tables.rows(table, used or list(columns)[:1], snapshot_id)
        context.scanned(scanned)
    view = engine.register(connection, rows)
    by_name = {field.name.lower(): field for field in rows.schema}
    items = []
    for name, kind in columns.items():
        field = by_name.get(name)
        items.append(
            f"CAST(NULL AS {trino_types.duck_type(kind)})" if field is None
            else parquet_columns.convert(quoted(field.name), field.type, kind)
        )  # fmt: skip
    return f"SELECT {', '.join(items)} FROM {view}"


def _version(
    engine: DuckDbEngine, connection: Any, tables: IcebergTables, table: Any, version: Any,
    context: QueryContext,
) -> int | None:  # fmt: skip
    """The snapshot of FOR TIMESTAMP | VERSION AS OF."""
    if version is None:
        return None
    if version.name.upper() == "VERSION":
        value = exp.Cast(this=version.expression.copy(), to=exp.DataType.build("bigint"))
        return tables.snapshot(table, _number(engine, connection, exp.select(value), context))
    unix = exp.Anonymous(this="to_unixtime", expressions=[version.expression.copy()])
    millis = exp.Mul(this=unix, expression=exp.Literal.number(1000))
    whole = exp.Cast(this=millis, to=exp.DataType.build("bigint"))
    return tables.snapshot_at(table, _number(engine, connection, exp.select(whole), context))
