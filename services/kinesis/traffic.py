"""What went through a stream since somebody last asked: the numbers behind its metrics."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from services.metric_data import StatisticSet

#: Whom a number is about besides the stream: `("ShardId", …)`, `("ConsumerName", …)`, or nobody.
type Dimension = tuple[str, str] | None
type Counted = Mapping[Dimension, Mapping[str, StatisticSet]]


class Traffic:
    """Adds up one value per call and metric until somebody takes them. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Dimension, dict[str, StatisticSet]] = {}

    def add(self, values: Mapping[str, float], dimension: Dimension = None) -> None:
        """One call's values by metric."""
        with self._lock:
            counted = self._counted.get(dimension)
            if counted is None:
                counted = self._counted[dimension] = {}
            for name, value in values.items():
                samples = counted.get(name)
                if samples is None:
                    samples = counted[name] = StatisticSet()
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
