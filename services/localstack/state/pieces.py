"""One object's bytes as rows of a few kilobytes, so that a small change is a small write. Pure.

A service's things lie one behind the other in its bytes, so a new one changes the last piece or
two, and what was there stays as it is on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

#: Before the names of the rows that are pieces.
PREFIX = "store/"
PIECE_BYTES = 8192
#: Up to so many bytes of an object are kept to compare with, which is quicker than a digest.
SMALL_BYTES = 1_000_000
#: Between the name of what was cut and the number of a piece; the first piece has the name alone.
_MARK = "#"


def cut(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the rows, at least one."""
    key = PREFIX + name
    yield key, content[:PIECE_BYTES]
    for number, start in enumerate(range(PIECE_BYTES, len(content), PIECE_BYTES), 1):
        yield f"{key}{_MARK}{number:06d}", content[start : start + PIECE_BYTES]


def joined(rows: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """What was cut, by name, from rows of any order; those that are no pieces are left out."""
    found: dict[str, list[bytes]] = {}
    for key, content in sorted(rows):
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX).partition(_MARK)[0]
            found.setdefault(name, []).append(content)
    return {name: b"".join(contents) for name, contents in found.items()}


#: What each row holds: the bytes themselves, or their digest.
Marks = Mapping[str, bytes]


class Difference(NamedTuple):
    """What to write and what to remove, and the marks of what is there then."""

    new: list[tuple[str, bytes]]
    gone: list[str]
    marks: Marks


def marks_of(rows: Iterable[tuple[str, bytes]]) -> Marks:
    """Of rows that were read."""
    return {key: _digest(content) for key, content in rows}


def difference(before: Marks, objects: Iterable[tuple[str, bytes]]) -> Difference:
    """Between what is there and these objects by name."""
    new: list[tuple[str, bytes]] = []
    marks: dict[str, bytes] = {}
    for name, content in objects:
        for key, piece in cut(name, content):
            mark = before.get(key, b"")
            if mark != piece:
                digest = _digest(piece)
                if mark != digest:
                    new.append((key, piece))
                mark = piece if len(content) <= SMALL_BYTES else digest
            marks[key] = mark
    return Difference(new, [key for key in before if key not in marks], marks)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()  # processors have an instruction for it
