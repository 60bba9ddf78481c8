"""Contract: putting and getting records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.engines import ContractEngine
from tests.contract.kinesis.conftest import Streams


@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe", "ünicödé 💣".encode(), b"a" * 100_000])
def test_data_comes_back_byte_for_byte(streams: Streams, data: bytes) -> None:
    name = streams.create()

    put = streams.client.put_record(StreamName=name, Data=data, PartitionKey="schlüssel")

    [record] = streams.read(name, put["ShardId"], 1)
    assert record["Data"] == data
    assert record["PartitionKey"] == "schlüssel"
    assert record["SequenceNumber"] == put["SequenceNumber"]
    assert abs((datetime.now(UTC) - record["ApproximateArrivalTimestamp"]).total_seconds()) < 3600


def test_a_record_goes_to_the_shard_of_its_keys_md5(streams: Streams) -> None:
    name = streams.create(3)
    keys = [f"key-{i}" for i in range(30)] + ["é", "💣"]

    results = streams.put(name, *keys)

    ranges = {s["ShardId"]: s["HashKeyRange"] for s in streams.shards(name)}
    for key, result in zip(keys, results, strict=True):
        hash_key = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        found = ranges[result["ShardId"]]
        assert int(found["StartingHashKey"]) <= hash_key <= int(found["EndingHashKey"])


@pytest.mark.parametrize(
    ("hash_key", "shard"),
    [("0", 0), (str(2**127 - 1), 0), (str(2**127), 1), (str(2**128 - 1), 1)],
)
def test_an_explicit_hash_key_wins(streams: Streams, hash_key: str, shard: int) -> None:
    name = streams.create(2)

    put = streams.client.put_record(
        StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=hash_key
    )

    assert put["ShardId"] == f"shardId-{shard:012d}"


def test_results_are_in_the_order_of_the_records(streams: Streams) -> None:
    name = streams.create(2)
    records = [
        {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(2**127 * (i % 2))}
        for i in range(20)
    ]

    answer = streams.client.put_records(StreamName=name, Records=records)

    assert answer["FailedRecordCount"] == 0
    assert [r["ShardId"] for r in answer["Records"]] == [f"shardId-{i % 2:012d}" for i in range(20)]


def test_sequence_numbers_grow_in_a_shard(streams: Streams) -> None:
    name = streams.create()

    numbers = [int(r["SequenceNumber"]) for r in streams.put(name, *"abcdefgh")]
    numbers += [int(r["SequenceNumber"]) for r in streams.put(name, *"abcdefgh")]

    starting = int(streams.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"])
    assert starting < numbers[0]
    assert numbers == sorted(set(numbers))


def test_sequence_numbers_have_the_bits_that_the_kcl_checks(streams: Streams) -> None:
    name = streams.create(2)

    for result in streams.put(name, *"abcdefgh"):
        number = int(result["SequenceNumber"])
        assert number.bit_length() == 186
        assert number >> 184 == 2
        assert (number >> 4) & 0xFFFFFFFF == int(result["ShardId"].removeprefix("shardId-"))


def test_a_page_ends_at_the_limit_and_the_next_goes_on(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, *"abcde")
    iterator = streams.iterator(name, streams.shard_id(name))

    first = streams.client.get_records(ShardIterator=iterator, Limit=2)
    second = streams.client.get_records(ShardIterator=first["NextShardIterator"])

    assert [r["PartitionKey"] for r in first["Records"]] == ["a", "b"]
    assert [r["PartitionKey"] for r in second["Records"]] == ["c", "d", "e"]
    assert second["MillisBehindLatest"] == 0


def test_every_answer_has_another_iterator(streams: Streams) -> None:
    name = streams.create()
    iterator = streams.iterator(name, streams.shard_id(name))

    following = streams.client.get_records(ShardIterator=iterator)["NextShardIterator"]

    assert following != iterator


def test_an_iterator_can_be_used_twice(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, *"ab")
    iterator = streams.iterator(name, streams.shard_id(name))

    answers = [streams.client.get_records(ShardIterator=iterator)["Records"] for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(answers[0]) == 2


def test_a_reader_that_is_behind_is_told_so(
    streams: Streams, contract_engine: ContractEngine
) -> None:
    name = streams.create()
    streams.put(name, *"ab")
    contract_engine.advance_clock(10)
    iterator = streams.iterator(name, streams.shard_id(name))

    answer = streams.client.get_records(ShardIterator=iterator, Limit=1)

    assert 10_000 <= answer["MillisBehindLatest"] < 60_000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("AT_SEQUENCE_NUMBER", "bcd"), ("AFTER_SEQUENCE_NUMBER", "cd"), ("TRIM_HORIZON", "abcd")],
)
def test_an_iterator_starts_where_its_type_says(streams: Streams, kind: str, expected: str) -> None:
    name = streams.create()
    number = streams.put(name, *"abcd")[1]["SequenceNumber"]
    more = {} if kind == "TRIM_HORIZON" else {"StartingSequenceNumber": number}

    iterator = streams.iterator(name, streams.shard_id(name), kind, **more)

    records = streams.client.get_records(ShardIterator=iterator)["Records"]
    assert "".join(r["PartitionKey"] for r in records) == expected


def test_latest_starts_after_what_is_there(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, "before")
    iterator = streams.iterator(name, streams.shard_id(name), "LATEST")
    streams.put(name, "after")

    records = streams.client.get_records(ShardIterator=iterator)["Records"]

    assert [r["PartitionKey"] for r in records] == ["after"]


def test_a_timestamp_starts_at_that_time(streams: Streams, contract_engine: ContractEngine) -> None:
    name = streams.create()
    streams.put(name, "before")
    contract_engine.advance_clock(10)
    streams.put(name, "after")
    arrival = streams.read(name, streams.shard_id(name), 2)[1]["ApproximateArrivalTimestamp"]

    iterator = streams.iterator(
        name, streams.shard_id(name), "AT_TIMESTAMP", Timestamp=arrival.timestamp()
    )

    records = streams.client.get_records(ShardIterator=iterator)["Records"]
    assert [r["PartitionKey"] for r in records] == ["after"]


def test_the_starting_sequence_number_of_a_shard_reads_from_its_beginning(
    streams: Streams,
) -> None:
    name = streams.create()
    streams.put(name, *"ab")
    [shard] = streams.shards(name)

    iterator = streams.iterator(
        name,
        shard["ShardId"],
        "AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=shard["SequenceNumberRange"]["StartingSequenceNumber"],
    )

    assert len(streams.client.get_records(ShardIterator=iterator)["Records"]) == 2


def test_an_iterator_expires(
    streams: Streams,
    contract_engine: ContractEngine,
    refused: Callable[..., dict[str, str]],
) -> None:
    name = streams.create()
    iterator = streams.iterator(name, streams.shard_id(name))

    contract_engine.advance_clock(301)

    error = refused(streams.client.get_records, ShardIterator=iterator)
    assert error["Code"] == "ExpiredIteratorException"
    assert error["Message"].startswith("Iterator expired. The iterator was created at time ")


def test_records_older_than_the_retention_are_gone(
    streams: Streams, contract_engine: ContractEngine
) -> None:
    name = streams.create()
    streams.put(name, "old")
    contract_engine.advance_clock(24 * 3600 + 1)
    streams.put(name, "new")

    records = streams.read(name, streams.shard_id(name), 1)

    assert [r["PartitionKey"] for r in records] == ["new"]


@pytest.mark.parametrize("iterator", ["nonsense", "AAAAAAAAAAE=", "A" * 200])
def test_an_invented_iterator_is_invalid(
    streams: Streams, refused: Callable[..., dict[str, str]], iterator: str
) -> None:
    error = refused(streams.client.get_records, ShardIterator=iterator)

    assert error == {"Code": "InvalidArgumentException", "Message": "Invalid ShardIterator."}


def test_a_shard_that_is_not_there_is_not_found(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()

    error = refused(
        streams.client.get_shard_iterator,
        StreamName=name,
        ShardId="shardId-000000000009",
        ShardIteratorType="LATEST",
    )

    assert error["Code"] == "ResourceNotFoundException"
    assert error["Message"].startswith(
        f"Shard shardId-000000000009 in stream {name} under account "
    )
    assert error["Message"].endswith(" does not exist")


def test_a_sequence_number_of_another_shard_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create(2)
    other = streams.shards(name)[1]["SequenceNumberRange"]["StartingSequenceNumber"]

    error = refused(
        streams.client.get_shard_iterator,
        StreamName=name,
        ShardId="shardId-000000000000",
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=other,
    )

    assert error == {
        "Code": "InvalidArgumentException",
        "Message": "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it "
        "was used in a call to a shard with shardId-000000000000",
    }


@pytest.mark.parametrize(
    ("request_parts", "message"),
    [
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER"},
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
            "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
            "Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber.",
        ),
        (
            {"ShardIteratorType": "AT_TIMESTAMP"},
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
            "Current request has no timestamp parameter.",
        ),
    ],
)
def test_an_iterator_without_its_position_is_refused(
    streams: Streams,
    refused: Callable[..., dict[str, str]],
    request_parts: dict[str, Any],
    message: str,
) -> None:
    name = streams.create()

    error = refused(
        streams.client.get_shard_iterator,
        StreamName=name,
        ShardId="shardId-000000000000",
        **request_parts,
    )

    assert error == {"Code": "InvalidArgumentException", "Message": message}
