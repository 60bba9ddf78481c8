"""Labs 1 and 5 from crawl to query: every number is the one pandas computes from the same rows."""

from __future__ import annotations

import gzip
import json
import random
import uuid
from typing import Any

import pandas as pd
import pytest

from scripts.command_line.query import run
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


class Lab:
    """A bucket, a database of its name, and what a student does with them."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self.name = f"lab_{uuid.uuid4().hex[:8]}"
        self.bucket = self.name.replace("_", "-")
        self._engine = engine
        engine.client("s3").create_bucket(Bucket=self.bucket)

    def put(self, key: str, text: str) -> None:
        body = gzip.compress(text.encode())
        self._engine.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def crawl(self, path: str) -> None:
        glue = self._engine.client("glue")
        target = {"Path": f"s3://{self.bucket}/{path}/"}
        name = f"{self.name}_{path}"
        glue.create_crawler(
            Name=name, Role="r", DatabaseName=self.name, Targets={"S3Targets": [target]}
        )
        glue.start_crawler(Name=name)
        wait_until(lambda: glue.get_crawler(Name=name)["Crawler"].get("LastCrawl"), 60)

    def ask(self, sql: str) -> list[list[str | None]]:
        where = f"s3://{self.bucket}/results/"
        athena = self._engine.client("athena")
        return run(athena, sql, database=self.name, output_location=where).rows


@pytest.fixture
def lab(engine: EngineUnderTest) -> Lab:
    return Lab(engine)


def texts(frame: Any) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in frame.itertuples(index=False)]


def test_lab_1_clicks_of_the_raw_zone_add_up(lab: Lab) -> None:
    chance, rows = random.Random(1), []
    for hour in range(3):
        events = [
            {
                "custid": chance.randint(100, 140),
                "trafficfrom": chance.choice(["Alexa", "amazon.com", "twitter.com"]),
                "device": chance.choice(["browser", "app_mobile"]),
                "trans_timestamp": f"2024-01-31T{hour:02d}:{chance.randint(0, 59):02d}:01.000001",
            }
            for _ in range(200)
        ]
        rows += [{**event, "hour": f"{hour:02d}"} for event in events]
        for part in range(10):
            lines = [json.dumps(event) for event in events[part * 20 : part * 20 + 20]]
            lab.put(f"rawdata/2024/01/31/{hour:02d}/part-{part}.json.gz", "\n".join(lines))
    lab.crawl("rawdata")
    frame = pd.DataFrame(rows)
    by_hour = frame.groupby("hour")["custid"].agg(["count", "nunique"]).reset_index()
    assert texts(by_hour) == lab.ask(
        "SELECT partition_3, count(*), count(DISTINCT custid) FROM rawdata GROUP BY 1 ORDER BY 1"
    )
    frame["minute"] = frame["trans_timestamp"].str[:16]
    top = frame.groupby(["minute", "trafficfrom"]).size().reset_index(name="n")
    top = top.sort_values(["n", "minute", "trafficfrom"], ascending=[False, True, True]).head(5)
    assert texts(top) == lab.ask(
        "SELECT substr(trans_timestamp, 1, 16), trafficfrom, count(*) FROM rawdata "
        "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 5"
    )


def test_lab_5_behaviour_gives_pandas_sums_to_the_cent(lab: Lab) -> None:
    chance = random.Random(5)
    frame = pd.DataFrame([
        {
            "event_time": f"2019-10-{day:02d} 00:00:{chance.randint(10, 59)} UTC",
            "event_type": chance.choices(["view", "cart", "purchase"], [80, 15, 5])[0],
            "product_id": chance.randint(1_000_000, 1_000_050),
            "brand": chance.choice(["samsung", "apple", "xiaomi", ""]),
            "price": round(chance.uniform(1, 2000), 2),
            "user_id": chance.randint(1, 80),
        }
        for day in range(1, 8) for _ in range(150)
    ])  # fmt: skip
    lab.put("behavior/2019-oct.csv.gz", frame.to_csv(index=False))
    lab.crawl("behavior")
    funnel = frame.groupby("event_type")["user_id"].agg(["count", "nunique"]).reset_index()
    assert texts(funnel) == lab.ask(
        "SELECT event_type, count(*), count(DISTINCT user_id) FROM behavior GROUP BY 1 ORDER BY 1"
    )
    bought = frame[(frame["event_type"] == "purchase") & (frame["brand"] != "")]
    revenue = bought.groupby("brand")["price"].sum().round(2).reset_index()
    answer = lab.ask(
        "SELECT brand, round(sum(price), 2) FROM behavior "
        "WHERE event_type = 'purchase' AND brand <> '' GROUP BY 1 ORDER BY 1"
    )
    assert [[brand, float(total or 0)] for brand, total in answer] == revenue.to_numpy().tolist()
