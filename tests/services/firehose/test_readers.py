"""Whoever reads lakes reads ours: pandas, DuckDB and, where it is installed, Spark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.services.firehose.lake import APPEND_NEWLINE, ROLE, Lake, processing
from tests.waiting import wait_until

ORDERS = [
    {
        "id": n,
        "device": ("tv", "web")[n % 2],
        "price": f"{n}.25",
        "at": f"2026-01-0{n % 9 + 1} 12:00:00",
        "tags": [f"t{n % 3}"],
        "visitor": {"name": f"v{n % 5}", "age": n % 80},
    }
    for n in range(500)
]
COLUMNS = {
    "id": "bigint",
    "device": "string",
    "price": "decimal(10,2)",
    "at": "timestamp",
    "tags": "array<string>",
    "visitor": "struct<name:string,age:int>",
}
TOTAL = sum(n + 0.25 for n in range(500))


@pytest.fixture(scope="module")
def parquet(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The objects of a stream that converts, as they are."""
    lake, database = Lake(engine), f"db_{uuid.uuid4().hex[:8]}"
    glue = engine.client("glue")
    glue.create_database(DatabaseInput={"Name": database})
    columns = [{"Name": name, "Type": kind} for name, kind in COLUMNS.items()]
    glue.create_table(
        DatabaseName=database,
        TableInput={"Name": "orders", "StorageDescriptor": {"Columns": columns}},
    )
    schema = {"RoleARN": ROLE, "DatabaseName": database, "TableName": "orders"}
    stream = lake.create(
        seconds=60,
        megabytes=64,
        Prefix="orders/",
        ErrorOutputPrefix="errors/",
        DataFormatConversionConfiguration={
            "SchemaConfiguration": schema,
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        },
    )
    return objects(lake, stream, tmp_path_factory.mktemp("parquet"))


@pytest.fixture(scope="module")
def gzip_lines(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = Lake(engine)
    stream = lake.create(
        seconds=60,
        Prefix="orders/",
        CompressionFormat="GZIP",
        FileExtension=".json.gz",
        ErrorOutputPrefix="errors/",
        ProcessingConfiguration=processing(APPEND_NEWLINE),
    )
    return objects(lake, stream, tmp_path_factory.mktemp("gzip"))


def objects(lake: Lake, stream: str, folder: Path) -> Path:
    lake.put_json(stream, *ORDERS)

    def delivered() -> list[str]:
        lake.engine.advance_clock(61)
        return lake.object_keys("orders/")

    for key in wait_until(delivered, 60, 0.2):
        lake.s3.download_file(lake.name, key, str(folder / key.rpartition("/")[2]))
    assert lake.object_keys("errors/") == []
    return folder


def test_pandas_reads_parquet(parquet: Path) -> None:
    found = pd.read_parquet(parquet)
    assert len(found) == len(ORDERS)
    assert float(found["price"].sum()) == TOTAL
    assert found["at"].dt.year.unique().tolist() == [2026]
    assert found["visitor"][3]["name"] == "v3"


def test_pandas_reads_gzip_lines(gzip_lines: Path) -> None:
    parts = [pd.read_json(path, lines=True) for path in gzip_lines.iterdir()]
    found = pd.concat(parts)
    assert sorted(found["id"]) == list(range(500))
    assert found["device"].value_counts().to_dict() == {"tv": 250, "web": 250}


@pytest.mark.parametrize("kind", ["parquet", "gzip"])
def test_duckdb_reads_both(kind: str, parquet: Path, gzip_lines: Path) -> None:
    source = (
        f"read_parquet('{parquet}/*')"
        if kind == "parquet"
        else f"read_json_auto('{gzip_lines}/*.gz')"
    )
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT count(*), sum(price::DECIMAL(10,2))::DOUBLE, max(visitor.age), "
            f'count(DISTINCT tags[1]), min("at")::TIMESTAMP::VARCHAR FROM {source}'
        ).fetchone()
    assert row == (500, TOTAL, 79, 3, "2026-01-01 12:00:00")


SPARK = """
import json, sys
from pyspark.sql import SparkSession, functions as f
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "1").getOrCreate())
def facts(frame):
    price = f.col("price").cast("double")
    return list(frame.agg(f.count("*"), f.sum(price), f.max("visitor.age")).first())
print(json.dumps([facts(spark.read.parquet(sys.argv[1])), facts(spark.read.json(sys.argv[2]))]))
"""


@pytest.mark.slow
def test_spark_reads_both(parquet: Path, gzip_lines: Path, tmp_path: Path) -> None:
    """Spark is 450 MB and not among our packages: PYSPARK_PYTHON names a Python that has it."""
    python = os.environ.get("PYSPARK_PYTHON")
    if python is None or shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 and a Python with pyspark, named by PYSPARK_PYTHON.")
    told = subprocess.run(
        [python, "-c", SPARK, str(parquet), str(gzip_lines)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert json.loads(told.stdout.splitlines()[-1]) == [[500, TOTAL, 79], [500, TOTAL, 79]]
