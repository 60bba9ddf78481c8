"""Athena through boto3 against the real engine."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from scripts.command_line.query import QueryStopped, Result, run
from tests.conftest import EngineUnderTest


@pytest.fixture(scope="module")
def bucket(engine: EngineUnderTest) -> str:
    name = f"athena-{uuid.uuid4().hex[:8]}"
    engine.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def database(engine: EngineUnderTest, bucket: str) -> str:
    name = f"db_{uuid.uuid4().hex[:8]}"
    ask(engine, bucket, f"CREATE DATABASE {name}")
    return name


def ask(engine: EngineUnderTest, bucket: str, sql: str, database: str = "default") -> Result:
    location = f"s3://{bucket}/results/"
    return run(engine.client("athena"), sql, database=database, output_location=location)


def put_json(engine: EngineUnderTest, bucket: str, key: str, rows: list[dict[str, Any]]) -> None:
    body = "\n".join(json.dumps(row) for row in rows).encode()
    engine.client("s3").put_object(Bucket=bucket, Key=key, Body=gzip.compress(body))


def test_json_partitions_are_repaired_pruned_and_summed(
    engine: EngineUnderTest, bucket: str, database: str
) -> None:
    for hour in ("08", "09"):
        rows = [
            {"Country": c, "Quantity": q} for c, q in (("Brazil", 2), ("Chile", 3), ("Brazil", 5))
        ]
        put_json(engine, bucket, f"raw/year=2020/month=12/day=01/hour={hour}/a.json.gz", rows)
    ask(engine, bucket, f"""CREATE EXTERNAL TABLE sales (country string, quantity int)
        PARTITIONED BY (year string, month string, day string, hour string)
        ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
        LOCATION 's3://{bucket}/raw/'""", database)  # fmt: skip
    ask(engine, bucket, "MSCK REPAIR TABLE sales", database)
    by_country = "SELECT country, sum(quantity) AS sold FROM sales GROUP BY country ORDER BY 1"
    all_hours = ask(engine, bucket, by_country, database)
    of_hour = "SELECT sum(quantity) AS sold FROM sales WHERE hour = '08'"
    one_hour = ask(engine, bucket, of_hour, database)
    assert all_hours.rows == [["Brazil", "14"], ["Chile", "6"]]
    assert all_hours.columns == [("country", "varchar"), ("sold", "bigint")]
    assert one_hour.rows == [["10"]]
    scanned = [r.execution["Statistics"]["DataScannedInBytes"] for r in (one_hour, all_hours)]
    assert 0 < scanned[0] * 2 == scanned[1]


def test_a_missing_table_names_its_place_in_the_sql(engine: EngineUnderTest, bucket: str) -> None:
    with pytest.raises(QueryStopped, match=r"TABLE_NOT_FOUND: line 1:15: Table .*nowhere"):
        ask(engine, bucket, "SELECT * FROM nowhere")


def test_the_result_is_a_csv_file_beside_its_metadata(engine: EngineUnderTest, bucket: str) -> None:
    result = ask(engine, bucket, "SELECT 1 AS a, CAST(NULL AS varchar) AS b, '' AS c")
    location = result.execution["ResultConfiguration"]["OutputLocation"]
    key = location.split("/", 3)[3]
    s3 = engine.client("s3")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b'"a","b","c"\n"1",,""\n'
    metadata = s3.get_object(Bucket=bucket, Key=key + ".metadata")["Body"].read()
    assert result.execution["QueryExecutionId"].encode() in metadata
    assert result.rows == [["1", None, ""]]


def parquet(numbers: list[int]) -> bytes:
    body = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"n": pyarrow.array(numbers, pyarrow.int64())}), body)
    return body.getvalue()


def test_parquet_is_read_from_the_stores_own_file_and_stays_as_it_was_listed(
    engine: EngineUnderTest, bucket: str, database: str
) -> None:
    s3, key, sums = engine.client("s3"), "shared/a.parquet", "SELECT sum(n) FROM shared"
    s3.put_object(Bucket=bucket, Key=key, Body=parquet([1, 2, 3]))
    ask(engine, bucket, f"""CREATE EXTERNAL TABLE shared (n bigint) STORED AS PARQUET
        LOCATION 's3://{bucket}/shared/'""", database)  # fmt: skip
    assert ask(engine, bucket, sums, database).rows == [["6"]]
    folder = engine.engine.settings.data_dir
    [cached] = (folder / "athena" / "cache" / bucket).rglob("a.parquet")
    bodies = {file.stat().st_ino for file in (folder / "s3" / "bodies").glob("??/*")}
    assert cached.stat().st_ino in bodies
    s3.put_object(Bucket=bucket, Key=key, Body=parquet([10, 20]))
    assert ask(engine, bucket, sums, database).rows == [["30"]]
    assert cached.read_bytes() == parquet([1, 2, 3])
    s3.delete_object(Bucket=bucket, Key=key)
    assert ask(engine, bucket, sums, database).rows == [[None]]


def test_a_decimal_literal_is_a_double_as_on_aws(engine: EngineUnderTest, bucket: str) -> None:
    assert ask(engine, bucket, "SELECT typeof(1.5), 1.5 AS a").rows == [["double", "1.5"]]
