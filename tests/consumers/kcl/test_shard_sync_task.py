"""First leases, audits and cleanup of one stream, against the real engine's shard lists."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.kcl import LOCAL
from consumers.kcl.errors import InconsistentShards, StreamNotFound
from consumers.kcl.extended_sequence_number import (
    AT_TIMESTAMP,
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    ExtendedSequenceNumber,
)
from consumers.kcl.lease import Lease
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import LAST_HASH_KEY, HashKeyRange, StreamIdentifier
from consumers.kcl.shard_detector import ShardDetector
from consumers.kcl.shard_sync_task import ShardSyncTask
from tests.conftest import EngineUnderTest
from tests.consumers.kcl.streams import StreamUnderTest


def shard(number: int) -> str:
    return f"shardId-{number:012d}"


def task(stream: StreamUnderTest, table: Any, settings: SchedulerSettings = LOCAL) -> ShardSyncTask:
    detector = ShardDetector(stream.kinesis, stream.name, settings)
    return ShardSyncTask(StreamIdentifier(stream.name), table, detector, settings)


def first_leases(stream: StreamUnderTest, settings: SchedulerSettings) -> dict[str, str]:
    table = MemoryLeaseTable()
    made = task(stream, table, settings).sync_if_empty([])
    assert sorted(table.list_leases(), key=lambda lease: lease.lease_key) == sorted(
        made, key=lambda lease: lease.lease_key
    )
    return {lease.shard_id: lease.checkpoint.sequence_number for lease in made}


def test_the_first_leases_are_those_that_the_initial_position_asks_for(
    engine: EngineUnderTest,
) -> None:
    """0 is split into 2 and 3; 1 and 3 are merged into 4: the whole key space at every time."""
    stream = StreamUnderTest(engine, 2)
    stream.put(0, 10)
    created = engine.advance_clock(60)
    stream.split(shard(0))
    between = engine.advance_clock(60)
    stream.merge(shard(1), shard(3))
    at = dict.fromkeys

    def from_time(seconds: float) -> dict[str, str]:
        when = datetime_of(seconds)
        return first_leases(
            stream,
            replace(
                LOCAL, initial_position_in_stream=AT_TIMESTAMP, initial_position_timestamp=when
            ),
        )

    assert first_leases(stream, LOCAL) == at([shard(0), shard(1)], TRIM_HORIZON)
    latest = replace(LOCAL, initial_position_in_stream=LATEST)
    assert first_leases(stream, latest) == at([shard(2), shard(4)], LATEST)
    assert from_time(created - 30) == at([shard(0), shard(1)], AT_TIMESTAMP)
    assert from_time(between - 30) == at([shard(1), shard(2), shard(3)], AT_TIMESTAMP)
    assert from_time(between + 30) == at([shard(2), shard(4)], AT_TIMESTAMP)


def datetime_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_rows_that_are_no_leases_of_the_stream_leave_it_without_leases(
    engine: EngineUnderTest,
) -> None:
    stream = StreamUnderTest(engine, 2)
    stream.leases.create_table()
    rows: list[dict[str, Any]] = [
        {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}},
        {"leaseKey": {"S": "worker-1"}, "entityType": {"S": "WORKER_METRIC_STATS"}},
        {"leaseKey": {"S": "notes"}, "text": {"S": "kept here by somebody"}},
    ]
    for row in rows:
        stream.dynamodb.put_item(TableName=stream.application, Item=row)
    table = stream.leases
    task(stream, table).sync_if_empty(table.list_leases())
    assert {lease.shard_id for lease in table.list_leases()} == {shard(0), shard(1)}
    for row in rows:
        key = {"leaseKey": row["leaseKey"]}
        found = stream.dynamodb.get_item(TableName=stream.application, Key=key)
        assert found["Item"] == row


def test_an_audit_first_fills_in_hash_keys_that_old_leases_lack(engine: EngineUnderTest) -> None:
    stream, table = StreamUnderTest(engine, 2), MemoryLeaseTable()
    for number in (0, 1):
        table.create_lease(Lease(shard(number), shard(number)))
    auditing = task(stream, table)
    for _ in range(LOCAL.leases_recovery_auditor_inconsistency_confidence_threshold + 2):
        assert auditing.audit(table.list_leases()) == []
    ranges = sorted(lease.hash_key_range or HashKeyRange(-1, -1) for lease in table.list_leases())
    assert (ranges[0].starting_hash_key, ranges[1].ending_hash_key) == (0, LAST_HASH_KEY)
    assert ranges[0].ending_hash_key + 1 == ranges[1].starting_hash_key


def test_a_lease_that_somebody_deleted_is_made_again_after_three_audits(
    engine: EngineUnderTest,
) -> None:
    stream, table = StreamUnderTest(engine, 3), MemoryLeaseTable()
    auditing = task(stream, table)
    auditing.sync_if_empty([])
    table.delete_lease(shard(1))
    made = [auditing.audit(table.list_leases()) for _ in range(3)]
    assert [[lease.shard_id for lease in one] for one in made] == [[], [], [shard(1)]]


def test_leases_of_trimmed_shards_go_and_those_of_others_stay(engine: EngineUnderTest) -> None:
    stream, table = StreamUnderTest(engine, 1), MemoryLeaseTable()
    for key in ("shardId-000000000077", shard(0)):
        table.create_lease(Lease(key, key, checkpoint=ExtendedSequenceNumber(SHARD_END)))
    task(stream, table).clean_up(table.list_leases())
    assert [lease.shard_id for lease in table.list_leases()] == [shard(0)]


def test_a_stream_that_does_not_exist_is_named(engine: EngineUnderTest) -> None:
    stream = StreamUnderTest(engine, 1)
    stream.name = "nothing"
    with pytest.raises(StreamNotFound, match="'nothing' does not exist"):
        task(stream, MemoryLeaseTable()).sync_if_empty([])


class Holed(ShardDetector):
    """A list of shards that is read in the midst of a reshard the first `times` times."""

    def __init__(self, stream: StreamUnderTest, times: int) -> None:
        super().__init__(stream.kinesis, stream.name, LOCAL)
        self._times, self.looks = times, 0

    def list_shards_at_initial_position(self) -> Any:
        self.looks += 1
        shards = super().list_shards_at_initial_position()
        return shards[1:] if self.looks <= self._times else shards


@pytest.mark.parametrize(("times", "works"), [(0, True), (2, True), (3, False)])
def test_a_shard_list_with_a_hole_is_looked_at_three_times(
    engine: EngineUnderTest, times: int, works: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stream, table = StreamUnderTest(engine, 2), MemoryLeaseTable()
    waited: list[float] = []
    detector = Holed(stream, times)
    syncing = ShardSyncTask(
        StreamIdentifier(stream.name), table, detector, LOCAL, sleep=waited.append
    )
    with caplog.at_level(logging.INFO):
        if works:
            assert len(syncing.sync_if_empty([])) == 2
        else:
            with pytest.raises(InconsistentShards, match="leave hash keys 0 to"):
                syncing.sync_if_empty([])
    assert detector.looks == min(times + 1, 3)
    assert waited == [1.0] * min(times, 2)
