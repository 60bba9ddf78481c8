"""One object's bytes as rows of a few kilobytes, so that a small change is a small write. Pure.

A service's things lie one behind the other in its bytes, so a new one changes the last piece or
two, and what was there stays as it is on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

#: Before the names of the rows that are pieces.
PREFIX = "store/"
PIECE_BYTES = 8192
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
