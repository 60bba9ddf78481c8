"""A stream's CloudWatch metrics, from its traffic. Pure.

Each call is a sample, so that the averages AWS advises alarms on (PutRecord.Success,
ReadProvisionedThroughputExceeded …) are what they are there: shares of calls.
https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
"""

from __future__ import annotations

from typing import Any

from services.kinesis.stream import Stream
from services.kinesis.traffic import Counted, Dimension
from services.metric_data import StatisticSet

NAMESPACE = "AWS/Kinesis"

#: Every metric and its unit; what one sample is stands behind it.
UNITS = {
    # Of the stream
    "IncomingBytes": "Bytes",  # bytes that one put left in the stream
    "IncomingRecords": "Count",  # records that one put left in the stream
    "WriteProvisionedThroughputExceeded": "Count",  # records that one put had too much
    "PutRecord.Bytes": "Bytes",  # of one that succeeded
    "PutRecord.Latency": "Milliseconds",
    "PutRecord.Success": "Count",  # 1, or 0 for a call that was refused
    "PutRecords.Bytes": "Bytes",  # bytes of the records that were taken
    "PutRecords.Latency": "Milliseconds",
    "PutRecords.Success": "Count",  # 1 when at least one record was taken
    "PutRecords.Records": "Count",  # AWS's older name of SuccessfulRecords
    "PutRecords.TotalRecords": "Count",
    "PutRecords.SuccessfulRecords": "Count",
    "PutRecords.FailedRecords": "Count",  # refused for an internal failure
    "PutRecords.ThrottledRecords": "Count",  # refused as too much
    "GetRecords.Bytes": "Bytes",
    "GetRecords.Records": "Count",
    "GetRecords.Latency": "Milliseconds",
    "GetRecords.Success": "Count",  # 1, or 0 for a call that was refused
    "GetRecords.IteratorAgeMilliseconds": "Milliseconds",  # age of the last record read
    "ReadProvisionedThroughputExceeded": "Count",  # 1 for a call that was too much, else 0
    # Of one of its consumers
    "SubscribeToShard.Success": "Count",  # 1 for a subscription, 0 for one that was refused
    "SubscribeToShard.RateExceeded": "Count",  # 1 for one refused because there is another
    "SubscribeToShardEvent.Bytes": "Bytes",
    "SubscribeToShardEvent.Records": "Count",
    "SubscribeToShardEvent.MillisBehindLatest": "Milliseconds",
    "SubscribeToShardEvent.Success": "Count",  # 1 for each event
    # Of one of its shards only, where EnableEnhancedMonitoring switches them on
    "OutgoingBytes": "Bytes",  # of one GetRecords call or one event
    "OutgoingRecords": "Count",
    "IteratorAgeMilliseconds": "Milliseconds",
}


def metric_data(stream: Stream, counted: Counted, now: float) -> list[dict[str, Any]]:
    """CloudWatch's MetricData for the traffic; `Timestamp` in seconds since 1970."""
    return [
        _datum(stream.name, name, samples, dimension, now)
        for dimension, by_name in counted.items()
        for name, samples in by_name.items()
        if not _is_of_a_shard(dimension) or name in stream.shard_level_metrics
    ]


def _is_of_a_shard(dimension: Dimension) -> bool:
    return dimension is not None and dimension[0] == "ShardId"


def _datum(
    stream_name: str, metric: str, samples: StatisticSet, dimension: Dimension, now: float
) -> dict[str, Any]:
    pairs = [("StreamName", stream_name), *([] if dimension is None else [dimension])]
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in pairs],
        "Timestamp": now,
        **samples.members(),
        "Unit": UNITS[metric],
    }
