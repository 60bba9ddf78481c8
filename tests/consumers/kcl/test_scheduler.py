"""Workers on the real engine: sharing, fail-over, resharding, stopping, errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from consumers.kcl import LOCAL
from consumers.kcl.errors import StreamNotFound
from consumers.kcl.extended_sequence_number import LATEST
from consumers.kcl.scheduler import Scheduler
from services.kinesis.aggregation import AggregatedUserRecord, pack
from tests.conftest import EngineUnderTest
from tests.consumers.kcl.recording import Journal, Recorder
from tests.consumers.kcl.streams import StreamUnderTest
from tests.waiting import wait_until

SHARD_0, SHARD_1 = "shardId-000000000000", "shardId-000000000001"
SHARD_2, SHARD_3 = "shardId-000000000002", "shardId-000000000003"


def test_two_workers_share_the_shards_and_miss_nothing_while_they_are_resharded(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 2), Journal()
    put = stream.put(0, 1000)
    with (
        stream.worker("a", lambda: Recorder(journal)),
        stream.worker("b", lambda: Recorder(journal)),
    ):
        wait_until(lambda: Counter(stream.owners().values()) == {"a": 1, "b": 1})
        stream.split(SHARD_0)
        put |= stream.put(1000, 500)
        stream.merge(SHARD_1, SHARD_3)
        put |= stream.put(1500, 500)
        wait_until(lambda: journal.seen() >= put)
        wait_until(lambda: sorted(Counter(stream.owners().values()).values()) == [1, 1])
    assert journal.seen() == put
    started = [shard for shard, event in journal.events if event == "initialize"]
    merged = "shardId-000000000004"
    assert set(started) == {SHARD_0, SHARD_1, SHARD_2, SHARD_3, merged}
    for parent, child in [(SHARD_0, SHARD_2), (SHARD_0, SHARD_3), (SHARD_3, merged)]:
        ended = journal.events.index((parent, "shard_ended"))
        assert ended < journal.events.index((child, "initialize"))
    for run in journal.runs:
        assert run == sorted(run, key=lambda record: record.position)


def test_a_graceful_end_checkpoints_and_gives_the_leases_back(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    put = stream.put(0, 10)
    with stream.worker("a", lambda: Recorder(journal)):
        wait_until(lambda: journal.seen() == put)
    lease = stream.lease(SHARD_0)
    assert lease.lease_owner is None
    last = journal.records[SHARD_0][-1]
    assert lease.checkpoint.sequence_number == last.sequence_number
    assert journal.of(SHARD_0) == ["initialize", "shutdown_requested", "lease_lost"]


def test_the_next_worker_begins_behind_the_checkpoint(engine: EngineUnderTest) -> None:
    stream, first, second = StreamUnderTest(engine, 1), Journal(), Journal()
    before = stream.put(0, 10)
    with stream.worker("a", lambda: Recorder(first)):
        wait_until(lambda: first.seen() == before)
    after = stream.put(10, 10)
    with stream.worker("b", lambda: Recorder(second)):
        wait_until(lambda: second.seen() >= after)
    assert second.seen() == after


def test_a_worker_that_vanishes_is_replaced_within_the_failover_time(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 2), Journal()
    with stream.worker("a", lambda: Recorder(journal, checkpoints=False)) as vanishing:
        wait_until(lambda: set(stream.owners().values()) == {"a"})
        vanishing.shutdown(graceful=False)
        assert vanishing.join(30)
        assert set(stream.owners().values()) == {"a"}, "nothing clears the owner"
        put = stream.put(0, 100)
        with stream.worker("b", lambda: Recorder(journal)):
            wait_until(lambda: journal.seen() == put)
            assert set(stream.owners().values()) == {"b"}
            assert stream.lease(SHARD_0).owner_switches_since_checkpoint <= 1


def test_a_worker_with_its_own_name_goes_on_at_once_after_a_restart(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    slow = replace(LOCAL, failover_time_millis=600_000)
    with stream.worker("a", lambda: Recorder(journal), slow) as first:
        wait_until(lambda: set(stream.owners().values()) == {"a"})
        first.shutdown(graceful=False)
        assert first.join(30)
    put = stream.put(0, 10)
    with stream.worker("a", lambda: Recorder(journal), slow):
        wait_until(lambda: journal.seen() == put)


def test_an_error_of_the_processor_stops_the_shard_and_skips_nothing(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 2), Journal()
    put = stream.put(0, 200)
    poison = b"record-000100"
    with stream.worker("a", lambda: Recorder(journal, lambda r: r.data == poison)) as worker:
        failed = wait_until(worker.failed_shards)
        (shard_id,) = failed
        wait_until(lambda: len(journal.seen()) > 0)
    assert "cannot digest" in str(failed[shard_id])
    assert poison not in journal.seen()
    with stream.worker("b", lambda: Recorder(journal)):
        wait_until(lambda: journal.seen() == put)


def test_a_lease_that_a_peers_leader_gives_away_is_finished_and_handed_over(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    put = stream.put(0, 10)
    with stream.worker("a", lambda: Recorder(journal, checkpoints=False)):
        wait_until(lambda: journal.seen() == put)
        # What KCL 3.x's leader writes: https://github.com/awslabs/amazon-kinesis-client
        stream.dynamodb.update_item(
            TableName=stream.application,
            Key={"leaseKey": {"S": SHARD_0}},
            UpdateExpression="SET leaseOwner = :new, checkpointOwner = :old",
            ExpressionAttributeValues={":new": {"S": "peer"}, ":old": {"S": "a"}},
        )
        wait_until(lambda: "lease_lost" in journal.of(SHARD_0))
        lease = stream.lease(SHARD_0)
        assert (lease.lease_owner, lease.checkpoint_owner) == ("peer", None)
        assert journal.of(SHARD_0) == ["initialize", "shutdown_requested", "lease_lost"]


def test_an_expired_iterator_is_replaced_behind_the_last_record(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    before = stream.put(0, 10)
    lazy = replace(LOCAL, idle_time_between_reads_in_millis=1_000)
    with stream.worker("a", lambda: Recorder(journal), lazy):
        wait_until(lambda: journal.seen() == before)
        engine.advance_clock(6 * 60)
        after = stream.put(10, 10)
        wait_until(lambda: journal.seen() == before | after)
    assert len(journal.records[SHARD_0]) == 20


def test_user_records_are_unpacked_and_checkpointed_one_by_one(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    users = [AggregatedUserRecord(f"key-{n}", b"user-%d" % n) for n in range(5)]
    stream.kinesis.put_record(StreamName=stream.name, Data=pack(users), PartitionKey="a")
    with stream.worker("a", lambda: Recorder(journal)):
        wait_until(lambda: len(journal.seen()) == 5)
    records = journal.records[SHARD_0]
    assert [record.sub_sequence_number for record in records] == [0, 1, 2, 3, 4]
    assert stream.lease(SHARD_0).checkpoint == records[-1].position


def test_latest_reads_only_what_comes_after_the_start(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    stream.put(0, 10)
    settings = replace(LOCAL, initial_position_in_stream=LATEST)
    with stream.worker("a", lambda: Recorder(journal), settings) as worker:
        wait_until(lambda: SHARD_0 in worker.progress().shards)
        wait_until(lambda: worker.progress().shards[SHARD_0].millis_behind_latest is not None)
        put = stream.put(10, 10)
        wait_until(lambda: journal.seen() >= put)
    assert journal.seen() == put


def test_a_stream_that_does_not_exist_is_named(engine: EngineUnderTest) -> None:
    client = engine.client("kinesis")
    scheduler = Scheduler(
        "app-of-nothing", "nothing", client, engine.client("dynamodb"), lambda: Recorder(Journal())
    )
    with pytest.raises(StreamNotFound, match="'nothing' does not exist"):
        scheduler.run()
