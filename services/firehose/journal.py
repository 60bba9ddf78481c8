"""The write-ahead file of one delivery stream: what was acknowledged survives a kill.

A journal is a row of segment files. Each entry is a frame of length, checksum, a JSON header and
the packed records it brings; an entry is there whole or not at all.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from services.firehose.record import PackedRecords

SEGMENT_BYTES = 64 * 1024 * 1024
_FRAME = struct.Struct("<III")  # payload length, checksum, header length


class JournalDamaged(RuntimeError):
    """A segment that is not the last one has a frame that does not check."""


class Group(NamedTuple):
    """Records that came together: where they lie, how many, their bytes, the oldest arrival.

    Groups compare in the order in which they were written.
    """

    segment: int
    offset: int
    length: int
    record_count: int
    size: int
    oldest_arrival: float

    @property
    def place(self) -> tuple[int, int]:
        return self.segment, self.offset


class Entry(NamedTuple):
    """`header` is the writer's own; `groups` are the records it brought, in order."""

    header: dict[str, Any]
    groups: tuple[Group, ...]


class Journal:
    """Append entries, read groups back, forget what was delivered. Its user does the locking.

    With `sync` an entry survives a power cut, too.
    """

    def __init__(
        self, folder: Path, segment_bytes: int = SEGMENT_BYTES, *, sync: bool = False
    ) -> None:
        self._folder = folder
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._files: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.log")):
            file = self._files[int(path.stem)] = os.open(path, os.O_RDWR)
            self._sizes[int(path.stem)] = os.fstat(file).st_size
        self._last = max(self._files, default=0)

    def entries(self) -> Iterator[Entry]:
        """Everything kept, oldest first; a frame that a kill cut short at the end is cut off."""
        for segment in sorted(self._files):
            yield from self._entries_of(segment)

    def _entries_of(self, segment: int) -> Iterator[Entry]:
        file = self._files[segment]
        total, at = self._sizes[segment], 0
        while (frame := _frame(file, at, total)) is not None:
            yield _entry(frame.header, segment, at + _FRAME.size + frame.header_length)
            at += _FRAME.size + frame.payload_length
        if segment != self._last:
            if at != total:
                raise JournalDamaged(f"{self._path(segment)} is damaged at byte {at} of {total}.")
            return
        os.ftruncate(file, at)
        self._sizes[segment] = at

    def append(self, header: dict[str, Any], packed: Sequence[PackedRecords] = ()) -> Entry:
        """One entry, in the file when this returns. Raises OSError and leaves nothing behind."""
        if self.starts_new_segment():
            self._open_segment()
        if packed:
            header = header | {"groups": [(len(p.content), *p[1:]) for p in packed]}
        encoded = orjson.dumps(header)
        payload = b"".join((encoded, *(p.content for p in packed)))
        frame = _FRAME.pack(len(payload), zlib.crc32(payload), len(encoded))
        self._write(frame + payload)
        start = self._sizes[self._last] + _FRAME.size + len(encoded)
        self._sizes[self._last] += len(frame) + len(payload)
        return _entry(header, self._last, start)

    def _write(self, content: bytes) -> None:
        file, view, at = self._files[self._last], memoryview(content), self._sizes[self._last]
        try:
            while view:
                written = os.pwrite(file, view, at)
                view, at = view[written:], at + written
            if self._sync:
                os.fdatasync(file)
        except OSError:
            os.ftruncate(file, self._sizes[self._last])
            raise

    def starts_new_segment(self) -> bool:
        """True when the next entry opens a segment, and so has to carry what must outlive it."""
        return not self._files or self._sizes[self._last] >= self._segment_bytes

    def read(self, group: Group) -> bytes:
        """The group's packed records."""
        return _read(self._files[group.segment], group.length, group.offset)

    def forget_before(self, segment: int) -> None:
        """Delete the segments older than this one; the last one stays."""
        for old in [number for number in self._files if number < min(segment, self._last)]:
            os.close(self._files.pop(old))
            del self._sizes[old]
            self._path(old).unlink()

    @property
    def last_segment(self) -> int:
        return self._last

    def size_in_bytes(self) -> int:
        """How much the journal holds on disk."""
        return sum(self._sizes.values())

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)
        self._files = {}

    def _open_segment(self) -> None:
        self._last += 1
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self._files[self._last] = os.open(self._path(self._last), flags, 0o600)
        self._sizes[self._last] = 0

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:08d}.log"


class _Frame(NamedTuple):
    header: dict[str, Any]
    header_length: int
    payload_length: int


def _frame(file: int, at: int, total: int) -> _Frame | None:
    """The frame at `at`; None when there is no whole one."""
    start = os.pread(file, _FRAME.size, at)
    if len(start) < _FRAME.size:
        return None
    payload_length, checksum, header_length = _FRAME.unpack(start)
    if at + _FRAME.size + payload_length > total:
        return None
    payload = _read(file, payload_length, at + _FRAME.size)
    if zlib.crc32(payload) != checksum:
        return None
    return _Frame(orjson.loads(payload[:header_length]), header_length, payload_length)


def _entry(header: dict[str, Any], segment: int, offset: int) -> Entry:
    groups = []
    for length, count, size, oldest_arrival in header.get("groups", ()):
        groups.append(Group(segment, offset, length, count, size, oldest_arrival))
        offset += length
    return Entry(header, tuple(groups))


def _read(file: int, length: int, offset: int) -> bytes:
    content = os.pread(file, length, offset)
    if len(content) == length:
        return content
    parts = [content]
    while (missing := length - sum(map(len, parts))) > 0:
        more = os.pread(file, missing, offset + length - missing)
        if not more:
            raise JournalDamaged(f"{missing} bytes are missing at {offset} of a journal segment.")
        parts.append(more)
    return b"".join(parts)
