"""Contract: what is refused before anything happens, in AWS's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.kinesis.conftest import Streams

ONE_ERROR = "1 validation error detected: "
RECORD = {"Data": b"x", "PartitionKey": "k"}

CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "create_stream",
        {"ShardCount": 1},
        "Value null at 'streamName' failed to satisfy constraint: Member must not be null",
    ),
    (
        "create_stream",
        {"StreamName": "a b", "ShardCount": 1},
        "Value 'a b' at 'streamName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    ),
    (
        "create_stream",
        {"StreamName": "a" * 129, "ShardCount": 1},
        f"Value '{'a' * 129}' at 'streamName' failed to satisfy constraint: "
        "Member must have length less than or equal to 128",
    ),
    (
        "create_stream",
        {"StreamName": "a", "ShardCount": 0},
        "Value '0' at 'shardCount' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
    ),
    (
        "put_record",
        {"StreamName": "a", "PartitionKey": "k"},
        "Value null at 'data' failed to satisfy constraint: Member must not be null",
    ),
    (
        "put_record",
        {"StreamName": "a", "Data": b"x", "PartitionKey": ""},
        "Value '' at 'partitionKey' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1",
    ),
    (
        "put_record",
        {"StreamName": "a", "Data": b"x", "PartitionKey": "k" * 257},
        f"Value '{'k' * 257}' at 'partitionKey' failed to satisfy constraint: "
        "Member must have length less than or equal to 256",
    ),
    (
        "put_record",
        {"StreamName": "a", "Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "-1"},
        "Value '-1' at 'explicitHashKey' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})",
    ),
    (
        "put_records",
        {"StreamName": "a", "Records": [RECORD] * 501},
        "Value at 'records' failed to satisfy constraint: "
        "Member must have length less than or equal to 500",
    ),
    (
        "put_records",
        {"StreamName": "a", "Records": []},
        "Value at 'records' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1",
    ),
    (
        "put_records",
        {"StreamName": "a", "Records": [RECORD, {"Data": b"x", "PartitionKey": ""}]},
        "Value '' at 'records.2.member.partitionKey' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1",
    ),
    (
        "get_records",
        {"ShardIterator": "x", "Limit": 10_001},
        "Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000",
    ),
    (
        "get_shard_iterator",
        {"StreamName": "a", "ShardId": "shardId-000000000000", "ShardIteratorType": "FIRST"},
        "Value 'FIRST' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy "
        "enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, "
        "TRIM_HORIZON]",
    ),
    (
        "list_streams",
        {"Limit": 0},
        "Value '0' at 'limit' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
    ),
    (
        "split_shard",
        {"StreamName": "a", "ShardToSplit": "s", "NewStartingHashKey": "01"},
        "Value '01' at 'newStartingHashKey' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})",
    ),
    (
        "add_tags_to_stream",
        {"StreamName": "a", "Tags": {}},
        "Value '{}' at 'tags' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(("operation", "request_parts", "message"), CASES)
def test_a_request_that_breaks_the_model_is_refused(
    streams: Streams,
    refused: Callable[..., dict[str, str]],
    operation: str,
    request_parts: dict[str, Any],
    message: str,
) -> None:
    error = refused(getattr(streams.client, operation), **request_parts)

    assert error == {"Code": "ValidationException", "Message": ONE_ERROR + message}


def test_two_broken_rules_are_told_together(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    error = refused(streams.client.create_stream, StreamName="", ShardCount=0)

    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith("3 validation errors detected: Value '' at 'streamName'")


def test_an_explicit_hash_key_from_2_to_the_128_on_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()

    error = refused(
        streams.client.put_record,
        StreamName=name,
        Data=b"x",
        PartitionKey="k",
        ExplicitHashKey=str(2**128),
    )

    assert error == {
        "Code": "InvalidArgumentException",
        "Message": "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
        f"Specified value was {2**128}",
    }


@pytest.mark.parametrize("size", [1024 * 1024, 1024 * 1024 + 1])
def test_a_record_larger_than_the_streams_limit_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]], size: int
) -> None:
    name = streams.create()

    error = refused(streams.client.put_record, StreamName=name, Data=bytes(size), PartitionKey="k")

    assert error["Code"] == "ValidationException"
    assert error["Message"].endswith("Member must have length less than or equal to 1048576")


def test_a_record_as_large_as_the_streams_limit_is_taken(streams: Streams) -> None:
    name = streams.create()

    put = streams.client.put_record(StreamName=name, Data=bytes(1024 * 1024 - 1), PartitionKey="k")

    assert len(streams.read(name, put["ShardId"], 1)[0]["Data"]) == 1024 * 1024 - 1


def test_a_call_of_more_than_ten_mebibytes_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()
    records = [{"Data": bytes(1_000_000), "PartitionKey": "k"} for _ in range(11)]

    error = refused(streams.client.put_records, StreamName=name, Records=records)

    assert error["Code"] == "InvalidArgumentException"


def test_a_call_of_more_than_five_mebibytes_is_taken(streams: Streams) -> None:
    name = streams.create()
    records = [{"Data": bytes(1_000_000), "PartitionKey": "k"} for _ in range(10)]

    answer = streams.client.put_records(StreamName=name, Records=records)

    assert answer["FailedRecordCount"] == 0


def test_a_shard_count_and_on_demand_do_not_go_together(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    error = refused(
        streams.client.create_stream,
        StreamName=streams.name(),
        ShardCount=1,
        StreamModeDetails={"StreamMode": "ON_DEMAND"},
    )

    assert error["Code"] == "ValidationException"
