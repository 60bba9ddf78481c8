"""What went through a stream since somebody last asked: the numbers behind its metrics."""

from __future__ import annotations

import threading
from collections.abc import Mapping

#: Whom a number is about besides the stream: `("ShardId", …)`, `("ConsumerName", …)`, or nobody.
type Dimension = tuple[str, str] | None
type Counted = Mapping[Dimension, Mapping[str, Samples]]


class Samples:
    """What many values of one metric come to: CloudWatch's statistic set."""

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


class Traffic:
    """Adds up one value per call and metric until somebody takes them. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Dimension, dict[str, Samples]] = {}

    def add(self, values: Mapping[str, float], dimension: Dimension = None) -> None:
        """One call's values by metric."""
        with self._lock:
            counted = self._counted.get(dimension)
            if counted is None:
                counted = self._counted[dimension] = {}
            for name, value in values.items():
                samples = counted.get(name)
                if samples is None:
                    samples = counted[name] = Samples()
                samples.add(value)

    def take(self) -> Counted:
        """What was added since the last time; empty when nothing was."""
        with self._lock:
            taken, self._counted = self._counted, {}
            return taken


def total(counted: Counted, metric: str) -> float:
    """The sum of one of the stream's own metrics."""
    samples = counted.get(None, {}).get(metric)
    return 0.0 if samples is None else samples.total
