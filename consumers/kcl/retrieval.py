"""What every way of reading a shard delivers, and the bounded queue it delivers into."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import ChildShard


@dataclass(frozen=True, slots=True)
class RecordsBatch:
    """One answer of Kinesis: records in boto3's shape. At the shard's end `child_shards` names
    who goes on; none when the shard itself is gone."""

    records: Sequence[Mapping[str, Any]]
    millis_behind_latest: int
    is_shard_end: bool = False
    child_shards: tuple[ChildShard, ...] = ()

    @property
    def data_bytes(self) -> int:
        return sum(len(record["Data"]) for record in self.records)


class RecordsPublisher(Protocol):
    """Reads one shard on a thread of its own, ahead of the processor within limits."""

    def start(self) -> None: ...

    def next_batch(self, timeout: float) -> RecordsBatch | None:
        """The next batch, or None after `timeout` seconds. Raises what reading raised when it
        cannot go on by itself."""

    def stop(self) -> None:
        """End the thread; returns without waiting for a call in flight."""


class PrefetchQueue:
    """Batches waiting for the processor, limited by count, bytes and records."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._batches: deque[tuple[RecordsBatch, int]] = deque()
        self._bytes = 0
        self._records = 0
        self._changed = threading.Condition()
        self._error: Exception | None = None
        self._closed = False

    def wait_for_room(self) -> bool:
        """Block while a limit is reached. False when the queue was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room())
            return not self._closed

    def put(self, batch: RecordsBatch) -> None:
        size = batch.data_bytes
        with self._changed:
            self._batches.append((batch, size))
            self._bytes += size
            self._records += len(batch.records)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Let the next `get` on an empty queue raise this."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def get(self, timeout: float) -> RecordsBatch | None:
        with self._changed:
            self._changed.wait_for(
                lambda: bool(self._batches or self._error or self._closed), timeout
            )
            if not self._batches:
                if self._error is not None:
                    raise self._error
                return None
            batch, size = self._batches.popleft()
            self._bytes -= size
            self._records -= len(batch.records)
            self._changed.notify_all()
            return batch

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        limits = self._settings
        return (
            len(self._batches) < limits.max_pending_process_records_input
            and self._bytes < limits.prefetch_max_bytes
            and self._records < limits.prefetch_max_records
        )
