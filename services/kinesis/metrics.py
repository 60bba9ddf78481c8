"""A stream's CloudWatch metrics, from its traffic. Pure.

https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.kinesis.shard import shard_id_of
from services.kinesis.stream import Stream
from services.kinesis.traffic import ShardTraffic, Traffic

NAMESPACE = "AWS/Kinesis"

#: Stream-level metrics that add up a count of the shards: name, count, unit.
WRITE_METRICS = (
    ("IncomingRecords", "records_in", "Count"),
    ("IncomingBytes", "bytes_in", "Bytes"),
    ("WriteProvisionedThroughputExceeded", "writes_refused", "Count"),
)
READ_METRICS = (
    ("GetRecords.Records", "records_out", "Count"),
    ("GetRecords.Bytes", "bytes_out", "Bytes"),
    ("GetRecords.Success", "calls", "Count"),
    ("ReadProvisionedThroughputExceeded", "calls_refused", "Count"),
)
#: What EnableEnhancedMonitoring switches on for each shard.
SHARD_METRICS = (
    ("IncomingRecords", "records_in", "Count"),
    ("IncomingBytes", "bytes_in", "Bytes"),
    ("WriteProvisionedThroughputExceeded", "writes_refused", "Count"),
    ("OutgoingRecords", "records_out", "Count"),
    ("OutgoingBytes", "bytes_out", "Bytes"),
    ("ReadProvisionedThroughputExceeded", "calls_refused", "Count"),
)


def metric_data(stream: Stream, traffic: Traffic, now: float) -> list[dict[str, Any]]:
    """CloudWatch's MetricData for the traffic; `Timestamp` in seconds since 1970."""
    return [
        *_stream_level(stream, traffic, now),
        *(
            datum
            for index, shard in sorted(traffic.shards.items())
            for datum in _shard_level(stream, index, shard, now)
        ),
    ]


def _stream_level(stream: Stream, traffic: Traffic, now: float) -> Iterator[dict[str, Any]]:
    dimensions = [{"Name": "StreamName", "Value": stream.name}]

    def datum(name: str, value: float, unit: str = "Count") -> dict[str, Any]:
        return _datum(name, value, unit, dimensions, now)

    if traffic.put_record_calls or traffic.put_records_calls:
        for name, count, unit in WRITE_METRICS:
            yield datum(name, traffic.total(count), unit)
    if traffic.total("calls") or traffic.total("calls_refused"):
        for name, count, unit in READ_METRICS:
            yield datum(name, traffic.total(count), unit)
        age = max(shard.iterator_age for shard in traffic.shards.values())
        yield datum("GetRecords.IteratorAgeMilliseconds", age, "Milliseconds")
    if traffic.put_record_calls:
        yield datum("PutRecord.Success", traffic.put_record_successes)
        yield datum("PutRecord.Bytes", traffic.put_record_bytes, "Bytes")
    if traffic.put_records_calls:
        refused = traffic.put_records_failures + traffic.put_records_throttled
        taken = traffic.put_records_records - refused
        yield datum("PutRecords.TotalRecords", traffic.put_records_records)
        yield datum("PutRecords.SuccessfulRecords", taken)
        yield datum("PutRecords.FailedRecords", traffic.put_records_failures)
        # AWS keeps what was too much apart from what failed.
        yield datum("PutRecords.ThrottledRecords", traffic.put_records_throttled)
        yield datum("PutRecords.Bytes", traffic.put_records_bytes, "Bytes")
        yield datum("PutRecords.Success", traffic.put_records_calls)


def _shard_level(
    stream: Stream, index: int, shard: ShardTraffic, now: float
) -> Iterator[dict[str, Any]]:
    wanted = set(stream.shard_level_metrics)
    dimensions = [
        {"Name": "StreamName", "Value": stream.name},
        {"Name": "ShardId", "Value": shard_id_of(index)},
    ]
    for name, count, unit in SHARD_METRICS:
        if name in wanted:
            yield _datum(name, getattr(shard, count), unit, dimensions, now)
    if "IteratorAgeMilliseconds" in wanted and shard.calls:
        age = shard.iterator_age
        yield _datum("IteratorAgeMilliseconds", age, "Milliseconds", dimensions, now)


def _datum(
    name: str, value: float, unit: str, dimensions: list[dict[str, str]], now: float
) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": dimensions,
        "Timestamp": now,
        "Value": float(value),
        "Unit": unit,
    }
