"""The execution engine that runs queries in this process: Trino SQL translated for DuckDB."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlglot import exp

from services.athena import (
    duckdb_errors,
    duckdb_functions,
    duckdb_sandbox,
    rendering,
    table_files,
    table_scan,
    trino_types,
    written_tables,
)
from services.athena.dialect.parsing import parse
from services.athena.dialect.relations import TableScan
from services.athena.errors import QueryFailed, SqlRefused
from services.athena.execution_engine import Answer, Column, QueryContext
from services.athena.object_cache import ObjectCache
from services.athena.object_store import ObjectStore
from services.athena.partition_values import HIVE_NULL, Values
from services.athena.statements import without_leading_comments
from services.athena.table_files import PartitionFilter, TableFiles, column_types
from services.athena.translation import Translated, Translator

_BATCH_ROWS = 20_000
#: Hidden columns that need a listing, and what stands for them where nobody asks.
_KNOWN_OF_OBJECTS = {
    "$file_size": "CAST(NULL AS BIGINT)",
    "$file_modified_time": "CAST(NULL AS STRUCT(t TIMESTAMP, z VARCHAR))",
}
_OF_OBJECTS = ("$path", *_KNOWN_OF_OBJECTS)


class DuckDbEngine:
    """One DuckDB database for all queries; each query has a connection of its own.

    `decimal_literals_as_double`: `1.5` is a DOUBLE as on AWS, else a DECIMAL as in Trino.
    """

    def __init__(
        self,
        store: ObjectStore,
        folder: Path,
        *,
        threads: int | None = None,
        memory_limit: str = "2GB",
        decimal_literals_as_double: bool = False,
    ) -> None:
        self._decimal_literals_as_double = decimal_literals_as_double
        self.store, self._folder = store, folder.absolute()
        self.cache = ObjectCache(self._folder / "cache", store)
        self.spool = self._folder / "spool"
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
                duckdb_functions.install(database)
                duckdb_sandbox.lock(database, folders)
                self._database = database
            return self._database.cursor()

    def warm_up(self) -> None:
        """Load what the first query would load. Any thread may call it."""
        import pyarrow.parquet  # noqa: F401

        self.connection().execute("SELECT 1").fetchall()

    def close(self) -> None:
        self.cache.close()
        if self._database is not None:
            self._database.close()

    # --- the interface

    def check_syntax(self, sql: str) -> None:
        """Raises SqlRefused where the text is no SQL."""
        text = without_leading_comments(sql)
        if re.match(r"(EXECUTE|SHOW|DESCRIBE|DESC|VACUUM|OPTIMIZE)\b", text, re.IGNORECASE):
            return
        parse(written_tables.inner_query(text) or text)

    def execute(self, sql: str, context: QueryContext) -> Answer:
        """See ExecutionEngine."""
        text = without_leading_comments(sql)
        if found := re.match(r"EXPLAIN\b", text, re.IGNORECASE):
            return self._explain(text[found.end() :], context)
        if re.match(r"EXECUTE\b", text, re.IGNORECASE):
            return self._execute_prepared(text, context)
        if re.match(r"(OPTIMIZE|VACUUM)\b", text, re.IGNORECASE):
            from services.athena.iceberg import statements

            if (kept := statements.maintain(self, text, context)) is not None:
                return kept
            raise SqlRefused(
                "mismatched input, expecting OPTIMIZE t REWRITE DATA USING BIN_PACK or VACUUM t",
                1,
                1,
            )
        if unload := written_tables.unload_of(text):
            return written_tables.unload(self, unload, context)
        tree = parse(text)
        if isinstance(tree, exp.Create):
            if tree.kind == "VIEW":
                return written_tables.create_view(self, tree, text, context)
            return written_tables.create_table(self, tree, text, context)
        if isinstance(tree, exp.Insert):
            return written_tables.insert(self, tree, context)
        if isinstance(tree, (exp.Update, exp.Delete, exp.Merge)):
            from services.athena.iceberg import statements  # PyIceberg takes a second to load

            return statements.change_rows(self, tree, context)
        if isinstance(tree, exp.Command):
            raise SqlRefused(
                f"{str(tree.this).upper()} is not supported by this engine", 1, 1, "NOT_SUPPORTED"
            )
        return self.select(tree, context)

    def select(self, tree: Any, context: QueryContext) -> Answer:
        """A query's rows as texts."""
        connection = self.begin(context)
        translated, sql = self.translated(tree, context, connection)
        columns = [Column(c.name, c.type) for c in translated.query.columns]
        with duckdb_errors.translated(self.cache.folder, context):
            return Answer(columns, self._batches(connection, sql, columns, context))

    def begin(self, context: QueryContext) -> Any:
        """A connection that `context.cancel` interrupts."""
        connection = self.connection()
        context.interruptible(connection.interrupt)
        return connection

    def translated(
        self, tree: Any, context: QueryContext, connection: Any
    ) -> tuple[Translated, str]:
        """The statement, and its SQL with every scan filled in."""
        began = time.monotonic()
        translated = self.translator(context, context.parameters).translate(tree)
        sql = translated.query.sql
        for scan in translated.scans:
            sql = sql.replace(
                scan.placeholder, self._scan_sql(scan, translated.query.sql, context, connection)
            )
        context.planning_millis = int((time.monotonic() - began) * 1000)
        return translated, sql

    def translator(self, context: QueryContext, parameters: Sequence[str] = ()) -> Translator:
        """What binds one statement to the catalog."""

        def iceberg_columns(table: dict[str, Any]) -> dict[str, Any]:
            from services.athena.iceberg import statements

            return statements.columns_of(table, context, self.store)

        return Translator(
            context.catalog, context.database, context.now, parameters,
            iceberg_columns=iceberg_columns,
            decimal_literals_as_double=self._decimal_literals_as_double,
        )  # fmt: skip

    # --- scans

    def _scan_sql(self, scan: TableScan, sql: str, context: QueryContext, connection: Any) -> str:
        if table_files.is_iceberg(scan.table):
            from services.athena.iceberg import statements

            columns = scan.table["$columns"]
            named = [c for c in columns if _is_used(scan.columns[c], sql)]
            return statements.scan_sql(self, connection, scan.table, columns, named, context)
        chosen = PartitionFilter(
            scan.allowed, self._keep(scan, connection) if scan.conjuncts else None
        )
        register = lambda arrow: self.register(connection, arrow)  # noqa: E731
        used = {column for column in _OF_OBJECTS if _is_used(scan.columns.get(column), sql)}
        found = self.files.scan(scan.table, context, chosen, register, names_objects=bool(used))
        known = bool(used & _KNOWN_OF_OBJECTS.keys())
        source = table_scan.with_objects(found) if known else table_scan.relation(found)
        listed = [
            table_scan.name(column) if known else _KNOWN_OF_OBJECTS.get(column, table_scan.name(column))
            for column in scan.columns
        ]  # fmt: skip
        return f"SELECT {', '.join(listed)} FROM {source}"

    def register(self, connection: Any, arrow: Any) -> str:
        view = f"_arrow{next(self._names)}"
        connection.register(view, arrow)
        return view

    def _keep(self, scan: TableScan, connection: Any) -> Any:
        """The partitions whose values pass the conditions, evaluated by DuckDB itself."""
        kinds = column_types(scan.table["PartitionKeys"])

        def keep(values: Sequence[Values]) -> list[Values]:
            if not values:
                return []
            raw = [f"r{i}" for i in range(len(kinds))]
            rows = ", ".join(
                "(" + ", ".join(table_scan.text(v) for v in one) + ")" for one in values
            )
            typed = [
                f"TRY_CAST(nullif({r}, {table_scan.text(HIVE_NULL)}) AS {trino_types.duck_type(kind)}) AS {scan.partition_columns.get(name, '_' + r)}"
                for r, (name, kind) in zip(raw, kinds.items(), strict=True)
            ]
            sql = (
                f"SELECT {', '.join(raw)} FROM (SELECT {', '.join([*raw, *typed])} FROM (VALUES {rows}) "
                f"AS v({', '.join(raw)})) WHERE {' AND '.join(scan.conjuncts)}"
            )
            return [tuple(row) for row in connection.execute(sql).fetchall()]

        return keep

    # --- rows

    def _batches(
        self, connection: Any, sql: str, columns: Sequence[Column], context: QueryContext
    ) -> Iterator[Any]:
        names = [f"c{i}" for i in range(len(columns))]
        shown = [
            f"{rendering.rendered(n, c.type)} AS {n}" for n, c in zip(names, columns, strict=True)
        ]
        reader = connection.sql(
            f"SELECT {', '.join(shown)} FROM ({sql}) AS q({', '.join(names)})"
        ).to_arrow_reader(_BATCH_ROWS)

        def batches() -> Iterator[Any]:
            with duckdb_errors.translated(self.cache.folder, context):
                yield from reader

        return batches()

    # --- EXPLAIN, EXECUTE

    def _explain(self, rest: str, context: QueryContext) -> Answer:
        found = re.match(
            r"\s*(ANALYZE\b)?\s*(?:VERBOSE\b)?\s*(\([^)]*\))?\s*(.*)$",
            rest,
            re.IGNORECASE | re.DOTALL,
        )
        assert found
        connection = self.begin(context)
        _, sql = self.translated(parse(found[3]), context, connection)
        word = "EXPLAIN ANALYZE" if found[1] else "EXPLAIN"
        with duckdb_errors.translated(self.cache.folder, context):
            plan = connection.execute(f"{word} {sql}").fetchall()
        text = re.sub(
            re.escape(str(self._folder)) + r"\S*", "…", "\n".join(str(row[-1]) for row in plan)
        )
        return Answer(
            [Column("Query Plan", trino_types.VARCHAR)],
            text_batches([text.split("\n")]),
            substatement_type="EXPLAIN",
        )

    def _execute_prepared(self, text: str, context: QueryContext) -> Answer:
        found = re.match(
            r"EXECUTE\s+\"?([^\s\"]+)\"?(?:\s+USING\s+(.*))?$", text, re.IGNORECASE | re.DOTALL
        )
        if not found:
            raise SqlRefused("mismatched input after 'EXECUTE'", 1, 9)
        prepared = context.prepared(found[1])
        if prepared is None:
            raise QueryFailed(
                f"INVALID_PREPARED_STATEMENT: Prepared statement not found: {found[1]}"
            )
        if found[2]:
            tree: Any = parse(f"SELECT {found[2]}")
            context.parameters = tuple(e.sql("trino") for e in tree.expressions)
        return self.execute(prepared, context)


def _is_used(name: str | None, sql: str) -> bool:
    """Does a scan's column stand anywhere but in the list that names it?"""
    return name is not None and len(re.findall(rf"\b{re.escape(name)}\b", sql)) > 1


def text_batches(columns: Sequence[Sequence[str | None]]) -> Iterator[Any]:
    """One RecordBatch of text columns."""
    import pyarrow

    arrays = [pyarrow.array(column, pyarrow.string()) for column in columns]
    yield pyarrow.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])
