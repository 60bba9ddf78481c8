"""The stream engine inside the real engine: its admin calls, its metrics, CBOR over HTTP."""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


@pytest.fixture
def stream_name(engine: EngineUnderTest) -> Iterator[str]:
    name = f"provider-{secrets.token_hex(4)}"
    kinesis = engine.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    wait_until(
        lambda: (
            kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"][
                "StreamStatus"
            ]
            == "ACTIVE"
        )
    )
    yield name
    kinesis.delete_stream(StreamName=name)


def put(engine: EngineUnderTest, stream_name: str, count: int) -> int:
    """How many records failed."""
    records = [{"Data": b"x", "PartitionKey": f"{i}"} for i in range(count)]
    answer = engine.client("kinesis").put_records(StreamName=stream_name, Records=records)
    return int(answer["FailedRecordCount"])


def test_metrics_arrive_in_cloudwatch(engine: EngineUnderTest, stream_name: str) -> None:
    put(engine, stream_name, 3)
    put(engine, stream_name, 4)
    engine.engine.admin("kinesis/housekeeping", {})
    cloudwatch = engine.client("cloudwatch")

    def incoming() -> list[tuple[float, float]]:
        now = datetime.now(UTC)
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/Kinesis",
            MetricName="IncomingRecords",
            Dimensions=[{"Name": "StreamName", "Value": stream_name}],
            StartTime=now - timedelta(days=3),
            EndTime=now + timedelta(days=365),
            Period=86_400,
            Statistics=["Sum", "SampleCount"],
        )
        points = answer["Datapoints"]
        return [(point["Sum"], point["SampleCount"]) for point in points]

    assert wait_until(incoming, 60) == [(7, 2)]


def test_shard_limits_are_switched_while_the_engine_runs(
    engine: EngineUnderTest, stream_name: str
) -> None:
    assert engine.engine.admin("kinesis/shard-limits") == {"shard_limits": "off"}
    try:
        engine.engine.admin("kinesis/shard-limits", {"shard_limits": "aws"})
        failed = [put(engine, stream_name, 500) for _ in range(8)]
    finally:
        engine.engine.admin("kinesis/shard-limits", {"shard_limits": "off"})

    assert failed[0] == 0
    assert sum(failed) > 0
    assert put(engine, stream_name, 500) == 0


@pytest.mark.parametrize("operation", ["list_queues", "list_channels"])
def test_what_is_not_built_is_refused(engine: EngineUnderTest, operation: str) -> None:
    with pytest.raises(ClientError, match="UnknownOperationException"):
        getattr(engine.client("kinesis"), operation)()


def test_cbor_is_spoken_over_http(engine: EngineUnderTest, stream_name: str) -> None:
    def ask(operation: str, **request: Any) -> Any:
        asked = urllib.request.Request(
            engine.endpoint_url,
            data=cbor2.dumps(request),
            headers={
                "Content-Type": "application/x-amz-cbor-1.1",
                "X-Amz-Target": f"Kinesis_20131202.{operation}",
            },
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return cbor2.loads(answer.read())

    put_answer = ask("PutRecord", StreamName=stream_name, Data=b"\x00\xff", PartitionKey="k")
    iterator = ask(
        "GetShardIterator",
        StreamName=stream_name,
        ShardId=put_answer["ShardId"],
        ShardIteratorType="TRIM_HORIZON",
    )["ShardIterator"]

    [record] = ask("GetRecords", ShardIterator=iterator)["Records"]
    assert record["Data"] == b"\x00\xff"
    assert isinstance(record["ApproximateArrivalTimestamp"], int)
