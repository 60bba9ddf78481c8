"""What the engine keeps on disk, over restarts, damage and a full disk."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis import frame
from services.kinesis.errors import KinesisError
from services.kinesis.storage import DiskStorage, MemoryStorage
from tests.services.kinesis.conftest import Caller, make

SHARD = "shardId-000000000000"


def started(clock: FixedClock, path: Path) -> Caller:
    """The engine as it comes up on a folder."""
    return make(clock, DiskStorage(path))


def put(call: Caller, *keys: str) -> list[int]:
    records = [{"Data": key.encode(), "PartitionKey": key} for key in keys]
    answer = call("PutRecords", StreamName="s", Records=records)
    return [int(result["SequenceNumber"]) for result in answer["Records"]]


def keys(call: Caller) -> str:
    return "".join(record["PartitionKey"] for record in call.read("s", SHARD))


def segment_of(path: Path) -> Path:
    [file] = path.glob(f"*/{SHARD}/*.log")
    return file


def test_streams_come_back_as_they_were(clock: FixedClock, tmp_path: Path) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=2, Tags={"team": "web"})
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    call("RegisterStreamConsumer", StreamARN=arn, ConsumerName="reader")
    call("PutResourcePolicy", ResourceARN=arn, Policy="{}")
    call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    clock.advance(1)
    call("SplitShard", StreamName="s", ShardToSplit=SHARD, NewStartingHashKey=str(2**126))
    call("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["IncomingBytes"])

    def everything(caller: Caller) -> list[Any]:
        return [
            caller("DescribeStreamSummary", StreamName="s"),
            caller.shards("s"),
            caller("ListTagsForStream", StreamName="s"),
            caller("ListStreamConsumers", StreamARN=arn),
            caller("GetResourcePolicy", ResourceARN=arn),
        ]

    assert everything(started(clock, tmp_path)) == everything(call)


def test_records_iterators_and_numbers_go_on_after_a_restart(
    clock: FixedClock, tmp_path: Path
) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    before = put(call, "a", "b")
    iterator = call.iterator("s", SHARD, "LATEST")

    call = started(clock, tmp_path)

    after = put(call, "c")
    records = call("GetRecords", ShardIterator=iterator)["Records"]
    assert [record["PartitionKey"] for record in records] == ["c"]
    assert keys(call) == "abc"
    assert before + after == sorted({*before, *after})


def test_a_deleted_stream_stays_deleted(clock: FixedClock, tmp_path: Path) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, "a")

    call("DeleteStream", StreamName="s")

    assert started(clock, tmp_path)("ListStreams")["StreamNames"] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "a.b", "CaSe"])
def test_every_name_that_aws_allows_can_be_kept(
    clock: FixedClock, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "streams"
    call = started(clock, folder)
    call("CreateStream", StreamName=name, ShardCount=1)
    call("CreateStream", StreamName=name.swapcase() + "x", ShardCount=1)
    call("PutRecord", StreamName=name, Data=b"x", PartitionKey="k")

    assert len(started(clock, folder).read(name, SHARD)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["streams"]


def test_a_damaged_segment_is_kept_aside_and_its_records_are_named(
    clock: FixedClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, "a")
    size = segment_of(tmp_path).stat().st_size
    lost = put(call, "b", "c")
    put(call, "d")
    content = bytearray(segment_of(tmp_path).read_bytes())
    content[size + frame.HEADER_BYTES + 10] ^= 1
    segment_of(tmp_path).write_bytes(content)

    with caplog.at_level(logging.WARNING, logger="services.kinesis"):
        call = started(clock, tmp_path)

    assert keys(call) == "ad"
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"Stream s, {SHARD}: segment 00000000000000000001.log is damaged")
    assert "It is kept as 00000000000000000001.log.damaged-1." in message
    assert message.endswith(" (2 records).")
    first, last = (int(word) for word in message.split() if word.isdigit() and len(word) > 50)
    assert first <= lost[0] < lost[1] <= last
    [aside] = tmp_path.glob(f"*/{SHARD}/*.damaged-1")
    assert aside.read_bytes() == content


def test_a_log_that_was_cut_short_says_from_which_number_on(
    clock: FixedClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    [kept] = put(call, "a")
    [lost] = put(call, "b")
    content = segment_of(tmp_path).read_bytes()
    segment_of(tmp_path).write_bytes(content[:-1])

    with caplog.at_level(logging.WARNING, logger="services.kinesis"):
        call = started(clock, tmp_path)

    assert keys(call) == "a"
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"Stream s, {SHARD}: the last write to segment 00000000000000000001")
    [gone_from] = (int(word) for word in message.split() if word.isdigit() and len(word) > 50)
    assert kept < gone_from <= lost


def test_an_unreadable_stream_does_not_keep_the_others_from_coming_back(
    clock: FixedClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, "a")
    call("CreateStream", StreamName="t", ShardCount=1)
    [live] = [s for s in call.kinesis.streams.values() if s.state.name == "t"]
    file = tmp_path / live.state.stream_id / "stream.json"
    for damaged in file.parent.glob("stream*.json"):
        damaged.write_bytes(damaged.read_bytes()[:40])

    with caplog.at_level(logging.WARNING, logger="services.kinesis"):
        call = started(clock, tmp_path)

    assert call("ListStreams")["StreamNames"] == ["s"]
    assert keys(call) == "a"
    assert str(file) in caplog.text
    assert file.exists()


class FullStorage(MemoryStorage):
    """Keeps nothing more once it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().save(stream_id, fields)


def test_a_change_that_cannot_be_kept_is_not_made(clock: FixedClock) -> None:
    storage = FullStorage()
    call = make(clock, storage)
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, "a")
    storage.is_full = True

    for operation, request in (
        ("SplitShard", {"ShardToSplit": SHARD, "NewStartingHashKey": str(2**127)}),
        ("AddTagsToStream", {"Tags": {"a": "b"}}),
        ("DeleteStream", {}),
    ):
        with pytest.raises(KinesisError, match="Internal Service Failure") as raised:
            call(operation, StreamName="s", **request)
        assert raised.value.status == 500
    with pytest.raises(KinesisError, match="Internal Service Failure"):
        call("CreateStream", StreamName="t", ShardCount=1)

    assert call("ListStreams")["StreamNames"] == ["s"]
    assert [shard["ShardId"] for shard in call.shards("s")] == [SHARD]
    assert call("ListTagsForStream", StreamName="s")["Tags"] == []
    put(call, "b")
    assert keys(call) == "ab"


def test_a_full_disk_fails_each_record_and_keeps_none(
    clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = started(clock, tmp_path)
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, "a")
    size = segment_of(tmp_path).stat().st_size

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", full)
        records = [{"Data": b"x", "PartitionKey": key} for key in "bc"]
        answer = call("PutRecords", StreamName="s", Records=records)
        with pytest.raises(KinesisError, match="Internal Service Failure"):
            call("PutRecord", StreamName="s", Data=b"x", PartitionKey="d")

    failed = {"ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure."}
    assert answer == {"FailedRecordCount": 2, "Records": [failed, failed]}
    assert segment_of(tmp_path).stat().st_size == size
    put(call, "e")
    assert keys(started(clock, tmp_path)) == "ae"
