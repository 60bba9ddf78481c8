"""CloudWatch's numbers as series of points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

PERIOD_SECONDS = 60


class Metric(NamedTuple):
    """One series that is wanted."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str = "Sum"


class Point(NamedTuple):
    """A moment and a value."""

    at: datetime
    value: float


def kinesis_metric(name: str, stream_name: str, statistic: str = "Sum") -> Metric:
    return Metric("AWS/Kinesis", name, (("StreamName", stream_name),), statistic)


def firehose_metric(name: str, stream_name: str, statistic: str = "Sum") -> Metric:
    return Metric("AWS/Firehose", name, (("DeliveryStreamName", stream_name),), statistic)


def lambda_metric(name: str, function_name: str, statistic: str = "Sum") -> Metric:
    return Metric("AWS/Lambda", name, (("FunctionName", function_name),), statistic)


def read_metrics(
    cloudwatch: Any, metrics: Sequence[Metric], now: float, minutes: int = 15
) -> dict[Metric, list[Point]]:
    """Every metric's points of the last minutes, oldest first. 500 a call, as CloudWatch allows."""
    until = datetime.fromtimestamp(now, UTC) + timedelta(seconds=PERIOD_SECONDS)
    series: dict[Metric, list[Point]] = {metric: [] for metric in metrics}
    wanted = list(series)
    for start in range(0, len(wanted), 500):
        chunk = {f"m{i}": metric for i, metric in enumerate(wanted[start : start + 500])}
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[_query(name, metric) for name, metric in chunk.items()],
            StartTime=until - timedelta(minutes=minutes + 1),
            EndTime=until,
        )
        for result in answer["MetricDataResults"]:
            points = map(Point, result["Timestamps"], result["Values"])
            series[chunk[result["Id"]]] = sorted(points)
    return series


def rate_per_second(points: Sequence[Point], now: float) -> float:
    """Of sums a minute: the running minute and the one before, per second of them."""
    begin = now - now % PERIOD_SECONDS - PERIOD_SECONDS
    recent = [point.value for point in points if point.at.timestamp() >= begin]
    return sum(recent) / max(1.0, now - begin)


def latest(points: Sequence[Point]) -> float | None:
    """The newest value."""
    return points[-1].value if points else None


def _query(name: str, metric: Metric) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": k, "Value": v} for k, v in metric.dimensions],
            },
            "Period": PERIOD_SECONDS,
            "Stat": metric.statistic,
        },
    }
