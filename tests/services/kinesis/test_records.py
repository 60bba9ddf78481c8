"""Putting and getting records, against the engine in memory."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis.errors import KinesisError
from tests.services.kinesis.conftest import Caller, make


def put(call: Caller, stream_name: str, *keys: str) -> list[dict[str, Any]]:
    records = [{"Data": key.encode(), "PartitionKey": key} for key in keys]
    return list(call("PutRecords", StreamName=stream_name, Records=records)["Records"])


def test_a_record_comes_back_as_it_was_put(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)

    answer = call("PutRecord", StreamName="clicks", Data=b"\x00\xff", PartitionKey="ü")

    [record] = call.read("clicks", answer["ShardId"])
    assert record == {
        "SequenceNumber": answer["SequenceNumber"],
        "ApproximateArrivalTimestamp": clock.now(),
        "Data": b"\x00\xff",
        "PartitionKey": "ü",
    }


def test_records_of_a_call_keep_their_order_in_the_answer_and_in_the_shard(call: Caller) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=3)

    results = put(call, "clicks", *(f"key-{i}" for i in range(100)))

    for shard in call.shards("clicks"):
        expected = [r["SequenceNumber"] for r in results if r["ShardId"] == shard["ShardId"]]
        records = call.read("clicks", shard["ShardId"], Limit=7)
        assert [record["SequenceNumber"] for record in records] == expected
        assert expected == sorted(expected, key=int)


def test_sequence_numbers_have_the_layout_that_a_real_kcl_checks(call: Caller) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=3)

    for result in put(call, "clicks", *(f"key-{i}" for i in range(20))):
        number = int(result["SequenceNumber"])
        assert number.bit_length() == 186
        assert number >> 184 == 2
        assert (number >> 4) & 0xFFFFFFFF == int(result["ShardId"].removeprefix("shardId-"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("AT_SEQUENCE_NUMBER", "bc"), ("AFTER_SEQUENCE_NUMBER", "c")],
)
def test_an_iterator_starts_at_or_after_a_sequence_number(
    call: Caller, kind: str, expected: str
) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    number = put(call, "clicks", "a", "b", "c")[1]["SequenceNumber"]
    shard_id = call.shards("clicks")[0]["ShardId"]

    iterator = call.iterator("clicks", shard_id, kind, StartingSequenceNumber=number)

    records = call("GetRecords", ShardIterator=iterator)["Records"]
    assert "".join(record["PartitionKey"] for record in records) == expected


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_the_starting_sequence_number_of_a_shard_is_before_its_records(
    call: Caller, kind: str
) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    put(call, "clicks", "a")
    shard = call.shards("clicks")[0]
    number = shard["SequenceNumberRange"]["StartingSequenceNumber"]

    iterator = call.iterator("clicks", shard["ShardId"], kind, StartingSequenceNumber=number)

    assert len(call("GetRecords", ShardIterator=iterator)["Records"]) == 1


def test_latest_and_a_timestamp_start_where_they_say(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    shard_id = call.shards("clicks")[0]["ShardId"]
    put(call, "clicks", "a")
    moment = clock.advance(10)
    put(call, "clicks", "b")
    latest = call.iterator("clicks", shard_id, "LATEST")
    clock.advance(10)
    put(call, "clicks", "c")
    at_timestamp = call.iterator("clicks", shard_id, "AT_TIMESTAMP", Timestamp=moment)

    def keys(iterator: str) -> list[str]:
        answer = call("GetRecords", ShardIterator=iterator)
        return [record["PartitionKey"] for record in answer["Records"]]

    assert keys(latest) == ["c"]
    assert keys(at_timestamp) == ["b", "c"]


def test_millis_behind_latest_is_the_age_of_the_next_unread_record(
    call: Caller, clock: FixedClock
) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    put(call, "clicks", "a")
    clock.advance(3)
    put(call, "clicks", "b")
    clock.advance(4)
    iterator = call.iterator("clicks", call.shards("clicks")[0]["ShardId"], "TRIM_HORIZON")

    first = call("GetRecords", ShardIterator=iterator, Limit=1)
    second = call("GetRecords", ShardIterator=first["NextShardIterator"])

    assert first["MillisBehindLatest"] == 4000
    assert second["MillisBehindLatest"] == 0
    assert len({iterator, first["NextShardIterator"], second["NextShardIterator"]}) == 3


def test_an_iterator_expires_after_five_minutes(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    iterator = call.iterator("clicks", call.shards("clicks")[0]["ShardId"], "LATEST")
    clock.advance(300)
    call("GetRecords", ShardIterator=iterator)
    clock.advance(0.002)

    with pytest.raises(KinesisError, match="Iterator expired"):
        call("GetRecords", ShardIterator=iterator)


def test_records_older_than_the_retention_are_gone(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    shard_id = call.shards("clicks")[0]["ShardId"]
    put(call, "clicks", "a")
    clock.advance(3600)
    put(call, "clicks", "b")
    clock.advance(23 * 3600)
    assert [r["PartitionKey"] for r in call.read("clicks", shard_id)] == ["a", "b"]

    clock.advance(0.001)

    assert [r["PartitionKey"] for r in call.read("clicks", shard_id)] == ["b"]


def test_the_end_of_a_split_shard_names_its_children(call: Caller) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    put(call, "clicks", "a")
    [parent] = call.shards("clicks")
    call(
        "SplitShard",
        StreamName="clicks",
        ShardToSplit=parent["ShardId"],
        NewStartingHashKey=str(1 << 127),
    )
    iterator = call.iterator("clicks", parent["ShardId"], "TRIM_HORIZON")

    answer = call("GetRecords", ShardIterator=iterator)

    assert "NextShardIterator" not in answer
    assert [child["ShardId"] for child in answer["ChildShards"]] == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]
    assert answer["ChildShards"][0]["ParentShards"] == [parent["ShardId"]]
    assert put(call, "clicks", "a")[0]["ShardId"] != parent["ShardId"]


def test_limits_refuse_record_by_record_and_can_be_switched(
    call: Caller, clock: FixedClock
) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    call.kinesis.shard_limits = True
    keys = [f"key-{i}" for i in range(500)]

    failed = [
        call(
            "PutRecords",
            StreamName="clicks",
            Records=[{"Data": b"x", "PartitionKey": key} for key in keys],
        )["FailedRecordCount"]
        for _ in range(3)
    ]

    assert failed == [0, 0, 500]
    clock.advance(0.1)
    assert sum("ErrorCode" in result for result in put(call, "clicks", *keys)) == 400
    call.kinesis.shard_limits = False
    assert not any("ErrorCode" in result for result in put(call, "clicks", *keys))


def test_five_reads_a_second_are_allowed(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    call.kinesis.shard_limits = True
    iterator = call.iterator("clicks", call.shards("clicks")[0]["ShardId"], "LATEST")
    for _ in range(5):
        call("GetRecords", ShardIterator=iterator)

    with pytest.raises(KinesisError, match="Rate exceeded for shard shardId-000000000000"):
        call("GetRecords", ShardIterator=iterator)

    clock.advance(0.2)
    call("GetRecords", ShardIterator=iterator)


def test_accounts_and_regions_do_not_see_each_other(call: Caller) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    elsewhere = Caller(call.kinesis, region="eu-west-1")
    other = Caller(call.kinesis, account_id="111111111111")

    elsewhere("CreateStream", StreamName="clicks", ShardCount=2)

    assert other("ListStreams")["StreamNames"] == []
    assert len(elsewhere.shards("clicks")) == 2
    with pytest.raises(KinesisError, match="Stream clicks under account 111111111111 not found"):
        put(other, "clicks", "a")


def test_a_waiting_reader_is_woken_by_a_put(call: Caller) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    arn = call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"][
        "StreamARN"
    ]
    seen = call.kinesis.activity(arn)
    assert call.kinesis.wait_for_activity(arn, seen, timeout=0) == seen

    put(call, "clicks", "a")

    assert call.kinesis.wait_for_activity(arn, seen, timeout=30) > seen


def test_threads_put_while_shards_split_and_nothing_is_lost(call: Caller) -> None:
    call("CreateStream", StreamName="clicks", ShardCount=1)
    failures: list[BaseException] = []

    def put_many(name: str) -> None:
        try:
            for i in range(60):
                put(call, "clicks", *(f"{name}/{i}/{j}" for j in range(5)))
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=put_many, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for _ in range(4):
        shards = call("ListShards", StreamName="clicks", ShardFilter={"Type": "AT_LATEST"})
        for shard in shards["Shards"]:
            start, end = (int(key) for key in shard["HashKeyRange"].values())
            call(
                "SplitShard",
                StreamName="clicks",
                ShardToSplit=shard["ShardId"],
                NewStartingHashKey=str((start + end) // 2),
            )
    for thread in threads:
        thread.join(60)

    found = [
        record["PartitionKey"]
        for shard in call.shards("clicks")
        for record in call.read("clicks", shard["ShardId"])
    ]
    assert not failures
    assert sorted(found) == sorted(
        f"{name}/{i}/{j}" for name in "abcd" for i in range(60) for j in range(5)
    )


def test_a_deleted_stream_is_deleting_for_a_while(clock: FixedClock) -> None:
    call = make(clock, status_seconds=1)
    call("CreateStream", StreamName="clicks", ShardCount=1)

    def status() -> str:
        summary = call("DescribeStreamSummary", StreamName="clicks")["StreamDescriptionSummary"]
        return str(summary["StreamStatus"])

    assert status() == "CREATING"
    with pytest.raises(KinesisError, match="not found"):
        put(call, "clicks", "a")
    clock.advance(1)
    assert status() == "ACTIVE"
    call("DeleteStream", StreamName="clicks")
    assert status() == "DELETING"
    with pytest.raises(KinesisError, match="already exists"):
        call("CreateStream", StreamName="clicks", ShardCount=1)
    clock.advance(1)
    assert call("ListStreams")["StreamNames"] == []
    call("CreateStream", StreamName="clicks", ShardCount=1)
