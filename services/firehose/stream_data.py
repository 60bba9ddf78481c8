"""A delivery stream's records: journal and buffers together, behind one lock."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.firehose.buffering import BufferingHints
from services.firehose.buffers import BACKUP, DESTINATION, INCOMING, Buffers, Delivery
from services.firehose.destinations.destination import FailedRecord
from services.firehose.errors import ServiceUnavailable
from services.firehose.journal import Group, Journal
from services.firehose.record import PackedRecords, Record, pack, pack_arrived_together

#: What may wait on disk; more is refused, or left in the Kinesis stream.
MAX_JOURNAL_BYTES = 4 * 1024**3
_SLOW_DOWN = "Slow down."
_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0


class StreamData:
    """Whatever comes in is on disk when `put` or `accept` returns."""

    def __init__(self, folder: Path, now: float, *, sync: bool = False) -> None:
        self._lock = threading.RLock()
        self._journal = Journal(folder, sync=sync)
        self._buffers = Buffers()
        for entry in self._journal.entries():
            self._buffers.apply(entry, now)
        self._is_closed = False

    # In

    def put(self, contents: Sequence[bytes], into: Sequence[str], now: float) -> bool:
        """Keep what a put call brought. True when a buffer was opened or may have become full."""
        return self._add([(pack_arrived_together(contents, now), into)], now)

    def put_apart(self, groups: Sequence[tuple[Sequence[bytes], str]], now: float) -> bool:
        """As `put`, where each buffer gets its own form of the records."""
        packed = [(pack_arrived_together(contents, now), [into]) for contents, into in groups]
        return self._add(packed, now)

    def accept(
        self,
        groups: Sequence[tuple[Sequence[Record], Sequence[str]]],
        positions: Mapping[str, str],
        now: float,
    ) -> bool:
        """Keep what was read from a stream, and how far it was read."""
        packed = [(pack(records), into) for records, into in groups if records]
        return self._add(packed, now, {"positions": dict(positions)})

    def _add(
        self,
        groups: Sequence[tuple[PackedRecords, Sequence[str]]],
        now: float,
        header: Mapping[str, Any] | None = None,
    ) -> bool:
        with self._lock:
            if self.is_full:
                raise ServiceUnavailable(_SLOW_DOWN)
            opened = any(name not in self._buffers.open for _, into in groups for name in into)
            try:
                self._append(
                    {**(header or {}), "into": [list(into) for _, into in groups]},
                    now,
                    [packed for packed, _ in groups],
                )
            except OSError as error:
                raise ServiceUnavailable(f"{_SLOW_DOWN} ({error.strerror})") from None
            return opened

    def _append(
        self, header: dict[str, Any], now: float, packed: Sequence[PackedRecords] = ()
    ) -> None:
        if self._is_closed:
            raise ServiceUnavailable("The delivery stream is stopping.")
        if self._journal.starts_new_segment():
            # Older segments go when their records are delivered; the positions must not.
            known = {**self._buffers.positions, **header.get("positions", {})}
            header = {**header, "positions": known}
        entry = self._journal.append({"at": now, **header}, packed)
        self._buffers.apply(entry, now)

    @property
    def is_full(self) -> bool:
        return self._journal.size_in_bytes() >= MAX_JOURNAL_BYTES

    @property
    def positions(self) -> dict[str, str]:
        """How far each shard was read; see `kinesis_source`."""
        with self._lock:
            return dict(self._buffers.positions)

    # Through the processors

    def incoming(self, hints: BufferingHints, now: float, at_once: bool) -> list[Group]:
        """The groups to process now: what has been waiting long enough, or fills a batch."""
        with self._lock:
            buffer = self._buffers.open.get(INCOMING)
            if buffer is None:
                return []
            if not at_once and self._buffers.due(INCOMING, hints) > now:
                return []
            wanted: list[Group] = []
            size = 0
            for group in buffer.groups:
                if wanted and size + group.size > hints.size_in_bytes:
                    break
                wanted.append(group)
                size += group.size
            return wanted

    def incoming_due(self, hints: BufferingHints) -> float | None:
        with self._lock:
            is_waiting = INCOMING in self._buffers.open
            return self._buffers.due(INCOMING, hints) if is_waiting else None

    def processed(
        self,
        groups: Sequence[Group],
        buffers: Mapping[str, Sequence[Record]],
        now: float,
        *,
        grows_older: bool = False,
    ) -> None:
        """Move records on: the incoming groups go, what became of them comes, in one entry.

        With `grows_older` a buffer that they open counts from when they came in."""
        packed = [(pack(records), [name]) for name, records in buffers.items()]
        header: dict[str, Any] = {"consumed": groups[-1].place, "into": [i for _, i in packed]}
        with self._lock:
            if grows_older:
                header["opened"] = self._buffers.open[INCOMING].opened_at
            self._append(header, now, [content for content, _ in packed])
            self._forget()

    # Out

    def close_due(
        self,
        now: float,
        hints_of: Callable[[str], BufferingHints],
        target_of: Callable[[str, float], dict[str, Any]],
        at_once: bool = False,
        *,
        after_incoming: bool = False,
    ) -> None:
        """Turn buffers that are due into deliveries; with `after_incoming` not before what came
        in meanwhile was processed and has joined them."""
        with self._lock:
            due = self._due(hints_of, after_incoming and not at_once)
            for name in [name for name, when in due if at_once or when <= now]:
                self._close(name, target_of(name, self._buffers.open[name].oldest_arrival), now)

    def _due(
        self, hints_of: Callable[[str], BufferingHints], after_incoming: bool
    ) -> list[tuple[str, float]]:
        """The buffers that lead out, and when each is due."""
        found = []
        for name in [name for name in self._buffers.open if name != INCOMING]:
            hints = hints_of(name)
            when = self._buffers.due(name, hints)
            # A full one goes, or it would grow while a backlog passes.
            waits = after_incoming and not self._buffers.is_full(name, hints)
            if not (waits and self._buffers.misses_incoming(when)):
                found.append((name, when))
        return found

    def _close(self, name: str, target: dict[str, Any], now: float) -> None:
        last = self._buffers.open[name].groups[-1].place
        closed = {"id": str(uuid.uuid4()), "buffer": name, "last": last, "target": target}
        self._append({"closed": closed}, now)

    def start_ready(self, now: float) -> list[Delivery]:
        """The deliveries to attempt now; they count as under way from here on."""
        with self._lock:
            ready = [
                delivery
                for delivery in self._buffers.deliveries.values()
                if not delivery.is_under_way and delivery.next_attempt_at <= now
            ]
            for delivery in ready:
                delivery.is_under_way = True
                delivery.attempts += 1
                if delivery.first_attempt_at is None:
                    delivery.first_attempt_at = now
            return ready

    def contents(self, groups: Sequence[Group]) -> Iterator[bytes]:
        """Packed records of groups that are not delivered yet."""
        return (self._journal.read(group) for group in groups)

    def delivered(self, delivery: Delivery, failed: Sequence[FailedRecord], now: float) -> None:
        """The delivery is over; its failed records wait for the error output."""
        lines: dict[str, list[bytes]] = {}
        for failure in failed:
            lines.setdefault(f"error:{failure.error_output_type}", []).append(failure.line)
        packed = [pack_arrived_together(content, now) for content in lines.values()]
        header = {"delivered": delivery.delivery_id, "into": [[name] for name in lines]}
        with self._lock:
            self._append(header, now, packed)
            self._forget()

    def postpone(self, delivery: Delivery, left_over: Any, now: float) -> None:
        """Try again later, less and less often."""
        wait = min(_FIRST_RETRY_SECONDS * 2 ** (delivery.attempts - 1), _LONGEST_RETRY_SECONDS)
        with self._lock:
            delivery.is_under_way = False
            delivery.left_over = left_over
            delivery.next_attempt_at = now + wait

    def _forget(self) -> None:
        self._journal.forget_before(self._buffers.oldest_segment(self._journal.last_segment))

    # Around

    def next_due(
        self, hints_of: Callable[[str], BufferingHints], *, after_incoming: bool = False
    ) -> float | None:
        """When something is to be closed or attempted next; see `close_due`."""
        with self._lock:
            times = [when for _, when in self._due(hints_of, after_incoming)]
            times += [
                delivery.next_attempt_at
                for delivery in self._buffers.deliveries.values()
                if not delivery.is_under_way
            ]
            return min(times, default=None)

    def partitions(self) -> set[str]:
        with self._lock:
            return {name for name in self._buffers.partitions() if name != DESTINATION}

    def is_due(self, name: str, hints: BufferingHints, now: float) -> bool:
        with self._lock:
            return name in self._buffers.open and self._buffers.due(name, hints) <= now

    def oldest_arrival(self) -> float | None:
        """Of everything that is not delivered, backups aside."""
        with self._lock:
            waiting = [b.groups[0] for name, b in self._buffers.open.items() if name != BACKUP]
            waiting += [d.groups[0] for d in self._buffers.deliveries.values()]
            return min((group.oldest_arrival for group in waiting), default=None)

    def is_empty(self) -> bool:
        with self._lock:
            return not self._buffers.open and not self._buffers.deliveries

    def is_settled(self) -> bool:
        """True when everything that waits was tried and has to be tried again later."""
        with self._lock:
            return not self._buffers.open and all(
                delivery.attempts and not delivery.is_under_way
                for delivery in self._buffers.deliveries.values()
            )

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._journal.close()
