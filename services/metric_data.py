"""CloudWatch's MetricData: what many values of a metric come to, in as few calls as it takes. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

#: What one call takes, and how many different values one datum.
MOST_DATA = 1000
MOST_VALUES = 150

Datum = dict[str, Any]


class StatisticSet:
    """Values that are told together: nobody can tell them apart any more."""

    __slots__ = ("count", "least", "most", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.least = float("inf")
        self.most = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        if value < self.least:
            self.least = value
        if value > self.most:
            self.most = value

    def members(self) -> Datum:
        """What a datum says of it."""
        return {
            "StatisticValues": {
                "SampleCount": float(self.count),
                "Sum": float(self.total),
                "Minimum": float(self.least),
                "Maximum": float(self.most),
            }
        }


def with_values(datum: Datum, often: Counter[float]) -> Iterator[Datum]:
    """The datum with each value as often as it came: SampleCount, Sum, Minimum and Maximum come
    out as if each had been sent by itself."""
    for some in itertools.batched(often.items(), MOST_VALUES, strict=False):
        values, counts = zip(*some, strict=True)
        yield {**datum, "Values": list(values), "Counts": [float(number) for number in counts]}


def calls(data: Iterable[Datum]) -> Iterator[list[Datum]]:
    """As much as each call takes."""
    for page in itertools.batched(data, MOST_DATA, strict=False):
        yield list(page)
