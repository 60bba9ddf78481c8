"""Query executions: states, tokens, workgroups, cutoff, cancel, reuse, results, paging."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.athena.errors import AthenaError
from tests.services.athena.conftest import AthenaInMemory

SLOW = "SELECT count(*) FROM UNNEST(sequence(1, 30000)) a(x), UNNEST(sequence(1, 30000)) b(y) WHERE x * y = -1"


def test_an_execution_succeeds_with_its_statistics(athena: AthenaInMemory) -> None:
    execution = athena.run("SELECT 1 AS a")
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert (execution["StatementType"], execution["WorkGroup"]) == ("DML", "primary")
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://out/r/{execution['QueryExecutionId']}.csv"
    assert execution["Statistics"]["DataScannedInBytes"] == 0


def test_no_output_location_anywhere_is_refused(athena: AthenaInMemory) -> None:
    with pytest.raises(AthenaError, match="No output location provided"):
        athena.start("SELECT 1", ResultConfiguration={})


def test_a_token_gives_the_same_execution_and_refuses_another_query(athena: AthenaInMemory) -> None:
    token = {"ClientRequestToken": "t" * 32}
    assert athena.start("SELECT 1", **token) == athena.start("SELECT 1", **token)
    with pytest.raises(AthenaError, match="Idempotent parameters do not match"):
        athena.start("SELECT 2", **token)


def test_a_query_above_262144_bytes_is_refused(athena: AthenaInMemory) -> None:
    with pytest.raises(AthenaError, match="less than or equal to 262144"):
        athena.start("SELECT '" + "x" * 262_136 + "'")
    assert athena.run("SELECT '" + "x" * 262_134 + "'")["Status"]["State"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
        ("SELECT 1 FROM\nt WHERE WHERE", "line 2:9: mismatched input 'WHERE'"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        ("CREATE EXTERNAL TABLE t (a int) LCATION 'x'", "line 1:32"),
    ],
)
def test_what_is_no_sql_is_refused_at_once(athena: AthenaInMemory, sql: str, message: str) -> None:
    with pytest.raises(AthenaError, match=message) as refused:
        athena.start(sql)
    assert refused.value.fields["AthenaErrorCode"] == "MALFORMED_QUERY"


def test_the_workgroup_enforces_its_location(athena: AthenaInMemory) -> None:
    own = {"ResultConfiguration": {"OutputLocation": "s3://out/group/"}}
    athena.call("CreateWorkGroup", Name="g", Configuration=own)
    execution = athena.run("SELECT 1", WorkGroup="g")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith("s3://out/group/")


def test_what_the_client_leaves_open_is_the_workgroups(athena: AthenaInMemory) -> None:
    encrypted = {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}
    configuration = {"ResultConfiguration": encrypted, "EnforceWorkGroupConfiguration": False}
    athena.call("CreateWorkGroup", Name="g", Configuration=configuration)
    shown = athena.run("SELECT 1", WorkGroup="g")["ResultConfiguration"]
    assert shown["OutputLocation"].startswith("s3://out/r/")
    assert shown["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


def test_a_query_over_its_bytes_cutoff_is_cancelled(athena: AthenaInMemory) -> None:
    athena.put("big/a.txt", "x" * 10_000_001)
    athena.rows("CREATE EXTERNAL TABLE big (a string) LOCATION 's3://lake/big/'")
    limit = {"BytesScannedCutoffPerQuery": 10_000_000, "EnforceWorkGroupConfiguration": False}
    athena.call("CreateWorkGroup", Name="small", Configuration=limit)
    execution = athena.run("SELECT count(*) FROM big", WorkGroup="small")
    assert execution["Status"]["State"] == "CANCELLED"
    assert "Bytes scanned limit was exceeded" in execution["Status"]["StateChangeReason"]


def test_stopping_a_query_stops_duckdb(athena: AthenaInMemory) -> None:
    query_execution_id = athena.start(SLOW)
    assert athena.call("StopQueryExecution", QueryExecutionId=query_execution_id) == {}
    assert athena.ended(query_execution_id)["Status"]["State"] == "CANCELLED"
    assert athena.rows("SELECT 1") == [["1"]]


def test_results_come_in_pages_and_only_the_first_has_the_header(athena: AthenaInMemory) -> None:
    execution = athena.run("SELECT x FROM UNNEST(sequence(1, 5)) AS t(x) ORDER BY x")
    request = {"QueryExecutionId": execution["QueryExecutionId"], "MaxResults": 3}
    first = athena.call("GetQueryResults", **request)
    second = athena.call("GetQueryResults", **request, NextToken=first["NextToken"])
    pages = [
        [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
        for page in (first, second)
    ]
    assert pages == [["x", "1", "2"], ["3", "4", "5"]]
    assert "NextToken" not in second


def test_results_of_a_running_or_failed_query_are_refused(athena: AthenaInMemory) -> None:
    execution = athena.run("SELECT 1 / 0")
    with pytest.raises(AthenaError, match="Final query state: FAILED"):
        athena.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])


def test_null_and_the_empty_string_stay_apart(athena: AthenaInMemory) -> None:
    execution = athena.run("SELECT CAST(NULL AS varchar) AS a, '' AS b, 'say \"hi\",\nthere' AS c")
    key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://out/")
    body = athena.store.read("out", key)
    assert body == b'"a","b","c"\n,"","say ""hi"",\nthere"\n'
    answer = athena.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])
    assert answer["ResultSet"]["Rows"][1]["Data"] == [
        {}, {"VarCharValue": ""}, {"VarCharValue": 'say "hi",\nthere'},
    ]  # fmt: skip


def test_a_result_may_be_reused_until_it_is_too_old(athena: AthenaInMemory) -> None:
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {
        "Enabled": True, "MaxAgeInMinutes": 10}}}  # fmt: skip

    def reused() -> bool:
        statistics = athena.run("SELECT 7", **reuse)["Statistics"]
        return bool(statistics["ResultReuseInformation"]["ReusedPreviousResult"])

    assert [reused(), reused()] == [False, True]
    athena.clock.advance(601)
    assert not reused()


def test_parameters_are_values_and_never_sql(athena: AthenaInMemory) -> None:
    sql = "SELECT count(*) FROM (VALUES 'a', 'b') AS t(x) WHERE x = ?"
    assert athena.rows(sql, ExecutionParameters=["'a'"]) == [["1"]]
    assert athena.rows(sql, ExecutionParameters=["a"]) == [["1"]]
    assert "TYPE_MISMATCH" in athena.reason(sql, ExecutionParameters=["'x' OR 1 = 1"])
    assert athena.rows(sql, ExecutionParameters=["'x'; DROP TABLE t"]) == [["0"]]
    assert athena.rows(sql, ExecutionParameters=["(SELECT 'a')"]) == [["0"]]


def test_prepared_statements_run_with_their_parameters(athena: AthenaInMemory) -> None:
    athena.rows("PREPARE add_up FROM SELECT ? + ?")
    assert athena.rows("EXECUTE add_up USING 1, 2") == [["3"]]
    assert athena.rows("EXECUTE add_up", ExecutionParameters=["3", "4"]) == [["7"]]
    athena.rows("DEALLOCATE PREPARE add_up")
    assert "not found" in athena.reason("EXECUTE add_up USING 1, 2")


def test_executions_survive_the_engine(tmp_path: Path) -> None:
    from services.athena.athena import Athena
    from services.athena.stored_state import StoredState

    first = AthenaInMemory(tmp_path / "a")
    state = StoredState(tmp_path / "state.sqlite")
    parts = {"clock": first.clock, "glue": first.glue, "store": first.store}
    before = Athena(**parts, engine=first.athena._engine, state=state)  # type: ignore[arg-type]
    first.athena, old = before, first.athena
    query_execution_id = first.run("SELECT 42")["QueryExecutionId"]
    before._state.close()
    again = StoredState(tmp_path / "state.sqlite")
    first.athena = Athena(**parts, engine=before._engine, state=again)  # type: ignore[arg-type]
    answer = first.call("GetQueryResults", QueryExecutionId=query_execution_id)
    assert answer["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "42"}]
    old._state.close()
    first.athena.close()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM nowhere", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.nowhere' does not exist"),
        ("SELECT x FROM (VALUES 1) AS t(y)", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
        ("SELECT nope(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered"),
        ("SELECT 1 + 'a'", "TYPE_MISMATCH: "),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT CAST('a' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast 'a' to INT"),
        ("SELECT ARRAY[1][2]", "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than"),
        ("SELECT * FROM read_csv('/etc/passwd')", "FUNCTION_NOT_FOUND"),
        ("SELECT * FROM \"/etc/passwd\"", "TABLE_NOT_FOUND"),
        ("SELECT read_text('/etc/passwd')", "FUNCTION_NOT_FOUND"),
        ("SELECT getenv('HOME')", "FUNCTION_NOT_FOUND"),
    ],
)  # fmt: skip
def test_errors_have_athenas_names_and_nothing_leaves_the_sandbox(
    athena: AthenaInMemory, sql: str, reason: str
) -> None:
    assert reason in athena.reason(sql)


@pytest.mark.parametrize(
    "sql", ["COPY t TO '/tmp/x'", "PRAGMA version", "ATTACH 'x'", "INSTALL httpfs", "SET x = 1"]
)
def test_duckdbs_own_statements_are_no_athena(athena: AthenaInMemory, sql: str) -> None:
    with pytest.raises(AthenaError, match="mismatched input"):
        athena.start(sql)
