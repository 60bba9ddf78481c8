"""Reading a shard by polling: where it begins, and what goes wrong on the way."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import Stubber

from consumers.kcl.errors import ForeignCheckpoint, InvalidShardAnswer
from consumers.kcl.extended_sequence_number import (
    AT_TIMESTAMP,
    LATEST,
    TRIM_HORIZON,
    ExtendedSequenceNumber,
)
from consumers.kcl.polling import PollingSource, ShardReader
from consumers.kcl.retrieval import PrefetchQueue, RecordsBatch, ShardToRead
from consumers.kcl.settings import SchedulerSettings

SHARD = "shardId-000000000000"
WHEN = datetime(2026, 7, 1, tzinfo=UTC)
CHILD = {
    "ShardId": "shardId-000000000001",
    "ParentShards": [SHARD],
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
}
SETTINGS = SchedulerSettings(
    idle_time_between_reads_in_millis=700, min_time_between_reads_in_millis=150
)


class Kinesis:
    """A boto3 client whose answers the test writes down, checked against AWS's service model."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "kinesis",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self._iterators = (f"iterator-{n}" for n in itertools.count(1))
        self._iterator = ""

    def iterator(self, kind: str, **position: Any) -> None:
        self._iterator = next(self._iterators)
        self.stubber.add_response(
            "get_shard_iterator",
            {"ShardIterator": self._iterator},
            {"StreamName": "clicks", "ShardId": SHARD, "ShardIteratorType": kind} | position,
        )

    def records(
        self,
        *numbers: int,
        behind: int = 0,
        limit: int = 10_000,
        ends: bool = False,
        children: Iterable[dict[str, Any]] = (),
    ) -> None:
        asked = {"ShardIterator": self._iterator, "Limit": limit}
        answer: dict[str, Any] = {
            "Records": [
                {"SequenceNumber": str(n), "Data": b"x", "PartitionKey": "key"} for n in numbers
            ],
            "MillisBehindLatest": behind,
        }
        if not ends:
            answer["NextShardIterator"] = self._iterator = next(self._iterators)
        if children := list(children):
            answer["ChildShards"] = children
        self.stubber.add_response("get_records", answer, asked)

    def refuses(self, code: str, operation: str = "get_records") -> None:
        self.stubber.add_client_error(operation, code, f"{code} was said")

    def lists(self, *shard_ids: str) -> None:
        shards = [
            {"ShardId": shard_id, "HashKeyRange": CHILD["HashKeyRange"]}
            | {"SequenceNumberRange": {"StartingSequenceNumber": "1"}}
            for shard_id in shard_ids
        ]
        self.stubber.add_response("list_shards", {"Shards": shards}, {"StreamName": "clicks"})

    def reader(
        self, start: str = TRIM_HORIZON, settings: SchedulerSettings = SETTINGS
    ) -> ShardReader:
        position = ExtendedSequenceNumber(start)
        return ShardReader(ShardToRead(self.client, "clicks", SHARD, position, settings))


@pytest.fixture
def kinesis() -> Iterable[Kinesis]:
    made = Kinesis()
    yield made
    made.stubber.assert_no_pending_responses()
    made.client.close()


def numbers(batch: RecordsBatch) -> list[str]:
    return [record["SequenceNumber"] for record in batch.records]


# Where reading begins


@pytest.mark.parametrize("sentinel", [TRIM_HORIZON, LATEST])
def test_a_new_lease_is_read_from_its_initial_position(kinesis: Kinesis, sentinel: str) -> None:
    kinesis.iterator(sentinel)
    kinesis.records(1, limit=1_000)
    assert numbers(kinesis.reader(sentinel).read()) == ["1"]


def test_a_lease_at_a_timestamp_is_read_from_that_time(kinesis: Kinesis) -> None:
    settings = replace(
        SETTINGS, initial_position_in_stream=AT_TIMESTAMP, initial_position_timestamp=WHEN
    )
    kinesis.iterator("AT_TIMESTAMP", Timestamp=WHEN)
    kinesis.records(1, limit=1_000)
    assert numbers(kinesis.reader(AT_TIMESTAMP, settings).read()) == ["1"]


def test_a_checkpoint_is_read_again_because_it_may_hold_more_user_records(kinesis: Kinesis) -> None:
    kinesis.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber="7")
    kinesis.records(7, 8, limit=1_000)
    assert numbers(kinesis.reader("7").read()) == ["7", "8"]


@pytest.mark.parametrize("operation", ["get_shard_iterator", "get_records"])
def test_a_checkpoint_of_another_stream_is_told_and_not_tried_again(
    kinesis: Kinesis, operation: str
) -> None:
    if operation == "get_records":
        kinesis.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber="7")
    kinesis.refuses("InvalidArgumentException", operation)
    source = PollingSource(kinesis.reader("7"), SETTINGS, SHARD)
    with pytest.raises(ForeignCheckpoint, match="InvalidArgumentException was said"):
        source.read_into(PrefetchQueue(SETTINGS))


# Going on


def test_the_first_read_is_short_and_the_others_are_whole(kinesis: Kinesis) -> None:
    kinesis.iterator(TRIM_HORIZON)
    reader = kinesis.reader()
    for number, limit in ((1, 1_000), (2, 10_000), (3, 10_000)):
        kinesis.records(number, limit=limit)
        assert numbers(reader.read()) == [str(number)]


def test_an_expired_iterator_goes_on_behind_the_last_record_that_was_read(
    kinesis: Kinesis,
) -> None:
    kinesis.iterator(TRIM_HORIZON)
    kinesis.records(1, 2, limit=1_000)
    kinesis.records()
    kinesis.refuses("ExpiredIteratorException")
    kinesis.iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber="2")
    kinesis.records(3)
    reader = kinesis.reader()
    assert [numbers(reader.read()) for _ in range(3)] == [["1", "2"], [], ["3"]]


def test_an_iterator_that_expires_before_any_record_begins_at_the_checkpoint_again(
    kinesis: Kinesis,
) -> None:
    kinesis.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber="7")
    kinesis.refuses("ExpiredIteratorException")
    kinesis.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber="7")
    kinesis.records(7, limit=1_000)
    assert numbers(kinesis.reader("7").read()) == ["7"]


def test_a_read_that_failed_is_repeated_from_the_same_place(kinesis: Kinesis) -> None:
    kinesis.iterator(TRIM_HORIZON)
    kinesis.records(1, limit=1_000)
    reader = kinesis.reader()
    assert numbers(reader.read()) == ["1"]
    before = kinesis._iterator
    kinesis.refuses("InternalFailure")
    with pytest.raises(ClientError):
        reader.read()
    assert kinesis._iterator == before
    kinesis.records(2)
    assert numbers(reader.read()) == ["2"]


CONTRADICTIONS = {
    "an end without children": {"ends": True},
    "children before the end": {"children": [CHILD]},
    "children without parents": {"ends": True, "children": [CHILD | {"ParentShards": []}]},
}


@pytest.mark.parametrize("answer", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_answer_that_contradicts_itself_is_read_again_with_all_its_records(
    kinesis: Kinesis, answer: dict[str, Any]
) -> None:
    kinesis.iterator(TRIM_HORIZON)
    kinesis.records(1, limit=1_000)
    kinesis.records(2, 3, **answer)
    kinesis.iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber="1")
    kinesis.records(2, 3, ends=True, children=[CHILD])
    reader = kinesis.reader()
    assert numbers(reader.read()) == ["1"]
    with pytest.raises(InvalidShardAnswer, match="reading again"):
        reader.read()
    last = reader.read()
    assert numbers(last) == ["2", "3"]
    assert last.is_shard_end
    assert [child.shard_id for child in last.child_shards] == ["shardId-000000000001"]


# The end


@pytest.mark.parametrize("operation", ["get_shard_iterator", "get_records"])
def test_a_shard_that_its_stream_no_longer_lists_has_ended(
    kinesis: Kinesis, operation: str
) -> None:
    if operation == "get_records":
        kinesis.iterator(TRIM_HORIZON)
    kinesis.refuses("ResourceNotFoundException", operation)
    kinesis.lists("shardId-000000000001")
    assert kinesis.reader().read() == RecordsBatch((), 0, is_shard_end=True)


def test_a_missing_stream_ends_no_shard(kinesis: Kinesis) -> None:
    kinesis.iterator(TRIM_HORIZON)
    kinesis.refuses("ResourceNotFoundException")
    kinesis.refuses("ResourceNotFoundException", "list_shards")
    with pytest.raises(ClientError, match="ResourceNotFoundException was said"):
        kinesis.reader().read()


# Round by round


def rounds(kinesis: Kinesis, count: int) -> tuple[list[float | None], PrefetchQueue]:
    source, queue = PollingSource(kinesis.reader(), SETTINGS, SHARD), PrefetchQueue(SETTINGS)
    return [source.read_into(queue) for _ in range(count)], queue


def test_the_pause_is_short_while_the_shard_is_behind_and_long_at_its_tip(
    kinesis: Kinesis,
) -> None:
    kinesis.iterator(TRIM_HORIZON)
    kinesis.records(1, behind=500, limit=1_000)
    kinesis.records(2)
    kinesis.records(behind=500)
    pauses, _ = rounds(kinesis, 3)
    assert pauses == [0.15, 0.7, 0.7]


def test_after_the_end_there_is_no_further_round(kinesis: Kinesis) -> None:
    kinesis.iterator(TRIM_HORIZON)
    kinesis.records(1, limit=1_000, ends=True, children=[CHILD])
    pauses, queue = rounds(kinesis, 1)
    assert pauses == [None]
    batch = queue.get(0)
    assert batch is not None
    assert batch.is_shard_end


def test_throttling_is_waited_out_and_becomes_an_error_in_the_log_at_the_fifth_time(
    kinesis: Kinesis, caplog: pytest.LogCaptureFixture
) -> None:
    kinesis.iterator(TRIM_HORIZON)
    for _ in range(5):
        kinesis.refuses("ProvisionedThroughputExceededException")
    kinesis.records(1, limit=1_000)
    kinesis.refuses("ProvisionedThroughputExceededException")
    pauses, queue = rounds(kinesis, 7)
    assert min(pause for pause in pauses if pause is not None) >= 0.2
    batch = queue.get(0)
    assert batch is not None
    assert numbers(batch) == ["1"]
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING] * 4 + [logging.ERROR, logging.WARNING]
    assert f"Shard {SHARD} is throttled, 5 in a row." in caplog.text


def test_a_timeout_is_tried_again_and_told_once(
    kinesis: Kinesis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = kinesis.reader()
    source, queue = PollingSource(reader, SETTINGS, SHARD), PrefetchQueue(SETTINGS)
    with monkeypatch.context() as broken:

        def times_out(**_: Any) -> None:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:4566")

        broken.setattr(kinesis.client, "get_shard_iterator", times_out)
        for _ in range(3):
            assert source.read_into(queue) == 0.7
    assert caplog.text.count("is read again: Read timeout") == 1
    kinesis.iterator(TRIM_HORIZON)
    kinesis.records(1, limit=1_000)
    source.read_into(queue)
    batch = queue.get(0)
    assert batch is not None
    assert numbers(batch) == ["1"]
