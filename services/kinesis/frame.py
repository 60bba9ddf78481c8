"""How records lie in a segment file: frames of one batch each, with length and checksums.

A frame is a header of 40 bytes, the lengths of its records' keys and data (4 bytes each), then
keys and data. All numbers are little-endian. Two checksums: one over everything, and one over
the header alone, which tells a write that was cut short from bytes that changed.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple
from zlib import crc32

MAGIC = b"RFRM"
#: magic, frame checksum, header checksum, payload bytes, records, flags, first ordinal, arrival
_HEADER = struct.Struct("<4sIIIIIQQ")
_CHECKED = struct.Struct("<IIIQQ")
#: The header without what reading a whole log back does not look at; the magic as a number.
_INDEXED = struct.Struct("<II4xII4xQQ")
_MAGIC_NUMBER = int.from_bytes(MAGIC, "little")
HEADER_BYTES = _HEADER.size
_FRAME_CHECKED_FROM = 8
_HEADER_CHECKED_FROM = 12
#: The flag of records that were put while the stream was encrypted.
ENCRYPTED = 1
#: A batch is cut into frames of about this size, so that reading one record stays cheap.
FRAME_TARGET_BYTES = 256 * 1024

#: One record as the log takes it: its partition key in UTF-8, and its data.
type Payload = tuple[bytes, bytes]


class Frame(NamedTuple):
    """A frame's place in its segment and what its header says. Arrival in milliseconds."""

    offset: int
    end: int
    records: int
    flags: int
    first_ordinal: int
    arrival_millis: int


class FrameDamaged(ValueError):
    """The bytes at `offset` are not the frame that was written there.

    `frame` is what its header says, when that is as it was written.
    """

    def __init__(self, offset: int, reason: str, frame: Frame | None = None) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.offset = offset
        self.reason = reason
        self.frame = frame


class FrameTorn(ValueError):
    """The file ends inside the frame at `offset`: its write was cut short."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"cut short at byte {offset}")
        self.offset = offset


def encode(records: Sequence[Payload], ordinal: int, arrival_millis: int, flags: int) -> bytes:
    """One frame."""
    parts = list(chain.from_iterable(records))
    payload = struct.pack(f"<{len(parts)}I", *map(len, parts)) + b"".join(parts)
    checked = _CHECKED.pack(len(payload), len(records), flags, ordinal, arrival_millis)
    header = struct.pack("<I", crc32(checked)) + checked
    return MAGIC + struct.pack("<I", crc32(payload, crc32(header))) + header + payload


def chunks(records: Sequence[Payload]) -> Iterator[Sequence[Payload]]:
    """The batch in runs that make frames of about FRAME_TARGET_BYTES."""
    if payload_bytes(records) < FRAME_TARGET_BYTES:
        yield records
        return
    start = size = 0
    for i, (key, data) in enumerate(records):
        size += len(key) + len(data)
        if size >= FRAME_TARGET_BYTES:
            yield records[start : i + 1]
            start, size = i + 1, 0
    if start < len(records):
        yield records[start:]


def payload_bytes(records: Sequence[Payload]) -> int:
    """Keys and data together."""
    return sum(map(len, chain.from_iterable(records)))


def check(buffer: memoryview, offset: int) -> Frame:
    """The frame at `offset`, its checksums verified. Raises FrameTorn or FrameDamaged."""
    if len(buffer) - offset < HEADER_BYTES:
        raise FrameTorn(offset)
    magic, frame_crc, header_crc, length, count, flags, ordinal, arrival = _HEADER.unpack_from(
        buffer, offset
    )
    end = offset + HEADER_BYTES + length
    if (
        magic == MAGIC
        and end <= len(buffer)
        and crc32(buffer[offset + _FRAME_CHECKED_FROM : end]) == frame_crc
    ):
        return Frame(offset, end, count, flags, ordinal, arrival)
    header = buffer[offset + _HEADER_CHECKED_FROM : offset + HEADER_BYTES]
    if magic == bytes(4) and not any(buffer[offset:]):
        # A file system may leave zeros where a write had not arrived when the power went.
        raise FrameTorn(offset)
    if magic != MAGIC or crc32(header) != header_crc:
        raise FrameDamaged(offset, "a frame's header has changed")
    if end > len(buffer):
        raise FrameTorn(offset)
    lost = Frame(offset, end, count, flags, ordinal, arrival)
    raise FrameDamaged(offset, "a frame's records have changed", lost)


def index(
    buffer: bytes, offset: int, offsets: array[int], ordinals: array[int], arrivals: array[int]
) -> tuple[int, int]:
    """Note down all frames up to the end, or to the first that `check` would refuse.

    Returns where that is, and the ordinal after the last frame. A log of single records has a
    frame per record, so this loop decides how long an engine takes to start.
    """
    unpack, end_of_buffer, next_ordinal = _INDEXED.unpack_from, len(buffer), 0
    add_offset, add_ordinal, add_arrival = offsets.append, ordinals.append, arrivals.append
    while offset + HEADER_BYTES <= end_of_buffer:
        magic, frame_crc, length, count, ordinal, arrival = unpack(buffer, offset)
        end = offset + HEADER_BYTES + length
        if magic != _MAGIC_NUMBER or crc32(buffer[offset + _FRAME_CHECKED_FROM : end]) != frame_crc:
            break
        add_offset(offset)
        add_ordinal(ordinal)
        add_arrival(arrival)
        offset, next_ordinal = end, ordinal + count
    return offset, next_ordinal


def decode(buffer: bytes, frame: Frame) -> list[Payload]:
    """The records of a frame that `check` has accepted."""
    position = frame.offset + HEADER_BYTES
    lengths = struct.unpack_from(f"<{2 * frame.records}I", buffer, position)
    ends = list(accumulate(lengths, initial=position + 8 * frame.records))
    return [
        (buffer[start:middle], buffer[middle:end])
        for start, middle, end in zip(ends[:-1:2], ends[1::2], ends[2::2], strict=True)
    ]
