"""What users get wrong, and what an attacker would try: Athena's failures, and the engine lives on."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.athena import result_files
from tests.services.athena.conftest import AthenaInMemory

JSON = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM TABLE(read_csv(path => '/etc/passwd'))",
        "SELECT getenv('HOME')",
        "SELECT current_setting('temp_directory')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM pragma_table_info('x')",
        "SELECT * FROM sqlite_master",
        'SELECT * FROM "../../etc/passwd"',
    ],
)
def test_no_query_reads_anything_but_tables(shared: AthenaInMemory, sql: str) -> None:
    try:
        reason = shared.reason(sql)
    except Exception as refused:  # noqa: BLE001  refused before it starts is as good
        reason = str(refused)
    assert "root:" not in reason
    assert any(word in reason for word in ("NOT_FOUND", "NOT_SUPPORTED", "mismatched", "SYNTAX"))
    assert shared.rows("SELECT 1") == [["1"]]


@pytest.mark.parametrize("sql", ["COPY t TO '/tmp/x'", "PRAGMA version", "ATTACH 'x'", "INSTALL httpfs", "LOAD httpfs", "SET threads = 1"])  # fmt: skip
def test_duckdbs_own_statements_are_no_sql_here(shared: AthenaInMemory, sql: str) -> None:
    with pytest.raises(Exception, match="mismatched input"):
        shared.start(sql)


@pytest.mark.parametrize("location", ["file:///etc/", "/etc/", "s3:///etc/", "http://x/y/"])
def test_a_table_lies_in_s3_and_nowhere_else(shared: AthenaInMemory, location: str) -> None:
    made = f"CREATE EXTERNAL TABLE away (a string) LOCATION '{location}'"
    assert "location" in shared.reason(made).lower()


def test_a_location_with_dots_stays_in_its_bucket(athena: AthenaInMemory) -> None:
    athena.put("secret.json", '{"a": 1}')
    athena.run(f"CREATE EXTERNAL TABLE up (a int) {JSON} LOCATION 's3://lake/t/../../../etc/'")
    assert athena.rows("SELECT count(*) FROM up") == [["0"]]
    athena.put("t/../../../etc/x.json", '{"a": 7}')
    assert athena.rows("SELECT a FROM up") == [["7"]]


@pytest.mark.parametrize(
    "value", ["x' OR '1'='1", "'; DROP TABLE t; --", "(SELECT 1)", "a' UNION SELECT 'b", "\\'"]
)
def test_a_parameter_is_a_value_and_never_sql(shared: AthenaInMemory, value: str) -> None:
    quoted = "'" + value.replace("'", "''") + "'"
    rows = shared.rows("SELECT ? = 'x', ?", ExecutionParameters=[quoted, quoted])
    assert rows == [["false", value]]


@pytest.mark.parametrize("value", ["'x' OR 1 = 1", "1; DROP TABLE t", "'open", "1) OR (1"])
def test_a_parameter_that_is_no_literal_gives_no_other_answer(
    shared: AthenaInMemory, value: str
) -> None:
    try:
        rows = shared.rows("SELECT count(*) FROM (VALUES 'x') t(a) WHERE a = ?", ExecutionParameters=[value])  # fmt: skip
    except (AssertionError, Exception):  # noqa: BLE001  refused is the usual answer
        return
    assert rows == [["0"]]


def test_a_value_that_does_not_fit_its_column_fails_the_query(athena: AthenaInMemory) -> None:
    athena.put("s/a.json", '{"a": "twelve"}\n')
    athena.run(f"CREATE EXTERNAL TABLE s (a int) {JSON} LOCATION 's3://lake/s/'")
    assert athena.reason("SELECT a FROM s").startswith("HIVE_BAD_DATA: Error Parsing a column")


def test_a_table_of_another_format_fails_and_says_which_object(athena: AthenaInMemory) -> None:
    athena.put("p/a.parquet", "this is no Parquet")
    athena.run("CREATE EXTERNAL TABLE p (a int) STORED AS PARQUET LOCATION 's3://lake/p/'")
    reason = athena.reason("SELECT a FROM p")
    assert "cache" not in reason
    assert athena.rows("SELECT 1") == [["1"]]


def test_a_table_that_is_dropped_or_emptied_meanwhile_is_missed_by_name(
    athena: AthenaInMemory,
) -> None:
    athena.put("d/a.json", '{"a": 1}')
    athena.run(f"CREATE EXTERNAL TABLE d (a int) {JSON} LOCATION 's3://lake/d/'")
    athena.store.delete("lake", ["d/a.json"])
    assert athena.rows("SELECT count(*) FROM d") == [["0"]]
    athena.run("DROP TABLE d")
    assert "TABLE_NOT_FOUND" in athena.reason("SELECT * FROM d")


def test_a_table_of_a_missing_bucket_fails_with_s3s_error(athena: AthenaInMemory) -> None:
    athena.run(f"CREATE EXTERNAL TABLE m (a int) {JSON} LOCATION 's3://nowhere/m/'")
    assert "NoSuchBucket" in athena.reason("SELECT * FROM m")


def test_a_large_result_goes_through_a_file_and_comes_back_in_pages(
    athena: AthenaInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_files, "IN_MEMORY_BYTES", 1000)
    numbers = "SELECT x FROM UNNEST(sequence(1, 2500)) AS t(x)"
    execution = athena.run(numbers)
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = athena.call(
            "GetQueryResults", QueryExecutionId=execution["QueryExecutionId"], **token
        )
        found += [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == ["x", *(str(n) for n in range(1, 2501))]


def test_gathered_pieces_leave_no_file_behind() -> None:
    with result_files.gathered([b"a", b"b"]) as small:
        assert small == b"ab"
    with result_files.gathered([b"x" * (33 << 20), b"y"]) as large:
        assert isinstance(large, Path)
        assert large.stat().st_size == (33 << 20) + 1
    assert not large.exists()


def test_a_bad_line_behind_many_good_ones_is_refused_in_the_same_words(
    athena: AthenaInMemory,
) -> None:
    lines = [f'{{"a": {n}}}' for n in range(60_000)]
    athena.put("late/a.json", "\n".join([*lines, "{broken"]))
    athena.run(f"CREATE EXTERNAL TABLE late (a int) {JSON} LOCATION 's3://lake/late/'")
    assert athena.reason("SELECT a FROM late").startswith("HIVE_CURSOR_ERROR: Row is not a valid")


def test_a_large_result_can_be_cancelled_while_it_is_written(athena: AthenaInMemory) -> None:
    numbers = "UNNEST(sequence(1, 10000))"
    endless = f"SELECT a.x * rand() FROM {numbers} a(x), {numbers} b(y), {numbers} c(z)"
    started = athena.start(endless)
    athena.call("StopQueryExecution", QueryExecutionId=started)
    assert athena.ended(started)["Status"]["State"] == "CANCELLED"
