"""Counts invocations and errors for CloudWatch, and sends the counts once a second."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import NamedTuple

from localstack.aws.connect import connect_to

LOG = logging.getLogger(__name__)

_GATHER_SECONDS = 1.0


class Counted(NamedTuple):
    """One metric of one function."""

    account_id: str
    region: str
    function_name: str
    metric: str


class MetricWriter:
    """One thread for all functions; it sleeps while nothing is counted."""

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def count(self, account_id: str, region: str, function_name: str, *metrics: str) -> None:
        """Add one to each of the metrics: `Invocations`, `Errors`, `Throttles`."""
        with self._changed:
            for metric in metrics:
                self._counts[Counted(account_id, region, function_name, metric)] += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lambda-metric-writer", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._counts))
            pause.wait(_GATHER_SECONDS)
            with self._changed:
                counts, self._counts = self._counts, Counter()
            try:
                _send(counts)
            except Exception:
                LOG.exception("Cannot write the metrics of %d functions", len(counts))


def _send(counts: Counter[Counted]) -> None:
    for (account_id, region), mine in _by_place(counts).items():
        cloudwatch = connect_to(aws_access_key_id=account_id, region_name=region).cloudwatch
        cloudwatch.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": counted.metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": counted.function_name}],
                    "Unit": "Count",
                    # So many times the value 1: Sum and SampleCount both come out right.
                    "Values": [1.0],
                    "Counts": [float(number)],
                }
                for counted, number in mine.items()
            ],
        )


def _by_place(counts: Counter[Counted]) -> dict[tuple[str, str], dict[Counted, int]]:
    places: dict[tuple[str, str], dict[Counted, int]] = {}
    for counted, number in counts.items():
        places.setdefault((counted.account_id, counted.region), {})[counted] = number
    return places
