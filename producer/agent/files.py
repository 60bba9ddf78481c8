"""The files of a flow: which there are, which is which, and how far each was read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

#: What the original never reads, too.
COMPRESSED = (".gz", ".bz2", ".zip")
HEAD_BYTES, TAIL_BYTES = 1_024, 256
_BLOCK_BYTES = 1 << 20
#: Stands between path and id in the checkpoint of a file that has left the pattern.
GONE = "~"


class ListedFile(NamedTuple):
    """A file as its directory shows it. `id` is written as the original's checkpoints write it."""

    path: Path
    id: str
    size: int
    modified_ns: int


class Position(NamedTuple):
    """How far a file was read, in a form that outlives the process.

    `head` and `tail` are the first bytes of the file and the last ones before `offset`: they
    tell the same file from another of its name or number.
    """

    file_id: str
    path: Path
    offset: int
    size: int
    modified_millis: int
    head: bytes
    tail: bytes


@dataclass(eq=False)
class TrackedFile:
    """A file that is read, or was. `fd` is -1 while it is closed."""

    path: Path
    id: str
    offset: int = 0
    head: bytes = b""
    tail: bytes = b""
    modified_ns: int = 0
    fd: int = -1
    is_listed: bool = True
    #: What it was called before: a copy may have been made then.
    former_names: set[str] = field(default_factory=set)
    #: The file that this one is a rotated copy of: what is here was read there.
    copy_of: str | None = None
    header_lines_left: int = 0
    has_ended: bool = False
    is_skipping_runaway: bool = False
    #: The size at which nothing complete was left to read.
    exhausted_at: int = -1
    #: The poll that found it so: only a later one can tell that the file rests.
    exhausted_in: float = 0.0
    changed_at: float = 0.0
    is_refused: bool = False
    #: The size at which it was last compared with the files it may be a copy of.
    compared_at: int = -1

    @property
    def saved_path(self) -> Path:
        """Its path in the checkpoints: another file may have the path of one that has left."""
        return self.path if self.is_listed else Path(f"{self.path}{GONE}{self.id}")

    @property
    def names(self) -> set[str]:
        return {self.path.name, *self.former_names}

    def open(self) -> bool:
        """Open by path; False when the path leads to another file now, or to none."""
        if self.fd >= 0:
            return True
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        if file_id(os.fstat(fd)) != self.id:
            os.close(fd)
            return False
        self.fd = fd
        return True

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def read(self, size: int, at: int) -> bytes:
        return os.pread(self.fd, size, at)

    def begins(self, other: TrackedFile) -> bool:
        """Whether `other` begins with all that is in this file. Reads both."""
        size = self.size()
        blocks = range(0, size, _BLOCK_BYTES)
        return all(
            self.read(length, at) == other.read(length, at)
            for at in blocks
            for length in (min(_BLOCK_BYTES, size - at),)
        )

    def is_as_read(self) -> bool:
        """Whether the file still has what was read of it, at its start and before `offset`."""
        if self.read(len(self.head), 0) != self.head:
            return False
        return self.read(len(self.tail), self.offset - len(self.tail)) == self.tail

    def consume(self, data: bytes) -> None:
        """These bytes at `offset` are done with."""
        if len(self.head) < HEAD_BYTES and len(self.head) == self.offset:
            self.head += data[: HEAD_BYTES - len(self.head)]
        self.offset += len(data)
        self.tail = (
            (self.tail + data)[-TAIL_BYTES:] if len(data) < TAIL_BYTES else data[-TAIL_BYTES:]
        )

    def skip_to(self, offset: int) -> None:
        """Go on at `offset` as if all before it had been read."""
        self.offset = offset
        self.head = self.read(min(HEAD_BYTES, offset), 0)
        tail = min(TAIL_BYTES, offset)
        self.tail = self.read(tail, offset - tail)

    def restart(self, header_lines: int) -> None:
        """Read from the start again: the file was truncated."""
        self.offset, self.head, self.tail = 0, b"", b""
        self.header_lines_left, self.exhausted_at = header_lines, -1
        self.has_ended = self.is_skipping_runaway = False
        self.compared_at, self.copy_of = -1, None

    def position(self) -> Position:
        """Where reading stands now."""
        size = self.size() if self.fd >= 0 else self.offset
        millis = self.modified_ns // 1_000_000
        return Position(self.id, self.saved_path, self.offset, size, millis, self.head, self.tail)


def file_id(status: os.stat_result) -> str:
    """Device and inode, written as Java writes them."""
    return f"(dev={status.st_dev:x},ino={status.st_ino})"


def list_files(directory: Path, matches: Callable[[str], bool]) -> list[ListedFile]:
    """The matching files, the one that was changed last at the end; none without a directory."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if not matches(entry.name) or entry.name.lower().endswith(COMPRESSED):
                    continue
                try:
                    status = entry.stat()
                    if entry.is_file():
                        found.append(_listed(Path(entry.path), status))
                except OSError:
                    continue  # gone since it was listed, or a link that leads nowhere
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda file: (file.modified_ns, file.path))


def _listed(path: Path, status: os.stat_result) -> ListedFile:
    return ListedFile(path, file_id(status), status.st_size, status.st_mtime_ns)


def glob_matcher(pattern: str) -> Callable[[str], bool]:
    """Java's glob for one file name: `*`, `?`, `[…]`, `[!…]`, `{a,b}` and `\\` before a sign."""
    matches = re.compile(_glob_regex(pattern), re.DOTALL).fullmatch
    return lambda name: matches(name) is not None


def _glob_regex(pattern: str) -> str:
    signs = {"*": "[^/]*", "?": "[^/]"}
    regex, at, depth = "", 0, 0
    while at < len(pattern):
        sign = pattern[at]
        closing = pattern.find("]", at + 2)
        if sign == "\\" and at + 1 < len(pattern):
            at += 1
            regex += re.escape(pattern[at])
        elif sign == "[" and closing > 0:
            content = pattern[at + 1 : closing].replace("\\", "\\\\")
            regex += f"[^{content[1:]}]" if content.startswith("!") else f"[{content}]"
            at = closing
        elif sign == "{" and "}" in pattern[at:]:
            regex, depth = regex + "(?:", depth + 1
        elif sign == "}" and depth:
            regex, depth = regex + ")", depth - 1
        elif sign == "," and depth:
            regex += "|"
        else:
            regex += signs.get(sign, re.escape(sign))
        at += 1
    return regex


def name_before_rotation(pattern: str) -> str:
    """The log's own name in a pattern such as `app.log*`; empty where a pattern tells none."""
    literal = re.split(r"[*?\[{\\]", pattern, maxsplit=1)[0]
    return literal if "." in literal.strip(".") else ""


def is_rotated_name(name: str, original: str) -> bool:
    """Whether logrotate and its kin give a copy of `original` this name."""
    if not original:
        return False
    if name == original or name.startswith(original):
        return True
    stem, dot, suffix = original.rpartition(".")
    return bool(dot) and name.endswith("." + suffix) and name.startswith((f"{stem}-", f"{stem}."))
