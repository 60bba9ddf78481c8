"""Statements that change or show the catalog, against the real Hive texts."""

from __future__ import annotations

import pytest

from tests.services.athena.conftest import AthenaInMemory

JSON = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"


@pytest.fixture
def logs(athena: AthenaInMemory) -> AthenaInMemory:
    """A table of two hours, found by MSCK."""
    for hour in ("08", "09"):
        athena.put_json(f"logs/day=1/hour={hour}/a.json.gz", [{"n": 1}, {"n": int(hour)}])
    athena.rows(
        f"CREATE EXTERNAL TABLE logs (n int) PARTITIONED BY (day int, hour string) {JSON} "
        "LOCATION 's3://lake/logs/'"
    )
    athena.rows("MSCK REPAIR TABLE logs")
    return athena


def test_msck_adds_and_never_removes(logs: AthenaInMemory) -> None:
    logs.store.delete("lake", ["logs/day=1/hour=08/a.json.gz"])
    logs.put_json("logs/day=2/hour=00/a.json", [{"n": 5}])
    logs.rows("MSCK REPAIR TABLE logs")
    shown = [["day=1/hour=08"], ["day=1/hour=09"], ["day=2/hour=00"]]
    assert logs.rows("SHOW PARTITIONS logs") == shown
    assert logs.rows("SELECT sum(n) FROM logs") == [["15"]]


@pytest.mark.parametrize(
    ("where", "objects"),
    [
        ("hour = '08'", 1), ("hour > '08'", 1), ("day = 1", 2), ("day + 1 = 2 AND n > 0", 2),
        ("hour IN ('07', '09')", 1), ("hour LIKE '%9'", 1), ("day = 2", 0), ("n = 1", 2),
        ("(hour = '08' OR hour = '10')", 1),
    ],
)  # fmt: skip
def test_conditions_on_partitions_prune_what_is_read(
    logs: AthenaInMemory, where: str, objects: int
) -> None:
    size = len(logs.store.read("lake", "logs/day=1/hour=08/a.json.gz"))
    execution = logs.run(f"SELECT count(*) FROM logs WHERE {where}")
    assert execution["Statistics"]["DataScannedInBytes"] == objects * size


def test_an_outer_join_does_not_prune_its_null_side(logs: AthenaInMemory) -> None:
    sql = (
        "SELECT v.x FROM (VALUES '08', '10') AS v(x) LEFT JOIN logs ON logs.hour = v.x "
        "WHERE logs.hour IS NULL"
    )
    assert logs.rows(sql) == [["10"]]


def test_partitions_are_added_renamed_and_dropped(logs: AthenaInMemory) -> None:
    logs.put_json("elsewhere/x.json", [{"n": 100}])
    logs.rows("ALTER TABLE logs ADD PARTITION (day=3, hour='00') LOCATION 's3://lake/elsewhere/'")
    assert logs.rows("SELECT n FROM logs WHERE day = 3") == [["100"]]
    logs.rows(
        "ALTER TABLE logs PARTITION (day=3, hour='00') RENAME TO PARTITION (day=4, hour='01')"
    )
    logs.rows("ALTER TABLE logs DROP PARTITION (day = 1, hour < '09')")
    assert logs.rows("SHOW PARTITIONS logs") == [["day=1/hour=09"], ["day=4/hour=01"]]
    assert "AlreadyExistsException" in logs.reason(
        "ALTER TABLE logs ADD PARTITION (day=1, hour='09')"
    )


def test_projection_replaces_the_catalogs_partitions(athena: AthenaInMemory) -> None:
    athena.put_json("proj/2020/05/a.json", [{"n": 1}])
    athena.put_json("proj/2020/06/a.json", [{"n": 2}])
    athena.rows(
        f"CREATE EXTERNAL TABLE proj (n int) PARTITIONED BY (ym string) {JSON} "
        "LOCATION 's3://lake/proj/' TBLPROPERTIES ('projection.enabled'='true', "
        "'projection.ym.type'='date', 'projection.ym.format'='yyyy/MM', "
        "'projection.ym.range'='2020/01,2020/12', "
        "'storage.location.template'='s3://lake/proj/${ym}/')"
    )
    assert athena.rows("SELECT ym, n FROM proj ORDER BY ym") == [["2020/05", "1"], ["2020/06", "2"]]
    assert athena.rows("SELECT n FROM proj WHERE ym >= '2020/06'") == [["2"]]
    assert athena.rows("SHOW PARTITIONS proj") == []


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("", "shop/at=2020-01-01 01%3A02/"),
        (", 'storage.location.template'='s3://lake/by/${at}/'", "by/2020-01-01 01:02/"),
    ],
)
def test_rows_inserted_into_a_projected_partition_are_read_again(
    athena: AthenaInMemory, template: str, key: str
) -> None:
    athena.rows(f"""CREATE EXTERNAL TABLE shop (n int) PARTITIONED BY (at string)
        STORED AS PARQUET LOCATION 's3://lake/shop/' TBLPROPERTIES ('projection.enabled'='true',
        'projection.at.type'='date', 'projection.at.format'='yyyy-MM-dd HH:mm',
        'projection.at.range'='2020-01-01 01:00,2020-01-01 01:05'{template})""")
    athena.rows("INSERT INTO shop VALUES (7, '2020-01-01 01:02')")
    assert athena.rows("SELECT n, at FROM shop") == [["7", "2020-01-01 01:02"]]
    assert [found for found in athena.store.buckets["lake"] if found.startswith(key)]
    assert athena.rows("SHOW PARTITIONS shop") == []


def test_columns_are_added_changed_and_replaced(logs: AthenaInMemory) -> None:
    logs.rows("ALTER TABLE logs ADD COLUMNS (extra string)")
    logs.rows("ALTER TABLE logs CHANGE COLUMN extra more bigint")
    assert logs.rows("SHOW COLUMNS IN logs") == [
        [f"{name:<20}"] for name in ("n", "more", "day", "hour")
    ]
    logs.rows("ALTER TABLE logs REPLACE COLUMNS (n bigint)")
    assert logs.rows("SELECT typeof(n) FROM logs LIMIT 1") == [["bigint"]]


def test_views_keep_their_text_and_answer(logs: AthenaInMemory) -> None:
    logs.rows("CREATE OR REPLACE VIEW loud AS SELECT hour, sum(n) AS total FROM logs GROUP BY hour")
    assert logs.rows("SELECT total FROM loud WHERE hour = '09'") == [["10"]]
    assert logs.rows("SHOW VIEWS") == [["loud"]]
    shown = [line for [line] in logs.rows("SHOW CREATE VIEW loud")]
    assert shown[0] == "CREATE VIEW default.loud AS"
    logs.rows("DROP VIEW loud")
    assert "TABLE_NOT_FOUND" in logs.reason("SELECT * FROM loud")


def test_information_schema_lists_tables_and_columns(logs: AthenaInMemory) -> None:
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'default'"
    assert logs.rows(tables) == [["logs"]]
    columns = (
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'logs' "
        "ORDER BY ordinal_position"
    )
    assert logs.rows(columns) == [["n", "integer"], ["day", "integer"], ["hour", "varchar"]]


def test_insert_adds_files_and_partitions(logs: AthenaInMemory) -> None:
    execution = logs.run("INSERT INTO logs SELECT 7, 9, '23'")
    answer = logs.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])
    assert answer["UpdateCount"] == 1
    assert logs.rows("SELECT n FROM logs WHERE day = 9") == [["7"]]
    assert "TYPE_MISMATCH" in logs.reason("INSERT INTO logs SELECT 'x', 9, '23'")


def test_unload_writes_files_and_a_manifest(logs: AthenaInMemory) -> None:
    execution = logs.run(
        "UNLOAD (SELECT n FROM logs) TO 's3://lake/unloaded/' WITH (format = 'JSON')"
    )
    manifest = execution["Statistics"]["DataManifestLocation"].removeprefix("s3://out/")
    listed = logs.store.read("out", manifest).decode().split()
    assert len(listed) == 1
    assert listed[0].startswith("s3://lake/unloaded/")
    assert "HIVE_PATH_ALREADY_EXISTS" in logs.reason(
        "UNLOAD (SELECT 1 AS a) TO 's3://lake/unloaded/' WITH (format = 'JSON')"
    )


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DROP TABLE nope", "FAILED: SemanticException [Error 10001]: Table not found nope"),
        ("ALTER TABLE nope SET LOCATION 's3://lake/x/'", "Table not found"),
        ("CREATE TABLE t (a int) LOCATION 's3://lake/x/'", "missing EXTERNAL"),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 'file:///etc/'", "Invalid S3 location"),
        ("CREATE EXTERNAL TABLE t (a nosuch) LOCATION 's3://lake/x/'", "cannot recognize input"),
        ("SHOW TABLES IN nowhere", "Database does not exist"),
    ],
)
def test_hives_own_errors(athena: AthenaInMemory, sql: str, reason: str) -> None:
    assert reason in athena.reason(sql)


def metadata(athena: AthenaInMemory, table: str) -> dict[str, str]:
    asked = {"CatalogName": "AwsDataCatalog", "DatabaseName": "default", "TableName": table}
    found: dict[str, str] = athena.call("GetTableMetadata", **asked)["TableMetadata"]["Parameters"]
    return found


def test_metadata_has_one_blank_for_a_run_of_white_space(athena: AthenaInMemory) -> None:
    athena.rows(
        "CREATE EXTERNAL TABLE kept (a string) COMMENT 'two\n\n   lines\n]' ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' WITH SERDEPROPERTIES ('field.delim'='\\t') "
        "LOCATION 's3://lake/kept/'"
    )
    found = metadata(athena, "kept")
    assert found["comment"] == "two lines\n]"
    assert found["serde.param.field.delim"] == "\t"


@pytest.mark.parametrize(
    ("serde", "output_format"),
    [
        ("org.openx.data.jsonserde.JsonSerDe", "IgnoreKeyTextOutputFormat"),
        ("org.apache.hadoop.hive.serde2.OpenCSVSerde", "HiveIgnoreKeyTextOutputFormat"),
    ],
)
def test_a_serde_without_stored_as_has_its_output_format(
    athena: AthenaInMemory, serde: str, output_format: str
) -> None:
    athena.rows(
        f"CREATE EXTERNAL TABLE t (a string) ROW FORMAT SERDE '{serde}' LOCATION 's3://lake/t/'"
    )
    assert metadata(athena, "t")["outputformat"] == "org.apache.hadoop.hive.ql.io." + output_format


@pytest.mark.parametrize("name", ["shown", "default.shown"])
def test_a_tables_statement_repeats_the_name_as_it_was_asked_for(
    athena: AthenaInMemory, name: str
) -> None:
    athena.rows("""CREATE EXTERNAL TABLE shown (a string, b int) PARTITIONED BY (day date)
        STORED AS PARQUET LOCATION 's3://lake/shown/' TBLPROPERTIES ('b'='1', 'a'='2')""")
    shown = [line for [line] in athena.rows(f"SHOW CREATE TABLE {name}")]
    assert shown[:5] == [
        f"CREATE EXTERNAL TABLE `{name}`(", "  `a` string, ", "  `b` int)", "PARTITIONED BY ( ",
        "  `day` date)",
    ]  # fmt: skip
    made = [line or "" for [line] in athena.rows("SHOW CREATE TABLE shown")]
    athena.rows("DROP TABLE shown")
    athena.rows("\n".join(made))
    assert [line for [line] in athena.rows("SHOW CREATE TABLE shown")] == made


def test_a_view_may_be_the_first_thing_and_needs_a_database(athena: AthenaInMemory) -> None:
    athena.rows("CREATE VIEW v AS SELECT 1 AS a")
    assert athena.rows("SELECT a FROM v") == [["1"]]
    assert athena.reason("CREATE VIEW nowhere.v AS SELECT 1 AS a").startswith(
        "SCHEMA_NOT_FOUND: line 1:13: Schema 'nowhere' does not exist"
    )
