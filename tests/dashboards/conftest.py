"""A little of everything for the pages to show."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator

import pytest

from scripts.bench.dashboard import json_lines_table
from tests.conftest import EngineUnderTest
from tests.waiting import OFTEN


@pytest.fixture(scope="module")
def lake(engine: EngineUnderTest) -> Iterator[str]:
    """A stream, a bucket with events, a table over it; all of one name."""
    name = f"dash-{uuid.uuid4().hex[:8]}"
    kinesis, s3, glue = (engine.client(service) for service in ("kinesis", "s3", "glue"))
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b'{"hello": "tail"}')
    s3.create_bucket(Bucket=name)
    events = [{"device": d, "trafficfrom": "Alexa", "url": "beer_cart"} for d in "aab"]
    lines = "".join(json.dumps(event) + "\n" for event in events).encode()
    s3.put_object(Bucket=name, Key="raw/a.json.gz", Body=gzip.compress(lines))
    verdict = {"sink": "lake", "stored": 3, "missing": 0, "adds_up": True}
    proof = {"adds_up": True, "stream_name": name, "acknowledged": 3, "unconfirmed": 0}
    content = json.dumps(proof | {"verdicts": [verdict]}).encode()
    s3.put_object(Bucket=name, Key=f"reconcile/{name}/2024-01-31T05-06-07.0Z.json", Body=content)
    glue.create_database(DatabaseInput={"Name": name})
    table = json_lines_table("raw", name, ("device", "trafficfrom", "url"))
    glue.create_table(DatabaseName=name, TableInput=table)
    yield name
    kinesis.delete_stream(StreamName=name)
    glue.delete_database(Name=name)
    for item in s3.list_objects_v2(Bucket=name)["Contents"]:
        s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)
