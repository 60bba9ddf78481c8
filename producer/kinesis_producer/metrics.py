"""The producer's metrics: the KPL's names, levels and dimensions. Pure: counts, no clock.

https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-kpl.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord
from producer.kinesis_producer.retrying import EXPIRED, Verdict
from producer.kinesis_producer.user_record import UserRecord, UserRecordResult


class Metric(NamedTuple):
    """One metric: from which level on it is kept, its CloudWatch unit, what it says."""

    level: Literal["summary", "detailed"]
    unit: Literal["Count", "Bytes", "Milliseconds"]
    meaning: str


METRICS = {
    "UserRecordsReceived": Metric("detailed", "Count", "User records given to `add`."),
    "UserRecordsPending": Metric("detailed", "Count", "User records neither stored nor given up."),
    "UserRecordsPut": Metric("summary", "Count", "User records stored."),
    "UserRecordsDataPut": Metric("detailed", "Bytes", "Data of the user records stored."),
    "KinesisRecordsPut": Metric("summary", "Count", "Kinesis records stored."),
    "KinesisRecordsDataPut": Metric("detailed", "Bytes", "Data of the Kinesis records stored."),
    "ErrorsByCode": Metric("summary", "Count", "Failed Kinesis records by error code."),
    "AllErrors": Metric("summary", "Count", "Failed Kinesis records."),
    "RetriesPerRecord": Metric("detailed", "Count", "Attempts of a user record after the first."),
    "BufferingTime": Metric("summary", "Milliseconds", "From `add` to the first attempt."),
    "RequestTime": Metric("detailed", "Milliseconds", "Duration of a PutRecords."),
    "UserRecordsPerKinesisRecord": Metric("detailed", "Count", "Aggregation: how many in one."),
    "KinesisRecordsPerPutRecordsRequest": Metric("detailed", "Count", "Collection: how many."),
    "UserRecordsPerPutRecordsRequest": Metric("detailed", "Count", "Both together: how many."),
    "UserRecordExpired": Metric("summary", "Count", "User records given up after their TTL."),
}


@dataclass(slots=True)
class Statistic:
    """Count, sum, smallest and largest of a metric's values."""

    count: int = 0
    sum: float = 0.0
    min: float = float("inf")
    max: float = float("-inf")

    def add(self, values: Sequence[float]) -> None:
        self.count += len(values)
        self.sum += sum(values)
        self.min = min(self.min, *values)
        self.max = max(self.max, *values)

    def merge(self, other: Statistic) -> None:
        self.count += other.count
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)


class _Key(NamedTuple):
    name: str
    shard_id: str | None = None
    error_code: str | None = None


Dimensions = tuple[tuple[str, str], ...]


class Metrics:
    """What happened since the last `take`."""

    def __init__(self, configuration: Configuration, stream_name: str) -> None:
        levels = {"none": (), "summary": ("summary",), "detailed": ("summary", "detailed")}
        kept = levels[configuration.metrics_level]
        self._kept = {name for name, metric in METRICS.items() if metric.level in kept}
        self._granularity = configuration.metrics_granularity
        self._stream_name = stream_name
        self._statistics: dict[_Key, Statistic] = defaultdict(Statistic)

    def add(
        self,
        name: str,
        values: Sequence[float],
        shard_id: str | None = None,
        error_code: str | None = None,
    ) -> None:
        """Note values of a metric that is kept."""
        if values and name in self._kept:
            self._statistics[_Key(name, shard_id, error_code)].add(values)

    def add_count(self, name: str, count: int) -> None:
        """Note so many values of 1."""
        if count and name in self._kept:
            self._statistics[_Key(name)].merge(Statistic(count, count, 1, 1))

    def count_call(
        self, batch: Sequence[KinesisRecord], verdicts: Sequence[Verdict], milliseconds: float
    ) -> None:
        """Note one PutRecords and what became of its entries."""
        if not self._kept:
            return
        users = [len(record.user_records) for record in batch]
        self.add("RequestTime", [milliseconds])
        self.add("KinesisRecordsPerPutRecordsRequest", [len(batch)])
        self.add("UserRecordsPerPutRecordsRequest", [sum(users)])
        stored: dict[str, list[KinesisRecord]] = defaultdict(list)
        for record, verdict in zip(batch, verdicts, strict=True):
            if verdict.error_code:
                self.add("AllErrors", [1], record.shard_id)
                self.add("ErrorsByCode", [1], record.shard_id, verdict.error_code)
            else:
                stored[verdict.shard_id].append(record)
        for shard_id, records in stored.items():
            self._count_stored(shard_id, records)

    def count_finished(self, finished: Iterable[tuple[UserRecord, UserRecordResult]]) -> None:
        """Note user records whose story has ended."""
        if not self._kept:
            return
        ended: dict[str | None, list[UserRecordResult]] = defaultdict(list)
        for _, result in finished:
            ended[result.shard_id or None].append(result)
        for shard_id, results in ended.items():
            retries = [len(r.attempts) - 1 for r in results]
            self.add("RetriesPerRecord", retries, shard_id)
            self.add("BufferingTime", [r.attempts[0].delay for r in results], shard_id)
            expired = [1 for r in results if r.attempts[-1].error_code == EXPIRED]
            self.add("UserRecordExpired", expired, shard_id)

    def take(self) -> dict[tuple[str, Dimensions], Statistic]:
        """Every metric under each of its dimensions, the coarser ones too; starts anew."""
        taken, self._statistics = self._statistics, defaultdict(Statistic)
        levels: dict[tuple[str, Dimensions], Statistic] = defaultdict(Statistic)
        for key, statistic in taken.items():
            for dimensions in self._dimensions(key):
                levels[key.name, dimensions].merge(statistic)
        return dict(levels)

    def _count_stored(self, shard_id: str, records: list[KinesisRecord]) -> None:
        users = [len(record.user_records) for record in records]
        self.add("UserRecordsPerKinesisRecord", users, shard_id)
        self.add("KinesisRecordsPut", [1] * len(records), shard_id)
        self.add("KinesisRecordsDataPut", [len(r.data) for r in records], shard_id)
        self.add("UserRecordsPut", users, shard_id)
        data = [sum(len(user.data) for user in record.user_records) for record in records]
        self.add("UserRecordsDataPut", data, shard_id)

    def _dimensions(self, key: _Key) -> list[Dimensions]:
        code: Dimensions = (("ErrorCode", key.error_code),) if key.error_code else ()
        stream: Dimensions = (("StreamName", self._stream_name),)
        levels: list[Dimensions] = [code]
        if self._granularity != "global":
            levels.append(stream + code)
        if self._granularity == "shard" and key.shard_id:
            levels.append((*stream, ("ShardId", key.shard_id), *code))
        return levels


def metric_data(
    taken: dict[tuple[str, Dimensions], Statistic], timestamp: float
) -> list[dict[str, Any]]:
    """The metrics as CloudWatch's PutMetricData takes them."""
    return [
        {
            "MetricName": name,
            "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions],
            "Timestamp": timestamp,
            "Unit": METRICS[name].unit,
            "StatisticValues": {
                "SampleCount": statistic.count,
                "Sum": statistic.sum,
                "Minimum": statistic.min,
                "Maximum": statistic.max,
            },
        }
        for (name, dimensions), statistic in taken.items()
    ]


def upload(cloudwatch_client: Any, namespace: str, data: Sequence[dict[str, Any]]) -> None:
    """Put the metrics, 1,000 in a call as CloudWatch takes them. Raises botocore's errors."""
    for start in range(0, len(data), 1_000):
        cloudwatch_client.put_metric_data(
            Namespace=namespace, MetricData=data[start : start + 1_000]
        )
