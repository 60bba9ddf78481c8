"""A record between its source and its destination, and a group of them as bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import orjson


class KinesisMetadata(NamedTuple):
    """Where a record of a Kinesis stream stood; `arrival` in epoch seconds."""

    sequence_number: str
    sub_sequence_number: int
    partition_key: str
    shard_id: str


class Record(NamedTuple):
    """`arrival` is the approximate arrival timestamp in epoch seconds."""

    data: bytes
    arrival: float
    source: KinesisMetadata | None = None


class PackedRecords(NamedTuple):
    """Records as they lie on disk, and what one has to know of them without reading them."""

    content: bytes
    record_count: int
    size: int
    oldest_arrival: float


_LENGTH = struct.Struct("<I")


def pack(records: Sequence[Record]) -> PackedRecords:
    """Records with arrivals and sources of their own."""
    # One pass over the records: those of one partition lie far apart in memory.
    contents, arrivals, sources = zip(*records, strict=True)
    oldest = min(arrivals)
    header: dict[str, Any] = {"n": [*map(len, contents)]}
    header["t"] = oldest if max(arrivals) == oldest else arrivals
    if any(sources):
        header["s"] = [source and tuple(source) for source in sources]
    return _packed(header, contents, oldest)


def pack_arrived_together(contents: Sequence[bytes], arrival: float) -> PackedRecords:
    """What one put call brought."""
    return _packed({"n": [len(x) for x in contents], "t": arrival}, contents, arrival)


def _packed(header: dict[str, Any], contents: Iterable[bytes], oldest: float) -> PackedRecords:
    encoded = orjson.dumps(header)
    content = b"".join((_LENGTH.pack(len(encoded)), encoded, *contents))
    lengths = header["n"]
    return PackedRecords(content, len(lengths), len(content) - len(encoded) - 4, oldest)


def unpack(content: bytes) -> Iterator[Record]:
    """The records of `PackedRecords.content`."""
    header, at = _header(content)
    count = len(header["n"])
    arrivals = header["t"] if isinstance(header["t"], list) else repeat(header["t"], count)
    sources = header.get("s") or repeat(None, count)
    for length, arrival, source in zip(header["n"], arrivals, sources, strict=True):
        data = content[at : at + length]
        yield Record(data, arrival, KinesisMetadata(*source) if source else None)
        at += length


def plain_data(content: bytes) -> bytes:
    """Only the records' bytes, one after the other."""
    return content[_header(content)[1] :]


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    (length,) = _LENGTH.unpack_from(content)
    return orjson.loads(content[4 : 4 + length]), 4 + length
