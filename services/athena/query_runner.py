"""Takes submitted executions through QUEUED, RUNNING and their end, and writes the result files."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from services.athena import object_store, result_files, statements, trino_types
from services.athena.catalog import Catalog, GlueCalls
from services.athena.errors import AthenaError, QueryCancelled, QueryFailed
from services.athena.execution_engine import Answer, Column, ExecutionEngine, QueryContext
from services.athena.hive_statements import HiveStatements
from services.athena.object_store import ObjectStore
from services.athena.query_execution import QueryExecution
from services.athena.result_store import ResultStore, is_managed
from services.clock import Clock

#: Queries running at once; more wait QUEUED. AWS's default for DML is 200 in us-east-1: here the
#: machine is a laptop.
CONCURRENT_QUERIES = 8
#: Queries running and waiting; beyond it StartQueryExecution answers TooManyRequestsException.
QUEUE_LIMIT = 200


class QueryRunner:
    """`prepared` finds a prepared statement's text by (scope, workgroup, name)."""

    def __init__(
        self,
        *,
        clock: Clock,
        glue: GlueCalls,
        store: ObjectStore,
        results: ResultStore,
        engine: ExecutionEngine,
        on_change: Callable[[QueryExecution], None],
        prepared: Callable[[str, str, str], str | None],
        statement: Callable[[QueryExecution, str, str | None], None],
    ) -> None:
        self._clock, self._glue, self._store, self._engine = clock, glue, store, engine
        self._results = results
        self._on_change, self._prepared, self._statement = on_change, prepared, statement
        self._pool = ThreadPoolExecutor(CONCURRENT_QUERIES, "athena-query")
        self._active: dict[str, QueryExecution] = {}
        self._lock = threading.Lock()

    def submit(self, execution: QueryExecution, bytes_cutoff: int | None = None) -> None:
        """Queue it. Raises TooManyRequestsException above the limit."""
        execution.context = QueryContext(
            catalog=Catalog(self._glue, execution.region, execution.account_id),
            database=execution.database,
            now=execution.submitted_at,
            query_execution_id=execution.query_execution_id,
            location=_folder(execution.output_location),
            parameters=execution.execution_parameters,
            bytes_cutoff=bytes_cutoff,
            prepared=lambda name: self._prepared(execution.scope, execution.work_group, name),
        )
        with self._lock:
            if len(self._active) >= QUEUE_LIMIT:
                raise AthenaError(
                    "TooManyRequestsException",
                    "You have exceeded the limit for the number of queries you can run concurrently. "
                    "Please reduce the number of concurrent queries submitted by this account.",
                    Reason="CONCURRENT_QUERY_LIMIT_EXCEEDED",
                )
            self._active[execution.query_execution_id] = execution
        self._on_change(execution)
        self._pool.submit(self._run, execution)

    def active(self, query_execution_id: str) -> QueryExecution | None:
        return self._active.get(query_execution_id)

    def stop(self, execution: QueryExecution) -> None:
        """CANCELLED at once when still queued; a running query is interrupted."""
        if execution.context:
            execution.context.cancel()
        if execution.state == "QUEUED":
            self._end(execution, "CANCELLED", "Query cancelled by user")

    def close(self) -> None:
        for execution in list(self._active.values()):
            self.stop(execution)
        self._pool.shutdown(wait=True, cancel_futures=True)

    # --- one query

    def _run(self, execution: QueryExecution) -> None:
        if execution.ended.is_set():
            return
        execution.state, execution.started_at = "RUNNING", self._clock.now()
        self._on_change(execution)
        began = time.monotonic()
        try:
            self._work(execution)
            outcome: tuple[str, str | None] = ("SUCCEEDED", None)
        except QueryCancelled as cancelled:
            outcome = ("CANCELLED", cancelled.reason)
        except QueryFailed as failed:
            execution.error = _error(failed)
            outcome = ("FAILED", failed.reason)
        except Exception as unexpected:  # noqa: BLE001  a fault of ours must not take the engine down
            fault = _unexpected(unexpected)
            execution.error, outcome = _error(fault), ("FAILED", fault.reason)
        context = execution.context
        assert context is not None
        context.finished()
        execution.engine_millis = int(1000 * (time.monotonic() - began))
        execution.planning_millis = context.planning_millis
        execution.data_scanned_in_bytes = (
            0 if outcome[0] == "FAILED" else context.data_scanned_in_bytes
        )
        self._end(execution, *outcome)

    def _end(self, execution: QueryExecution, state: str, reason: str | None) -> None:
        with self._lock:
            if execution.ended.is_set():
                return
            execution.state, execution.reason = state, reason
            execution.ended_at = self._clock.now()
            execution.ended.set()
        self._on_change(execution)
        with self._lock:
            self._active.pop(execution.query_execution_id, None)

    def _work(self, execution: QueryExecution) -> None:
        assert execution.context is not None
        if execution.kind.family == "hive":
            self._run_hive(execution)
            return
        if execution.kind.substatement_type in ("PREPARE", "DEALLOCATE_PREPARE"):
            self._keep_statement(execution)
            return
        answer = self._engine.execute(execution.query, execution.context)
        execution.substatement_type = answer.substatement_type
        execution.columns = column_infos(answer.columns)
        if answer.manifest is not None:
            self._write_manifest(execution, answer)
        elif execution.kind.statement_type == "UTILITY" or execution.output_location.endswith(
            ".txt"
        ):
            self._write_text(execution, answer.columns, _rows(answer))
        else:
            self._write_csv(execution, answer)

    def _run_hive(self, execution: QueryExecution) -> None:
        context = execution.context
        assert context is not None
        try:
            lines = HiveStatements(
                context.catalog, self._store, execution.database, context.now
            ).run(statements.without_leading_comments(execution.query))
        except QueryFailed:
            raise
        except Exception as error:
            if hasattr(error, "code"):  # Glue's own refusal
                raise QueryFailed(
                    "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                    f"{error.code}: {getattr(error, 'message', error)}", error_type=1003
                ) from error  # fmt: skip
            raise
        columns = [Column(name, trino_types.VARCHAR) for name in lines.columns]
        execution.columns = [{**c, "Type": "string", "Precision": 0} for c in column_infos(columns)]
        self._write_text(execution, columns, lines.rows)

    def _keep_statement(self, execution: QueryExecution) -> None:
        """PREPARE name FROM … and DEALLOCATE PREPARE name."""
        text = statements.without_leading_comments(execution.query)
        if found := statements.prepared(text):
            self._statement(execution, found[0], found[1].rstrip(";"))
        else:
            gone = re.match(r"DEALLOCATE\s+PREPARE\s+\"?([^\s\"]+)\"?", text, re.IGNORECASE)
            if not gone:
                raise QueryFailed("SYNTAX_ERROR: line 1:1: mismatched input", error_type=1006)
            self._statement(execution, gone[1], None)
        self._write_text(execution, [], [])

    # --- result files

    def _write(self, execution: QueryExecution, suffix: str, body: bytes | Path, kind: str) -> None:
        assert execution.context is not None
        execution.context.check()
        try:
            self._results.write(execution.output_location + suffix, body, kind)
        except object_store.BucketMissing as missing:
            raise QueryFailed(
                f"Unable to verify/create output bucket {missing.bucket}",
                error_category=1,
                error_type=401,
            ) from None

    def _write_metadata(self, execution: QueryExecution, columns: list[Column]) -> None:
        body = result_files.metadata(execution.query_execution_id, columns)
        self._write(execution, ".metadata", body, "application/octet-stream")

    def _write_csv(self, execution: QueryExecution, answer: Answer) -> None:
        with result_files.gathered(result_files.csv_file(answer.columns, answer.batches)) as body:
            self._write(execution, "", body, "application/octet-stream")
        self._write_metadata(execution, answer.columns)

    def _write_text(
        self, execution: QueryExecution, columns: list[Column], rows: Iterable[list[str]]
    ) -> None:
        self._write(execution, "", result_files.text_file(rows), "text/plain")
        self._write_metadata(execution, columns)

    def _write_manifest(self, execution: QueryExecution, answer: Answer) -> None:
        """CTAS, INSERT, UNLOAD: `<id>-manifest.csv` lists the data files, `<id>.metadata` beside."""
        execution.update_count = answer.update_count
        base = execution.output_location
        execution.data_manifest_location = base + "-manifest.csv"
        body = "".join(f"{uri}\n" for uri in answer.manifest or []).encode()
        self._write(execution, "-manifest.csv", body, "text/csv")
        self._write_metadata(execution, answer.columns)


def _folder(output_location: str) -> str:
    """Where a CTAS without `external_location` may write; nowhere when results are managed."""
    return "" if is_managed(output_location) else output_location.rpartition("/")[0]


def _rows(answer: Answer) -> Iterable[list[str]]:
    for batch in answer.batches:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield ["" if cell is None else cell for cell in row]


def column_infos(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """ResultSetMetadata.ColumnInfo."""
    infos = []
    for column in columns:
        kind, precision, scale = trino_types.column_info(column.type)
        infos.append({
            "CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": column.name,
            "Label": column.name, "Type": kind, "Precision": precision, "Scale": scale,
            "Nullable": "UNKNOWN", "CaseSensitive": kind in ("varchar", "char"),
        })  # fmt: skip
    return infos


def _error(failed: QueryFailed) -> dict[str, Any]:
    return {
        "ErrorCategory": failed.error_category,
        "ErrorType": failed.error_type,
        "Retryable": False,
        "ErrorMessage": failed.reason,
    }


def _unexpected(error: Exception) -> QueryFailed:
    text = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return QueryFailed(text, error_category=1, error_type=1)
