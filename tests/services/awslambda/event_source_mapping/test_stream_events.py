"""Events as functions receive them, and what filters see of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.awslambda.event_source_mapping.filtering import Filters, filter_view
from services.awslambda.event_source_mapping.stream_events import from_dynamodb, from_kinesis
from tests.services.awslambda.event_source_mapping.records import STREAM


def kinesis_event(data: bytes) -> dict[str, Any]:
    record = {
        "SequenceNumber": "49",
        "PartitionKey": "pk",
        "Data": data,
        "ApproximateArrivalTimestamp": 1_700_000_000.123,
    }
    made = from_kinesis(record, shard_id="shardId-0", stream_arn=STREAM, role_arn="arn:role")
    assert made.size_bytes >= len(json.dumps(made.event))
    return dict(made.event)


def test_a_kinesis_record_becomes_awss_event() -> None:
    assert kinesis_event(b"hello") == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "pk",
            "sequenceNumber": "49",
            "data": "aGVsbG8=",
            "approximateArrivalTimestamp": 1_700_000_000.123,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-0:49",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:role",
        "awsRegion": "us-east-1",
        "eventSourceARN": STREAM,
    }


def test_a_change_of_a_table_becomes_awss_event() -> None:
    record = {
        "eventID": "0123456789ab-cdef-0123-4567-89abcdef0000",
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime.fromtimestamp(1_700_000_000, UTC),
            "Keys": {"id": {"S": "a"}},
            "NewImage": {"id": {"S": "a"}, "b": {"B": b"\x00"}},
            "SequenceNumber": "1",
        },
    }
    table = "arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/2026"
    made = from_dynamodb(record, stream_arn=table)
    assert made.event["eventID"] == "0123456789abcdef0123456789abcdef0000"
    assert made.event["awsRegion"] == "eu-west-1"
    assert made.event["dynamodb"]["ApproximateCreationDateTime"] == 1_700_000_000.0
    assert made.event["dynamodb"]["NewImage"]["b"] == {"B": "AA=="}
    assert made.order_key == '{"id": {"S": "a"}}'


@pytest.mark.parametrize(
    ("data", "seen"), [(b'{"a": 1}', {"a": 1}), (b"text", "text"), (b"\xff", None)]
)
def test_filters_see_the_data_decoded(data: bytes, seen: Any) -> None:
    view = filter_view(kinesis_event(data))
    assert view["data"] == seen
    assert view["partitionKey"] == view["kinesis"]["partitionKey"] == "pk"


def test_one_matching_pattern_is_enough_and_none_keeps_everything() -> None:
    def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
        return bool(event["data"] in pattern["data"])

    patterns = ('{"data": ["a"]}', '{"data": ["b"]}')
    assert Filters(patterns, matches).keeps(kinesis_event(b"b"))
    assert not Filters(patterns, matches).keeps(kinesis_event(b"c"))
    assert Filters((), matches).keeps(kinesis_event(b"c"))
