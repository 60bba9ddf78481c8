"""One record of a stream on its way to a function, whichever service it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StreamRecord:
    """`event` is what the function receives, `size_bytes` how much of the payload that takes.

    `arrival` is the approximate arrival timestamp in seconds since 1970; `order_key` decides
    which records stay in order when a shard is read by several invocations at once.
    """

    sequence_number: str
    arrival: float
    order_key: str
    event: Mapping[str, Any]
    size_bytes: int


SequenceNumbers = tuple[str, ...]


def sequence_numbers(records: tuple[StreamRecord, ...]) -> SequenceNumbers:
    return tuple(record.sequence_number for record in records)
