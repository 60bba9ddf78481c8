"""CBOR as AWS's Java SDK writes it: timestamps are tag 1 with milliseconds, not seconds.

cbor2 reads tag 1 as seconds and fails on them, so requests that may hold a timestamp (all of
them small) are read here, without tags; batches of records are cbor2's, which is quicker.
"""

from __future__ import annotations

import struct
from typing import Any

import cbor2

_BREAK = object()
_SIMPLE = {20: False, 21: True, 22: None, 23: None, 31: _BREAK}
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}


def loads(content: bytes) -> Any:
    """Any CBOR. Raises ValueError when it is not."""
    try:
        return cbor2.loads(content)
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError) as wrong:
        raise ValueError("Not CBOR.") from wrong


def loads_without_tags(content: bytes) -> Any:
    """CBOR whose tags are left out, so that a timestamp is its number. Raises ValueError."""
    try:
        return _Reader(content).item()
    except (IndexError, KeyError, TypeError, struct.error, RecursionError) as wrong:
        raise ValueError("Not CBOR.") from wrong


def dumps(value: Any) -> bytes:
    return bytes(cbor2.dumps(value))


class _Reader:
    """Reads one item after the other. https://www.rfc-editor.org/rfc/rfc8949#appendix-A"""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def item(self) -> Any:
        first = self._content[self._at]
        self._at += 1
        major, extra = first >> 5, first & 31
        if major == 7:
            return self._simple(extra)
        if extra == 31:
            return self._indefinite(major)
        number = self._number(extra)
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 2:
            return self._take(number)
        if major == 3:
            return self._take(number).decode()
        if major == 4:
            return [self.item() for _ in range(number)]
        if major == 5:
            return {self.item(): self.item() for _ in range(number)}
        return self.item()

    def _number(self, extra: int) -> int:
        if extra < 24:
            return extra
        if extra > 27:
            raise ValueError("A reserved length.")
        return int.from_bytes(self._take(1 << (extra - 24)), "big")

    def _take(self, length: int) -> bytes:
        taken = self._content[self._at : self._at + length]
        if len(taken) < length:
            raise ValueError("It ends too early.")
        self._at += length
        return taken

    def _simple(self, extra: int) -> Any:
        if extra in _FLOATS:
            layout, length = _FLOATS[extra]
            return struct.unpack(layout, self._take(length))[0]
        return _SIMPLE[extra]

    def _indefinite(self, major: int) -> Any:
        items = list(iter(self.item, _BREAK))
        if major == 2:
            return b"".join(items)
        if major == 3:
            return "".join(items)
        if major == 4:
            return items
        if major == 5:
            return dict(zip(items[::2], items[1::2], strict=True))
        raise ValueError("A reserved length.")
