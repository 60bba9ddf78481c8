"""What users get wrong, and what an attacker would try: Athena's failures, and the engine lives on."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.athena import result_files
from services.athena.athena import Athena
from services.athena.duckdb_engine import DuckDbEngine
from services.athena.object_store import MemoryObjectStore
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


def pages(athena: AthenaInMemory, query_execution_id: str) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = athena.call("GetQueryResults", QueryExecutionId=query_execution_id, **token)
        yield page
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}


def test_a_million_rows_come_in_pages_that_hold_no_more_than_their_piece_of_the_file(
    athena: AthenaInMemory,
) -> None:
    thousands = "UNNEST(sequence(0, 999))"
    sql = f"SELECT 1000 * a.x + b.y AS n, 'a word of some length' FROM {thousands} a(x), {thousands} b(y)"
    execution = athena.run(sql)
    query = execution["QueryExecutionId"]
    count = total = 0
    for page in itertools.islice(pages(athena, query), 2, None):
        values = [int(row["Data"][0]["VarCharValue"]) for row in page["ResultSet"]["Rows"]]
        count, total = count + len(values), total + sum(values)
    tracemalloc.start()
    try:
        first = [
            int(row["Data"][0]["VarCharValue"])
            for page in itertools.islice(pages(athena, query), 2)
            for row in page["ResultSet"]["Rows"]
            if row["Data"][0]["VarCharValue"] != "n"
        ]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count + len(first), total + sum(first)) == (1_000_000, 499_999_500_000)
    assert peak < 8 << 20


@given(
    st.lists(st.lists(st.none() | st.text('a"\n,é', max_size=5), min_size=2, max_size=2), max_size=12),
    st.integers(1, 5), st.integers(1, 20),
)  # fmt: skip
def test_rows_are_the_same_in_whatever_pieces_the_file_is_read(
    rows: list[list[str | None]], count: int, piece: int
) -> None:
    body = "".join(result_files.csv_line(row) for row in rows).encode()
    found: list[list[str | None]] = []
    position: int | None = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result_files, "PIECE_BYTES", piece)
        while position is not None:
            page, position = result_files.read_csv(
                lambda at, size: body[at : at + size], position, count
            )
            assert len(page) == count or position is None
            found += page
    assert found == rows


class Fleeting(MemoryObjectStore):
    """Objects that are gone between the listing and the reading, where `going` says so."""

    going = ""

    def read(self, bucket: str, key: str) -> bytes:
        if self.going and key.startswith(self.going):
            self.delete(bucket, [key])
        return super().read(bucket, key)


def test_an_object_that_goes_after_it_was_listed_fails_the_query_by_its_name(
    athena: AthenaInMemory, tmp_path: Path
) -> None:
    store = Fleeting("lake", "out")
    athena.athena.close()
    athena.store = store
    engine = DuckDbEngine(store, tmp_path / "fleeting")
    athena.athena = Athena(clock=athena.clock, glue=athena.glue, store=store, engine=engine)
    for table, format_ in (("j", JSON), ("p", "STORED AS PARQUET")):
        athena.put(f"{table}/a", '{"a": 1}')
        athena.run(f"CREATE EXTERNAL TABLE {table} (a int) {format_} LOCATION 's3://lake/{table}/'")
        store.going = f"{table}/"
        reason = athena.reason(f"SELECT * FROM {table}")
        assert reason.startswith(
            f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://lake/{table}/a"
        )
        store.going = ""
        assert athena.rows(f"SELECT count(*) FROM {table}") == [["0"]]


def test_queries_outlive_tables_and_objects_that_come_and_go(athena: AthenaInMemory) -> None:
    made = f"CREATE EXTERNAL TABLE c (a int) {JSON} LOCATION 's3://lake/c/'"
    athena.run(made)
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for number in range(20):
                athena.put(f"c/{number}.json", '{"a": 1}\n{"a": 2}')
            athena.run("DROP TABLE IF EXISTS c")
            athena.store.delete("lake", [f"c/{number}.json" for number in range(20)])
            athena.run(made)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(40):
            execution = athena.run("SELECT count(*) FROM c")
            status = execution["Status"]
            if status["State"] == "FAILED":
                words = ("TABLE_NOT_FOUND", "HIVE_CANNOT_OPEN_SPLIT")
                assert any(word in status["StateChangeReason"] for word in words), status
            else:
                assert status["State"] == "SUCCEEDED"
    finally:
        done.set()
        changing.join()
    assert athena.rows("SELECT 1") == [["1"]]


def test_a_partition_without_objects_gives_no_rows_and_one_without_a_bucket_fails(
    athena: AthenaInMemory,
) -> None:
    athena.run(f"CREATE EXTERNAL TABLE w (a int) PARTITIONED BY (d string) {JSON} LOCATION 's3://lake/w/'")  # fmt: skip
    athena.run("ALTER TABLE w ADD PARTITION (d='1') LOCATION 's3://lake/nothing/'")
    athena.run("ALTER TABLE w ADD PARTITION (d='2') LOCATION 's3://nowhere/w/'")
    assert athena.rows("SELECT count(*) FROM w WHERE d = '1'") == [["0"]]
    assert "NoSuchBucket" in athena.reason("SELECT count(*) FROM w")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("random(-1)", "INVALID_FUNCTION_ARGUMENT: bound must be positive"),
        ("random(0)", "INVALID_FUNCTION_ARGUMENT: bound must be positive"),
        ("rand(5, 5)", "INVALID_FUNCTION_ARGUMENT: start value must be less than stop value"),
        ("random(1.5e0)", "Unexpected parameters (double) for function random"),
    ],
)
def test_a_random_number_needs_a_whole_range(shared: AthenaInMemory, call: str, words: str) -> None:
    assert words in shared.reason(f"SELECT {call}")
    rows = shared.rows("SELECT random(1), random(7, 8), random(CAST(NULL AS integer)) IS NULL")
    assert rows == [["0", "7", "true"]]
