"""The append-only log of one shard: segment files, and a small index of them in memory."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile, zip_longest
from typing import NamedTuple

from services.kinesis import frame
from services.kinesis.folder import Folder
from services.kinesis.recovery import (
    Damage,
    missing_newest,
    recover_segment,
    set_copies_aside,
    settle_leftovers,
)
from services.kinesis.segment import FIRST_ORDINAL, Segment, create_segment, segment_names

#: A segment is closed at this size; retention deletes whole segments.
SEGMENT_BYTES = 64 * 1024 * 1024
#: A segment is closed after this time too, so that slow streams let go of what has expired.
SEGMENT_MILLIS = 3_600_000
#: How much is read from a segment at once.
_READ_BYTES = 1024 * 1024
#: After a write that was cut short, ordinals go on this much later: whoever has seen a number
#: of a lost record never sees it again.
_SKIP_AFTER_TEAR = 1 << 20


class StoredRecords(NamedTuple):
    """Records that lie side by side and came with one put. Arrival in milliseconds since 1970."""

    first_ordinal: int
    arrival_millis: int
    flags: int
    payloads: Sequence[frame.Payload]

    @property
    def next_ordinal(self) -> int:
        return self.first_ordinal + len(self.payloads)


class Page(NamedTuple):
    """What one read found; `size` is the bytes of keys and data."""

    runs: Sequence[StoredRecords]
    size: int

    @property
    def records(self) -> int:
        return sum([len(run.payloads) for run in self.runs])


class ShardLog:
    """Appends and reads one shard's records by ordinal (1, 2, 3 …, with gaps where some are lost).

    Safe for threads. In memory there are three numbers per batch; payloads stay in the folder.
    """

    def __init__(self, folder: Folder, *, sync: bool = False) -> None:
        """Reads the folder's segments back. What was found broken is in `damages`."""
        self._folder = folder
        self._sync = sync
        self._lock = threading.RLock()
        self.damages: list[Damage] = []
        #: Segments whose last write was cut short, and the first ordinal that is not there.
        self.torn: list[tuple[str, int]] = []
        self._segments: list[Segment] = []
        self._next_ordinal = FIRST_ORDINAL
        #: Where the last segment ended, when the next one begins later and is not there yet.
        self._ended_at: int | None = None
        self._last_arrival = 0
        self._recover()

    @property
    def next_ordinal(self) -> int:
        """The ordinal that the next record gets."""
        return self._next_ordinal

    @property
    def last_arrival_millis(self) -> int:
        """When the last record came; 0 when there has been none."""
        return self._last_arrival

    def append(
        self, records: Sequence[frame.Payload], now_millis: int, flags: int = 0
    ) -> tuple[int, int]:
        """Write a batch; it is safe when this returns its first ordinal and arrival.

        Raises OSError when the folder cannot take it (disk full): then nothing of it is there.
        """
        with self._lock:
            arrival = max(now_millis, self._last_arrival)
            segment = self._writable_segment(arrival)
            first = ordinal = self._next_ordinal
            encoded, places = [], []
            offset = segment.end
            for chunk in frame.chunks(records):
                content = frame.encode(chunk, ordinal, arrival, flags)
                encoded.append(content)
                places.append((offset, ordinal))
                ordinal += len(chunk)
                offset += len(content)
            self._write(segment, b"".join(encoded))
            for place, first_of_frame in places:
                segment.add(place, first_of_frame, arrival)
            segment.end, segment.next_ordinal = offset, ordinal
            self._next_ordinal, self._last_arrival = ordinal, arrival
            return first, arrival

    def read(
        self, ordinal: int, max_records: int, max_bytes: int, not_before_millis: int = 0
    ) -> Page:
        """Records from `ordinal` on that arrived at `not_before_millis` or later.

        At most `max_records` and `max_bytes` of keys and data, but at least one when there is one.
        """
        with self._lock:
            ordinal = max(ordinal, self.ordinal_at(not_before_millis))
            try:
                return self._collect(ordinal, max_records, max_bytes)
            except (frame.FrameDamaged, frame.FrameTorn, FileNotFoundError):
                self._recover()
                return self._collect(ordinal, max_records, max_bytes)

    def ordinal_at(self, millis: int) -> int:
        """The first ordinal that arrived at this time or later; the next one when none did."""
        with self._lock:
            for segment in self._segments:
                if segment.arrivals and segment.arrivals[-1] >= millis:
                    position = bisect_left(segment.arrivals, millis)
                    return int(segment.first_ordinals[position])
            return self._next_ordinal

    def arrival_at(self, ordinal: int) -> int | None:
        """When the first record at this ordinal or later came; None when there is none."""
        with self._lock:
            if ordinal >= self._next_ordinal:
                return None
            found = self._locate(ordinal)
            return None if found is None else int(found[0].arrivals[found[1]])

    def trim(self, horizon_millis: int) -> int:
        """Delete the segments whose records all came before; how many."""
        with self._lock:
            # From the first on: one in the middle may be without arrivals, having lost all.
            expired = list(
                takewhile(
                    lambda segment: not segment.arrivals or segment.arrivals[-1] < horizon_millis,
                    self._segments[:-1],
                )
            )
            last = self._segments[-1] if self._segments else None
            if last and last.arrivals and last.arrivals[-1] < horizon_millis:
                # Keep an empty segment: its name remembers the next ordinal. Without room for
                # it the last one stays until the next time.
                with suppress(OSError):
                    self._add_segment()
                    expired.append(last)
            self._segments = [s for s in self._segments if s not in expired]
            for segment in expired:
                self._folder.remove(segment.name)
            return len(expired)

    def _recover(self) -> None:
        """Raises OSError when there is no room for what must be set aside: nothing changes."""
        settle_leftovers(self._folder)
        self.damages += set_copies_aside(self._folder)
        names = segment_names(self._folder)
        segments, next_ordinal = list[Segment](), self._next_ordinal
        # How far lost records may have gone: their numbers are never used again.
        reached, is_uncertain = 0, False
        for name, successor in zip_longest(names, names[1:]):
            recovered = recover_segment(self._folder, name, successor)
            if recovered.segment is not None:
                segments.append(recovered.segment)
                next_ordinal = max(next_ordinal, recovered.segment.next_ordinal)
            if (damage := recovered.damage) is not None:
                self.damages.append(damage)
                reached = max(reached, damage.highest_ordinal)
            if recovered.torn:
                reached, is_uncertain = max(reached, Segment.base_of(name)), True
                self.torn.append((name, max(next_ordinal, reached)))
        last_base = Segment.base_of(names[-1]) if names else 0
        if (missing := missing_newest(self._folder, last_base, next_ordinal)) is not None:
            self.damages.append(missing)
            reached = missing.highest_ordinal
        arrivals = (int(s.arrivals[-1]) for s in segments if s.arrivals)
        self._last_arrival = max([self._last_arrival, *arrivals])
        self._segments, self._next_ordinal = segments, next_ordinal
        if is_uncertain or reached > next_ordinal:
            self._begin_later(max(next_ordinal, reached) + _SKIP_AFTER_TEAR)

    def _begin_later(self, ordinal: int) -> None:
        """Go on at this ordinal in a new segment; on a full disk the next append makes it."""
        self._ended_at, self._next_ordinal = self._next_ordinal, ordinal
        with suppress(OSError):
            self._add_segment()

    def _writable_segment(self, arrival: int) -> Segment:
        if self._segments and self._ended_at is None:
            segment = self._segments[-1]
            too_old = bool(segment.arrivals) and arrival - segment.arrivals[0] > SEGMENT_MILLIS
            if segment.end < SEGMENT_BYTES and not too_old:
                return segment
        self._add_segment()
        return self._segments[-1]

    def _add_segment(self) -> None:
        ended_at = self._next_ordinal if self._ended_at is None else self._ended_at
        segment = create_segment(self._folder, self._next_ordinal, ended_at)
        self._ended_at = None
        self._segments.append(segment)

    def _write(self, segment: Segment, content: bytes) -> None:
        try:
            self._folder.write(segment.name, segment.end, content)
            if self._sync:
                self._folder.sync(segment.name)
        except OSError:
            # The next write goes to the same place; without this, a reader after a restart
            # would find half a frame.
            self._folder.truncate(segment.name, segment.end)
            raise

    def _locate(self, ordinal: int) -> tuple[Segment, int] | None:
        """The segment and the frame that hold `ordinal`, or the next one after a gap."""
        at = bisect_right(self._segments, ordinal, key=lambda s: s.base_ordinal) - 1
        for segment in self._segments[max(at, 0) :]:
            if not segment.first_ordinals or ordinal >= segment.next_ordinal:
                continue
            return segment, max(bisect_right(segment.first_ordinals, ordinal) - 1, 0)
        return None

    def _collect(self, ordinal: int, max_records: int, max_bytes: int) -> Page:
        runs, count, size = list[StoredRecords](), 0, 0
        while ordinal < self._next_ordinal and (found := self._locate(ordinal)) is not None:
            segment, first = found
            buffer, last = self._read_frames(segment, first, ordinal + max_records - count)
            view, offset = memoryview(buffer), 0
            for _ in range(first, last):
                header = frame.check(view, offset)
                offset, payloads = header.end, frame.decode(buffer, header)
                if ordinal > header.first_ordinal:
                    payloads = payloads[ordinal - header.first_ordinal :]
                ordinal = max(ordinal, header.first_ordinal)
                fitting, size = _fitting(payloads, count, size, max_records, max_bytes)
                is_last = fitting < len(payloads) or count + fitting >= max_records
                if fitting:
                    taken = payloads[:fitting] if is_last else payloads
                    runs.append(StoredRecords(ordinal, header.arrival_millis, header.flags, taken))
                ordinal, count = ordinal + fitting, count + fitting
                if is_last:
                    return Page(runs, size)
            ordinal = max(ordinal, self._first_after(segment, last))
        return Page(runs, size)

    @staticmethod
    def _first_after(segment: Segment, last: int) -> int:
        """The first ordinal that is not in the frames before the `last`-th."""
        firsts: array[int] = segment.first_ordinals
        return firsts[last] if last < len(firsts) else segment.next_ordinal

    def _read_frames(self, segment: Segment, first: int, until: int) -> tuple[bytes, int]:
        """Frames from `first` on, up to `until` or about a mebibyte; and the frame after them."""
        offsets: array[int] = segment.offsets
        start = offsets[first]
        last = min(
            bisect_left(segment.first_ordinals, until),
            bisect_right(offsets, start + _READ_BYTES) - 1,
        )
        last = max(last, first + 1)
        end = offsets[last] if last < len(offsets) else segment.end
        return self._folder.read(segment.name, start, end - start), last


def _fitting(
    payloads: Sequence[frame.Payload], count: int, size: int, max_records: int, max_bytes: int
) -> tuple[int, int]:
    """How many fit after `count` records of `size` bytes, and the size then; one always fits."""
    room = max_records - count
    whole = size + frame.payload_bytes(payloads)
    if len(payloads) <= room and whole <= max_bytes:
        return len(payloads), whole
    fitting = 0
    for key, data in payloads[:room]:
        with_it = size + len(key) + len(data)
        if count + fitting and with_it > max_bytes:
            break
        size, fitting = with_it, fitting + 1
    return fitting, size
