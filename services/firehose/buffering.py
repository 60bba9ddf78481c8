"""When a buffer is full: by size before compression, by age, or at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True)
class BufferingHints:
    """`size_in_mbs` and `interval_in_seconds`; whichever is reached first delivers."""

    size_in_mbs: float
    interval_in_seconds: float

    @classmethod
    def of(cls, hints: Mapping[str, Any]) -> BufferingHints:
        return cls(hints["SizeInMBs"], hints["IntervalInSeconds"])

    @property
    def size_in_bytes(self) -> int:
        return int(self.size_in_mbs * MIB)


def due_at(size_in_bytes: int, opened_at: float, hints: BufferingHints) -> float:
    """When this buffer is to be delivered: `opened_at` itself when it is full already.

    An interval of 0 is AWS's "zero buffering": what is there is delivered as it comes.
    """
    if size_in_bytes >= hints.size_in_bytes:
        return opened_at
    return opened_at + hints.interval_in_seconds
