"""The log of one shard: appending, reading, recovering, setting damage aside, trimming."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kinesis import frame, log, segment
from services.kinesis.folder import DiskFolder, Folder, MemoryFolder, OpenFiles
from services.kinesis.log import ShardLog

FIRST = "00000000000000000001.log"


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return MemoryFolder() if request.param == "memory" else disk(tmp_path)


def disk(path: Path) -> DiskFolder:
    return DiskFolder(path / "shard", OpenFiles(limit=2))


def batch(*texts: str) -> list[frame.Payload]:
    return [(text.encode(), text.encode() * 3) for text in texts]


def payloads(page: log.Page) -> list[frame.Payload]:
    return [payload for run in page.runs for payload in run.payloads]


def keys(shard_log: ShardLog, ordinal: int = 0, most: int = 10_000) -> str:
    return "".join(key.decode() for key, _ in payloads(shard_log.read(ordinal, most, 1 << 30)))


def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch a segment."""
    monkeypatch.setattr(log, "SEGMENT_BYTES", segment.HEADER_BYTES + 1)


def test_what_was_appended_is_read_from_any_ordinal(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    assert shard_log.append(batch("a", "b", "c"), 1000) == (1, 1000)
    assert shard_log.append(batch("d"), 2000) == (4, 2000)

    assert [keys(shard_log, ordinal) for ordinal in range(6)] == [
        "abcd",
        "abcd",
        "bcd",
        "cd",
        "d",
        "",
    ]
    assert keys(shard_log, 2, most=2) == "bc"
    assert shard_log.read(4, 1, 1) == ([(4, 2000, 0, [(b"d", b"ddd")])], 4)
    assert shard_log.read(2, 3, 100) == (
        [(2, 1000, 0, [(b"b", b"bbb"), (b"c", b"ccc")]), (4, 2000, 0, [(b"d", b"ddd")])],
        12,
    )


def test_a_read_stops_before_too_many_bytes_but_gives_one_record(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a", "b", "c"), 1000)

    for most, fitting in ((12, 3), (11, 2), (9, 2), (8, 2), (7, 1), (1, 1)):
        page = shard_log.read(1, 100, most)
        assert (page.records, page.size) == (fitting, 4 * fitting)


def test_arrivals_never_go_back(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 5000)

    assert shard_log.append(batch("b"), 4000) == (2, 5000)


def test_a_time_finds_the_first_record_that_came_then_or_later(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    for millis in (1000, 1000, 2000, 3000):
        shard_log.append(batch("x"), millis)

    assert [shard_log.ordinal_at(m) for m in (0, 1000, 1001, 2000, 3001)] == [1, 1, 3, 3, 5]
    assert [shard_log.arrival_at(o) for o in (0, 2, 3, 4, 5)] == [1000, 1000, 2000, 3000, None]


def test_a_log_comes_back_as_it_was(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    small_segments(monkeypatch)
    before = ShardLog(folder)
    for text in "abc":
        before.append(batch(text, text.upper()), 1000)

    after = ShardLog(folder)

    assert after.damages == []
    assert keys(after) == "aAbBcC"
    assert (after.next_ordinal, after.last_arrival_millis) == (7, 1000)
    assert after.append(batch("d"), 500) == (7, 1000)


@given(
    batches=st.lists(
        st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=300)), min_size=1),
        max_size=12,
    ),
    at=st.integers(0, 200),
    most=st.integers(1, 40),
)
def test_any_batches_are_read_back_in_order_from_anywhere(
    batches: list[list[frame.Payload]], at: int, most: int
) -> None:
    folder = MemoryFolder()
    shard_log = ShardLog(folder)
    for records in batches:
        shard_log.append(records, 1000)
    everything = [record for records in batches for record in records]

    for found in (shard_log, ShardLog(folder)):
        page = found.read(at, most, 1 << 30)
        assert payloads(page) == everything[max(at - 1, 0) :][:most]
        assert (page.records, page.size) == (
            len(payloads(page)),
            frame.payload_bytes(payloads(page)),
        )


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_tail_is_cut_and_its_numbers_are_never_used_again(folder: Folder, cut: int) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    size = folder.size(FIRST)
    shard_log.append(batch("lost"), 1000)
    torn = folder.size(FIRST) - cut
    folder.truncate(FIRST, torn)

    after = ShardLog(folder)

    assert torn > size
    assert after.damages == []
    assert folder.size(FIRST) == size
    assert after.append(batch("b"), 1000)[0] > 2
    assert keys(after) == "ab"
    again = ShardLog(folder)
    assert again.damages == []
    assert keys(again) == "ab"


def test_zeros_that_a_power_cut_left_are_a_torn_tail(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    folder.write(FIRST, folder.size(FIRST), bytes(100))

    after = ShardLog(folder)

    assert after.damages == []
    assert keys(after) == "a"


def flip(folder: Folder, name: str, offset: int) -> None:
    [byte] = folder.read(name, offset, 1)
    folder.write(name, offset, bytes([byte ^ 0x10]))


def test_a_flipped_bit_costs_only_its_batch_and_says_which(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    start = folder.size(FIRST)
    shard_log.append(batch("b", "c"), 1000)
    shard_log.append(batch("d"), 1000)
    flip(folder, FIRST, start + frame.HEADER_BYTES + 20)

    after = ShardLog(folder)

    [damage] = after.damages
    assert damage.gone == ((2, 3),)
    assert damage.kept_as == f"{FIRST}.damaged-1"
    assert "records have changed" in damage.reason
    assert keys(after) == "ad"
    assert after.append(batch("e"), 1000)[0] == 5
    assert keys(ShardLog(folder)) == "ade"


@pytest.mark.parametrize("offset", range(0, frame.HEADER_BYTES, 3))
def test_a_flipped_bit_in_a_frames_header_costs_only_its_batch(folder: Folder, offset: int) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    start = folder.size(FIRST)
    shard_log.append(batch("b", "c"), 1000)
    shard_log.append(batch("d"), 1000)
    flip(folder, FIRST, start + offset)

    after = ShardLog(folder)

    assert [damage.gone for damage in after.damages] == [((2, 3),)]
    assert keys(after) == "ad"


@pytest.mark.parametrize(
    ("offset", "gone"),
    # The header says how many records there were, unless it is damaged itself.
    [(frame.HEADER_BYTES + 20, (2, 3)), (frame.HEADER_BYTES - 1, (2, None))],
)
def test_damage_at_the_end_says_how_far_it_went_when_it_can(
    folder: Folder, offset: int, gone: tuple[int, int | None]
) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    start = folder.size(FIRST)
    shard_log.append(batch("b", "c"), 1000)
    flip(folder, FIRST, start + offset)

    after = ShardLog(folder)

    assert [damage.gone for damage in after.damages] == [(gone,)]
    assert after.append(batch("d"), 1000)[0] > 3
    assert keys(after) == "ad"


def test_damage_while_the_engine_runs_is_set_aside_by_the_next_read(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    for text in "abc":
        shard_log.append(batch(text), 1000)
    second = segment.HEADER_BYTES + len(frame.encode(batch("a"), 1, 1000, 0))
    flip(folder, FIRST, second + frame.HEADER_BYTES)

    assert keys(shard_log) == "ac"
    assert [damage.gone for damage in shard_log.damages] == [((2, 2),)]


def test_a_segment_of_another_version_is_set_aside(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_segments(monkeypatch)
    shard_log = ShardLog(folder)
    for text in "abc":
        shard_log.append(batch(text), 1000)
    folder.write("00000000000000000002.log", 0, segment.header(2, 2, version=9))

    after = ShardLog(folder)

    [damage] = after.damages
    assert damage.reason == "its format is version 9, this release reads version 1"
    assert damage.gone == ((2, 2),)
    assert keys(after) == "ac"


@pytest.mark.parametrize("left", [0, 10, segment.HEADER_BYTES])
def test_a_segment_that_ends_too_early_is_set_aside(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    small_segments(monkeypatch)
    shard_log = ShardLog(folder)
    for text in "abc":
        shard_log.append(batch(text), 1000)
    folder.truncate("00000000000000000002.log", left)

    after = ShardLog(folder)

    assert [damage.gone for damage in after.damages] == [((2, 2),)]
    assert keys(after) == "ac"


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_no_damage_keeps_a_log_from_coming_back(rubbish: bytes, at: int, cut: bool) -> None:
    folder = MemoryFolder()
    shard_log = ShardLog(folder)
    for text in "abcd":
        shard_log.append(batch(text), 1000)
    offset = min(at, folder.size(FIRST))
    folder.write(FIRST, offset, rubbish)
    if cut:
        folder.truncate(FIRST, offset)

    after = ShardLog(folder)

    assert set(keys(after)) <= set("abcd")
    first, _ = after.append(batch("e"), 1000)
    assert first >= 1
    assert keys(after).endswith("e")
    assert ShardLog(folder).damages == []


class FullFolder(MemoryFolder):
    """Takes a number of bytes, then no more: half a write stays, as on a real disk."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 1 << 30

    def write(self, name: str, offset: int, content: bytes) -> None:
        super().write(name, offset, content[: self.left])
        if len(content) > self.left:
            raise OSError(28, "No space left on device")
        self.left -= len(content)


@pytest.mark.parametrize("left", [0, 1, 39, 60])
def test_a_full_disk_leaves_nothing_half_written(left: int) -> None:
    folder = FullFolder()
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    size, folder.left = folder.size(FIRST), left

    with pytest.raises(OSError, match="No space left"):
        shard_log.append(batch("b" * 30), 1000)

    assert folder.size(FIRST) == size
    folder.left = 1 << 30
    assert shard_log.append(batch("c"), 1000) == (2, 1000)
    assert keys(ShardLog(folder)) == keys(shard_log) == "ac"


@pytest.mark.parametrize("left", [0, 10])
def test_a_full_disk_leaves_no_half_segment(left: int) -> None:
    folder = FullFolder()
    folder.left = left

    with pytest.raises(OSError, match="No space left"):
        ShardLog(folder).append(batch("a"), 1000)

    assert folder.names() == []


def test_whole_segments_go_when_all_their_records_have_expired(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_segments(monkeypatch)
    shard_log = ShardLog(folder)
    for i, text in enumerate("abc"):
        shard_log.append(batch(text), 1000 * i)

    assert shard_log.trim(1001) == 2

    assert keys(shard_log) == "c"
    assert len(segment.segment_names(folder)) == 1
    assert shard_log.trim(9999) == 1
    after = ShardLog(folder)
    assert keys(after) == ""
    assert after.next_ordinal == 4
    assert after.append(batch("d"), 9999)[0] == 4


def test_a_slow_shard_closes_its_segment_after_an_hour(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    shard_log.append(batch("a"), 1000)
    shard_log.append(batch("b"), 1000 + log.SEGMENT_MILLIS)
    shard_log.append(batch("c"), 1001 + log.SEGMENT_MILLIS)

    assert len(segment.segment_names(folder)) == 2


def test_records_before_a_horizon_are_not_read(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    for i, text in enumerate("abc"):
        shard_log.append(batch(text), 1000 * i)

    page = shard_log.read(0, 10, 1000, not_before_millis=1000)

    assert [key for key, _ in payloads(page)] == [b"b", b"c"]


def test_a_large_batch_is_cut_into_frames(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    records = [(b"k", bytes(100_000)) for _ in range(10)]
    shard_log.append(records, 1000)

    assert shard_log.read(5, 3, 1 << 30).records == 3
    assert ShardLog(folder).read(0, 100, 1 << 30).records == 10


def test_few_files_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_segments(monkeypatch)
    folder = disk(tmp_path)
    shard_log = ShardLog(folder)
    for text in "abcdefgh":
        shard_log.append(batch(text), 1000)

    assert keys(shard_log) == "abcdefgh"
    assert len(list(open_files(tmp_path))) <= 2


def open_files(path: Path) -> Iterator[str]:
    for link in Path("/proc/self/fd").glob("*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith(str(path)):
            yield target


def test_the_index_takes_little_memory(folder: Folder) -> None:
    shard_log = ShardLog(folder)
    for _ in range(1000):
        shard_log.append(batch("a"), 1000)

    [only] = shard_log._segments
    sizes = (a.itemsize * len(a) for a in (only.offsets, only.first_ordinals, only.arrivals))
    assert sum(sizes) / 1000 < 100


def test_the_header_of_a_frame_is_forty_bytes() -> None:
    content = frame.encode(batch("a"), 1, 1000, 0)

    assert struct.calcsize("<4sIIIIIQQ") == frame.HEADER_BYTES == 40
    assert len(content) == 40 + 8 + 4
