"""`riacho query` and `riacho athena` over an Athena in memory."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from scripts.command_line.athena import Session, split, statements
from scripts.command_line.query import QueryStopped, results_location, run, shown
from services.athena.errors import AthenaError
from tests.services.athena.conftest import AthenaInMemory

SLOW = "SELECT count(*) FROM UNNEST(sequence(1, 30000)) a(x), UNNEST(sequence(1, 30000)) b(y) WHERE x * y = -1"


class Client:
    """The calls of a boto3 client; `interrupted` stands for Ctrl-C while a state is awaited."""

    def __init__(self, athena: AthenaInMemory, *, interrupted: bool = False) -> None:
        self._athena, self._interrupted = athena, interrupted

    def __getattr__(self, method: str) -> Any:
        operation = "".join(word.capitalize() for word in method.split("_"))

        def call(**request: Any) -> dict[str, Any]:
            if operation == "GetQueryExecution" and self._interrupted:
                raise KeyboardInterrupt
            try:
                return self._athena.call(operation, **request)
            except AthenaError as refused:
                error = {"Error": {"Code": refused.code, "Message": refused.message}}
                raise ClientError(error, operation) from None

        return call


def printed(console: Console) -> str:
    return re.sub(r"\s+", " ", console.export_text())


def test_ctrl_c_stops_the_query_and_not_only_the_wait(athena: AthenaInMemory) -> None:
    with pytest.raises(QueryStopped, match="Query cancelled by user"):
        run(Client(athena, interrupted=True), SLOW, output_location="s3://out/r/")
    [query_execution_id] = athena.call("ListQueryExecutions")["QueryExecutionIds"]
    assert athena.ended(query_execution_id)["Status"]["State"] == "CANCELLED"


def test_a_failed_statement_is_told_with_its_place(shared: AthenaInMemory) -> None:
    session, console = Session(Client(shared), "default", "s3://out/r/"), Console(record=True)
    assert session.execute("SELECT 1", console)
    assert not session.execute("SELECT a FROM (VALUES 1) t(b)", console)
    assert "line 1:8: Column 'a' cannot be resolved" in printed(console)


def test_a_long_answer_says_that_it_is_cut(shared: AthenaInMemory) -> None:
    sql = "SELECT x FROM UNNEST(sequence(1, {})) t(x)"
    for rows, said in ((10, "│ 10 │ └────┘ 10 rows,"), (11, "the first 10 rows,")):
        console = Console(record=True)
        found = run(Client(shared), sql.format(rows), output_location="s3://out/r/", most_rows=10)
        shown(found, console)
        assert said in printed(console)


def test_a_workgroup_with_a_place_of_its_own_gets_no_other(athena: AthenaInMemory) -> None:
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    athena.call("CreateWorkGroup", Name="managed", Configuration=managed)
    client = Client(athena)
    assert results_location(client, None, None, "managed") is None
    assert run(client, "SELECT 1 AS a", work_group="managed").rows == [["1"]]


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT ';' AS \"a;b\", `c;d`;\n", ["SELECT ';' AS \"a;b\", `c;d`"], "\n"),
        ("SELECT 'it''s;'; -- after; all", ["SELECT 'it''s;'"], " -- after; all"),
        ("-- first;\nSELECT 1 /* ; */;", ["-- first;\nSELECT 1 /* ; */"], ""),
        (" ; /* nothing */ ;", [], ""),
        ("SELECT 'open; ", [], "SELECT 'open; "),
        ("SELECT 1\nFROM t", [], "SELECT 1\nFROM t"),
    ],
)
def test_statements_end_at_their_semicolon(text: str, found: list[str], rest: str) -> None:
    assert split(text) == (found, rest)


def test_the_last_statement_of_a_file_needs_no_semicolon() -> None:
    assert statements("use shop\n;\nSELECT 1; -- done\nSELECT 2\n") == [
        "use shop", "SELECT 1", "-- done\nSELECT 2",
    ]  # fmt: skip
    assert statements("SELECT 1;\n-- the end\n") == ["SELECT 1"]


def test_an_empty_statement_is_named(shared: AthenaInMemory) -> None:
    with pytest.raises(QueryStopped, match="The statement is empty"):
        run(Client(shared), " \n", output_location="s3://out/r/")
