"""KCL's metrics: every name once, with its meaning, and where they go."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger(__name__)

#: Operation → metric → what it says. `Time` is in milliseconds, `Success` 1 or 0.
METRICS: dict[str, dict[str, str]] = {
    "ProcessTask": {
        "RecordsProcessed": "User records given to the processor.",
        "DataBytesProcessed": "Their bytes.",
        "MillisBehindLatest": "How far the last batch was behind the stream's tip.",
        "RecordProcessor.processRecords.Time": "How long the processor took.",
        "RecordProcessor.processRecords.Success": "Whether it returned without an error.",
    },
    "ApplicationTracker": {
        "MillisBehindLatest": "As above, over all shards of the worker.",
    },
    "InitializeTask": {"RecordProcessor.initialize.Time": "How long `initialize` took."},
    "ShutdownTask": {"RecordProcessor.shutdown.Time": "How long the last call took."},
    "RenewAllLeases": {
        "LostLeases": "Leases that another worker had taken, or that had expired.",
        "CurrentLeases": "Leases held after the round.",
        "Success": "Whether the round went through.",
        "Time": "How long it took.",
    },
    "TakeLeases": {
        "TotalLeases": "Leases in the table.",
        "NumWorkers": "Workers with a live lease, and this one.",
        "NeededLeases": "Leases missing to this worker's share.",
        "LeasesToTake": "Leases it set out to take.",
        "TakenLeases": "Leases it got.",
        "UntakenLeases": "Leases somebody else got first.",
        "ExpiredLeases": "Leases without a living owner.",
        "VeryOldLeases": "Those unowned for three fail-over times.",
        "LeaseSpillover": "Leases beyond the maximum for a worker.",
        "Success": "Whether the round went through.",
        "Time": "How long it took.",
    },
    "UpdateLease": {
        "Success": "Whether a checkpoint was written.",
        "Time": "How long it took.",
    },
    "PeriodicShardSyncManager": {
        "NumStreamsToSync": "Streams whose leases were mended.",
        "Success": "Whether the audit went through.",
        "Time": "How long it took.",
    },
}

_UNITS = {"Time": "Milliseconds", "MillisBehindLatest": "Milliseconds", "Bytes": "Bytes"}
#: PutMetricData calls stay this small, as KCL's do.
_BATCH = 20


class Metrics(Protocol):
    """Takes measurements; never blocks or raises."""

    def add(
        self, operation: str, name: str, value: float, *, shard_id: str | None = None
    ) -> None: ...


class NoMetrics:
    """Metrics that go nowhere."""

    def add(self, operation: str, name: str, value: float, *, shard_id: str | None = None) -> None:
        pass


@contextmanager
def timed(metrics: Metrics, operation: str) -> Iterator[None]:
    """Adds `Success` and `Time` of what runs inside."""
    started = time.monotonic()
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        metrics.add(operation, "Success", int(succeeded))
        metrics.add(operation, "Time", (time.monotonic() - started) * 1000)


@dataclass(slots=True)
class _Statistics:
    count: int = 0
    total: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)


class CloudWatchMetrics:
    """Adds up for `buffer_seconds`, then sends statistics: namespace = application name."""

    def __init__(
        self,
        cloudwatch: Any,
        namespace: str,
        worker_id: str,
        *,
        buffer_seconds: float = 10.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cloudwatch = cloudwatch
        self._namespace = namespace
        self._worker_id = worker_id
        self._buffer_seconds = buffer_seconds
        self._now = now
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, str | None], _Statistics] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kcl-metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, operation: str, name: str, value: float, *, shard_id: str | None = None) -> None:
        assert name in METRICS[operation], f"{operation}.{name} is not listed"
        with self._lock:
            self._waiting.setdefault((operation, name, shard_id), _Statistics()).add(value)

    def flush(self) -> None:
        """Send what has been added. What CloudWatch refuses is lost, with a warning."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        data = [self._datum(*key, statistics) for key, statistics in waiting.items()]
        for at in range(0, len(data), _BATCH):
            try:
                self._cloudwatch.put_metric_data(
                    Namespace=self._namespace, MetricData=data[at : at + _BATCH]
                )
            except (ClientError, BotoCoreError) as error:
                log.warning("Metrics of %s were not sent: %s", self._namespace, error)

    def close(self) -> None:
        """Send the rest and stop."""
        self._stopping.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stopping.wait(self._buffer_seconds):
            self.flush()

    def _datum(
        self, operation: str, name: str, shard_id: str | None, statistics: _Statistics
    ) -> dict[str, Any]:
        dimensions = [{"Name": "Operation", "Value": operation}]
        if shard_id is not None:
            dimensions.append({"Name": "ShardId", "Value": shard_id})
        elif operation in ("RenewAllLeases", "TakeLeases", "UpdateLease"):
            dimensions.append({"Name": "WorkerIdentifier", "Value": self._worker_id})
        return {
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": self._now(),
            "Unit": next((u for word, u in _UNITS.items() if word in name), "Count"),
            "StatisticValues": {
                "SampleCount": statistics.count,
                "Sum": statistics.total,
                "Minimum": statistics.minimum,
                "Maximum": statistics.maximum,
            },
        }
