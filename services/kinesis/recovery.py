"""How a shard's segments are read back, whatever has become of them: torn tails are cut, damaged
files are set aside with the ordinals that are gone, and what is good stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.kinesis import frame
from services.kinesis.folder import Folder
from services.kinesis.segment import (
    FORMAT_VERSION,
    HEADER_BYTES,
    Segment,
    header,
    is_segment_name,
    name_of,
    newest_segment,
    parse_header,
    segment_names,
)
from services.kinesis.sequence_number import END_ORDINAL

#: What a segment is written anew as, before it takes the damaged one's name.
_TEMPORARY = ".new"
#: A frame holds eight bytes of lengths for each record, besides the record.
_LEAST_RECORD_BYTES = 8
#: Above any segment: one is closed at 64 MiB, and a call brings ten more at most.
_MOST_BYTES = 128 * 1024 * 1024


class Damage(NamedTuple):
    """A segment that was set aside: why, its new name, and the ordinals that are gone.

    The last of a range is None when nobody can say how far it went; `kept_as` is None when
    there is no file.
    """

    segment: str
    kept_as: str | None
    reason: str
    gone: tuple[tuple[int, int | None], ...]
    highest_ordinal: int


class Recovered(NamedTuple):
    """What a segment file turned out to be; `segment` is None when nothing of it is left."""

    segment: Segment | None
    torn: bool = False
    damage: Damage | None = None


class _Scan(NamedTuple):
    """The good frames of a file, where its tail is torn, and the first reason for damage.

    `end` is the ordinal after its last frame, None when nobody can tell.
    """

    good: Segment
    torn_at: int | None = None
    reason: str | None = None
    end: int | None = None


def missing_newest(folder: Folder, last_base: int, next_ordinal: int) -> Damage | None:
    """The segment that was begun last, when it is not there: nothing after it could tell."""
    newest = newest_segment(folder)
    if newest is None or newest <= last_base:
        return None
    highest = newest + _MOST_BYTES // _LEAST_RECORD_BYTES
    return Damage(name_of(newest), None, "its file is missing", ((next_ordinal, None),), highest)


def _header_of(folder: Folder, name: str) -> bytes:
    try:
        return folder.read(name, 0, HEADER_BYTES)
    except OSError:
        return b""


def _previous_end(folder: Folder, name: str) -> int | None:
    """Where the segment before this one ended; None without a good header."""
    found = parse_header(_header_of(folder, name))
    if found is None or found[:2] != (FORMAT_VERSION, Segment.base_of(name)):
        return None
    return found.previous_end


def set_copies_aside(folder: Folder) -> list[Damage]:
    """Files that somebody has copied or renamed: their headers tell that they belong elsewhere."""
    damages = list[Damage]()
    for name in segment_names(folder):
        found = parse_header(_header_of(folder, name))
        if found is not None and found.base_ordinal != Segment.base_of(name):
            kept_as = _free_name(folder, name)
            folder.rename(name, kept_as)
            reason = f"it is a copy of {name_of(found.base_ordinal)}"
            damages.append(Damage(name, kept_as, reason, (), 0))
    return damages


def settle_leftovers(folder: Folder) -> None:
    """End what setting a segment aside had begun when the process died."""
    names = set(folder.names())
    for temporary in [n for n in names if n.endswith(_TEMPORARY)]:
        name = temporary.removesuffix(_TEMPORARY)
        if not is_segment_name(name):
            continue
        if name in names:
            folder.remove(temporary)
        else:
            folder.rename(temporary, name)


def recover_segment(folder: Folder, name: str, successor: str | None) -> Recovered:
    """Read a segment back, cutting a torn tail and setting damaged bytes aside.

    `successor` is the next segment, None for the last: only the last may have a torn tail.
    Raises OSError when there is no room to set it aside; then everything is as it was.
    """
    base = Segment.base_of(name)
    should_end = limit = None
    if successor is not None:
        limit = _previous_end(folder, successor)
        should_end = Segment.base_of(successor) if limit is None else limit
    try:
        content = folder.read(name, 0, folder.size(name))
    except OSError as unreadable:
        return _set_aside(folder, name, b"", Segment(base), str(unreadable), should_end)
    if len(content) < HEADER_BYTES and successor is None:
        folder.remove(name)
        return Recovered(None, torn=True)
    if (reason := _other_version(content)) is not None:
        return _set_aside(folder, name, content, Segment(base), reason, should_end)
    scan = _index(content, base)
    if scan.good.end < len(content) or scan.reason is not None:
        scan = _scan(content, base, limit, scan.reason)
    reason = scan.reason
    if should_end is not None and scan.good.next_ordinal < should_end:
        if reason is None and scan.torn_at is None:
            return _end_earlier(folder, content, scan.good, "it ends too early", should_end)
        reason = reason or "it ends too early"
    if reason is not None:
        end = scan.end if should_end is None else should_end
        return _set_aside(folder, name, content, scan.good, reason, end)
    if scan.torn_at is not None:
        folder.truncate(name, scan.torn_at)
    return Recovered(scan.good, torn=scan.torn_at is not None and successor is None)


def _other_version(content: bytes) -> str | None:
    found = parse_header(content)
    if found is None or found.version == FORMAT_VERSION:
        return None
    return f"its format is version {found.version}, this release reads version {FORMAT_VERSION}"


def _wrong_header(content: bytes) -> str | None:
    if len(content) < HEADER_BYTES:
        return "it ends inside its header"
    return "its header has changed" if parse_header(content) is None else None


def _index(content: bytes, base: int) -> _Scan:
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
    return _Scan(segment, None, _wrong_header(content))


def _scan(content: bytes, base: int, limit: int | None, reason: str | None) -> _Scan:
    """All good frames of a file that has others too."""
    view, offset, good = memoryview(content), HEADER_BYTES, Segment(base)
    end, in_step = base, True
    while 0 <= offset < len(content):
        try:
            found = frame.check(view, offset)
        except frame.FrameTorn:
            if in_step:
                return _Scan(good, offset, reason)
            damaged = frame.FrameDamaged(offset, "no frame")
        except frame.FrameDamaged as wrong:
            damaged = wrong
        else:
            damaged = frame.FrameDamaged(offset, "a frame out of its order", found)
            if _fits(found, end, limit):
                good.add_frame(found)
                offset, end, in_step = found.end, good.next_ordinal, True
                continue
        reason = reason or str(damaged)
        lost = damaged.frame
        if lost is not None and _fits(lost, end, limit):
            # Its header is as it was written: how far it went, and how many records it had.
            offset, end, in_step = lost.end, lost.first_ordinal + lost.records, True
        else:
            offset, in_step = content.find(frame.MAGIC, offset + 1), False
    return _Scan(good, None, reason, end if in_step else None)


def _fits(found: frame.Frame, end: int, limit: int | None) -> bool:
    """Whether a frame may come after `end`: a record's own data may look like one."""
    most = END_ORDINAL if limit is None else limit
    return end <= found.first_ordinal <= most - found.records


def _set_aside(
    folder: Folder, name: str, content: bytes, good: Segment, reason: str, end: int | None
) -> Recovered:
    """Keep the file under another name, and go on with a new one of the frames that are good."""
    base = Segment.base_of(name)
    view = memoryview(content)
    frames = [frame.check(view, offset) for offset in good.offsets]
    segment, pieces = Segment(base), [header(base, _previous_end(folder, name) or base)]
    for found in frames:
        pieces.append(content[found.offset : found.end])
        size = found.end - found.offset
        segment.add_frame(found._replace(offset=segment.end, end=segment.end + size))
    if end is not None and end > segment.next_ordinal:
        pieces.append(_add_gap(segment, end))
    kept_as, temporary = _free_name(folder, name), f"{name}{_TEMPORARY}"
    try:
        folder.write(temporary, 0, b"".join(pieces))
    except OSError:
        folder.remove(temporary)
        raise
    folder.rename(name, kept_as)
    folder.rename(temporary, name)
    return Recovered(segment, damage=_damage(name, kept_as, reason, frames, end, len(content)))


def _add_gap(segment: Segment, end: int) -> bytes:
    """A frame without records, by which the next start knows that these are gone."""
    arrival = segment.arrivals[-1] if segment.arrivals else 0
    content = frame.encode([], end, arrival, 0)
    segment.add(segment.end, end, arrival)
    segment.end, segment.next_ordinal = segment.end + len(content), end
    return content


def _end_earlier(folder: Folder, content: bytes, good: Segment, reason: str, end: int) -> Recovered:
    """Nothing of the file is damaged; what should follow is not there."""
    view = memoryview(content)
    frames = [frame.check(view, offset) for offset in good.offsets]
    folder.write(good.name, len(content), _add_gap(good, end))
    return Recovered(good, damage=_damage(good.name, None, reason, frames, end, len(content)))


def _damage(
    name: str,
    kept_as: str | None,
    reason: str,
    frames: Sequence[frame.Frame],
    end: int | None,
    size: int,
) -> Damage:
    base = Segment.base_of(name)
    gone = tuple(_gaps(base, frames, end))
    # Nobody can know how many records lost bytes held; each took more than eight of them.
    last = frames[-1].first_ordinal + frames[-1].records if frames else base
    most = size or _MOST_BYTES
    highest = last + most // _LEAST_RECORD_BYTES if end is None else end
    return Damage(name, kept_as, reason, gone, highest)


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
