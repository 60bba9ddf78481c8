"""What every way of reading a shard shares: batches, a bounded queue, the thread that fills it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from consumers.kcl.errors import ForeignCheckpoint, InvalidShardAnswer
from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, ExtendedSequenceNumber
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


class RareWarning:
    """A warning for what is tried again, once a minute: an engine that is away for long should
    not fill the log."""

    _EVERY_SECONDS = 60.0

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told_at: float | None = None

    def tell(self, message: str, *arguments: object) -> None:
        now = time.monotonic()
        if self._told_at is None or now - self._told_at > self._EVERY_SECONDS:
            self._told_at = now
            self._log.warning(message, *arguments)

    def over(self) -> None:
        """It went well: the next failure is news."""
        self._told_at = None


class RecordsSource(Protocol):
    """One way to read a shard, round by round."""

    def read_into(self, queue: PrefetchQueue) -> float | None:
        """One round: put what Kinesis gives. Answers how many seconds lie at least between the
        starts of this round and the next; None when there is nothing more to read. Raises what
        reading again cannot mend."""


class PrefetchingPublisher:
    """A RecordsPublisher that lets a source fill a queue on a thread of its own."""

    def __init__(self, source: RecordsSource, settings: SchedulerSettings, name: str) -> None:
        self._source = source
        self._queue = PrefetchQueue(settings)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"read-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next_batch(self, timeout: float) -> RecordsBatch | None:
        return self._queue.get(timeout)

    def stop(self) -> None:
        self._stopping.set()
        self._queue.close()

    def _run(self) -> None:
        while self._queue.wait_for_room() and not self._stopping.is_set():
            started = time.monotonic()
            try:
                pause = self._source.read_into(self._queue)
            except Exception as error:  # noqa: BLE001 - handed to the consumer, which decides
                self._queue.fail(error)
                return
            if pause is None:
                return
            self._stopping.wait(max(0.0, started + pause - time.monotonic()))


@dataclass(frozen=True, slots=True)
class ShardToRead:
    """A shard of a stream, and the position at which this run begins to read it."""

    kinesis: Any
    stream_name: str
    shard_id: str
    start: ExtendedSequenceNumber
    settings: SchedulerSettings

    def position_after(self, last_read: str | None) -> ShardPosition:
        """Behind what this run has read; before that, at the checkpoint `start`."""
        start = self.start
        if last_read is not None:
            return ShardPosition("AFTER_SEQUENCE_NUMBER", last_read)
        if start.sequence_number == AT_TIMESTAMP:
            return ShardPosition(AT_TIMESTAMP, timestamp=self.settings.initial_position_timestamp)
        if start.is_sentinel:
            return ShardPosition(start.sequence_number)
        # AT, not AFTER: an aggregated record may hold user records after the checkpoint.
        return ShardPosition("AT_SEQUENCE_NUMBER", start.sequence_number)

    def has_ended(self, error: ClientError) -> bool:
        """Whether an error says that the shard was trimmed away as a whole: nobody can read it
        any more. Raises ForeignCheckpoint for a position that is none of this shard's."""
        code = error.response["Error"]["Code"]
        if code == "InvalidArgumentException":
            raise ForeignCheckpoint(str(error)) from error  # time will not mend it
        return code == "ResourceNotFoundException" and self._is_gone()

    def refuse_contradiction(
        self, call: str, *, is_end: bool, children: Sequence[ChildShard]
    ) -> None:
        """A shard that ends names its children with their parents, and only then: were an end
        without them believed, nobody would read what comes after it. Raises InvalidShardAnswer."""
        if is_end != bool(children) or not all(child.parent_shards for child in children):
            raise InvalidShardAnswer(
                f"{call} of shard {self.shard_id} told {len(children)} child shards "
                f"{'at' if is_end else 'before'} its end; reading again."
            )

    def _is_gone(self) -> bool:
        """Whether the stream is there and the shard is not. Without its stream a shard has not
        ended: the stream may come back, or its deletion was a mistake somebody should see."""
        try:
            pages = self.kinesis.get_paginator("list_shards").paginate(StreamName=self.stream_name)
            listed = {shard["ShardId"] for page in pages for shard in page["Shards"]}
        except ClientError:
            return False
        return self.shard_id not in listed


class ShardPosition(NamedTuple):
    """Where to read, in the words that GetShardIterator and SubscribeToShard share."""

    type: str
    sequence_number: str | None = None
    timestamp: datetime | None = None

    def told(self, *, type: str, sequence_number: str) -> dict[str, Any]:
        """As a request's parameters; the two calls name two of them differently."""
        given = {
            type: self.type,
            sequence_number: self.sequence_number,
            "Timestamp": self.timestamp,
        }
        return {name: value for name, value in given.items() if value is not None}
