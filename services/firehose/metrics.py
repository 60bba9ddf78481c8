"""CloudWatch metrics of delivery streams: counted here, published together.

Names and units: https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from services.firehose.destinations.destination import StreamIdentity
from services.metric_data import StatisticSet, calls

NAMESPACE = "AWS/Firehose"
_UNITS = (
    (".DataFreshness", "Seconds"),
    (".Duration", "Milliseconds"),
    (".Latency", "Milliseconds"),
    ("MillisBehindLatest", "Milliseconds"),
    ("PerPartitionThroughput", "Bytes/Second"),
    ("OutputDecompressedBytes", "Bytes"),
    ("Bytes", "Bytes"),
)


class Metrics:
    """Adds values up until somebody takes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[StreamIdentity, str], StatisticSet] = {}

    def add(self, stream: StreamIdentity, **values: float) -> None:
        """`DeliveryToS3_Records=3` is the metric `DeliveryToS3.Records`."""
        with self._lock:
            for name, value in values.items():
                key = stream, name.replace("_", ".")
                self._values.setdefault(key, StatisticSet()).add(value)

    def take(self, now: float) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        """What was added since the last time: account id, region and MetricData of each
        PutMetricData call to make."""
        with self._lock:
            values, self._values = self._values, {}
        places: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for (stream, name), value in values.items():
            place = places.setdefault((stream.account_id, stream.region), [])
            place.append(_datum(stream.name, name, value, now))
        for (account_id, region), data in places.items():
            for page in calls(data):
                yield account_id, region, page


def _unit(name: str) -> str:
    ends = name.removesuffix(".Success").removesuffix(".Failed")
    # What a `Success` counts is no bytes, except for decompression, which has two counters.
    named = ends if ends.startswith("OutputDecompressed") else name
    return next((unit for word, unit in _UNITS if named.endswith(word)), "Count")


def _datum(stream_name: str, name: str, value: StatisticSet, now: float) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": "DeliveryStreamName", "Value": stream_name}],
        "Timestamp": now,
        "Unit": _unit(name),
        **value.members(),
    }
