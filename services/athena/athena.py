"""Athena's API: every operation a function from request to answer, in AWS's shapes."""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.athena import (
    data_catalogs,
    named_queries,
    paging,
    prepared_statements,
    result_files,
    statements,
    work_groups,
)
from services.athena.catalog import Catalog, GlueCalls
from services.athena.errors import AthenaError, QueryFailed, SqlRefused, invalid_request
from services.athena.execution_engine import ExecutionEngine
from services.athena.object_store import ObjectStore
from services.athena.query_execution import ENDED, QueryExecution, restored
from services.athena.query_runner import QueryRunner
from services.athena.request_check import check_request, known
from services.athena.result_reuse import reusable
from services.athena.result_store import ResultStore, is_managed
from services.athena.stored_state import StoredState
from services.clock import Clock

Shape = dict[str, Any]
#: StartQueryExecution may answer this much later when the query ends within it: one poll less.
_LINGER_SECONDS = 0.03
_MAX_QUERY_BYTES = 262_144


class Athena:
    """All accounts and regions. `call` may run on many threads at once."""

    def __init__(
        self,
        *,
        clock: Clock,
        glue: GlueCalls,
        store: ObjectStore,
        engine: ExecutionEngine,
        state: StoredState | None = None,
        managed_results: Path | None = None,
    ) -> None:
        self._clock, self._glue, self._engine = clock, glue, engine
        self._results = ResultStore(store, clock, managed_results)
        self._state = state or StoredState()
        self._tokens: dict[tuple[str, str], tuple[Shape, str]] = {}
        self._token_lock = threading.Lock()
        self._runner = QueryRunner(
            clock=clock,
            glue=glue,
            store=store,
            results=self._results,
            engine=engine,
            on_change=self._save,
            prepared=lambda scope, group, name: prepared_statements.text_of(
                self._state, scope, group, name
            ),
            statement=self._keep_statement,
        )
        self._fail_unfinished()

    def call(self, operation: str, request: Shape, *, region: str, account_id: str) -> Shape:
        """One API call. Raises AthenaError."""
        if operation not in OPERATIONS:
            raise _unknown(operation)
        check_request(operation, request)
        scope = f"{account_id}/{region}"
        if operation in _OPERATIONS:
            return _OPERATIONS[operation](self, request, region, account_id)
        if operation in _STATE_OPERATIONS:
            return _STATE_OPERATIONS[operation](self._state, scope, request, self._clock.now())
        catalog = Catalog(self._glue, region, account_id)
        return data_catalogs.METADATA_OPERATIONS[operation](catalog, request)

    def close(self) -> None:
        self._runner.close()
        self._engine.close()
        self._state.close()
        self._results.close()

    # --- executions

    def _save(self, execution: QueryExecution) -> None:
        self._state.put(
            execution.scope, "execution", execution.query_execution_id, execution.saved(),
            execution.submitted_at,
        )  # fmt: skip

    def _fail_unfinished(self) -> None:
        """What ran when the engine was killed has failed."""
        for saved in self._state.everywhere_but("execution", "$.shape.Status.State", *ENDED):
            execution = restored(saved)
            execution.state, execution.ended_at = "FAILED", self._clock.now()
            execution.reason = "INTERNAL_ERROR: the engine stopped while the query ran"
            execution.error = {"ErrorCategory": 1, "ErrorType": 1, "Retryable": True,
                               "ErrorMessage": execution.reason}  # fmt: skip
            self._save(execution)

    def _find(self, scope: str, query_execution_id: str) -> QueryExecution:
        active = self._runner.active(query_execution_id)
        if active is not None and active.scope == scope:
            return active
        saved = self._state.get(scope, "execution", query_execution_id)
        if saved is None:
            raise invalid_request(
                f"QueryExecution {query_execution_id} was not found", "INVALID_INPUT"
            )
        return restored(saved)

    def start(self, request: Shape, region: str, account_id: str) -> Shape:
        query = request.get("QueryString") or ""
        if len(query.encode()) > _MAX_QUERY_BYTES:
            raise invalid_request(
                f"1 validation error detected: Value at 'queryString' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_MAX_QUERY_BYTES}"
            )
        token = request.get("ClientRequestToken")
        scope = f"{account_id}/{region}"
        with self._token_lock:
            if token and (scope, token) in self._tokens:
                before, query_execution_id = self._tokens[scope, token]
                if before != request:
                    raise invalid_request("Idempotent parameters do not match")
                return {"QueryExecutionId": query_execution_id}
            execution, cutoff = self._prepare(request, query, scope, region, account_id)
            self._runner_submit(execution, cutoff)
            if token:
                self._tokens[scope, token] = (dict(request), execution.query_execution_id)
        execution.ended.wait(_LINGER_SECONDS)
        return {"QueryExecutionId": execution.query_execution_id}

    def _prepare(
        self, request: Shape, query: str, scope: str, region: str, account_id: str
    ) -> tuple[QueryExecution, int | None]:
        query = query.strip()
        if query.endswith(";"):
            query = query[:-1].rstrip()
        group = work_groups.usable(
            self._state, scope, request.get("WorkGroup") or "primary", self._clock.now()
        )
        location, encryption = work_groups.output(group, request.get("ResultConfiguration") or {})
        kind = self._checked_kind(query)
        work_groups.check_target(group, kind, query)
        context = request.get("QueryExecutionContext") or {}
        catalog = data_catalogs.usable(self._state, scope, context.get("Catalog"))
        reuse = (request.get("ResultReuseConfiguration") or {}).get(
            "ResultReuseByAgeConfiguration"
        ) or {}
        query_execution_id = str(uuid.uuid4())
        execution = QueryExecution(
            query_execution_id=query_execution_id,
            query=query,
            kind=kind,
            work_group=group["Name"],
            database=(context.get("Database") or "default").strip("`").lower(),
            output_location=f"{location.rstrip('/')}/{query_execution_id}{_suffix(kind)}",
            submitted_at=self._clock.now(),
            region=region,
            account_id=account_id,
            catalog=catalog,
            execution_parameters=tuple(request.get("ExecutionParameters") or ()),
            reuse_minutes=(reuse.get("MaxAgeInMinutes") or 60) if reuse.get("Enabled") else None,
            encryption=encryption,
        )
        return execution, group["Configuration"].get("BytesScannedCutoffPerQuery")

    def _checked_kind(self, query: str) -> statements.Kind:
        kind = statements.kind_of(query)
        if kind is None:
            if not query:
                raise invalid_request("QueryString must not be empty")
            word = statements.without_leading_comments(query).split()[0]
            raise invalid_request(
                f"line 1:1: mismatched input '{word}'. Expecting: 'ALTER', 'ANALYZE', 'CALL', 'CREATE', "
                "'DEALLOCATE', 'DELETE', 'DESC', 'DESCRIBE', 'DROP', 'EXECUTE', 'EXPLAIN', 'INSERT', 'MERGE', "
                "'MSCK', 'PREPARE', 'SHOW', 'UNLOAD', 'UPDATE', 'WITH', <query>", "MALFORMED_QUERY",
            )  # fmt: skip
        try:
            if kind.family == "hive":
                from services.athena import hive_ddl

                hive_ddl.parse(statements.without_leading_comments(query))
            elif kind.substatement_type == "PREPARE":
                self._check_prepared(query)
            elif kind.substatement_type != "DEALLOCATE_PREPARE":
                self._engine.check_syntax(query)
        except QueryFailed as refused:
            reason = refused.reason.removeprefix("SYNTAX_ERROR: ").removeprefix(
                "FAILED: ParseException "
            )
            raise invalid_request(reason, "MALFORMED_QUERY") from None
        return kind

    def _check_prepared(self, query: str) -> None:
        """The statement of a PREPARE; a fault's place is that in the whole text."""
        begin = statements.prepared_from(query)
        if begin is None:
            raise SqlRefused(
                "mismatched input 'PREPARE'. Expecting: PREPARE name FROM statement", 1, 1
            )
        try:
            self._engine.check_syntax(query[begin:])
        except SqlRefused as refused:
            raise _behind(query[:begin], refused) from None

    def _runner_submit(self, execution: QueryExecution, cutoff: int | None) -> None:
        if execution.reuse_minutes is not None and not is_managed(execution.output_location):
            previous = reusable(execution, self._state.all(execution.scope, "execution", newest_first=True),
                                self._clock.now())  # fmt: skip
            if previous is not None:
                self._reuse(execution, restored(previous))
                return
        self._runner.submit(execution, cutoff)

    def _reuse(self, execution: QueryExecution, previous: QueryExecution) -> None:
        """The answer is the previous execution's file; nothing is scanned."""
        execution.output_location = previous.output_location
        execution.columns, execution.update_count = previous.columns, previous.update_count
        execution.reused_previous_result = True
        execution.state, execution.started_at = "SUCCEEDED", execution.submitted_at
        execution.ended_at = self._clock.now()
        execution.ended.set()
        self._save(execution)

    def get(self, request: Shape, region: str, account_id: str) -> Shape:
        return {
            "QueryExecution": self._find(
                f"{account_id}/{region}", request["QueryExecutionId"]
            ).shape()
        }

    def batch_get(self, request: Shape, region: str, account_id: str) -> Shape:
        found, missing = [], []
        for query_execution_id in request["QueryExecutionIds"]:
            try:
                found.append(self._find(f"{account_id}/{region}", query_execution_id).shape())
            except AthenaError as error:
                missing.append({"QueryExecutionId": query_execution_id, "ErrorCode": "INVALID_INPUT",
                                "ErrorMessage": error.message})  # fmt: skip
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def list_executions(self, request: Shape, region: str, account_id: str) -> Shape:
        scope = f"{account_id}/{region}"
        group = request.get("WorkGroup") or "primary"
        work_groups.existing(self._state, scope, group, self._clock.now())
        ids = self._state.keys_with(scope, "execution", "$.shape.WorkGroup", group)
        return paging.page("QueryExecutionIds", ids, request, 50)

    def stop(self, request: Shape, region: str, account_id: str) -> Shape:
        execution = self._find(f"{account_id}/{region}", request["QueryExecutionId"])
        if execution.state not in ENDED:
            self._runner.stop(execution)
            execution.ended.wait(5)
        return {}

    def runtime_statistics(self, request: Shape, region: str, account_id: str) -> Shape:
        execution = self._find(f"{account_id}/{region}", request["QueryExecutionId"])
        statistics = execution.shape()["Statistics"]
        timeline = {
            key: statistics.get(key, 0)
            for key in ("QueryQueueTimeInMillis", "QueryPlanningTimeInMillis",
                        "EngineExecutionTimeInMillis", "ServiceProcessingTimeInMillis",
                        "ServicePreProcessingTimeInMillis", "TotalExecutionTimeInMillis")
        }  # fmt: skip
        rows = {"InputBytes": execution.data_scanned_in_bytes}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    # --- results

    def results(self, request: Shape, region: str, account_id: str) -> Shape:
        execution = self._find(f"{account_id}/{region}", request["QueryExecutionId"])
        if execution.state != "SUCCEEDED":
            if execution.state in ENDED:
                raise invalid_request(
                    f"Query did not finish successfully. Final query state: {execution.state}",
                    "INVALID_QUERY_STATE",
                )
            raise invalid_request(
                f"Query has not yet finished. Current state: {execution.state}",
                "INVALID_QUERY_STATE",
            )
        most = request.get("MaxResults") or 1000
        if not 1 <= most <= 1000:
            raise invalid_request("MaxResults is more than maximum allowed length 1000.")
        rows, token = self._rows(execution, paging.offset(request), most)
        answer: Shape = {
            "UpdateCount": execution.update_count or 0,
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if c is None else {"VarCharValue": c} for c in row]}
                    for row in rows
                ],
                "ResultSetMetadata": {"ColumnInfo": execution.columns},
            },
        }
        return {**answer, "NextToken": token} if token else answer

    def _rows(
        self, execution: QueryExecution, start: int, count: int
    ) -> tuple[list[result_files.Row], str | None]:
        if execution.data_manifest_location:
            return [], None
        location = execution.output_location
        try:
            if execution.has_header:
                read = functools.partial(self._results.read_range, location)
                rows, following = result_files.read_csv(read, start, count)
                return rows, str(following) if following is not None else None
            body = self._results.read(location)
        except QueryFailed:
            why = f"{location} does not exist any more"
            if is_managed(location):
                why = "managed query results are kept for 24 hours"
            raise invalid_request(f"Could not find results: {why}") from None
        lines: list[result_files.Row] = [[line] for line in body.decode().split("\n")[:-1]]
        page = lines[start : start + count]
        return page, str(start + count) if start + count < len(lines) else None

    def _keep_statement(self, execution: QueryExecution, name: str, text: str | None) -> None:
        request = {"StatementName": name, "WorkGroup": execution.work_group, "QueryStatement": text}
        try:
            operation = "DeletePreparedStatement" if text is None else "CreatePreparedStatement"
            prepared_statements.OPERATIONS[operation](
                self._state, execution.scope, request, self._clock.now()
            )
        except AthenaError as error:
            raise QueryFailed(f"INVALID_PREPARED_STATEMENT: {error.message}") from None


def _behind(text: str, refused: SqlRefused) -> SqlRefused:
    """A fault of what stands behind `text`, placed in the whole."""
    if refused.line is None or refused.column is None:
        return refused
    column = refused.column + (len(text) - text.rfind("\n") - 1 if refused.line == 1 else 0)
    return SqlRefused(refused.text, refused.line + text.count("\n"), column, refused.name)


def _unknown(operation: str) -> AthenaError:
    if known(operation):
        return invalid_request(
            f"{operation} is not supported by this engine: it runs SQL, no sessions, notebooks or "
            "reserved capacity."
        )
    return AthenaError("UnknownOperationException", f"Athena has no operation {operation}.")


def _suffix(kind: statements.Kind) -> str:
    if kind.substatement_type in (
        "CREATE_TABLE_AS_SELECT",
        "INSERT",
        "UNLOAD",
        "UPDATE",
        "DELETE",
        "MERGE",
        "OPTIMIZE",
        "VACUUM",
    ):
        return ""
    return ".csv" if kind.statement_type == "DML" else ".txt"


_OPERATIONS: dict[str, Callable[[Athena, Shape, str, str], Shape]] = {
    "StartQueryExecution": Athena.start,
    "GetQueryExecution": Athena.get,
    "BatchGetQueryExecution": Athena.batch_get,
    "ListQueryExecutions": Athena.list_executions,
    "StopQueryExecution": Athena.stop,
    "GetQueryResults": Athena.results,
    "GetQueryRuntimeStatistics": Athena.runtime_statistics,
}
_STATE_OPERATIONS: dict[str, Callable[[StoredState, str, Shape, float], Shape]] = {
    **work_groups.OPERATIONS,
    **named_queries.OPERATIONS,
    **prepared_statements.OPERATIONS,
    **data_catalogs.STATE_OPERATIONS,
}
OPERATIONS = sorted({*_OPERATIONS, *_STATE_OPERATIONS, *data_catalogs.METADATA_OPERATIONS})
