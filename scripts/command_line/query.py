"""`riacho query "SELECT …"`: one statement through Athena's API, as a table or as JSON."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

from scripts.command_line.connection import Connection, with_connection
from scripts.provisioning import provision_bucket

RESULTS_BUCKET = "riacho-athena-results"
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "float", "double", "decimal")


class QueryStopped(Exception):
    """The query ended FAILED or CANCELLED, or was refused; the message is Athena's."""


@dataclass(frozen=True)
class Result:
    """`columns` name → Athena's type; `rows` texts, None for NULL; `is_cut` where more follow."""

    columns: list[tuple[str, str]]
    rows: list[list[str | None]]
    execution: dict[str, Any]
    is_cut: bool = False


def run(
    athena: Any,
    sql: str,
    *,
    database: str = "default",
    output_location: str | None = None,
    work_group: str = "primary",
    most_rows: int | None = None,
) -> Result:
    """Start, wait, fetch. Raises QueryStopped with Athena's reason."""
    if not sql.strip():
        raise QueryStopped("The statement is empty.")
    configuration = {"OutputLocation": output_location} if output_location else {}
    try:
        query_execution_id = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": database},
            ResultConfiguration=configuration,
            WorkGroup=work_group,
        )["QueryExecutionId"]
    except ClientError as error:
        raise QueryStopped(error.response["Error"]["Message"]) from None
    try:
        execution = _waited(athena, query_execution_id)
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=query_execution_id)
        raise QueryStopped("Query cancelled by user") from None
    status = execution["Status"]
    if status["State"] != "SUCCEEDED":
        raise QueryStopped(status.get("StateChangeReason") or status["State"])
    return _fetched(athena, execution, most_rows)


def _waited(athena: Any, query_execution_id: str) -> dict[str, Any]:
    pause = 0.01
    while True:
        answer = athena.get_query_execution(QueryExecutionId=query_execution_id)
        execution: dict[str, Any] = answer["QueryExecution"]
        if execution["Status"]["State"] in _ENDED:
            return execution
        time.sleep(pause)
        pause = min(0.5, pause * 1.5)


def _fetched(athena: Any, execution: dict[str, Any], most_rows: int | None) -> Result:
    rows: list[list[str | None]] = []
    columns: list[tuple[str, str]] = []
    for page in _pages(athena, execution["QueryExecutionId"]):
        result = page["ResultSet"]
        columns = [(c["Name"], c["Type"]) for c in result["ResultSetMetadata"]["ColumnInfo"]]
        rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["Rows"]]
        if most_rows is not None and len(rows) > most_rows + 1:  # the header is one of them
            break
    if execution["StatementType"] == "DML" and rows and rows[0] == [name for name, _ in columns]:
        rows = rows[1:]
    is_cut = most_rows is not None and len(rows) > most_rows
    return Result(columns, rows[:most_rows], execution, is_cut)


def _pages(athena: Any, query_execution_id: str) -> Iterator[dict[str, Any]]:
    request = {"QueryExecutionId": query_execution_id}
    while True:
        page = athena.get_query_results(**request)
        yield page
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def results_location(
    athena: Any, s3: Any, output_location: str | None, work_group: str = "primary"
) -> str | None:
    """Where results go when nobody says: a bucket of ours, made at first use.

    None where the workgroup has its own place for them.
    """
    if output_location:
        return output_location
    if work_group != "primary" and _has_own_place(athena, work_group):
        return None
    provision_bucket(s3, RESULTS_BUCKET)
    return f"s3://{RESULTS_BUCKET}/"


def _has_own_place(athena: Any, work_group: str) -> bool:
    try:
        configuration = athena.get_work_group(WorkGroup=work_group)["WorkGroup"]["Configuration"]
    except ClientError:
        return True  # StartQueryExecution says what is wrong with it
    managed = configuration.get("ManagedQueryResultsConfiguration") or {}
    own = configuration.get("ResultConfiguration") or {}
    return bool(managed.get("Enabled") or own.get("OutputLocation"))


def shown(result: Result, console: Console) -> None:
    """A table, numbers to the right, and one line of statistics."""
    if result.columns:
        table = Table()
        for name, kind in result.columns:
            table.add_column(_escaped(name), justify="right" if kind in _NUMBERS else "left")
        for row in result.rows:
            cells = (
                row
                if len(row) == len(result.columns)
                else "\t".join(c or "" for c in row).split("\t")
            )
            table.add_row(
                *(
                    "[dim]NULL[/dim]" if c is None else _escaped(c)
                    for c in cells[: len(result.columns)]
                )
            )
        console.print(table)
    statistics = result.execution["Statistics"]
    millis = statistics.get("EngineExecutionTimeInMillis", 0)
    scanned = statistics.get("DataScannedInBytes", 0)
    rows = f"{len(result.rows)} row{'' if len(result.rows) == 1 else 's'}"
    if result.is_cut:
        rows = f"the first {rows}"
    console.print(f"[dim]{rows}, {millis} ms, {scanned:,} bytes scanned[/dim]")


def _escaped(cell: str) -> str:
    return cell.replace("[", "\\[")


def explained(sql: str, reason: str) -> str:
    """Athena's reason, and below it the line of SQL with a caret where it points."""
    found = re.search(r"line (\d+):(\d+)", reason)
    lines = sql.strip().splitlines()
    if not found or not 1 <= int(found[1]) <= len(lines):
        return reason
    return f"{reason}\n  {lines[int(found[1]) - 1]}\n  {' ' * max(0, int(found[2]) - 1)}^"


def as_json(result: Result) -> str:
    names = [name for name, _ in result.columns]
    rows = [dict(zip(names, row, strict=False)) for row in result.rows]
    return json.dumps(
        {
            "query_execution_id": result.execution["QueryExecutionId"],
            "columns": [{"name": name, "type": kind} for name, kind in result.columns],
            "rows": rows,
            "statistics": result.execution["Statistics"],
        },
        ensure_ascii=False,
    )


@click.command()
@click.argument("sql")
@click.option("--database", "-d", default="default", show_default=True, help="Of the query.")
@click.option("--output-location", help=f"Where results are written (s3://{RESULTS_BUCKET}/).")
@click.option("--work-group", default="primary", show_default=True, help="The workgroup.")
@click.option("--json", "json_", is_flag=True, help="One JSON document instead of a table.")
@with_connection
def query(
    connection: Connection,
    sql: str,
    database: str,
    output_location: str | None,
    work_group: str,
    json_: bool,
) -> None:
    """Run one SQL statement (SELECT or DDL) through Athena; `-` reads it from standard input."""
    sql = sys.stdin.read() if sql == "-" else sql
    client = connection.client("athena")
    try:
        result = run(
            client,
            sql,
            database=database,
            work_group=work_group,
            output_location=results_location(
                client, connection.client("s3"), output_location, work_group
            ),
        )
    except QueryStopped as stopped:
        raise click.ClickException(explained(sql, str(stopped))) from None
    if json_:
        click.echo(as_json(result))
    else:
        shown(result, Console())
