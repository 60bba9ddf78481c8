"""Decide how a shard's rows are cut into objects of the raw zone, so that each row is in one.

The objects of a shard form a chain. Each is named by the first row in it, and is created only if
that name is free (`If-None-Match: *`, which S3 decides atomically). Where a restart begins, the
first row is the same for everybody, hence so is the name: whoever creates it first decides where
the object ends and writes that into its metadata, and everybody else, a worker that replays after
a crash as well as one that has lost its lease without knowing it, finds the name taken and goes on
behind that end. So an object never needs to be overwritten or taken back, no matter at which
moment which worker dies, and checkpoints may lag behind as long as they lie between two objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it will be written."""

    position: ExtendedSequenceNumber
    arrived_at: datetime
    text: bytes

    @property
    def hours(self) -> int:
        """Whole hours since 1970 UTC: lines of one object share them."""
        return int(self.arrived_at.timestamp()) // 3600


@dataclass(frozen=True, slots=True)
class Cut:
    """Lines that become one object: consecutive, of one hour."""

    lines: tuple[Line, ...]

    @property
    def first(self) -> Line:
        return self.lines[0]

    @property
    def last_position(self) -> ExtendedSequenceNumber:
        return self.lines[-1].position


@dataclass(frozen=True, slots=True)
class CutLimits:
    """When an object is written: whichever comes first, or when the hour changes."""

    max_records: int = 25_000
    max_bytes: int = 16 * 1024 * 1024
    max_age_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.max_records < 1 or self.max_bytes < 1 or self.max_age_seconds < 0:
            raise ValueError(
                f"{self}: an object needs at least one record, one byte, and no negative age."
            )


@dataclass(slots=True)
class _Segment:
    """Waiting lines that belong into one object."""

    hours: int
    since: float
    lines: deque[Line] = field(default_factory=deque)
    size: int = 0

    def is_full(self, limits: CutLimits) -> bool:
        return len(self.lines) >= limits.max_records or self.size >= limits.max_bytes


class RawZoneChain:
    """The end of one shard's chain: lines not written yet. Pure; `now` in seconds, monotonic."""

    def __init__(self, limits: CutLimits) -> None:
        self._limits = limits
        self._segments: deque[_Segment] = deque()
        self._seen: ExtendedSequenceNumber | None = None
        #: The end of the last object known. An object made by another worker may reach beyond
        #: what this one has seen.
        self._covered: ExtendedSequenceNumber | None = None
        self._durable_through: ExtendedSequenceNumber | None = None

    def add(self, lines: Sequence[Line], through: ExtendedSequenceNumber, now: float) -> None:
        """Take lines up to `through`. Those seen before, or in an object already, are left out."""
        known = [position for position in (self._seen, self._covered) if position is not None]
        behind = max(known, default=None)
        for line in lines:
            if behind is None or line.position > behind:
                self._append(line, now)
        if self._seen is None or through > self._seen:
            self._seen = through
        self._settle()

    def next_cut(self, now: float, *, flush: bool = False) -> Cut | None:
        """The next object, when one is due."""
        if not self._segments:
            return None
        first = self._segments[0]
        is_due = (
            flush
            or len(self._segments) > 1
            or first.is_full(self._limits)
            or now - first.since >= self._limits.max_age_seconds
        )
        return Cut(tuple(first.lines)) if is_due else None

    def stored(self, through: ExtendedSequenceNumber) -> None:
        """An object that begins with the first waiting line exists, and ends at `through`."""
        while self._segments:
            segment = self._segments[0]
            while segment.lines and segment.lines[0].position <= through:
                segment.size -= len(segment.lines.popleft().text)
            if segment.lines:
                break
            self._segments.popleft()
        self._covered = through
        self._settle()

    @property
    def durable_through(self) -> ExtendedSequenceNumber | None:
        """Where a restart may begin: between two objects, or behind everything seen when no line
        waits. None while only the place where this worker began is known to be such a place."""
        return self._durable_through

    def _append(self, line: Line, now: float) -> None:
        last = self._segments[-1] if self._segments else None
        if last is None or last.hours != line.hours or last.is_full(self._limits):
            last = _Segment(line.hours, now)
            self._segments.append(last)
        last.lines.append(line)
        last.size += len(line.text)

    def _settle(self) -> None:
        if self._seen is None or (self._covered is not None and self._seen < self._covered):
            return  # within an object that another worker made: no restart may begin here
        reached = self._covered if self._segments else self._seen
        if reached is not None and (
            self._durable_through is None or reached > self._durable_through
        ):
            self._durable_through = reached  # it may lie behind the last object: never go back
