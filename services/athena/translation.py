"""A statement of Trino SQL as DuckDB SQL: names resolved in the catalog, scans still to be filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from services.athena import information_schema, show_create, table_files, trino_types
from services.athena.catalog import Catalog
from services.athena.dialect.parsing import parse, position
from services.athena.dialect.queries import QueryBinder
from services.athena.dialect.relations import RelationBinder, TableScan, TableSource
from services.athena.dialect.typed import Query
from services.athena.double_literals import as_doubles, parameters_as_doubles
from services.athena.errors import QueryFailed, SqlRefused
from services.athena.trino_types import Type

_HIDDEN = (("$path", trino_types.VARCHAR), ("$file_size", trino_types.BIGINT),
           ("$file_modified_time", trino_types.timestamp_tz(3)))  # fmt: skip
_VIEW_DEPTH = 32


@dataclass(frozen=True)
class Translated:
    """`query.sql` holds placeholders; each scan says which one it fills."""

    query: Query
    scans: list[TableScan]


@dataclass
class Translator:
    """One statement's way into the catalog."""

    catalog: Catalog
    database: str
    now: float
    parameters: Sequence[str] = ()
    depth: int = 0
    iceberg_columns: Callable[[dict[str, Any]], dict[str, Type]] | None = None
    decimal_literals_as_double: bool = False

    def translate(self, tree: Any) -> Translated:
        """Raises SqlRefused, SqlNotSupported with line and column."""
        parameters = self.parameters
        # The rows of an INSERT fit REAL and DECIMAL columns on AWS, too: PyAthena's tests do so.
        if self.decimal_literals_as_double and not isinstance(tree.parent, exp.Insert):
            as_doubles(tree)
            parameters = parameters_as_doubles(parameters)
        binder = QueryBinder(self.tables, parameters, self.now)
        try:
            query = binder.query(tree)
        except trino_types.TypeUnknown as error:
            raise binder.unsupported(tree, str(error)) from None
        except RecursionError:
            raise SqlRefused("statement is too large", 1, 1, "STATEMENT_TOO_LARGE") from None
        if len(self.parameters) > binder._next_parameter:
            raise SqlRefused(
                f"Incorrect number of parameters: expected {binder._next_parameter} but found {len(self.parameters)}",
                1,
                1,
                "INVALID_PARAMETER_USAGE",
            )
        return Translated(query, binder.scans)

    def tables(self, node: Any, parts: list[str], binder: RelationBinder) -> TableSource:
        """What a table's name stands for."""
        database, name = self._where(node, parts)
        if database == "information_schema":
            return information_schema.source(self.catalog, name, node, binder)
        if name.endswith("$partitions"):
            hive = self.find(node, database, name.removesuffix("$partitions"))
            if not table_files.is_iceberg(hive):
                return self._partitions(node, database, name.removesuffix("$partitions"))
        table = self.find(node, database, name.partition("$")[0] or name)
        if table_files.is_view(table):
            return self._view(table, binder, node)
        if table_files.is_iceberg(table):
            return self._iceberg(node, database, table, name.partition("$")[2])
        if "$" in name:
            table = self.find(node, database, name)
        if node.args.get("version") is not None:
            line, column = position(node)
            raise SqlRefused(
                "This connector does not support versioned tables", line, column, "NOT_SUPPORTED"
            )
        descriptor = table.get("StorageDescriptor") or {}
        columns = [
            (n, k, False)
            for n, k in table_files.column_types(descriptor.get("Columns") or []).items()
        ]
        keys = table_files.column_types(table.get("PartitionKeys") or [])
        columns += [(n, k, True) for n, k in keys.items()]
        columns += [(n, k, False) for n, k in _HIDDEN]
        return TableSource(columns, table=table, database=database)

    def _iceberg(
        self, node: Any, database: str, table: dict[str, Any], inspected: str
    ) -> TableSource:
        """An Iceberg table at a version, or what `"table$inspected"` tells of it."""
        from services.athena.iceberg.tables import METADATA_TABLES  # PyIceberg loads slowly

        if inspected and inspected not in METADATA_TABLES:
            line, column = position(node)
            raise SqlRefused(
                f"Table 'awsdatacatalog.{database}.{table['Name']}${inspected}' does not exist",
                line, column, "TABLE_NOT_FOUND",
            )  # fmt: skip
        if inspected:
            columns = METADATA_TABLES[inspected]
        elif self.iceberg_columns is not None:
            columns = self.iceberg_columns(table)
        else:
            columns = table_files.column_types(table["StorageDescriptor"].get("Columns") or [])
        entry = {
            **table, "$inspect": inspected, "$version": node.args.get("version"), "$columns": columns,
        }  # fmt: skip
        listed = [(name, kind, False) for name, kind in columns.items()]
        return TableSource(listed, table=entry, database=database)

    def _where(self, node: Any, parts: list[str]) -> tuple[str, str]:
        if len(parts) == 3 and parts[0] not in ("awsdatacatalog", "hive"):
            line, column = position(node)
            raise SqlRefused(
                f"Catalog '{parts[0]}' does not exist", line, column, "CATALOG_NOT_FOUND"
            )
        return (parts[-2] if len(parts) > 1 else self.database), parts[-1]

    def find(self, node: Any, database: str, name: str) -> dict[str, Any]:
        """The catalog's table. Raises TABLE_NOT_FOUND, SCHEMA_NOT_FOUND."""
        table = self.catalog.table(database, name)
        if table is not None:
            return table
        line, column = position(node)
        if self.catalog.database(database) is None:
            raise SqlRefused(
                f"Schema '{database}' does not exist", line, column, "SCHEMA_NOT_FOUND"
            )
        raise SqlRefused(
            f"Table 'awsdatacatalog.{database}.{name}' does not exist",
            line,
            column,
            "TABLE_NOT_FOUND",
        )

    def _view(self, table: dict[str, Any], binder: RelationBinder, node: Any) -> TableSource:
        if self.depth >= _VIEW_DEPTH:
            raise binder.unsupported(node, "views that refer to each other without end")
        definition = show_create.view_definition(table)
        inner = Translator(
            self.catalog,
            definition.get("schema") or table["DatabaseName"],
            self.now,
            (),
            self.depth + 1,
            self.iceberg_columns,
            self.decimal_literals_as_double,
        )
        nested = QueryBinder(inner.tables, (), self.now)
        nested._unique, nested.scans = binder._unique, binder.scans
        try:
            tree = parse(definition["originalSql"])
            if self.decimal_literals_as_double:
                as_doubles(tree)
            query = nested.query(tree)
        except SqlRefused as error:
            line, column = position(node)
            name = f"{table['DatabaseName']}.{table['Name']}"
            raise SqlRefused(
                f"Failed analyzing stored view 'awsdatacatalog.{name}': {error.reason}",
                line,
                column,
                "INVALID_VIEW",
            ) from None
        return TableSource(
            [(c.name, c.type, False) for c in query.columns],
            query=query,
            database=table["DatabaseName"],
        )

    def _partitions(self, node: Any, database: str, name: str) -> TableSource:
        table = self.find(node, database, name)
        keys = table_files.column_types(table.get("PartitionKeys") or [])
        rows = [part["Values"] for part in self.catalog.partitions(database, name)]
        return information_schema.rows_source(list(keys.items()), rows)


def unique_names(query: Query) -> None:
    """CTAS and views need each column named once. Raises SqlRefused."""
    seen: set[str] = set()
    for place, column in enumerate(query.columns, 1):
        if column.name.startswith("_col") and column.name[4:].isdigit():
            raise SqlRefused(
                f"Column name not specified at position {place}", 1, 1, "MISSING_COLUMN_NAME"
            )
        if column.type.name == "unknown":
            raise SqlRefused(f"Column type is unknown: {column.name}", 1, 1, "COLUMN_TYPE_UNKNOWN")
        if column.name.lower() in seen:
            raise SqlRefused(
                f"Column name '{column.name}' specified more than once",
                1,
                1,
                "DUPLICATE_COLUMN_NAME",
            )
        seen.add(column.name.lower())


__all__ = ["QueryFailed"]
