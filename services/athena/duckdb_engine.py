"""The execution engine that runs queries in this process: Trino SQL translated for DuckDB."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from services.athena import duckdb_errors, duckdb_sandbox, rendering, table_scan, trino_types
from services.athena.duckdb_functions import install
from services.athena.errors import SqlRefused
from services.athena.execution_engine import Answer, Column, QueryContext
from services.athena.object_cache import ObjectCache
from services.athena.object_store import ObjectStore
from services.athena.partition_values import Values
from services.athena.table_files import PartitionFilter, TableFiles
from services.athena.trino_types import Type

_BATCH_ROWS = 20_000


class DuckDbEngine:
    """One DuckDB database for all queries; each query has a connection of its own."""

    def __init__(
        self,
        store: ObjectStore,
        folder: Path,
        *,
        threads: int | None = None,
        memory_limit: str = "2GB",
    ) -> None:
        self._store, self._folder = store, folder
        self.cache = ObjectCache(folder / "cache", store)
        self.spool = folder / "spool"
        self.spool.mkdir(parents=True, exist_ok=True)
        self.files = TableFiles(store, self.cache)
        self._threads, self._memory_limit = (
            threads or duckdb_sandbox.default_threads(),
            memory_limit,
        )
        self._database: Any = None
        self._lock = threading.Lock()
        self._names = itertools.count(1)

    def connection(self) -> Any:
        """A connection of one query's own."""
        with self._lock:
            if self._database is None:
                folders = [self.cache.folder, self.spool, self._folder / "spill"]
                database = duckdb_sandbox.open_database(
                    folders,
                    threads=self._threads,
                    memory_limit=self._memory_limit,
                    spill=folders[2],
                )
                database.execute(rendering.MACROS)
                install(database)
                duckdb_sandbox.lock(database, folders)
                self._database = database
            return self._database.cursor()

    def check_syntax(self, sql: str) -> None:
        _parse(sql)

    def execute(self, sql: str, context: QueryContext) -> Answer:
        started = time.monotonic()
        connection = self.connection()
        context.interruptible(connection.interrupt)
        tree = _parse(sql)
        text = self._translated(tree, context, connection)
        context.planning_millis = int((time.monotonic() - started) * 1000)
        with duckdb_errors.translated(self.cache.folder, context):
            described = connection.execute(f"DESCRIBE {text}").fetchall()
            columns = [Column(row[0], from_duck(row[1])) for row in described]
            return Answer(columns, self._batches(connection, text, columns, context))

    def _batches(
        self, connection: Any, text: str, columns: Sequence[Column], context: QueryContext
    ) -> Iterator[Any]:
        names = [f"c{i}" for i in range(len(columns))]
        shown = [
            f"{rendering.rendered(n, c.type)} AS {n}" for n, c in zip(names, columns, strict=True)
        ]
        reader = connection.sql(
            f"SELECT {', '.join(shown)} FROM ({text}) AS q({', '.join(names)})"
        ).to_arrow_reader(_BATCH_ROWS)

        def batches() -> Iterator[Any]:
            with duckdb_errors.translated(self.cache.folder, context):
                yield from reader

        return batches()

    def _translated(self, tree: exp.Expression, context: QueryContext, connection: Any) -> str:
        ctes = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        for node in list(tree.find_all(exp.Table)):
            if node.name.lower() in ctes and not node.db:
                continue
            node.replace(self._scan_node(node, tree, context, connection))
        return tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)

    def _scan_node(
        self, node: exp.Table, tree: exp.Expression, context: QueryContext, connection: Any
    ) -> Any:
        database, name = (node.db or context.database).lower(), node.name.lower()
        table = context.catalog.table(database, name)
        if table is None:
            line, column = duckdb_errors.position(node)
            raise SqlRefused(
                f"Table 'awsdatacatalog.{database}.{name}' does not exist",
                line,
                column,
                "TABLE_NOT_FOUND",
            )
        chosen = _partition_filter(tree, table, connection)
        scan = self.files.scan(
            table, context, chosen, lambda arrow: self._register(connection, arrow)
        )
        inner = sqlglot.parse_one(table_scan.relation(scan), read="duckdb")
        return exp.alias_(inner, node.alias or node.name, table=True)

    def _register(self, connection: Any, arrow: Any) -> str:
        view = f"_arrow{next(self._names)}"
        connection.register(view, arrow)
        return view

    def close(self) -> None:
        self.cache.close()
        if self._database is not None:
            self._database.close()


def _parse(sql: str) -> Any:
    try:
        return sqlglot.parse_one(sql, read="athena")
    except sqlglot.errors.SqlglotError as error:
        raise duckdb_errors.syntax_error(error) from None


def _partition_filter(
    tree: exp.Expression, table: dict[str, Any], connection: Any
) -> PartitionFilter:
    keys = {
        key["Name"].lower(): key.get("Type", "string") for key in table.get("PartitionKeys") or []
    }
    where = tree.find(exp.Where)
    if not keys or where is None:
        return PartitionFilter({})
    kept, allowed = [], {}
    for part in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        columns = {c.name.lower() for c in part.find_all(exp.Column)}
        if not columns or not columns <= set(keys) or part.find(exp.Subquery, exp.Select):
            continue
        bare = part.copy().transform(
            lambda n: exp.column(n.name.lower()) if isinstance(n, exp.Column) else n
        )
        kept.append(bare.sql("duckdb"))
        if isinstance(part, exp.EQ) and isinstance(part.expression, exp.Literal):
            allowed[part.this.name.lower()] = frozenset({part.expression.name})

    def keep(values: Sequence[Values]) -> list[Values]:
        if not kept or not values:
            return list(values)
        rows = ", ".join("(" + ", ".join(table_scan.text(v) for v in one) + ")" for one in values)
        typed = ", ".join(
            f"CAST({table_scan.name(k)} AS {trino_types.duck_type(trino_types.from_hive(t))}) AS {table_scan.name(k)}"
            for k, t in keys.items()
        )
        raw = ", ".join(table_scan.name(k) for k in keys)
        order = ", ".join(f"raw.{table_scan.name(k)}" for k in keys)
        found = connection.execute(
            f"SELECT {order} FROM (VALUES {rows}) raw({raw}) CROSS JOIN LATERAL (SELECT "
            f"{typed.replace('CAST(', 'CAST(raw.')}) WHERE {' AND '.join(kept)}"
            if False
            else f"SELECT {', '.join(f'r{i}' for i in range(len(keys)))} FROM (SELECT *, {', '.join(f'CAST(r{i} AS {trino_types.duck_type(trino_types.from_hive(t))}) AS {table_scan.name(k)}' for i, (k, t) in enumerate(keys.items()))} FROM (VALUES {rows}) raw({', '.join(f'r{i}' for i in range(len(keys)))})) WHERE {' AND '.join(kept)}"
        ).fetchall()
        return [tuple(row) for row in found]

    return PartitionFilter(allowed, keep)


_FROM_DUCK = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "integer",
    "BIGINT": "bigint", "HUGEINT": "bigint", "UBIGINT": "bigint", "FLOAT": "real", "DOUBLE": "double",
    "VARCHAR": "varchar", "BLOB": "varbinary", "DATE": "date", "UUID": "uuid", "JSON": "json",
}  # fmt: skip


def from_duck(text: str) -> Type:
    """A DuckDB type's text as Trino's type."""
    if text.endswith("[]"):
        return trino_types.array(from_duck(text[:-2]))
    if text.startswith("DECIMAL"):
        precision, scale = re.findall(r"\d+", text)
        return trino_types.decimal(int(precision), int(scale))
    if text.startswith("TIMESTAMP"):
        return trino_types.TIMESTAMP
    return Type(_FROM_DUCK.get(text, "varchar"))
