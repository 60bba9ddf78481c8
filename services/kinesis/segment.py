"""One segment file of a shard's log: its name, its header, its index, and how it is read back."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from services.kinesis import frame
from services.kinesis.folder import Folder

#: Ordinal 0 is the shard's StartingSequenceNumber; records start here.
FIRST_ORDINAL = 1
FORMAT_VERSION = 1
_MAGIC = b"RIACHO\r\n"
#: magic, version, first ordinal, where the segment before ended, checksum of these
_HEADER = struct.Struct("<8sIQQI")
HEADER_BYTES = _HEADER.size
_SUFFIX = ".log"


class Damage(NamedTuple):
    """A segment that was set aside: why, its new name, and the ordinals that are gone.

    The last of a range is None when nobody can say how far it went.
    """

    segment: str
    kept_as: str
    reason: str
    gone: tuple[tuple[int, int | None], ...]
    highest_ordinal: int

    @property
    def is_open_ended(self) -> bool:
        return bool(self.gone) and self.gone[-1][1] is None


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


class Recovered(NamedTuple):
    """What a segment file turned out to be; `segment` is None when nothing of it is left."""

    segment: Segment | None
    torn: bool = False
    damage: Damage | None = None


def name_of(base_ordinal: int) -> str:
    return f"{base_ordinal:020d}{_SUFFIX}"


def segment_names(folder: Folder) -> list[str]:
    """In the order of their ordinals. What is set aside has another ending."""
    return [n for n in folder.names() if n.endswith(_SUFFIX) and n[: -len(_SUFFIX)].isdigit()]


def create_segment(folder: Folder, base_ordinal: int, previous_end: int) -> Segment:
    """A new segment; `previous_end` is the next ordinal of the segment before.

    Raises OSError when the folder cannot take it; then no file is left.
    """
    segment = Segment(base_ordinal)
    try:
        folder.write(segment.name, 0, header(base_ordinal, previous_end))
    except OSError:
        folder.remove(segment.name)
        raise
    return segment


def header(base_ordinal: int, previous_end: int, version: int = FORMAT_VERSION) -> bytes:
    fields = _HEADER.pack(_MAGIC, version, base_ordinal, previous_end, 0)[:-4]
    return fields + struct.pack("<I", crc32(fields))


def previous_end(folder: Folder, name: str) -> int:
    """Where the segment before this one ended; without a good header, where this one starts."""
    content = folder.read(name, 0, HEADER_BYTES)
    base = Segment.base_of(name)
    return base if _wrong_header(content, base) else int(_HEADER.unpack_from(content)[3])


def recover_segment(folder: Folder, name: str, successor: str | None) -> Recovered:
    """Read a segment back, cutting a torn tail and setting damaged bytes aside.

    `successor` is the next segment, None for the last: only the last may have a torn tail.
    """
    content = folder.read(name, 0, folder.size(name))
    base = Segment.base_of(name)
    if len(content) < HEADER_BYTES and successor is None:
        folder.remove(name)
        return Recovered(None, torn=True)
    should_end = None if successor is None else previous_end(folder, successor)
    if (reason := _wrong_header(content, base)) is not None:
        return _set_aside(folder, name, content, Segment(base), reason, should_end)
    segment, torn_at, reason = _index(content, base), None, None
    if segment.end < len(content):
        segment, torn_at, reason = _scan(content, base)
    if should_end is not None and segment.next_ordinal < should_end:
        reason = reason or "it ends too early"
    if reason is not None:
        return _set_aside(folder, name, content, segment, reason, should_end)
    if torn_at is not None:
        folder.truncate(name, torn_at)
    return Recovered(segment, torn=torn_at is not None)


def _wrong_header(content: bytes, base: int) -> str | None:
    if len(content) < HEADER_BYTES:
        return "it ends inside its header"
    magic, version, found_base, found_end, _ = _HEADER.unpack_from(content)
    if magic == _MAGIC and version != FORMAT_VERSION:
        return f"its format is version {version}, this release reads version {FORMAT_VERSION}"
    if found_base != base or content[:HEADER_BYTES] != header(base, found_end):
        return "its header has changed"
    return None


def _index(content: bytes, base: int) -> Segment:
    """The frames up to the first that is not as it was written."""
    segment = Segment(base)
    end, next_ordinal = frame.index(
        content,
        HEADER_BYTES,
        segment.offsets,
        segment.first_ordinals,
        segment.arrivals,
    )
    segment.end, segment.next_ordinal = end, next_ordinal or base
    return segment


def _scan(content: bytes, base: int) -> tuple[Segment, int | None, str | None]:
    """All good frames, where the tail is torn, and the first reason for damage."""
    view, offset, segment = memoryview(content), HEADER_BYTES, Segment(base)
    reason: str | None = None
    while offset < len(content):
        try:
            found = frame.check(view, offset)
        except frame.FrameTorn:
            return segment, offset, reason
        except frame.FrameDamaged as damaged:
            reason = reason or str(damaged)
            offset = content.find(frame.MAGIC, offset + 1)
            if offset < 0:
                break
            continue
        segment.add_frame(found)
        offset = found.end
    return segment, None, reason


def _set_aside(
    folder: Folder,
    name: str,
    content: bytes,
    good: Segment,
    reason: str,
    should_end: int | None,
) -> Recovered:
    """Keep the file under another name, and go on with a new one of the frames that are good."""
    base = Segment.base_of(name)
    view = memoryview(content)
    frames = [frame.check(view, offset) for offset in good.offsets]
    segment, pieces = Segment(base), [header(base, previous_end(folder, name))]
    for found in frames:
        pieces.append(content[found.offset : found.end])
        size = found.end - found.offset
        segment.add_frame(found._replace(offset=segment.end, end=segment.end + size))
    kept_as, temporary = _free_name(folder, name), f"{name}.new"
    folder.write(temporary, 0, b"".join(pieces))
    folder.rename(name, kept_as)
    folder.rename(temporary, name)
    if should_end is None and frames and frames[-1].end == len(content):
        should_end = segment.next_ordinal
    # Nobody can know how many records the lost bytes held; each took more than eight of them.
    highest = segment.next_ordinal + len(content) // 8 if should_end is None else should_end
    gone = tuple(_gaps(base, frames, should_end))
    return Recovered(segment, damage=Damage(name, kept_as, reason, gone, highest))


def _free_name(folder: Folder, name: str) -> str:
    taken = set(folder.names())
    numbers = (f"{name}.damaged-{i}" for i in range(1, len(taken) + 2))
    return next(candidate for candidate in numbers if candidate not in taken)


def _gaps(
    base: int, frames: Sequence[frame.Frame], should_end: int | None
) -> list[tuple[int, int | None]]:
    gaps: list[tuple[int, int | None]] = []
    expected = base
    for found in frames:
        if found.first_ordinal > expected:
            gaps.append((expected, found.first_ordinal - 1))
        expected = found.first_ordinal + found.records
    if should_end is None:
        gaps.append((expected, None))
    elif should_end > expected:
        gaps.append((expected, should_end - 1))
    return gaps
