from __future__ import annotations

import itertools
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.agent.buffering import Buffer, Buffering
from producer.agent.checkpoints import Checkpoints
from producer.agent.configuration import parse_flow
from producer.agent.files import HEAD_BYTES
from producer.agent.tailer import Tailer


class World:
    """A folder of logs, a flow that tails it, and everything that it has sent.

    A crash takes the flow away with all that was not acknowledged; checkpoints stay.
    """

    def __init__(self, folder: Path, pattern: str = "app.log*", **keys: Any) -> None:
        self.folder = folder
        raw = {"filePattern": f"{folder}/{pattern}", "kinesisStream": "s"} | keys
        self.flow = parse_flow("test", raw | {"maxTimeBetweenFileTrackerRefreshMillis": 0})
        self.checkpoints = Checkpoints(Path(":memory:"))
        self.now = 1_000.0
        self.modified = itertools.count(2_000_000_000)
        self.sent: list[bytes] = []
        self.start()
        OPEN.append(self)

    def start(self) -> None:
        flow_id = self.flow.id
        known = self.checkpoints.load(flow_id)
        has_started = self.checkpoints.has_started(flow_id)
        self.tailer = Tailer(self.flow, known, has_started=has_started, now=self.now)
        self.checkpoints.save(flow_id, self.tailer.initial, {})
        self.buffering = Buffering(self.flow)

    def close(self) -> None:
        self.tailer.close()
        self.checkpoints.close()

    def crash(self) -> None:
        self.tailer.close()
        self.start()

    def write(self, text: bytes, name: str = "app.log") -> None:
        with open(self.folder / name, "ab") as file:
            file.write(text)
        self.touch(name)

    def touch(self, name: str) -> None:
        os.utime(self.folder / name, (next(self.modified),) * 2)

    def rename(self, *, deletes_oldest_after: int = 9) -> None:
        """app.log becomes app.log.1, that one app.log.2 …"""
        names = ["app.log", *(f"app.log.{n}" for n in range(1, deletes_oldest_after + 1))]
        (self.folder / names[-1]).unlink(missing_ok=True)
        for younger, older in reversed(list(itertools.pairwise(names))):
            if (self.folder / younger).exists():
                (self.folder / younger).rename(self.folder / older)

    def copy(self, copy: str) -> None:
        shutil.copyfile(self.folder / "app.log", self.folder / copy)
        self.touch(copy)

    def copytruncate(self, copy: str) -> None:
        self.copy(copy)
        os.truncate(self.folder / "app.log", 0)
        self.touch("app.log")

    def poll(self, *, acknowledges: bool = True, passes: float = 0.1) -> None:
        self.now += passes
        for chunk in self.tailer.poll(self.now):
            for buffer in self.buffering.add(chunk, self.now):
                self.acknowledge(buffer)
        if acknowledges and (rest := self.buffering.take(float("inf"))):
            self.acknowledge(rest)

    def acknowledge(self, buffer: Buffer) -> None:
        self.sent += [record.data for record in buffer.records]
        self.checkpoints.save(self.flow.id, *self.tailer.locate(buffer.positions))

    def finish(self) -> None:
        """Long enough for everything, last lines without an end included."""
        for _ in range(4):
            self.poll(passes=30.0)


OPEN: list[World] = []


@pytest.fixture(autouse=True)
def close_worlds() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, initialPosition="START_OF_FILE")


def lines(start: int, end: int) -> bytes:
    return b"".join(b"line %05d\n" % n for n in range(start, end))


def sent_numbers(world: World) -> list[int]:
    return [int(record.split()[1]) for record in world.sent]


def test_lines_come_as_they_are_written_and_a_part_of_one_waits(world: World) -> None:
    world.write(b"one\ntw")
    world.poll()
    assert world.sent == [b"one\n"]
    world.write(b"o\n")
    world.poll()
    assert world.sent == [b"one\n", b"two\n"]


def test_the_first_start_reads_from_the_end_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"old\nhal")
    world = World(tmp_path)
    world.poll()
    world.write(b"f\nnew\n")
    world.poll()
    assert world.sent == [b"half\n", b"new\n"]


def test_a_crash_before_the_first_record_does_not_move_the_start(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"old\n")
    world = World(tmp_path)
    world.write(b"new\n")
    world.crash()
    world.poll()
    assert world.sent == [b"new\n"]


def test_only_the_newest_file_counts_at_the_first_start_and_new_ones_are_read_whole(
    tmp_path: Path,
) -> None:
    for number, name in enumerate(("app.log.2", "app.log.1", "app.log")):
        (tmp_path / name).write_bytes(name.encode() + b"\n")
        os.utime(tmp_path / name, (number, number))
    world = World(tmp_path, initialPosition="START_OF_FILE")
    world.write(b"fresh\n", "app.log.new")
    world.finish()
    assert world.sent == [b"app.log\n", b"fresh\n"]
    world.crash()
    world.finish()
    assert len(world.sent) == 2


def test_a_renamed_file_is_read_to_its_end_before_the_next(world: World) -> None:
    world.write(lines(0, 3))
    world.poll()
    world.write(lines(3, 5))
    world.rename()
    world.write(lines(5, 7))
    world.poll()
    assert sent_numbers(world) == list(range(7))


def test_a_file_that_leaves_the_pattern_is_still_read_to_its_end(tmp_path: Path) -> None:
    world = World(tmp_path, "app.log", initialPosition="START_OF_FILE")
    world.write(lines(0, 3))
    world.poll()
    world.write(lines(3, 5))
    world.rename()
    world.write(lines(5, 7))
    world.poll()
    world.write(lines(7, 8))
    world.poll()
    assert sent_numbers(world) == list(range(8))


def test_a_deleted_file_is_still_read_to_its_end(world: World) -> None:
    world.write(lines(0, 3))
    world.poll()
    world.write(lines(3, 5))
    (world.folder / "app.log").unlink()
    world.poll()
    assert sent_numbers(world) == list(range(5))


def test_after_copytruncate_the_rest_is_read_in_the_copy(world: World) -> None:
    world.write(lines(0, 3))
    world.poll()
    world.write(lines(3, 5))
    world.copytruncate("app.log.1")
    world.write(lines(5, 20))  # more than was there before: the size alone tells nothing
    world.finish()
    assert sent_numbers(world) == list(range(20))


@pytest.mark.parametrize("copy", ["app.log.1", "app.log-20260101"])
def test_copytruncate_while_the_agent_is_down_loses_and_doubles_nothing(
    world: World, copy: str
) -> None:
    world.write(lines(0, 5))
    world.poll()
    world.write(lines(5, 9))
    world.copytruncate(copy)
    world.write(lines(9, 30))
    world.crash()
    world.finish()
    world.crash()
    world.finish()
    assert sent_numbers(world) == list(range(30))


def test_a_copy_of_what_is_read_already_is_not_read_again(world: World) -> None:
    world.write(lines(0, 5))
    world.poll()
    shutil.copyfile(world.folder / "app.log", world.folder / "app.log.1")
    world.touch("app.log.1")
    world.poll()
    world.write(lines(5, 9))
    world.finish()
    world.crash()
    world.finish()
    assert sent_numbers(world) == list(range(9))


def test_a_copy_of_what_is_not_yet_read_is_not_read_twice(world: World) -> None:
    world.write(b"line 00000 " + b"x" * HEAD_BYTES + b"\n")
    world.copy("app.log.1")
    world.write(lines(1, 3))
    world.crash()
    world.finish()
    assert sent_numbers(world) == [0, 1, 2]


def test_two_short_files_that_are_equal_by_chance_are_both_read(world: World) -> None:
    world.write(lines(0, 3), "app.log.1")
    world.poll()
    world.crash()
    world.write(lines(0, 3), "app.log.2")
    world.write(lines(0, 3))
    world.finish()
    assert sent_numbers(world) == [0, 1, 2] * 3


def test_a_file_with_equal_content_and_another_name_is_a_file_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path, "*.log", initialPosition="START_OF_FILE")
    world.write(lines(0, 5), "monday.log")
    world.poll()
    world.write(lines(0, 5), "tuesday.log")
    world.finish()
    assert sent_numbers(world) == [*range(5), *range(5)]


def test_a_truncated_file_whose_lines_all_end_alike_is_noticed(world: World) -> None:
    padding = b"x" * 300 + b"\n"
    world.write(b"1" + padding + b"2" + padding)
    world.poll()
    os.truncate(world.folder / "app.log", 0)
    world.write(b"3" + padding + b"4" + padding)
    world.finish()
    assert [record[:1] for record in world.sent] == [b"1", b"2", b"3", b"4"]


def test_a_truncated_file_without_a_copy_is_read_from_its_start(world: World) -> None:
    world.write(lines(0, 5))
    world.poll()
    os.truncate(world.folder / "app.log", 0)
    world.write(lines(5, 7))
    world.poll()
    world.poll()
    assert sent_numbers(world) == list(range(7))


def test_what_is_rotated_while_an_older_file_is_read_comes_in_its_order(world: World) -> None:
    world.write(lines(0, 3))
    world.rename()
    world.write(lines(3, 6))
    for number, chunk in enumerate(world.tailer.poll(world.now)):
        if not number:
            world.copytruncate("app.log-copy")
            world.write(lines(6, 12))
        list(world.buffering.add(chunk, world.now))
    world.finish()
    assert sent_numbers(world) == list(range(12))


def test_a_file_that_grows_and_is_rotated_while_it_is_read_is_ended_first(world: World) -> None:
    world.write(lines(0, 3))
    for number, chunk in enumerate(world.tailer.poll(world.now)):
        if not number:
            world.write(lines(3, 6))
            world.rename()
            world.write(lines(6, 9))
        list(world.buffering.add(chunk, world.now))
    world.finish()
    assert sent_numbers(world) == list(range(9))


def test_several_rotations_while_the_agent_is_down_are_all_read(world: World) -> None:
    world.write(lines(0, 5))
    world.poll()
    for start in (5, 8, 11):
        world.write(lines(start, start + 1))
        world.rename()
        world.write(lines(start + 1, start + 3))
    world.crash()
    world.finish()
    assert sent_numbers(world) == list(range(14))


def test_the_last_line_of_a_finished_file_needs_no_end(world: World) -> None:
    world.write(b"one\ntwo")
    world.rename()
    world.write(b"three\n")
    world.finish()
    assert world.sent == [b"one\n", b"three\n", b"two"]


def test_an_inode_that_is_used_again_is_another_file(world: World) -> None:
    world.write(lines(0, 30))
    world.poll()
    world.tailer.close()
    path = world.folder / "app.log"
    path.write_bytes(lines(30, 70))  # the same inode, other content, more of it
    world.start()
    world.finish()
    assert sent_numbers(world) == list(range(70))


def test_header_lines_are_left_out_in_every_new_file(tmp_path: Path) -> None:
    world = World(tmp_path, initialPosition="START_OF_FILE", skipHeaderLines=2)
    world.write(b"h1\nh2\na\n")
    world.poll()
    world.rename()
    world.write(b"h1\n")
    world.poll()
    world.write(b"h2\nb\n")
    world.finish()
    assert world.sent == [b"a\n", b"b\n"]


def test_after_the_footer_nothing_is_read(tmp_path: Path) -> None:
    world = World(tmp_path, initialPosition="START_OF_FILE", fileFooterPattern="-- end.*")
    world.write(b"a\n-- end of log\nb\n")
    world.finish()
    assert world.sent == [b"a\n"]


def test_a_record_of_several_lines_waits_for_the_next_start_or_a_rest(tmp_path: Path) -> None:
    world = World(tmp_path, initialPosition="START_OF_FILE", multiLineStartPattern="\\[")
    world.write(b"[1] error\n  at x\n")
    world.poll()
    assert world.sent == []
    world.write(b"  at y\n[2] next\n")
    world.poll()
    assert world.sent == [b"[1] error\n  at x\n  at y\n"]
    world.poll()
    assert world.sent[1:] == [b"[2] next\n"]


def test_a_record_longer_than_a_buffer_is_cut_and_the_next_one_is_whole(tmp_path: Path) -> None:
    world = World(tmp_path, initialPosition="START_OF_FILE", maxBufferSizeBytes=70_000)
    world.write(b"a\n" + b"x" * 200_000)
    world.poll()
    world.write(b"x" * 10 + b"\nb\n")
    world.finish()
    assert world.sent[0] == b"a\n"
    assert world.sent[1] == b"x" * 70_000
    assert world.sent[2:] == [b"b\n"]


def test_a_new_file_that_only_begins_like_another_is_read_whole(world: World) -> None:
    world.write(b"header\na\n")
    world.poll()
    world.write(b"header\n", "app.log-2")
    world.poll()
    world.write(b"b\n", "app.log-2")
    world.finish()
    assert world.sent == [b"header\n", b"a\n", b"header\n", b"b\n"]


def test_a_copy_that_is_still_being_made_is_not_read(world: World) -> None:
    world.write(lines(0, 9))
    world.poll()
    for size in (0, 40, 60):
        (world.folder / "app.log.1").write_bytes(lines(0, 9)[:size])
        world.poll()
    os.truncate(world.folder / "app.log", 0)
    world.write(lines(9, 12))
    world.finish()
    assert sent_numbers(world) == list(range(12))


def test_compressed_files_and_folders_are_never_read(world: World) -> None:
    world.write(b"\x1f\x8b\n", "app.log.1.gz")
    (world.folder / "app.log.d").mkdir()
    world.finish()
    assert world.sent == []


def test_a_file_that_cannot_be_read_hinders_no_other_and_is_read_once_it_can_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with tempfile.TemporaryDirectory() as name:  # others than root can look into it
        folder = Path(name)
        folder.chmod(0o755)
        world = World(folder, initialPosition="START_OF_FILE")
        world.write(lines(0, 2), "app.log.1")
        world.write(lines(2, 4))
        world.crash()
        (folder / "app.log.2").symlink_to("app.log.2")
        (folder / "app.log.1").chmod(0)
        with unprivileged():
            world.poll()
        assert sent_numbers(world) == [2, 3]
        assert "app.log.1 cannot be read: Permission denied" in caplog.text
        (folder / "app.log.1").chmod(0o644)
        world.poll()
        assert sent_numbers(world) == [2, 3, 0, 1]


def test_a_folder_that_cannot_be_read_is_told_once_and_read_once_it_can_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "logs"
        folder.mkdir()
        Path(name).chmod(0o755)
        folder.chmod(0)
        with unprivileged():
            world = World(folder, initialPosition="START_OF_FILE")
            world.poll()
            world.poll()
        assert caplog.text.count(f"Folder {folder} cannot be read: Permission denied.") == 1
        folder.chmod(0o755)
        world.write(lines(0, 2))
        world.poll()
        assert sent_numbers(world) == [0, 1]
        with open(folder / "app.log", "ab") as log:
            folder.chmod(0)
            log.write(lines(2, 4))
        with unprivileged():
            world.poll()
        assert sent_numbers(world) == [0, 1, 2, 3], "what is open is read on"
        folder.chmod(0o755)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_original_agents_checkpoint_is_continued(tmp_path: Path) -> None:
    world = World(tmp_path, initialPosition="START_OF_FILE")
    world.write(lines(0, 3), "app.log.1")
    world.write(lines(3, 6))
    world.poll()
    world.checkpoints._database.execute("delete from RIACHO_FINGERPRINTS")
    world.checkpoints._database.execute("delete from FILE_CHECKPOINTS where path like '%.1'")
    world.sent.clear()
    world.write(lines(6, 8))
    world.crash()
    world.finish()
    assert sent_numbers(world) == [6, 7]


OPERATIONS = (
    "write",
    "write",
    "poll",
    "poll",
    "poll_unacknowledged",
    "rename",
    "copytruncate",
    "copy",
    "crash",
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32), operations=st.lists(st.sampled_from(OPERATIONS), max_size=40))
def test_every_line_is_sent_in_order_and_a_crash_doubles_one_buffer_at_most(
    tmp_path_factory: pytest.TempPathFactory, seed: int, operations: list[str]
) -> None:
    chance = random.Random(seed)
    world = World(
        tmp_path_factory.mktemp("logs"), initialPosition="START_OF_FILE", maxBufferSizeRecords=5
    )
    written, crashes, serial = 0, 0, itertools.count()
    for operation in operations:
        exists = (world.folder / "app.log").exists()
        if operation == "write":
            count = chance.randint(1, 12)
            # Long enough that no two files are equal by chance.
            world.write(b"line %05d %s\n" % (written, b"x" * HEAD_BYTES))
            world.write(lines(written + 1, written + count))
            written += count
        elif operation == "rename" and exists:
            world.rename(deletes_oldest_after=50)
        elif operation in ("copy", "copytruncate") and exists:
            getattr(world, operation)(f"app.log-{next(serial):03d}")
        elif operation == "crash":
            crashes += 1
            world.crash()
        elif operation.startswith("poll"):
            world.poll(acknowledges=operation == "poll")
    world.finish()
    numbers = sent_numbers(world)
    first = list(dict.fromkeys(numbers))
    shutil.rmtree(world.folder)
    OPEN.pop().close()
    assert first == list(range(written))
    assert sum(Counter(numbers).values()) - written <= 5 * crashes
