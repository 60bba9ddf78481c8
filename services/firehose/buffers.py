"""What waits where: the open buffers, the deliveries under way, the positions read up to.

Everything here follows from the journal's entries: `apply` is the only way to change it, while
running and when the journal is read again after a restart.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.firehose.buffering import BufferingHints, due_at
from services.firehose.journal import Entry, Group

#: Records that wait for a transform or for their partition key.
INCOMING = "incoming"
#: Records for the destination; a partition appends its key.
DESTINATION = "destination"
#: Source records for the backup bucket.
BACKUP = "backup"
#: Failed records; the error output type is appended.
ERROR = "error"


@dataclass
class Buffer:
    """Groups in order of arrival. `opened_at` is when the first one came (epoch seconds)."""

    opened_at: float
    groups: deque[Group] = field(default_factory=deque)
    #: When each group came (a record of a stream may have arrived there long before).
    came_at: deque[float] = field(default_factory=deque)
    size: int = 0

    @property
    def oldest_arrival(self) -> float:
        return min(group.oldest_arrival for group in self.groups)

    def add(self, group: Group, came_at: float) -> None:
        self.groups.append(group)
        self.came_at.append(came_at)
        self.size += group.size

    def take(self, last: tuple[int, int]) -> list[Group]:
        """Remove and return every group up to the one at this place."""
        taken = []
        while self.groups and self.groups[0].place <= last:
            taken.append(self.groups.popleft())
            self.came_at.popleft()
        self.size -= sum(group.size for group in taken)
        if self.groups:
            self.opened_at = max(self.opened_at, self.came_at[0])
        return taken


@dataclass
class Delivery:
    """A closed buffer on its way. `target` was decided when it closed and never changes, so that
    a repeated attempt writes the same object, document or request again."""

    delivery_id: str
    buffer: str
    target: dict[str, Any]
    groups: list[Group]
    closed_at: float
    attempts: int = 0
    first_attempt_at: float | None = None
    next_attempt_at: float = 0.0
    is_under_way: bool = False
    #: What an attempt left over for the next one (only in memory: a restart repeats it all).
    left_over: Any = None

    @property
    def oldest_arrival(self) -> float:
        return min(group.oldest_arrival for group in self.groups)

    def tried_for(self, now: float) -> float:
        """Seconds since the first attempt."""
        return 0.0 if self.first_attempt_at is None else now - self.first_attempt_at


class Buffers:
    """The state of one delivery stream's data."""

    def __init__(self) -> None:
        self.open: dict[str, Buffer] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.positions: dict[str, str] = {}
        #: How many groups of each journal segment somebody still needs: what a delivery costs at
        #: its end must not depend on how many others are under way.
        self._needed: Counter[int] = Counter()

    def apply(self, entry: Entry, now: float) -> None:
        """One journal entry. Header keys, all but `at` (when it was written) optional:

        `opened`: since when buffers that it opens count, if not since `at`; `positions`: all
        positions of the source; `into`: for each group the buffers it joins; `consumed`: (place)
        incoming groups that were processed; `closed`: a buffer that became a delivery;
        `delivered`: a delivery that is over.
        """
        header = entry.header
        self.positions.update(header.get("positions", {}))
        if "consumed" in header:
            self._release(self._take(INCOMING, tuple(header["consumed"])))
        if "delivered" in header:
            over = self.deliveries.pop(header["delivered"], None)
            self._release(over.groups if over else ())
        for names, group in zip(header.get("into", ()), entry.groups, strict=True):
            for name in names:
                # A clock that was ahead before a restart must not hold a buffer back.
                came_at = min(header["at"], now)
                opened_at = min(header.get("opened", came_at), now)
                self.open.setdefault(name, Buffer(opened_at)).add(group, came_at)
                self._needed[group.segment] += 1
        if "closed" in header:
            self._close(header["closed"], header["at"])

    def _release(self, groups: Sequence[Group]) -> None:
        for group in groups:
            self._needed[group.segment] -= 1
            if not self._needed[group.segment]:
                del self._needed[group.segment]

    def _take(self, name: str, last: tuple[int, int]) -> list[Group]:
        buffer = self.open.get(name)
        if buffer is None:
            return []
        taken = buffer.take(last)
        if not buffer.groups:
            del self.open[name]
        return taken

    def _close(self, closed: dict[str, Any], at: float) -> None:
        groups = self._take(closed["buffer"], tuple(closed["last"]))
        if groups:
            delivery = Delivery(closed["id"], closed["buffer"], closed["target"], groups, at)
            self.deliveries[delivery.delivery_id] = delivery

    def due(self, name: str, hints: BufferingHints) -> float:
        """When that open buffer is to be closed."""
        buffer = self.open[name]
        return due_at(buffer.size, buffer.opened_at, hints)

    def is_full(self, name: str, hints: BufferingHints) -> bool:
        return self.open[name].size >= hints.size_in_bytes

    def misses_incoming(self, due: float) -> bool:
        """Whether records that came in before then are still to be processed."""
        incoming = self.open.get(INCOMING)
        return incoming is not None and incoming.opened_at <= due

    def oldest_segment(self, last_segment: int) -> int:
        """The oldest journal segment that somebody still needs."""
        return min(self._needed, default=last_segment)

    def partitions(self) -> set[str]:
        """The partitions of the destination that hold undelivered records."""
        names = [*self.open, *(delivery.buffer for delivery in self.deliveries.values())]
        return {name for name in names if name.startswith(DESTINATION)}
