"""Damage of every kind to what is on disk: the engine starts, and says what is gone."""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clock import FixedClock
from services.kinesis import log, segment
from services.kinesis.errors import KinesisError
from services.kinesis.housekeeping import Housekeeper
from services.kinesis.storage import DiskStorage
from tests.services.kinesis.conftest import Caller, make
from tests.waiting import wait_until

SHARD = "shardId-000000000000"
FOREIGN = (
    "notes.txt",
    ".DS_Store",
    "5.log",
    "x.log",
    "\u00b2" * 20 + ".log",
    "9" * 20 + ".log",
    "0" * 20 + ".log",
    f"{500:020d}.log",
    f"{1:020d}.log.new",
    f"{1:020d}.log.damaged-7",
    f"{2**63 - 1:020d}.log",
)


@contextmanager
def warnings() -> Iterator[list[str]]:
    """What the engine's log says meanwhile."""
    said = list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("services.kinesis")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def started(path: Path) -> Caller:
    return make(FixedClock(), DiskStorage(path))


def put(call: Caller, *keys: str) -> list[int]:
    records = [{"Data": key.encode() * 3, "PartitionKey": key} for key in keys]
    answer = call("PutRecords", StreamName="s", Records=records)
    return [int(result["SequenceNumber"]) for result in answer["Records"]]


def keys(call: Caller) -> list[str]:
    records = call.read("s", SHARD)
    assert all(r["Data"] == r["PartitionKey"].encode() * 3 for r in records)
    return [record["PartitionKey"] for record in records]


class Batch(NamedTuple):
    """One put: where it lies, and its records' keys and numbers."""

    file: str
    start: int
    end: int
    records: dict[str, int]


class Damaged:
    """A shard's files as they were written, and what was done to them."""

    def __init__(self, path: Path, sizes: list[int]) -> None:
        call = started(path)
        call("CreateStream", StreamName="s", ShardCount=1)
        [live] = call.kinesis.streams.values()
        self.folder = path / live.state.stream_id / SHARD
        self.batches = list[Batch]()
        for number, size in enumerate(sizes):
            names = [f"{number}-{i}" for i in range(size)]
            before = self._sizes()
            numbers = put(call, *names)
            [(file, end)] = self._sizes().items() - before.items()
            start = before.get(file, segment.HEADER_BYTES)
            self.batches.append(Batch(file, start, end, dict(zip(names, numbers, strict=True))))
        self.files = sorted(self._sizes())
        self.content = {file: (self.folder / file).read_bytes() for file in self.files}

    def _sizes(self) -> dict[str, int]:
        return {f.name: f.stat().st_size for f in self.folder.glob("*.log")}

    def numbers(self) -> dict[str, int]:
        return {key: n for batch in self.batches for key, n in batch.records.items()}

    def untouched(self) -> set[str]:
        """Keys whose bytes are where they were, in a file of this format version."""
        return {key for b in self.batches if self._is_untouched(b) for key in b.records}

    def _is_untouched(self, batch: Batch) -> bool:
        content = self._content(batch.file)
        is_other_version = content[8:12] == b"\x09\0\0\0"
        same = content[batch.start : batch.end] == self.content[batch.file][batch.start : batch.end]
        return same and not is_other_version

    def _content(self, file: str) -> bytes:
        path = self.folder / file
        return path.read_bytes() if path.is_file() else b""

    def untraceable(self) -> set[str]:
        """Keys that nobody can miss: of first files that are away, as after their retention, and
        behind the end of a last file that ends with a record, as if it were the last."""
        keys = set[str]()
        for file in self.files:
            if (self.folder / file).exists():
                break
            keys |= {key for b in self.batches if b.file == file for key in b.records}
        last = self._content(self.files[-1])
        for batch in self.batches:
            if batch.file == self.files[-1] and batch.start >= len(last):
                keys |= set(batch.records)
        return keys


def damage(damaged: Damaged, kind: str, file: str, at: int, rubbish: bytes) -> None:
    path = damaged.folder / file
    if kind == "foreign":
        foreign = damaged.folder / FOREIGN[at % len(FOREIGN)]
        if not foreign.exists():
            foreign.write_bytes(rubbish)
    elif kind == "copy" and path.is_file():
        shutil.copy(path, damaged.folder / segment.name_of(segment.Segment.base_of(file) + at + 1))
    elif path.is_file():
        content = bytearray(path.read_bytes())
        place = at % max(1, len(content))
        if kind == "flip" and content:
            content[place] ^= 1 << at % 8
        elif kind == "cut":
            del content[place:]
        elif kind == "overwrite":
            content[place : place + len(rubbish)] = rubbish
        elif kind == "append":
            content += rubbish
        elif kind == "version":
            content[: segment.HEADER_BYTES] = segment.header(1, 1, version=9)
        path.write_bytes(content)
        if kind in {"delete", "directory"}:
            path.unlink()
        if kind == "directory":
            path.mkdir()


def gone(messages: list[str], number: int) -> bool:
    """Whether the engine has said that the record with this number is gone."""
    for message in messages:
        said = message.rpartition("gone: ")[2]
        for first, last in re.findall(r"(\d{50,}) to (\d{50,})", said):
            if int(first) <= number <= int(last):
                return True
        for first in re.findall(r"(\d{50,}) (?:and later|on are gone)", message):
            if int(first) <= number:
                return True
    return False


KINDS = ("flip", "flip", "cut", "delete", "version", "overwrite", "append", "foreign", "directory")


@settings(max_examples=120, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    damages=st.lists(
        st.tuples(
            st.sampled_from([*KINDS, "copy"]),
            st.integers(0, 50),
            st.integers(0, 2_000),
            st.binary(max_size=80) | st.just(bytes(90)),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_after_any_damage_the_rest_is_there_and_what_is_gone_is_named(
    sizes: list[int], damages: list[tuple[str, int, int, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        patched.setattr(log, "SEGMENT_BYTES", 500)
        damaged = Damaged(Path(name), sizes)
        for kind, file, at, rubbish in damages:
            damage(damaged, kind, damaged.files[file % len(damaged.files)], at, rubbish)
        untouched, untraceable = damaged.untouched(), damaged.untraceable()

        with warnings() as messages:
            call = started(Path(name))

        found = keys(call)
        everything = damaged.numbers()
        assert found == [key for key in everything if key in found]
        assert untouched <= set(found)
        for key in everything.keys() - set(found) - untraceable:
            assert gone(messages, everything[key]), (key, messages)
        for kept_as in re.findall(r"It is kept as (\S+)\.", " ".join(messages)):
            assert (damaged.folder / kept_as).exists()
        [number] = put(call, "new")
        assert number > max([everything[key] for key in found], default=0)
        with warnings() as messages:
            assert keys(started(Path(name))) == [*found, "new"]
        assert messages == []


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["stream.json", "stream.copy.json"]), st.integers(0, 10_000), st.data())
def test_a_damaged_state_is_replaced_by_its_copy(file: str, at: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        damaged = Damaged(Path(name), [1, 2])
        path = damaged.folder.parent / file
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            content[at % len(content)] ^= 1 << at % 8
        else:
            del content[at % len(content) :]
        path.write_bytes(content)

        with warnings() as messages:
            call = started(Path(name))

        assert keys(call) == ["0-0", "1-0", "1-1"]
        assert [str(path) in message for message in messages] == (
            [True] if file == "stream.json" else []
        )


@pytest.mark.parametrize(
    "content",
    [b"[]", b"5", b"null", b"{}", b'{"shards": 5, "stream_id": "x"}', b"\xff", b"", b"{"],
)
def test_a_state_that_is_none_leaves_only_its_stream_out(tmp_path: Path, content: bytes) -> None:
    Damaged(tmp_path, [1])
    other = tmp_path / "x"
    (other / SHARD).mkdir(parents=True)
    (other / "stream.json").write_bytes(content)

    with warnings() as messages:
        call = started(tmp_path)

    assert keys(call) == ["0-0"]
    assert len(messages) == 1
    assert "it is left out" in messages[0] or "is left out, its files stay" in messages[0]


def test_a_stream_without_its_state_is_named(tmp_path: Path) -> None:
    damaged = Damaged(tmp_path, [1])
    for file in damaged.folder.parent.glob("*.json"):
        file.unlink()

    with warnings() as messages:
        call = started(tmp_path)

    assert call("ListStreams")["StreamNames"] == []
    [message] = messages
    assert f"{damaged.folder.parent / 'stream.json'} is missing" in message


def test_a_copy_of_a_streams_folder_is_not_a_second_stream(tmp_path: Path) -> None:
    damaged = Damaged(tmp_path, [1])
    shutil.copytree(damaged.folder.parent, tmp_path / "backup")
    (tmp_path / "notes.txt").write_text("mine")

    with warnings() as messages:
        call = started(tmp_path)

    assert keys(call) == ["0-0"]
    assert call("ListStreams")["StreamNames"] == ["s"]
    assert "is of another stream" in messages[0]


def test_a_state_of_a_release_without_checksums_is_read(tmp_path: Path) -> None:
    damaged = Damaged(tmp_path, [1])
    folder = damaged.folder.parent
    state = json.loads((folder / "stream.json").read_bytes())["stream"]
    (folder / "stream.copy.json").unlink()
    (folder / "stream.json").write_text(json.dumps(state))

    with warnings() as messages:
        call = started(tmp_path)

    assert keys(call) == ["0-0"]
    assert messages == []


def unreadable(name: str) -> Callable[..., Any]:
    """A folder whose listing fails for this name, as one of somebody else's does."""
    listing = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return listing(self)

    return iterdir


def test_a_shard_that_cannot_be_listed_leaves_only_its_stream_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = started(tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    call("CreateStream", StreamName="t", ShardCount=2)
    put(call, "a")
    call("PutRecord", StreamName="t", Data=b"x", PartitionKey="k", ExplicitHashKey=str(2**127))
    monkeypatch.setattr(Path, "iterdir", unreadable("shardId-000000000001"))

    with warnings() as messages:
        again = started(tmp_path)

    assert keys(again) == ["a"]
    assert again("ListStreams")["StreamNames"] == ["s"]
    [message] = messages
    assert message.startswith("Stream t is left out, its files stay: [Errno 13] Permission denied")
    monkeypatch.undo()
    assert started(tmp_path)("ListStreams")["StreamNames"] == ["s", "t"]


def test_damage_while_the_engine_runs_is_told(tmp_path: Path) -> None:
    damaged = Damaged(tmp_path, [1])
    call = started(tmp_path)
    numbers = put(call, "b")
    put(call, "c")
    path = damaged.folder / damaged.files[0]
    content = bytearray(path.read_bytes())
    content[damaged.batches[0].end + 50] ^= 1
    path.write_bytes(content)

    with warnings() as messages:
        assert keys(call) == ["0-0", "c"]

    assert gone(messages, numbers[0])


@pytest.mark.parametrize("left", [0, 10, segment.HEADER_BYTES])
def test_a_file_that_is_shortened_while_the_engine_runs_costs_only_its_records(
    tmp_path: Path, left: int
) -> None:
    damaged = Damaged(tmp_path, [1])
    call = started(tmp_path)
    (damaged.folder / damaged.files[0]).write_bytes(damaged.content[damaged.files[0]][:left])

    assert keys(call) == []
    put(call, "b")
    assert keys(call) == keys(started(tmp_path)) == ["b"]


def test_a_disk_that_gives_nothing_is_an_internal_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Damaged(tmp_path, [1])
    call = started(tmp_path)

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.pread", broken)
        with warnings() as messages, pytest.raises(KinesisError) as raised:
            keys(call)
    assert (raised.value.code, raised.value.status) == ("InternalFailure", 500)
    assert "Input/output error" in messages[0]
    assert keys(call) == ["0-0"]


class FullDisk:
    """No byte more goes to the disk, wherever it is written from; removing works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    @contextmanager
    def __call__(self) -> Iterator[None]:
        def full(*_: object, **__: object) -> int:
            raise OSError(28, "No space left on device")

        with self._monkeypatch.context() as patched:
            patched.setattr("os.pwrite", full)
            patched.setattr(Path, "write_bytes", full)
            yield


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("CreateStream", {"StreamName": "t", "ShardCount": 1}),
    ("SplitShard", {"ShardToSplit": SHARD, "NewStartingHashKey": str(2**127)}),
    ("UpdateShardCount", {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}),
    ("IncreaseStreamRetentionPeriod", {"RetentionPeriodHours": 48}),
    ("AddTagsToStream", {"Tags": {"a": "b"}}),
    ("StartStreamEncryption", {"EncryptionType": "KMS", "KeyId": "k"}),
    ("EnableEnhancedMonitoring", {"ShardLevelMetrics": ["ALL"]}),
    ("UpdateStreamMode", {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
    ("UpdateMaxRecordSize", {"MaxRecordSizeInKiB": 2048}),
    ("RegisterStreamConsumer", {"ConsumerName": "reader"}),
    ("DeleteStream", {}),
    ("PutRecord", {"Data": b"x", "PartitionKey": "k"}),
]


@pytest.mark.parametrize(("operation", "more"), CHANGES)
def test_on_a_full_disk_nothing_is_half_done(
    tmp_path: Path, full_disk: FullDisk, operation: str, more: dict[str, Any]
) -> None:
    Damaged(tmp_path, [2])
    call = started(tmp_path)
    arn = call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    named = {"StreamName": "s"}
    if operation in {"UpdateStreamMode", "RegisterStreamConsumer", "UpdateMaxRecordSize"}:
        named = {"StreamARN": arn}

    def state() -> list[Any]:
        names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
        summary = call("DescribeStreamSummary", StreamName="s")
        return [names, summary, call.shards("s"), call("ListStreams"), keys(call)]

    before = state()
    with full_disk(), pytest.raises(KinesisError) as raised:
        call(operation, **(named | more))

    assert (raised.value.code, raised.value.status) == ("InternalFailure", 500)
    assert state() == before
    call(operation, **(named | more))
    assert started(tmp_path)("ListStreams") == call("ListStreams")


def test_a_torn_tail_on_a_full_disk_does_not_keep_the_stream_away(
    tmp_path: Path, full_disk: FullDisk
) -> None:
    damaged = Damaged(tmp_path, [1, 1])
    path = damaged.folder / damaged.files[0]
    path.write_bytes(path.read_bytes()[:-1])

    with full_disk():
        call = started(tmp_path)
        assert keys(call) == ["0-0"]
        answer = call("PutRecords", StreamName="s", Records=[{"Data": b"x", "PartitionKey": "k"}])
        assert answer["Records"][0]["ErrorCode"] == "InternalFailure"

    [number] = put(call, "b")
    assert number > max(damaged.numbers().values())
    assert keys(call) == keys(started(tmp_path)) == ["0-0", "b"]


def test_damage_on_a_full_disk_waits_for_room(tmp_path: Path, full_disk: FullDisk) -> None:
    damaged = Damaged(tmp_path, [1, 1, 1])
    path = damaged.folder / damaged.files[0]
    content = bytearray(path.read_bytes())
    content[damaged.batches[1].end - 1] ^= 1
    path.write_bytes(content)

    with full_disk(), warnings() as messages:
        assert started(tmp_path)("ListStreams")["StreamNames"] == []

    assert "Stream s is left out, its files stay: [Errno 28] No space left" in messages[0]
    assert path.read_bytes() == content
    assert keys(started(tmp_path)) == ["0-0", "2-0"]


def test_on_a_full_disk_the_other_streams_are_looked_after(
    tmp_path: Path, full_disk: FullDisk
) -> None:
    clock = FixedClock()
    call = make(clock, DiskStorage(tmp_path))
    for name in ("a", "s"):
        call("CreateStream", StreamName=name, ShardCount=1)
    call("PutRecord", StreamName="a", Data=b"x", PartitionKey="k")
    put(call, "b")
    clock.advance(1)
    call("SplitShard", StreamName="a", ShardToSplit=SHARD, NewStartingHashKey=str(2**127))
    clock.advance(25 * 3600)
    published = list[str]()

    def publish(_: object, data: list[dict[str, Any]]) -> None:
        published.extend(datum["Dimensions"][0]["Value"] for datum in data)

    with full_disk():
        Housekeeper(lambda: call.kinesis, publish).round()

    assert set(published) == {"a", "s"}
    assert keys(call) == []
    put(call, "c")
    assert keys(call) == ["c"]


def test_a_folder_that_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "kinesis").write_text("mine")
    housekeeper = Housekeeper(lambda: started(tmp_path / "kinesis").kinesis, lambda *_: None)

    with warnings() as messages:
        housekeeper.start()
        wait_until(lambda: messages)

    assert messages[0].startswith("Streams cannot be read back: ")
    assert str(tmp_path / "kinesis") in messages[0]


def test_an_accounts_settings_come_back(tmp_path: Path, full_disk: FullDisk) -> None:
    def status(call: Caller) -> str:
        settings = call("DescribeAccountSettings")["MinimumThroughputBillingCommitment"]
        return str(settings["Status"])

    call = started(tmp_path)
    call("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": "ENABLED"})

    call = started(tmp_path)
    assert status(call) == "ENABLED"
    with full_disk(), pytest.raises(KinesisError, match="Internal Service Failure"):
        call("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": "DISABLED"})
    assert status(call) == status(started(tmp_path)) == "ENABLED"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"stream": {"a": 1}, "crc32": 1}'])
def test_damaged_settings_of_accounts_are_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "accounts.json").write_bytes(content)

    with warnings() as messages:
        call = started(tmp_path)

    assert call("DescribeAccountSettings")
    assert [str(tmp_path / "accounts.json") in message for message in messages] == [True]
