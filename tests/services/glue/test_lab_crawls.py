"""The courses' data, crawled: schemas and counts as pandas computes them from the same files."""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

REES46_SAMPLE = "rees46-2019-oct-sample.csv.gz"
REES46_TYPES = {
    "event_time": "string",
    "event_type": "string",
    "product_id": "bigint",
    "category_id": "bigint",
    "category_code": "string",
    "brand": "string",
    "price": "double",
    "user_id": "bigint",
    "user_session": "string",
}


@pytest.fixture
def crawled(engine: EngineUnderTest) -> Iterator[Any]:
    """Put objects into a bucket, crawl `path`, and give the one table that came of it."""
    s3, glue = engine.client("s3"), engine.client("glue")
    name = f"lab-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)

    def crawl(path: str, objects: dict[str, bytes]) -> dict[str, Any]:
        for key, content in objects.items():
            s3.put_object(Bucket=name, Key=key, Body=content)
        target = {"Path": f"s3://{name}/{path}"}
        glue.create_crawler(
            Name=name, Role="crawler", DatabaseName=name, Targets={"S3Targets": [target]}
        )
        glue.start_crawler(Name=name)
        wait_until(lambda: glue.get_crawler(Name=name)["Crawler"].get("LastCrawl"), 60)
        (table,) = glue.get_tables(DatabaseName=name)["TableList"]
        return dict(table)

    yield crawl
    wait_until(lambda: glue.get_crawler(Name=name)["Crawler"]["State"] == "READY")
    glue.delete_crawler(Name=name)
    glue.delete_database(Name=name)
    for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


def types(table: dict[str, Any]) -> dict[str, str]:
    return {c["Name"]: c["Type"] for c in table["StorageDescriptor"]["Columns"]}


def pandas_types(frame: pd.DataFrame) -> dict[str, str]:
    """What pandas makes of the same columns, in Hive's words."""
    names = {"int64": "bigint", "float64": "double", "str": "string", "object": "string"}
    return {str(name): names[str(kind)] for name, kind in frame.dtypes.items()}


def behaviour_csv(rows: int) -> bytes:
    """Events in REES46's columns, made up, with the same gaps."""
    chance, text = random.Random(46), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(REES46_TYPES)
    for number in range(rows):
        code = chance.choice(["", "electronics.smartphone", "appliances.kitchen"])
        brand = chance.choice(["", "shiseido", "aqua"])
        time = f"2019-10-01 00:{number // 60 % 60:02}:{number % 60:02} UTC"
        kind = chance.choices(["view", "cart", "purchase"], [94, 4, 2])[0]
        ids = [chance.randrange(10**6, 10**8), 2_053_013_552_326_770_905 + chance.randrange(99)]
        price = f"{chance.uniform(1, 2000):.2f}"
        writer.writerow([time, kind, *ids, code, brand, price, number, uuid.UUID(int=number)])
    return text.getvalue().encode()


def test_lab_5_behaviour_csv_has_the_columns_and_rows_that_pandas_finds(crawled: Any) -> None:
    content = behaviour_csv(2_000)
    table = crawled("behavior", {"behavior/2019-Oct.csv.gz": gzip.compress(content)})
    frame = pd.read_csv(io.BytesIO(content))
    assert types(table) == REES46_TYPES == pandas_types(frame)
    assert table["Parameters"]["skip.header.line.count"] == "1"
    assert table["Parameters"]["recordCount"] == str(len(frame))


@pytest.fixture
def rees46_sample() -> bytes:
    """The courses' sample, for whoever has it: its terms do not let the project ship it."""
    folder = os.environ.get("RIACHO_COURSE_DATA")
    if not folder or not (Path(folder) / REES46_SAMPLE).exists():
        pytest.skip(f"RIACHO_COURSE_DATA names no folder with {REES46_SAMPLE}.")
    return (Path(folder) / REES46_SAMPLE).read_bytes()


def test_lab_5_sample_of_the_real_data_is_read_to_the_last_row(
    rees46_sample: bytes, crawled: Any
) -> None:
    content = rees46_sample
    table = crawled("behavior", {"behavior/sample.csv.gz": content})
    frame = pd.read_csv(io.BytesIO(content), compression="gzip")
    assert types(table) == REES46_TYPES
    assert table["Parameters"]["recordCount"] == str(len(frame))


def test_online_retail_logs_without_header_show_no_carriage_return(crawled: Any) -> None:
    chance, objects, frames = random.Random(17850), {}, []
    for hour in ("08", "09"):
        text = io.StringIO()
        writer = csv.writer(text)
        for number in range(300):
            description = chance.choice(["WHITE METAL LANTERN", "SET OF 6, BOXED", 'HEART "T"'])
            customer = chance.choice(["", "17850"])
            day = f"12/1/2010 {int(hour)}:{number % 60:02}"
            price = f"{chance.uniform(0.1, 20):.2f}"
            writer.writerow(
                [536365 + number, "85123A", description, 6, day, price, customer, "France"]
            )
        assert "\r\n" in text.getvalue()
        frames.append(pd.read_csv(io.StringIO(text.getvalue()), header=None))
        objects[f"purchases/2010/12/01/{hour}/log"] = text.getvalue().encode()
    table = crawled("purchases/", objects)
    frame = pd.concat(frames)
    expected = pandas_types(frame.rename(columns="col{}".format))
    # pandas widens whole numbers with gaps to floats; the lake keeps them whole.
    assert types(table) == expected | {"col6": "bigint"}
    assert [k["Name"] for k in table["PartitionKeys"]] == [f"partition_{i}" for i in range(4)]
    assert table["Parameters"]["recordCount"] == str(len(frame))


def test_lab_1_sessions_without_header_have_ten_numbered_columns(crawled: Any) -> None:
    steps = ("beer_vitrine_nav", "beer_cart", "00:01", "00:09")
    rows = [
        [f"{i}_APP_1706677567", i, "app_mobile", "2024-01-31 05:00:00.000", i + 1, *steps, i * 1.5]
        for i in range(50)
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    table = crawled("aggregated", {"aggregated/2024/01/31/05/sessions": content})
    frame = pd.read_csv(io.StringIO(text.getvalue()), header=None)
    assert types(table) == pandas_types(frame.rename(columns="col{}".format))
    assert list(types(table)) == [f"col{i}" for i in range(10)]
