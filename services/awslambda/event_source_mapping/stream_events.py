"""Records of Kinesis and DynamoDB as the events that Lambda hands to functions."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from services.awslambda.event_source_mapping.stream_record import StreamRecord


def from_kinesis(
    record: Mapping[str, Any], *, shard_id: str, stream_arn: str, role_arn: str
) -> StreamRecord:
    """`record` is one of GetRecords: `Data` as bytes, its arrival in seconds since 1970.

    A record that the KPL aggregated stays one: unpacking it is the function's business.
    """
    sequence_number, arrival = record["SequenceNumber"], record["ApproximateArrivalTimestamp"]
    event = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": sequence_number,
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role_arn,
        "awsRegion": stream_arn.split(":")[3],
        "eventSourceARN": stream_arn,
    }
    return _record(sequence_number, arrival, record["PartitionKey"], event)


def from_dynamodb(record: Mapping[str, Any], *, stream_arn: str) -> StreamRecord:
    """`record` is one of DynamoDB Streams' GetRecords, as boto3 returns it."""
    change: dict[str, Any] = dict(record["dynamodb"])
    created = change.get("ApproximateCreationDateTime")
    arrival = created.timestamp() if created is not None else 0.0
    if created is not None:
        change["ApproximateCreationDateTime"] = arrival
    event = {
        # AWS's ids are 32 hex digits; DynamoDB Local's have dashes.
        "eventID": record["eventID"].replace("-", ""),
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream_arn.split(":")[3],
        "dynamodb": _plain(change),
        "eventSourceARN": stream_arn,
    }
    if "userIdentity" in record:
        event["userIdentity"] = record["userIdentity"]
    key = json.dumps(event["dynamodb"].get("Keys"), sort_keys=True)
    return _record(change["SequenceNumber"], arrival, key, event)


def _record(
    sequence_number: str, arrival: float, order_key: str, event: dict[str, Any]
) -> StreamRecord:
    # The comma that follows counts too.
    size = len(json.dumps(event)) + 2
    return StreamRecord(sequence_number, arrival, order_key, event, size)


def _plain(value: Any) -> Any:
    """Binary attributes travel as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value
