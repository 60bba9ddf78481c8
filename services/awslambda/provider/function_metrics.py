"""Gathers what CloudWatch knows of functions, and sends it once a second."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from localstack.aws.connect import connect_to

from services.awslambda.gathering import Gathering

_GATHER_SECONDS = 1.0
#: A datum of PutMetricData has at most so many different values.
_MAXIMUM_VALUES = 150


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
    places: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for measured, values in gathered.items():
        place = places.setdefault((measured.account_id, measured.region), [])
        for some in itertools.batched(values.items(), _MAXIMUM_VALUES, strict=False):
            place.append(_datum(measured, some))
    for (account_id, region), data in places.items():
        cloudwatch = connect_to(aws_access_key_id=account_id, region_name=region).cloudwatch
        cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=data)


def _datum(measured: Measured, values: tuple[tuple[float, int], ...]) -> dict[str, Any]:
    return {
        "MetricName": measured.metric,
        "Dimensions": [{"Name": "FunctionName", "Value": measured.function_name}],
        "Unit": measured.unit,
        # So many times each value: Sum, Maximum and SampleCount all come out right.
        "Values": [value for value, _ in values],
        "Counts": [float(number) for _, number in values],
    }


@cache
def metrics() -> MetricWriter:
    """The engine's one writer."""
    return MetricWriter()
