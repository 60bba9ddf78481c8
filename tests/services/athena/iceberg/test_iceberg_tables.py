"""Iceberg tables through Athena's API: made, changed, travelled through, compacted, dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.athena.conftest import AthenaInMemory

ICEBERG = "TBLPROPERTIES ('table_type'='ICEBERG')"
ALL = "SELECT id, name, day FROM t ORDER BY id"


@pytest.fixture
def iceberg(athena: AthenaInMemory) -> AthenaInMemory:
    created = athena.run(
        "CREATE TABLE t (id bigint, name string, day string) PARTITIONED BY (day, bucket(4, id)) "
        f"LOCATION 's3://lake/t/' {ICEBERG}"
    )
    assert created["Status"]["State"] == "SUCCEEDED", created["Status"]
    athena.run("INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'x'), (3, NULL, 'y')")
    return athena


def test_the_catalog_names_the_metadata_that_every_other_engine_reads(
    iceberg: AthenaInMemory,
) -> None:
    scope = {"region": "us-east-1", "account_id": "000000000000"}
    table = iceberg.glue.call("GetTable", {"DatabaseName": "default", "Name": "t"}, **scope)[
        "Table"
    ]
    parameters = table["Parameters"]
    assert parameters["table_type"] == "ICEBERG"
    key = parameters["metadata_location"].removeprefix("s3://lake/")
    assert b'"current-snapshot-id"' in iceberg.store.read("lake", key)
    assert parameters["previous_metadata_location"] != parameters["metadata_location"]


def test_update_changes_the_rows_that_the_condition_holds_for(iceberg: AthenaInMemory) -> None:
    execution = iceberg.run("UPDATE t SET name = upper(name), day = 'z' WHERE id > 1")
    assert execution["StatementType"] == "DML"
    answer = iceberg.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])
    assert answer["UpdateCount"] == 2
    assert iceberg.rows(ALL) == [["1", "a", "x"], ["2", "B", "z"], ["3", None, "z"]]


def test_delete_keeps_rows_whose_condition_is_null(iceberg: AthenaInMemory) -> None:
    iceberg.run("DELETE FROM t WHERE name = 'b'")
    assert iceberg.rows(ALL) == [["1", "a", "x"], ["3", None, "y"]]
    iceberg.run("DELETE FROM t")
    assert iceberg.rows("SELECT count(*) FROM t") == [["0"]]


def test_merge_takes_the_first_clause_that_applies(iceberg: AthenaInMemory) -> None:
    iceberg.run("""MERGE INTO t USING (VALUES (1, 'one'), (2, 'gone'), (9, 'nine'), (10, 'no')) AS s (id, label)
        ON t.id = s.id
        WHEN MATCHED AND s.label = 'gone' THEN DELETE
        WHEN MATCHED THEN UPDATE SET name = s.label
        WHEN NOT MATCHED AND s.id < 10 THEN INSERT (id, name) VALUES (s.id, s.label)""")  # fmt: skip
    assert iceberg.rows(ALL) == [["1", "one", "x"], ["3", None, "y"], ["9", "nine", None]]


def test_merge_refuses_a_row_with_two_partners(iceberg: AthenaInMemory) -> None:
    merge = "MERGE INTO t USING (VALUES 1, 1) AS s (id) ON t.id = s.id WHEN MATCHED THEN DELETE"
    assert iceberg.reason(merge).startswith("MERGE_TARGET_ROW_MULTIPLE_MATCHES: One MERGE target")
    assert iceberg.rows("SELECT count(*) FROM t") == [["3"]]


def test_a_query_may_read_the_table_as_it_was(iceberg: AthenaInMemory) -> None:
    first = iceberg.rows('SELECT snapshot_id FROM "t$snapshots" ORDER BY committed_at')[0][0]
    iceberg.run("DELETE FROM t WHERE id = 1")
    assert iceberg.rows(f"SELECT count(*) FROM t FOR VERSION AS OF {first}") == [["3"]]
    future = "FOR TIMESTAMP AS OF TIMESTAMP '2200-01-01 00:00:00 UTC'"
    assert iceberg.rows(f"SELECT count(*) FROM t {future}") == [["2"]]
    past = "SELECT 1 FROM t FOR TIMESTAMP AS OF TIMESTAMP '2001-01-01 00:00:00 UTC'"
    assert iceberg.reason(past).startswith("INVALID_ARGUMENTS: No version history table")
    unknown = "SELECT 1 FROM t FOR VERSION AS OF 1"
    assert iceberg.reason(unknown).startswith("INVALID_ARGUMENTS: Iceberg snapshot ID")


def test_the_table_tells_of_its_files_and_snapshots(iceberg: AthenaInMemory) -> None:
    records = iceberg.rows('SELECT sum(record_count), min(content) FROM "t$files"')
    assert records == [["3", "0"]]
    assert iceberg.rows('SELECT is_current_ancestor FROM "t$history"') == [["true"]]
    summary = "SELECT summary['total-records'] FROM \"t$snapshots\""
    assert iceberg.rows(summary) == [["3"]]
    assert iceberg.rows('SELECT count(*) FROM "t$manifests"') == [["1"]]
    assert iceberg.rows('SELECT name FROM "t$refs"') == [["main"]]
    assert "TABLE_NOT_FOUND" in iceberg.reason('SELECT * FROM "t$nothing"')


def test_columns_keep_their_values_under_new_names(iceberg: AthenaInMemory) -> None:
    iceberg.run("ALTER TABLE t ADD COLUMNS (extra int)")
    iceberg.run("ALTER TABLE t CHANGE COLUMN name label string")
    assert iceberg.rows("SELECT id, label, extra FROM t WHERE id = 1") == [["1", "a", None]]
    iceberg.run("ALTER TABLE t DROP COLUMN extra")
    assert "COLUMN_NOT_FOUND" in iceberg.reason("SELECT extra FROM t")
    iceberg.run("ALTER TABLE t RENAME TO renamed")
    assert iceberg.rows("SELECT label FROM renamed WHERE id = 2") == [["b"]]


def test_optimize_leaves_one_file_a_partition_and_vacuum_no_unnamed_one(
    iceberg: AthenaInMemory,
) -> None:
    iceberg.run("INSERT INTO t VALUES (1, 'again', 'x')")
    assert iceberg.run("OPTIMIZE t REWRITE DATA USING BIN_PACK")["Status"]["State"] == "SUCCEEDED"
    assert iceberg.rows("SELECT count(*), sum(id) FROM t") == [["4", "7"]]
    assert iceberg.run("VACUUM t")["Status"]["State"] == "SUCCEEDED"
    assert iceberg.rows("SELECT count(*), sum(id) FROM t") == [["4", "7"]]


def test_a_query_becomes_a_table_of_all_types_and_dropping_it_removes_its_files(
    athena: AthenaInMemory,
) -> None:
    athena.run("""CREATE TABLE c WITH (table_type = 'ICEBERG', is_external = false,
        location = 's3://lake/c/', partitioning = ARRAY['month(d)']) AS
        SELECT 1 AS a, DATE '2024-01-02' AS d, ARRAY[1, 2] AS l, MAP(ARRAY['k'], ARRAY[1.5]) AS m,
            CAST(ROW(1, 'x') AS ROW(p int, q varchar)) AS r,
            TIMESTAMP '2024-01-02 03:04:05.678 UTC' AS z""")  # fmt: skip
    rows = athena.rows("SELECT * FROM c")
    assert rows == [
        ["1", "2024-01-02", "[1, 2]", "{k=1.5}", "{p=1, q=x}", "2024-01-02 03:04:05.678000 UTC"]
    ]
    athena.run("DROP TABLE c")
    assert athena.store.list("lake", "c/") == []


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DELETE FROM t WHERE nothing = 1", "COLUMN_NOT_FOUND: line 1:21"),
        ("UPDATE t SET nothing = 1", "target columns ['nothing'] do not exist"),
        ("UPDATE nowhere SET a = 1", "TABLE_NOT_FOUND"),
        (
            f"CREATE TABLE u (a int) LOCATION 's3://lake/u/' PARTITIONED BY (b) {ICEBERG}",
            "source column 'b'",
        ),
        (f"CREATE TABLE t (a int) LOCATION 's3://lake/u/' {ICEBERG}", "already exists"),
        (f"CREATE TABLE u (a int) {ICEBERG}", "a LOCATION in S3 is required"),
    ],
)
def test_what_cannot_be_done_names_its_reason(
    iceberg: AthenaInMemory, sql: str, reason: str
) -> None:
    assert reason in iceberg.reason(sql)


def test_rows_of_hive_tables_are_not_changed(athena: AthenaInMemory, tmp_path: Path) -> None:
    athena.run("CREATE EXTERNAL TABLE h (a int) STORED AS PARQUET LOCATION 's3://lake/h/'")
    for sql in ("UPDATE h SET a = 1", "DELETE FROM h", "OPTIMIZE h REWRITE DATA USING BIN_PACK"):
        assert "only supported for transactional tables" in athena.reason(sql)
