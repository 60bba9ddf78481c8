"""Metrics by AWS's names, with AWS's units."""

from __future__ import annotations

import pytest

from services.firehose.destinations.destination import StreamIdentity
from services.firehose.metrics import Metrics

STREAM = StreamIdentity("clicks", "arn", "us-east-1", "000000000000")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("IncomingBytes", "Bytes"),
        ("IncomingRecords", "Count"),
        ("DeliveryToS3_Bytes", "Bytes"),
        ("DeliveryToS3_DataFreshness", "Seconds"),
        ("DeliveryToS3_Success", "Count"),
        ("DeliveryToS3_ObjectCount", "Count"),
        ("PerPartitionThroughput", "Bytes/Second"),
        ("JQProcessing_Duration", "Milliseconds"),
        ("PutRecordBatch_Latency", "Milliseconds"),
        ("KinesisMillisBehindLatest", "Milliseconds"),
        ("OutputDecompressedBytes_Success", "Bytes"),
        ("OutputDecompressedRecords_Failed", "Count"),
        ("DeliveryToHttpEndpoint_ProcessedBytes", "Bytes"),
    ],
)
def test_each_metric_has_aws_s_unit(name: str, unit: str) -> None:
    metrics = Metrics()
    metrics.add(STREAM, **{name: 3.0})
    ((account_id, region, (datum,)),) = metrics.take(now=7.0)
    assert (account_id, region) == ("000000000000", "us-east-1")
    assert datum["MetricName"] == name.replace("_", ".")
    assert datum["Unit"] == unit
    assert datum["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": "clicks"}]


def test_many_values_are_one_datum_until_they_are_taken() -> None:
    metrics = Metrics()
    for value in (1.0, 5.0, 3.0):
        metrics.add(STREAM, IncomingBytes=value)
    ((_, _, (datum,)),) = metrics.take(now=7.0)
    assert datum["StatisticValues"] == {
        "SampleCount": 3,
        "Sum": 9.0,
        "Minimum": 1.0,
        "Maximum": 5.0,
    }
    assert list(metrics.take(now=8.0)) == []
