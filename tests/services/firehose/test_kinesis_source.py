"""Kinesis streams as sources: positions, reshards, aggregates."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from services.firehose.kinesis_source import SHARD_END, readable_shards, user_records
from services.firehose.record import KinesisMetadata, Record
from services.kinesis.aggregation import AggregatedUserRecord, pack
from tests.services.firehose.lake import APPEND_NEWLINE, Lake, processing
from tests.waiting import OFTEN, wait_until


def shard(shard_id: str, *parents: str) -> dict[str, Any]:
    names = ("ParentShardId", "AdjacentParentShardId")
    return {"ShardId": shard_id, **dict(zip(names, parents, strict=False))}


SHARDS = [shard("0"), shard("1"), shard("2", "0", "1"), shard("3", "2"), shard("4", "9")]


def test_children_wait_until_both_parents_have_ended() -> None:
    assert readable_shards(SHARDS, {}) == ["0", "1", "4"]
    assert readable_shards(SHARDS, {"0": SHARD_END, "1": "495"}) == ["1", "4"]
    assert readable_shards(SHARDS, {"0": SHARD_END, "1": SHARD_END}) == ["2", "4"]
    assert readable_shards(SHARDS, dict.fromkeys("012", SHARD_END)) == ["3", "4"]


def test_a_parent_that_retention_removed_holds_nobody_up() -> None:
    assert readable_shards([shard("4", "9", "8")], {}) == ["4"]


def kinesis_record(data: bytes, number: str = "495") -> dict[str, Any]:
    return {
        "Data": data,
        "SequenceNumber": number,
        "PartitionKey": "outer",
        "ApproximateArrivalTimestamp": 7.5,
    }


def test_aggregates_are_taken_apart_and_ordinary_records_are_not() -> None:
    aggregate = pack([AggregatedUserRecord("a", b"1"), AggregatedUserRecord("b", b"2")])
    found = list(user_records("s", [kinesis_record(aggregate), kinesis_record(b"3", "496")]))
    assert found == [
        Record(b"1", 7.5, KinesisMetadata("495", 0, "a", "s")),
        Record(b"2", 7.5, KinesisMetadata("495", 1, "b", "s")),
        Record(b"3", 7.5, KinesisMetadata("496", 0, "outer", "s")),
    ]


def test_a_partition_key_that_is_no_unicode_does_no_harm() -> None:
    record = kinesis_record(b"x") | {"PartitionKey": "\ud800"}
    (found,) = user_records("s", [record])
    assert found.source is not None
    assert found.source.partition_key == "?"


class Source:
    """A Kinesis stream of its own."""

    def __init__(self, lake: Lake, shards: int = 1) -> None:
        self.kinesis = lake.engine.client("kinesis")
        self.name = f"source-{uuid.uuid4().hex[:12]}"
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig=OFTEN)
        self.arn: str = self.summary()["StreamARN"]

    def summary(self) -> dict[str, Any]:
        answer = self.kinesis.describe_stream_summary(StreamName=self.name)
        summary: dict[str, Any] = answer["StreamDescriptionSummary"]
        return summary

    def put(self, *numbers: int) -> None:
        records = [{"Data": json.dumps({"n": n}).encode(), "PartitionKey": str(n)} for n in numbers]
        assert (
            self.kinesis.put_records(StreamName=self.name, Records=records)["FailedRecordCount"]
            == 0
        )

    def reshard(self, count: int) -> None:
        self.kinesis.update_shard_count(
            StreamName=self.name, TargetShardCount=count, ScalingType="UNIFORM_SCALING"
        )
        wait_until(lambda: self.summary()["StreamStatus"] == "ACTIVE")


def numbers(lake: Lake, prefix: str) -> list[int]:
    return [json.loads(line)["n"] for line in lake.lines(prefix)]


def test_several_delivery_streams_read_one_stream_over_reshards(lake: Lake) -> None:
    source = Source(lake, shards=2)
    source.put(-1)  # before: a delivery stream begins at its creation
    newline = processing(APPEND_NEWLINE)
    for prefix in ("a/", "b/"):
        lake.create(seconds=0, source=source.arn, Prefix=prefix, ProcessingConfiguration=newline)
    source.put(*range(100))
    source.reshard(4)
    source.put(*range(100, 200))
    source.reshard(2)
    source.put(*range(200, 300))
    for prefix in ("a/", "b/"):
        wait_until(lambda prefix=prefix: len(numbers(lake, prefix)) >= 300)
        found = numbers(lake, prefix)
        assert sorted(n for n in found if n >= 0) == list(range(300))


def test_records_of_a_kinesis_source_are_deaggregated(lake: Lake) -> None:
    source = Source(lake)
    lake.create(seconds=0, source=source.arn, ProcessingConfiguration=processing(APPEND_NEWLINE))
    aggregate = pack(AggregatedUserRecord(str(n), b'{"n":%d}' % n) for n in range(3))
    source.kinesis.put_record(StreamName=source.name, Data=aggregate, PartitionKey="x")
    wait_until(lambda: len(numbers(lake, "")) >= 3)
    assert numbers(lake, "") == [0, 1, 2]


def test_the_source_is_described_and_takes_no_puts(lake: Lake) -> None:
    source = Source(lake)
    stream = lake.create(source=source.arn)
    described = lake.firehose.describe_delivery_stream(DeliveryStreamName=stream)
    kinesis = described["DeliveryStreamDescription"]["Source"]["KinesisStreamSourceDescription"]
    assert kinesis["KinesisStreamARN"] == source.arn
    assert kinesis["DeliveryStartTimestamp"]
    with pytest.raises(lake.firehose.exceptions.InvalidArgumentException, match="not permitted"):
        lake.firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"x"})
