"""Gathers what CloudWatch knows of functions, and sends it once a second."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from localstack.aws.connect import connect_to

from services.gathering import Gathering
from services.metric_data import calls, with_values

_GATHER_SECONDS = 1.0


class Measured(NamedTuple):
    """One metric of one function; `unit` is CloudWatch's word."""

    account_id: str
    region: str
    function_name: str
    metric: str
    unit: str


class MetricWriter:
    """All functions' metrics."""

    def __init__(self) -> None:
        self._gathering: Gathering[dict[Measured, Counter[float]]] = Gathering(
            "lambda-metric-writer", dict, _send, seconds=_GATHER_SECONDS
        )

    def count(self, account_id: str, region: str, function_name: str, *metrics: str) -> None:
        """Add one to each of the metrics: `Invocations`, `Errors`."""
        for metric in metrics:
            self.measure(Measured(account_id, region, function_name, metric, "Count"), 1.0)

    def measure(self, measured: Measured, value: float) -> None:
        """One value of a metric: `IteratorAge`, `Duration`."""
        self._gathering.add(lambda figures: _add(figures, measured, value))


def _add(figures: dict[Measured, Counter[float]], measured: Measured, value: float) -> None:
    figures.setdefault(measured, Counter())[value] += 1


def _send(gathered: Mapping[Measured, Counter[float]]) -> None:
    places: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for measured, often in gathered.items():
        places[measured.account_id, measured.region] += with_values(_datum(measured), often)
    for (account_id, region), data in places.items():
        cloudwatch = connect_to(aws_access_key_id=account_id, region_name=region).cloudwatch
        for page in calls(data):
            cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=page)


def _datum(measured: Measured) -> dict[str, Any]:
    return {
        "MetricName": measured.metric,
        "Dimensions": [{"Name": "FunctionName", "Value": measured.function_name}],
        "Unit": measured.unit,
    }


@cache
def metrics() -> MetricWriter:
    """The engine's one writer."""
    return MetricWriter()
