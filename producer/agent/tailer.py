"""Read the files of one flow as they grow, and follow them through every kind of rotation.

A file is known by device and inode, and by its first bytes and the last ones that were read.
Renamed, it is read to its end under its new name (even when that leaves the pattern or the file
is deleted: it stays open). A new file is read from its start. A truncated one is read from its
start, after what was not yet read of it in the copy that copytruncate left.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from producer.agent.configuration import Flow
from producer.agent.files import (
    HEAD_BYTES,
    ListedFile,
    Position,
    TrackedFile,
    glob_matcher,
    is_rotated_name,
    list_files,
    name_before_rotation,
)

log = logging.getLogger(__name__)

#: How long a file that has left the pattern, or was followed by another, may rest before its
#: last line without an end is sent, and before it is closed for good; in seconds.
_LAST_LINE_SECONDS, _FORGET_SECONDS = 10.0, 60.0
#: Files that are kept open although nothing is left to read in them.
_MOST_OPEN = 64


class Chunk(NamedTuple):
    """Records that follow each other in a file, and the bytes that each is made of.

    Whoever takes a chunk consumes those bytes (`file.consume`) before asking for the next.
    An empty record stands for bytes that are left out: a header, a runaway's rest.
    """

    file: TrackedFile
    records: list[bytes]
    raw: list[bytes]


class Tailer:
    """The reading side of a flow. One thread; `now` is passed in."""

    def __init__(self, flow: Flow, known: list[Position], *, has_started: bool, now: float) -> None:
        """`known` are the flow's checkpoints. When this agent `has_started` on the flow before,
        every file without one is new; else they are the original's, or it is the first start."""
        self.flow = flow
        self._matches = glob_matcher(flow.file_pattern)
        self._log_name = name_before_rotation(flow.file_pattern)
        self._header_lines = int(flow.values["skipHeaderLines"])
        self._refresh_seconds = flow.values["maxTimeBetweenFileTrackerRefreshMillis"] / 1000
        self._chunk_bytes = flow.max_buffer_bytes if flow.max_buffer_bytes > 65_536 else 5_242_880
        self._files: dict[str, TrackedFile] = {}
        self._first: list[TrackedFile] = []
        self._directory_ns, self._looks_again = -2, False
        self._directory_is_refused = False
        self._refreshed_at = float("-inf")
        self._moved: set[str] = set()
        self._paths_lock = threading.Lock()
        #: Positions to save before anything is read: what is left out, and where it starts.
        self.initial: list[Position] = []
        self._restore(known, has_started, now)

    @property
    def files(self) -> list[TrackedFile]:
        """Every file that is known, the one changed last at the end."""
        return sorted(self._files.values(), key=lambda f: (f.modified_ns, str(f.path)))

    def locate(self, positions: list[Position]) -> tuple[list[Position], dict[str, Path]]:
        """The positions under their files' paths of now, and every path that has changed since
        the last time. May be called from another thread."""
        with self._paths_lock:
            moved = {i: self._files[i].saved_path for i in self._moved if i in self._files}
            self._moved.clear()
            found = [(p, self._files.get(p.file_id)) for p in positions]
        return [p._replace(path=file.saved_path) if file else p for p, file in found], moved

    def bytes_behind(self) -> int:
        """What is there and not yet read. May be called from another thread."""
        behind = 0
        for file in list(self._files.values()):
            try:
                behind += max(0, file.size() - file.offset) if file.fd >= 0 else 0
            except OSError:
                continue  # closed in this moment: nothing was left in it
        return behind

    def poll(self, now: float) -> Iterator[Chunk]:
        """Whatever can be read now. Older files come first, each up to its present size."""
        self._refresh_if_needed(now)
        while self._first:
            yield from self._read_through(self._first[0], now)
            self._first.pop(0)
        passed: set[str] = set()
        waiting = self.files[::-1]
        while waiting and not self._first:
            file = waiting.pop()
            if file.id not in passed:
                passed.add(file.id)
                yield from self._read_through(file, now)
                # That may have taken long: what was rotated meanwhile comes in its order, and
                # before it what the files had got until then.
                if self._refresh_if_needed(now):
                    passed.clear()
                    waiting = self.files[::-1]
        self._let_go(now)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _restore(self, known: list[Position], has_started: bool, now: float) -> None:
        listed = self._list() or []
        if not known and not has_started:
            self._start_fresh(listed, now)
            return
        for position in known:
            file = TrackedFile(position.path, position.file_id, position.offset)
            file.head, file.tail, file.changed_at = position.head, position.tail, now
            file.is_listed = False
            self._files[file.id] = file
        for entry in () if has_started else listed:
            # The original keeps the file it works on only: older ones are done.
            if (
                entry.id not in self._files
                and entry.modified_ns < known[-1].modified_millis * 10**6
            ):
                self._leave_out(entry, now)
        self._refresh(now)

    def _list(self) -> list[ListedFile] | None:
        """The matching files; None while the folder may not be read, which is told once."""
        try:
            listed = list_files(self.flow.directory, self._matches)
        except OSError as error:
            if not self._directory_is_refused:
                log.warning(
                    "Folder %s cannot be read: %s. Its files are read once the agent may.",
                    self.flow.directory, error.strerror,
                )  # fmt: skip
            self._directory_is_refused = True
            return None
        self._directory_is_refused = False
        return listed

    def _start_fresh(self, listed: list[ListedFile], now: float) -> None:
        """The first start of a flow: only the newest file counts, as in the original."""
        for entry in listed[:-1]:
            self._leave_out(entry, now)
        for entry in listed[-1:]:
            file = self._track(entry, now)
            if self.flow.values["initialPosition"] == "END_OF_FILE" and self._open(file):
                file.skip_to(_end_of_last_line(file, self._chunk_bytes))
                file.header_lines_left = 0 if file.offset else self._header_lines
            self.initial.append(file.position())
        self._refreshed_at = now

    def _leave_out(self, entry: ListedFile, now: float) -> None:
        file = self._track(entry, now)
        if self._open(file):
            file.skip_to(entry.size)
            self.initial.append(file.position())
            file.close()

    def _track(self, entry: ListedFile, now: float) -> TrackedFile:
        file = TrackedFile(entry.path, entry.id, modified_ns=entry.modified_ns, changed_at=now)
        file.header_lines_left = self._header_lines
        self._files[entry.id] = file
        return file

    def _refresh_if_needed(self, now: float) -> bool:
        try:
            changed_ns = os.stat(self.flow.directory).st_mtime_ns
        except OSError:
            changed_ns = -1
        is_due = now - self._refreshed_at > self._refresh_seconds
        # The clock of a file system is coarse: after a change, look once more the next time.
        if changed_ns == self._directory_ns and not self._looks_again and not is_due:
            return False
        self._looks_again = changed_ns != self._directory_ns
        self._directory_ns = changed_ns
        self._refresh(now)
        return True

    def _refresh(self, now: float) -> None:
        self._refreshed_at = now
        listed = self._list()
        if listed is None:
            return  # what is known is read on
        with self._paths_lock:
            for file_id in self._files.keys() - {entry.id for entry in listed}:
                self._files[file_id].is_listed = False
                self._moved.add(file_id)
            for entry in listed:
                if entry.id in self._files:
                    self._meet_again(self._files[entry.id], entry, now)
                else:
                    self._track(entry, now)

    def _meet_again(self, file: TrackedFile, entry: ListedFile, now: float) -> None:
        if file.path != entry.path or not file.is_listed:
            file.former_names.add(file.path.name)
            file.path, file.is_listed = entry.path, True
            self._moved.add(file.id)
        if file.modified_ns != entry.modified_ns:
            file.modified_ns, file.changed_at = entry.modified_ns, now
        file.is_refused = False

    def _compare(self, file: TrackedFile) -> None:
        """Is a file of which nothing was read yet one of its own, or a copy of a known one?"""
        was_copy, file.copy_of = file.copy_of, None
        for other in self._files.values():
            if other is file:
                continue
            if not _is_copy(file, other):
                if self._begins_like(file, other):
                    file.copy_of = other.id
                    return
                continue
            if self._open(other) and not self._is_truncated(other):
                if file.path.name in other.names:
                    continue
                file.copy_of = other.id
                return
            if other.fd < 0 and file.size() < other.offset:
                continue
            self._continue_in_a_copy(other)  # truncated, or replaced by its copy
            if file not in self._first:
                self._compare(file)  # another copy holds more than this one
            return
        if was_copy is not None and file.offset:
            file.restart(self._header_lines)  # it had only begun like another

    def _begins_like(self, file: TrackedFile, other: TrackedFile) -> bool:
        """Whether `other` begins with all of `file`, however little was read of it.

        Both names come from one log's. Short files may be equal by chance: those are read.
        """
        name = file.path.name
        if other.copy_of or not other.is_listed:
            return False
        if name in other.names or name == self._log_name:
            return False
        if not any(
            is_rotated_name(name, former) and is_rotated_name(other.path.name, former)
            for former in (other.path.name, self._log_name)
        ):
            return False
        return (
            file.size() >= HEAD_BYTES
            and self._open(other)
            and file.size() <= other.size()
            and file.begins(other)
        )

    def _pass_over(self, copy: TrackedFile, size: int) -> Iterator[Chunk]:
        """What a copy holds counts as read once it was read in its original, after a crash too."""
        original = self._files.get(copy.copy_of or "")
        if copy.offset < size and original is not None and original.offset >= size:
            copy.skip_to(size)
            yield Chunk(copy, [], [])

    def _continue_in(self, copy: TrackedFile, original: TrackedFile) -> None:
        """What was not read of the original, which is gone, stands in the copy."""
        copy.copy_of = None
        copy.skip_to(min(original.offset, copy.size()))
        copy.header_lines_left = 0 if copy.offset else self._header_lines
        self._first.append(copy)

    def _is_truncated(self, file: TrackedFile) -> bool:
        return file.size() < file.offset or not file.is_as_read()

    def _on_truncation(self, file: TrackedFile, now: float) -> None:
        self._refresh(now)
        if not self._continue_in_a_copy(file) and not self._first:
            log.info("%s was truncated; reading it from its start.", file.path)

    def _continue_in_a_copy(self, original: TrackedFile) -> bool:
        """Read what is left of the original in a copy, if there is one; the original anew."""
        copies = [f for f in self._files.values() if self._is_unread_copy(f, original)]
        if copies:
            # Others may be copies of earlier moments.
            self._continue_in(max(copies, key=lambda f: f.size()), original)
        original.restart(self._header_lines)
        return bool(copies)

    def _is_unread_copy(self, file: TrackedFile, original: TrackedFile) -> bool:
        if file is original or file.offset or file.copy_of not in (None, original.id):
            return False
        return self._open(file) and _is_copy(file, original)

    def _open(self, file: TrackedFile) -> bool:
        try:
            return file.open()
        except OSError as error:
            if not file.is_refused:
                log.warning("%s cannot be read: %s.", file.path, error.strerror)
            file.is_refused = True
            return False

    def _read_through(self, file: TrackedFile, now: float) -> Iterator[Chunk]:
        """Everything complete up to the size that the file has now."""
        if file.has_ended or not self._open(file):
            return
        if self._is_truncated(file):
            self._on_truncation(file, now)
            if self._first:
                yield from self._first_positions()
                return
        size = file.size()
        # A copy that is being made grows; so does a file that only begins like another.
        if (not file.offset or file.copy_of) and size not in (0, file.compared_at):
            file.compared_at = size
            self._compare(file)
            yield from self._first_positions()
        if file.copy_of is not None:
            yield from self._pass_over(file, size)
            return
        if file in self._first and file is not self._first[0]:
            return
        if size == file.exhausted_at and file.exhausted_in == now:
            return  # read in this very poll
        is_at_rest = size == file.exhausted_at
        if is_at_rest and not self._may_complete(file, now):
            return
        if not is_at_rest:
            file.changed_at = now
        while file.offset < size and not file.has_ended and not self._is_truncated(file):
            chunk = self._read_chunk(file, size, is_at_rest, now)
            if chunk is None:
                break
            yield chunk
        file.exhausted_at, file.exhausted_in = size, now

    def _first_positions(self) -> Iterator[Chunk]:
        """Where a copy is continued is saved together with its original's new start."""
        yield from (Chunk(copy, [], []) for copy in self._first)

    def _may_complete(self, file: TrackedFile, now: float) -> bool:
        """Whether what is left of a resting file may be a record after all."""
        if file.offset >= file.exhausted_at:
            return False
        return self.flow.splitting.start is not None or self._is_over(file, now)

    def _is_over(self, file: TrackedFile, now: float) -> bool:
        """Nobody seems to write to the file any more, and another has followed it."""
        if now - file.changed_at < _LAST_LINE_SECONDS:
            return False
        newer = (f.modified_ns > file.modified_ns for f in self._files.values() if f.is_listed)
        return not file.is_listed or any(newer)

    def _read_chunk(
        self, file: TrackedFile, size: int, is_at_rest: bool, now: float
    ) -> Chunk | None:
        data = file.read(min(self._chunk_bytes, size - file.offset), file.offset)
        if file.is_skipping_runaway:
            return self._skip_runaway(file, data)
        is_rest = len(data) == size - file.offset
        records = self.flow.splitting.split(data, is_all=is_rest and is_at_rest)
        if not records and len(data) == self._chunk_bytes:
            log.warning("%s has a record of more than %d bytes: cut.", file.path, len(data))
            file.is_skipping_runaway, records = True, [data]
        elif not records and is_at_rest and self._is_over(file, now):
            records = [data]
        return self._chunk(file, records) if records else None

    def _chunk(self, file: TrackedFile, records: list[bytes]) -> Chunk:
        raw = list(records)
        if file.header_lines_left:
            skipped = records[: file.header_lines_left]
            file.header_lines_left -= len(skipped)
            records = [b""] * len(skipped) + records[len(skipped) :]
        if self.flow.splitting.footer is not None:
            for place, record in enumerate(records):
                if self.flow.splitting.is_footer(record):
                    file.has_ended, records, raw = True, records[:place], raw[:place]
                    break
        return Chunk(file, records, raw)

    def _skip_runaway(self, file: TrackedFile, data: bytes) -> Chunk:
        """Over what is left of a record that was too long for any buffer."""
        end = data.find(b"\n") + 1
        file.is_skipping_runaway = not end
        return Chunk(file, [b""], [data[: end or len(data)]])

    def _let_go(self, now: float) -> None:
        """Close what nobody writes to; forget what is gone."""
        resting = [f for f in self.files if f.fd >= 0 and f.offset >= f.size()]
        for file in resting:
            if not file.is_listed and now - file.changed_at > _FORGET_SECONDS:
                file.close()
                del self._files[file.id]
        for file in resting[:-_MOST_OPEN]:
            file.close()
        for file in self.files:
            if not file.is_listed and file.fd < 0 and now - file.changed_at > _FORGET_SECONDS:
                del self._files[file.id]


def _end_of_last_line(file: TrackedFile, chunk_bytes: int) -> int:
    """Where the last line that is not complete begins."""
    size = file.size()
    start = max(0, size - chunk_bytes)
    newline = file.read(size - start, start).rfind(b"\n")
    return start + newline + 1 if newline >= 0 or start == 0 else size


def _is_copy(file: TrackedFile, other: TrackedFile) -> bool:
    """Whether the open `file` begins with what was read of `other`, and is named like a copy."""
    size = file.size()
    common = min(size, len(other.head))
    if not common or not any(is_rotated_name(file.path.name, name) for name in other.names):
        return False
    if file.read(common, 0) != other.head[:common]:
        return False
    start = other.offset - len(other.tail)
    return size < other.offset or file.read(len(other.tail), start) == other.tail
