"""Reads one shard from its position to its end, and keeps the order that was promised."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Protocol

from services.awslambda.event_source_mapping.filtering import Filters
from services.awslambda.event_source_mapping.lane import Invoked, Lane
from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.positions import SHARD_END, Positions
from services.awslambda.event_source_mapping.progress import Progress
from services.awslambda.event_source_mapping.retrying import Discarded
from services.awslambda.event_source_mapping.source import (
    IteratorExpired,
    ReadThrottled,
    StreamSource,
)
from services.awslambda.event_source_mapping.stream_record import StreamRecord, sequence_numbers
from services.awslambda.event_source_mapping.tumbling_window import Window

_READ_LIMIT = 1000
#: A wait without end, nearly: every put ends it.
_IDLE_SECONDS = 60.0
_THROTTLED_SECONDS = 0.25


class Surroundings(Protocol):
    """What the shards of a mapping share."""

    def now(self) -> float:
        """The engine's clock."""

    def invoke(self, payload: bytes) -> Invoked:
        """Run the function. Raises CannotInvoke."""

    def tell_age(self, seconds: float) -> None:
        """The metric IteratorAge."""

    def give_up(self, shard_id: str, discarded: Discarded) -> None:
        """Send records to the on-failure destination."""

    def tell(self, result: str) -> None:
        """The mapping's LastProcessingResult."""


class LaneFailed(Exception):
    """A batch could not be dealt with; the log says why."""


class ShardPoller:
    """One shard of one mapping: a reading thread, and a lane for each concurrent batch."""

    def __init__(
        self,
        shard_id: str,
        mapping: Mapping,
        source: StreamSource,
        filters: Filters,
        positions: Positions,
        surroundings: Surroundings,
        stop: threading.Event,
    ) -> None:
        self._shard_id = shard_id
        self._source = source
        self._filters = filters
        self._positions = positions
        self._surroundings = surroundings
        self._stop = stop
        self._progress = Progress()
        self._lock = threading.Lock()
        # A window has one state per shard, so its batches come one after the other.
        count = 1 if mapping.tumbling_window_in_seconds else mapping.parallelization_factor
        window = positions.window(shard_id) if mapping.tumbling_window_in_seconds else None
        self._lanes = [Lane(mapping, shard_id, self, stop, window) for _ in range(count)]

    def run(self) -> bool:
        """Read until the shard's end (True: all of it is done) or until told to stop (False).

        Raises SourceGone when the stream was deleted, LaneFailed when it must be read again.
        """
        threads = [
            threading.Thread(target=lane.run, name=f"lambda-{self._shard_id}", daemon=True)
            for lane in self._lanes
        ]
        for thread in threads:
            thread.start()
        try:
            self._read()
        finally:
            for lane in self._lanes:
                lane.close()
            for thread in threads:
                thread.join()
        if self._stop.is_set():
            return False
        if not self._progress.is_done:
            raise LaneFailed(self._shard_id)
        self._positions.checkpoint(self._shard_id, SHARD_END)
        return True

    def wake(self) -> None:
        """Look whether to stop."""
        for lane in self._lanes:
            lane.wake()

    # -- reading -----------------------------------------------------------------------------

    def _read(self) -> None:
        after = self._positions.sequence_number(self._shard_id)
        iterator: str | None = self._source.iterator(self._shard_id, after)
        while iterator is not None and not self._stop.is_set():
            if any(lane.has_failed for lane in self._lanes):
                raise LaneFailed(self._shard_id)
            seen = self._source.activity()
            try:
                read = self._source.read(iterator, _READ_LIMIT)
            except IteratorExpired:
                iterator = self._source.iterator(self._shard_id, after)
                continue
            except ReadThrottled:
                self._stop.wait(_THROTTLED_SECONDS)
                continue
            if read.records:
                after = read.records[-1].sequence_number
                self._distribute(read.records)
            elif read.next_iterator is not None:
                self._source.wait(seen, _IDLE_SECONDS)
            iterator = read.next_iterator

    def _distribute(self, records: Sequence[StreamRecord]) -> None:
        with self._lock:
            self._progress.take(record.sequence_number for record in records)
        kept: dict[int, list[StreamRecord]] = {}
        dropped = []
        for record in records:
            if self._filters.keeps(record.event):
                kept.setdefault(self._lane_of(record), []).append(record)
            else:
                dropped.append(record)
        self.finish(dropped, None)
        for place, mine in kept.items():
            self._lanes[place].put(mine)

    def _lane_of(self, record: StreamRecord) -> int:
        if len(self._lanes) == 1:
            return 0
        digest = hashlib.md5(record.order_key.encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest[:4]) % len(self._lanes)

    # -- what lanes have done for them -------------------------------------------------------

    def now(self) -> float:
        return self._surroundings.now()

    def invoke(self, payload: bytes) -> Invoked:
        return self._surroundings.invoke(payload)

    def tell_age(self, seconds: float) -> None:
        self._surroundings.tell_age(seconds)

    def give_up(self, discarded: Discarded) -> None:
        self._surroundings.give_up(self._shard_id, discarded)

    def tell(self, result: str) -> None:
        self._surroundings.tell(result)

    def finish(self, records: Sequence[StreamRecord], window: Window | None) -> None:
        with self._lock:
            checkpoint = self._progress.finish(sequence_numbers(tuple(records)))
            if checkpoint is not None:
                window = window or self._positions.window(self._shard_id)
                self._positions.checkpoint(self._shard_id, checkpoint, window)

    def lane_failed(self) -> None:
        self._source.wake()

    def keep_window(self, window: Window | None) -> None:
        with self._lock:
            self._positions.keep_window(self._shard_id, window)
