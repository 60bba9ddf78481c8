"""One segment file of a shard's log: its name, its header, and its index."""

from __future__ import annotations

import re
import struct
from array import array
from typing import NamedTuple
from zlib import crc32

from services.kinesis import frame
from services.kinesis.folder import Folder
from services.kinesis.sequence_number import END_ORDINAL

#: Ordinal 0 is the shard's StartingSequenceNumber; records start here.
FIRST_ORDINAL = 1
FORMAT_VERSION = 1
_MAGIC = b"RIACHO\r\n"
#: magic, version, first ordinal, where the segment before ended, checksum of these
_HEADER = struct.Struct("<8sIQQI")
HEADER_BYTES = _HEADER.size
_SUFFIX = ".log"
_NAME = re.compile(r"[0-9]{20}\.log")
#: The file that says which segment was begun last.
_NEWEST = "newest"


class Segment:
    """A segment's index: for each frame its offset, first ordinal and arrival."""

    def __init__(self, base_ordinal: int) -> None:
        self.base_ordinal = base_ordinal
        self.name = name_of(base_ordinal)
        self.end = HEADER_BYTES
        self.next_ordinal = base_ordinal
        self.offsets: array[int] = array("I")
        self.first_ordinals: array[int] = array("Q")
        self.arrivals: array[int] = array("Q")

    @staticmethod
    def base_of(name: str) -> int:
        return int(name.removesuffix(_SUFFIX))

    def add(self, offset: int, first_ordinal: int, arrival_millis: int) -> None:
        self.offsets.append(offset)
        self.first_ordinals.append(first_ordinal)
        self.arrivals.append(arrival_millis)

    def add_frame(self, found: frame.Frame) -> None:
        self.add(found.offset, found.first_ordinal, found.arrival_millis)
        self.end, self.next_ordinal = found.end, found.first_ordinal + found.records


class Header(NamedTuple):
    """What a segment's header says; `previous_end` is the next ordinal of the segment before."""

    version: int
    base_ordinal: int
    previous_end: int


def name_of(base_ordinal: int) -> str:
    return f"{base_ordinal:020d}{_SUFFIX}"


def is_segment_name(name: str) -> bool:
    """Whether this is how a segment is called; whatever has another name is none of ours."""
    return bool(_NAME.fullmatch(name)) and FIRST_ORDINAL <= Segment.base_of(name) < END_ORDINAL


def segment_names(folder: Folder) -> list[str]:
    """In the order of their ordinals."""
    return [name for name in folder.names() if is_segment_name(name)]


def create_segment(folder: Folder, base_ordinal: int, previous_end: int) -> Segment:
    """A new segment; `previous_end` is the next ordinal of the segment before.

    Raises OSError when the folder cannot take it; then no file is left.
    """
    segment = Segment(base_ordinal)
    try:
        folder.write(segment.name, 0, header(base_ordinal, previous_end))
        folder.write(_NEWEST, 0, _newest(base_ordinal))
    except OSError:
        folder.remove(segment.name)
        raise
    return segment


def _newest(base_ordinal: int) -> bytes:
    name = name_of(base_ordinal).encode()
    return name + b" %08x\n" % crc32(name)


def newest_segment(folder: Folder) -> int | None:
    """The base ordinal of the segment that was begun last; None when nothing tells."""
    try:
        content = folder.read(_NEWEST, 0, 100)
        newest = Segment.base_of(content[:24].decode())
    except (OSError, ValueError):
        return None
    return newest if content == _newest(newest) else None


def header(base_ordinal: int, previous_end: int, version: int = FORMAT_VERSION) -> bytes:
    fields = _HEADER.pack(_MAGIC, version, base_ordinal, previous_end, 0)[:-4]
    return fields + struct.pack("<I", crc32(fields))


def parse_header(content: bytes) -> Header | None:
    """The header at the beginning of a file; None when it is none, or has changed."""
    if len(content) < HEADER_BYTES:
        return None
    magic, version, base, end, _ = _HEADER.unpack_from(content)
    if magic != _MAGIC or content[:HEADER_BYTES] != header(base, end, version):
        return None
    return Header(version, base, end)
