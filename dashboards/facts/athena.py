"""Queries through Athena's API: start, look, fetch, cancel, history, saved ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from botocore.exceptions import ClientError

from dashboards.aws import error_code

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
ROWS_FETCHED = 10_000
#: Where results go when neither the page nor the work group names a place.
RESULTS_BUCKET = "riacho-athena-results"
WHOLE = frozenset({"tinyint", "smallint", "integer", "int", "bigint"})
FRACTIONS = frozenset({"float", "real", "double", "decimal"})


@dataclass(frozen=True)
class Execution:
    """A query's state, as GetQueryExecution tells it."""

    query_execution_id: str
    query: str
    state: str
    reason: str
    submitted: datetime | None
    millis: int
    scanned_bytes: int
    statement_type: str

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


def start_query(athena: Any, s3: Any, sql: str, database: str) -> str:
    """Start it and give its id. Raises ClientError with Athena's sentence."""
    context = {"QueryExecutionContext": {"Database": database}} if database else {}
    output = {"OutputLocation": f"s3://{RESULTS_BUCKET}/"}
    make_bucket(s3, RESULTS_BUCKET)
    answer = athena.start_query_execution(QueryString=sql, ResultConfiguration=output, **context)
    return str(answer["QueryExecutionId"])


def make_bucket(s3: Any, name: str) -> None:
    """The bucket for results, unless it is there."""
    try:
        s3.create_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def look(athena: Any, query_execution_id: str) -> Execution:
    answer = athena.get_query_execution(QueryExecutionId=query_execution_id)
    return execution(answer["QueryExecution"])


def execution(facts: dict[str, Any]) -> Execution:
    """AWS's shape as ours. Pure."""
    status, statistics = facts["Status"], facts.get("Statistics", {})
    return Execution(
        facts["QueryExecutionId"],
        facts.get("Query", ""),
        status["State"],
        status.get("StateChangeReason", ""),
        status.get("SubmissionDateTime"),
        statistics.get("TotalExecutionTimeInMillis", 0),
        statistics.get("DataScannedInBytes", 0),
        facts.get("StatementType", ""),
    )


def fetch(
    athena: Any, query_execution_id: str, is_select: bool = True
) -> tuple[pd.DataFrame, bool]:
    """The rows as a frame with its columns' types, and whether there are more than fetched."""
    rows: list[list[str | None]] = []
    columns: list[tuple[str, str]] = []
    arguments: dict[str, Any] = {"QueryExecutionId": query_execution_id, "MaxResults": 1000}
    while len(rows) <= ROWS_FETCHED:
        answer = athena.get_query_results(**arguments)
        result = answer["ResultSet"]
        columns = [(c["Name"], c["Type"]) for c in result["ResultSetMetadata"]["ColumnInfo"]]
        rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["Rows"]]
        if not answer.get("NextToken"):
            break
        arguments["NextToken"] = answer["NextToken"]
    # The first row of a SELECT repeats the names of its columns.
    if is_select and rows and rows[0] == [name for name, _ in columns]:
        rows = rows[1:]
    return as_frame(columns, rows[:ROWS_FETCHED]), len(rows) > ROWS_FETCHED


def as_frame(columns: list[tuple[str, str]], rows: list[list[str | None]]) -> pd.DataFrame:
    """Text cells as numbers and times, by Athena's types. Pure."""
    names = _distinct([name for name, _ in columns])
    frame = pd.DataFrame(
        [[*row, *[None] * (len(names) - len(row))] for row in rows], columns=names, dtype=object
    )
    for name, (_, kind) in zip(names, columns, strict=True):
        base = kind.split("(")[0].lower()
        if base in WHOLE:
            frame[name] = pd.array(
                [None if v is None else int(v) for v in frame[name]], dtype="Int64"
            )
        elif base in FRACTIONS:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
        elif base in ("date", "timestamp"):
            frame[name] = pd.to_datetime(frame[name], errors="coerce")
    return frame


def history(athena: Any, limit: int = 20) -> list[Execution]:
    """The newest executions."""
    ids = athena.list_query_executions(MaxResults=limit)["QueryExecutionIds"]
    if not ids:
        return []
    found = athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
    by_id = {facts["QueryExecutionId"]: execution(facts) for facts in found}
    return [by_id[query_id] for query_id in ids if query_id in by_id]


def saved_queries(athena: Any) -> list[dict[str, Any]]:
    """Named queries with their text."""
    ids = athena.list_named_queries(MaxResults=50)["NamedQueryIds"]
    if not ids:
        return []
    found: list[dict[str, Any]] = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
    return found


def _distinct(names: list[str]) -> list[str]:
    """Frames want distinct names; `SELECT 1, 1` has none."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        name = name or "_col"
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
