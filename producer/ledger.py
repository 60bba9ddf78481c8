"""What a producer sent, what the stream acknowledged, what was given up: one append-only file.

Each line is one JSON array, written with one call, so that whatever the producer knew when it
was killed is there, and at most its last line is torn:

    {"ledger":1,"stream_name":"orders"}
    ["sent",1764547200.12,["e-1","e-2"]]
    ["acknowledged",1764547200.15,[["e-1","shardId-000000000000","4966…",{"France":"15.30"}]]]
    ["given_up",1764547230.2,[["e-2","Expired","…",null]]]

An acknowledged event that was packed with others has its place in that aggregate as a fifth value:
its sub-sequence number, where that is not 0.

An event that was sent and is neither acknowledged nor given up is in doubt: the producer died
between the call and its answer, and the stream may hold the event or not.
"""

from __future__ import annotations

import fcntl
import io
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import orjson

VERSION = 1
Kind = Literal["sent", "acknowledged", "given_up"]
Amounts = Mapping[str, Decimal]


class LedgerUnusable(Exception):
    """The file is no ledger, or another producer holds it; the message says which."""


class Acknowledgement(NamedTuple):
    event_id: str
    shard_id: str
    sequence_number: str
    amounts: Amounts | None = None
    sub_sequence_number: int = 0


class GivingUp(NamedTuple):
    event_id: str
    code: str
    message: str
    amounts: Amounts | None = None


class Entry(NamedTuple):
    """One event in one line. `at` is epoch seconds; fields that a kind has not are empty.

    `sent` entries have no amounts: the two that end an event's story have them.
    """

    kind: Kind
    event_id: str
    at: float
    shard_id: str = ""
    sequence_number: str = ""
    reason: str = ""
    amounts: Mapping[str, str] | None = None
    sub_sequence_number: int = 0


@dataclass
class LedgerSummary:
    """Counts of distinct events, and the sums of their amounts by name.

    `in_doubt` holds the ids of events that were sent and got no answer.
    """

    stream_name: str = ""
    sent: int = 0
    acknowledged: int = 0
    given_up: int = 0
    in_doubt: list[str] = field(default_factory=list)
    amounts: dict[str, Decimal] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)


class Ledger:
    """A ledger to write. Thread-safe; one process at a time; appends to what is there.

    Raises LedgerUnusable for a file that is no ledger or that another producer writes.
    """

    def __init__(
        self,
        path: Path | str,
        stream_name: str = "",
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._now = now
        self._lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115  (open until close)
        try:
            self._take_over(stream_name)
        except BaseException:
            self._file.close()
            raise

    def sent(self, event_ids: Sequence[str]) -> None:
        """Note that these are about to be put for the first time."""
        self._append("sent", list(event_ids))

    def acknowledged(self, events: Iterable[Acknowledgement]) -> None:
        """Note what the stream answered."""
        self._append("acknowledged", list(events))

    def given_up(self, events: Iterable[GivingUp]) -> None:
        """Note what will not be tried again, and why."""
        self._append("given_up", list(events))

    def close(self) -> None:
        """Bring everything to the disk and let another producer have the file."""
        with self._lock:
            if not self._file.closed:
                os.fsync(self._file.fileno())
                self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take_over(self, stream_name: str) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerUnusable(
                f"The ledger {self.path} is being written by another producer: "
                "wait for it to end, or name another file."
            ) from None
        self._file.seek(0)
        first = self._file.readline()
        if first.endswith(b"\n"):
            _check_header(self.path, first)
            self._file.truncate(_end_of_last_line(self._file))  # what a kill left unfinished
            return
        if first[:10] != b'{"ledger":'[: len(first)]:
            raise _no_ledger(self.path)
        self._file.truncate(0)
        self._write(orjson.dumps({"ledger": VERSION, "stream_name": stream_name}) + b"\n")

    def _append(self, kind: Kind, events: list[Any]) -> None:
        if not events:
            return
        rows = [event if kind == "sent" else _row(event) for event in events]
        line = orjson.dumps([kind, self._now(), rows]) + b"\n"
        with self._lock:
            self._write(line)

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += self._file.write(line[written:]) or 0


def read_ledger(path: Path | str) -> Iterator[Entry]:
    """Every event of every line, oldest first; a torn last line is left out.

    Works while a producer is writing. Raises LedgerUnusable, FileNotFoundError.
    """
    with open(path, "rb") as file:
        _check_header(Path(path), file.readline())
        for number, line in enumerate(file, start=2):
            if not line.endswith(b"\n"):
                return
            try:
                kind, at, rows = orjson.loads(line)
            except ValueError as error:
                raise LedgerUnusable(f"{path}, line {number} is no ledger line: {error}.") from None
            yield from _entries(kind, at, rows)


def stream_name_of(path: Path | str) -> str:
    """The stream that the ledger is about. Raises LedgerUnusable, FileNotFoundError."""
    with open(path, "rb") as file:
        return str(_check_header(Path(path), file.readline())["stream_name"])


def summarize(path: Path | str) -> LedgerSummary:
    """The whole ledger in numbers. Keeps only the ids of unanswered events in memory."""
    summary = LedgerSummary(stream_name=stream_name_of(path))
    unanswered: dict[str, None] = {}
    for entry in read_ledger(path):
        if entry.kind == "sent":
            summary.sent += 1
            unanswered[entry.event_id] = None
            continue
        unanswered.pop(entry.event_id, None)
        if entry.kind == "acknowledged":
            summary.acknowledged += 1
            for name, amount in (entry.amounts or {}).items():
                summary.amounts[name] = summary.amounts.get(name, Decimal(0)) + Decimal(amount)
        else:
            summary.given_up += 1
            summary.reasons[entry.reason] = summary.reasons.get(entry.reason, 0) + 1
    summary.in_doubt = list(unanswered)
    return summary


def _row(event: Acknowledgement | GivingUp) -> tuple[Any, ...]:
    amounts = {k: str(v) for k, v in event.amounts.items()} if event.amounts else None
    row = (event[0], event[1], event[2], amounts)
    if isinstance(event, Acknowledgement) and event.sub_sequence_number:
        return (*row, event.sub_sequence_number)
    return row


def _entries(kind: Kind, at: float, rows: list[Any]) -> Iterator[Entry]:
    if kind == "sent":
        for event_id in rows:
            yield Entry(kind, event_id, at)
    elif kind == "acknowledged":
        for event_id, shard_id, sequence_number, amounts, *place in rows:
            sub = place[0] if place else 0
            yield Entry(kind, event_id, at, shard_id, sequence_number, "", amounts, sub)
    else:
        for event_id, code, message, amounts in rows:
            yield Entry(kind, event_id, at, "", "", f"{code}: {message}", amounts)


def _check_header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = orjson.loads(line)
        if header["ledger"] == VERSION:
            return cast(dict[str, Any], header)
    except (ValueError, LookupError, TypeError):
        pass
    raise _no_ledger(path)


def _no_ledger(path: Path) -> LedgerUnusable:
    return LedgerUnusable(f"{path} is not a ledger of version {VERSION}: name another file.")


def _end_of_last_line(file: io.FileIO) -> int:
    """The length of the file without an unfinished last line."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65_536)
        file.seek(start)
        newline = (file.read(end - start) or b"").rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
