"""Workers on the real engine: fan-out, several streams, re-created streams, metrics, health."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.kcl import LOCAL, Scheduler, SchedulerSettings
from consumers.kcl.extended_sequence_number import AT_TIMESTAMP
from consumers.kcl.health import HealthEndpoint
from scripts.bench.real_kcl import our_worker
from tests.conftest import EngineUnderTest
from tests.consumers.kcl.recording import Journal, Recorder
from tests.consumers.kcl.streams import StreamUnderTest
from tests.waiting import wait_until

SHARD_0 = "shardId-000000000000"
FANOUT = replace(LOCAL, retrieval_mode="FANOUT")


def test_fan_out_pushes_records_over_a_split_and_over_a_change_of_workers(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    put = stream.put(0, 300)
    with stream.worker("a", lambda: Recorder(journal), FANOUT):
        wait_until(lambda: journal.seen() == put)
        stream.split(SHARD_0)
        put |= stream.put(300, 300)
        wait_until(lambda: journal.seen() == put)
        assert journal.of(SHARD_0) == ["initialize", "shard_ended"]
    put |= stream.put(600, 100)
    with stream.worker("b", lambda: Recorder(journal), FANOUT):
        wait_until(lambda: journal.seen() == put)
    arn = stream.kinesis.describe_stream_summary(StreamName=stream.name)
    consumers = stream.kinesis.list_stream_consumers(
        StreamARN=arn["StreamDescriptionSummary"]["StreamARN"]
    )["Consumers"]
    assert [consumer["ConsumerName"] for consumer in consumers] == [stream.application]


def test_one_application_reads_several_streams_under_amazons_lease_keys(
    engine: EngineUnderTest,
) -> None:
    one, other, journal = StreamUnderTest(engine, 1), StreamUnderTest(engine, 2), Journal()
    put = one.put(0, 50) | other.put(50, 50)
    scheduler = Scheduler(
        one.application,
        [one.name, other.name],
        one.kinesis,
        one.dynamodb,
        lambda: Recorder(journal),
        worker_id="a",
        settings=LOCAL,
    )
    scheduler.start()
    try:
        wait_until(lambda: journal.seen() == put)
        keys = {lease.lease_key for lease in one.leases.list_leases()}
    finally:
        scheduler.shutdown()
        assert scheduler.join(60)
    summary = one.kinesis.describe_stream_summary(StreamName=one.name)["StreamDescriptionSummary"]
    epoch = int(summary["StreamCreationTimestamp"].timestamp())
    account = summary["StreamARN"].split(":")[4]
    assert f"{account}:{one.name}:{epoch}:{SHARD_0}" in keys
    assert len(keys) == 3


def test_a_stream_that_was_deleted_and_created_again_is_read_from_its_beginning(
    engine: EngineUnderTest,
) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    before = stream.put(0, 10)
    with stream.worker("a", lambda: Recorder(journal)):
        wait_until(lambda: journal.seen() == before)
    stream.create_again(1)
    after = stream.put(10, 10)
    quick = replace(LOCAL, leases_recovery_auditor_execution_frequency_millis=200)
    with stream.worker("a", lambda: Recorder(journal), quick):
        wait_until(lambda: journal.seen() == before | after)


@pytest.mark.parametrize("settings", [LOCAL, FANOUT], ids=["polling", "fan-out"])
def test_a_stream_that_is_created_again_under_its_worker_is_read_from_its_beginning(
    engine: EngineUnderTest, settings: SchedulerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    stream, journal = StreamUnderTest(engine, 2), Journal()
    before = stream.put(0, 20)
    quick = replace(settings, leases_recovery_auditor_execution_frequency_millis=200)
    with stream.worker("a", lambda: Recorder(journal), quick) as worker:
        wait_until(lambda: journal.seen() == before)
        stream.create_again(2)
        after = stream.put(20, 20)
        wait_until(lambda: journal.seen() == before | after, 60)
        wait_until(lambda: worker.health()["status"] == "healthy")
    assert "was deleted and created again" in caplog.text
    assert {e for _, e in journal.events} <= {
        "initialize",
        "lease_lost",
        "shutdown_requested",
    }, "a stream that is away ends no shard"


def test_a_worker_whose_clock_jumps_loses_nothing_and_recovers(
    engine: EngineUnderTest,
) -> None:
    stream, journal, offset = StreamUnderTest(engine, 2), Journal(), [0.0]
    reports: list[float] = []
    put = stream.put(0, 100)
    with stream.worker(
        "a",
        lambda: Recorder(journal),
        monotonic=lambda: time.monotonic() + offset[0],
        on_progress=lambda _: reports.append(offset[0]),
    ) as worker:
        wait_until(lambda: journal.seen() == put)
        for number, jump in enumerate((3600.0, -7200.0, 366 * 24 * 3600.0), 1):
            offset[0] += jump
            put = put | stream.put(100 * number, 100)
            wait_until(lambda wanted=put: journal.seen() == wanted)
            counters = _counters(stream)
            wait_until(lambda before=counters: _are_renewed(before, _counters(stream)))
            wait_until(lambda: worker.health()["status"] == "healthy")
            wait_until(lambda: reports[-1] == offset[0])
        assert worker.failed_shards() == {}


def _counters(stream: StreamUnderTest) -> dict[str, int]:
    return {lease.lease_key: lease.lease_counter for lease in stream.leases.list_leases()}


def _are_renewed(before: dict[str, int], now: dict[str, int]) -> bool:
    return all(now[key] > counter for key, counter in before.items())


def test_a_worker_that_was_frozen_goes_on_and_undoes_nothing_that_its_peer_did(
    engine: EngineUnderTest, tmp_path: Path
) -> None:
    """As when a laptop sleeps: to itself it seems to hold its leases still."""
    stream, journal = StreamUnderTest(engine, 2), Journal()
    put = stream.put(0, 200)
    worker = our_worker("frozen", engine.endpoint_url, stream.name, stream.application, tmp_path)
    with worker as frozen:
        wait_until(lambda: {datum.encode() for datum in frozen.seen()} == put)
        os.killpg(frozen.pid, signal.SIGSTOP)
        with stream.worker("peer", lambda: Recorder(journal)):
            wait_until(lambda: set(stream.owners().values()) == {"peer"})
            meanwhile = stream.put(200, 200)
            wait_until(lambda: journal.seen() >= meanwhile)
            before = {lease.lease_key: lease.checkpoint for lease in stream.leases.list_leases()}
            os.killpg(frozen.pid, signal.SIGCONT)
            wait_until(lambda: set(stream.owners().values()) == {"frozen", "peer"})
            after = stream.put(400, 200)
            wait_until(lambda: {d.encode() for d in frozen.seen()} | journal.seen() >= after)
            assert not any(stream.lease(key).checkpoint < at for key, at in before.items())


def test_reading_begins_at_a_timestamp(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    stream.put(0, 10)
    engine.advance_clock(60)
    seen = stream.put(10, 1)
    (arrived,) = (r["ApproximateArrivalTimestamp"] for r in _read(stream) if r["Data"] in seen)
    settings = replace(
        LOCAL, initial_position_in_stream=AT_TIMESTAMP, initial_position_timestamp=arrived
    )
    with stream.worker("a", lambda: Recorder(journal), settings):
        wait_until(lambda: journal.seen() == seen)
    assert arrived.astimezone(UTC) > datetime(2020, 1, 1, tzinfo=UTC)


def _read(stream: StreamUnderTest) -> list[dict[str, Any]]:
    iterator = stream.kinesis.get_shard_iterator(
        StreamName=stream.name, ShardId=SHARD_0, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[dict[str, Any]] = stream.kinesis.get_records(ShardIterator=iterator)["Records"]
    return records


def test_records_that_cannot_be_digested_go_to_the_dead_letter_stream(
    engine: EngineUnderTest,
) -> None:
    stream, dead, journal = StreamUnderTest(engine, 1), StreamUnderTest(engine, 1), Journal()
    put = stream.put(0, 50)
    poison = b"record-000017"
    settings = replace(
        LOCAL,
        on_processor_error="DEAD_LETTER",
        dead_letter_stream=dead.name,
        max_processor_retries=1,
        task_backoff_time_millis=10,
    )
    with stream.worker("a", lambda: Recorder(journal, lambda r: r.data == poison), settings):
        wait_until(lambda: journal.seen() == put - {poison})
        (letter,) = wait_until(lambda: _read(dead))
    document = json.loads(letter["Data"])
    assert document["data"] == poison.decode()
    assert "cannot digest" in document["reason"]
    assert document["shard_id"] == SHARD_0


def test_metrics_have_amazons_names_and_dimensions(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    cloudwatch = engine.client("cloudwatch")
    put = stream.put(0, 10)
    settings = replace(LOCAL, metrics_level="DETAILED", metrics_buffer_time_millis=200)
    with stream.worker("a", lambda: Recorder(journal), settings, cloudwatch=cloudwatch):
        wait_until(lambda: journal.seen() == put)
        wait_until(lambda: "CurrentLeases" in {m[0] for m in _metrics(cloudwatch, stream)})
    found = _metrics(cloudwatch, stream)
    assert ("RecordsProcessed", "Operation=ProcessTask", f"ShardId={SHARD_0}") in found
    assert ("TakenLeases", "Operation=TakeLeases", "WorkerIdentifier=a") in found
    assert ("CurrentLeases", "Operation=RenewAllLeases", "WorkerIdentifier=a") in found


def _metrics(cloudwatch: Any, stream: StreamUnderTest) -> set[tuple[str, ...]]:
    return {
        (m["MetricName"], *sorted(f"{d['Name']}={d['Value']}" for d in m["Dimensions"]))
        for m in cloudwatch.list_metrics(Namespace=stream.application)["Metrics"]
    }


def test_the_health_endpoint_tells_of_a_shard_that_stands_still(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    with stream.worker("a", lambda: Recorder(journal, lambda r: True)) as worker:
        endpoint = HealthEndpoint(worker.health)
        endpoint.start()
        try:
            wait_until(lambda: _health(endpoint.port)[0] == 200)
            assert _health(endpoint.port)[1]["leases_held"] == [SHARD_0]
            stream.put(0, 1)
            wait_until(lambda: _health(endpoint.port)[0] == 503)
            assert "stands still" in _health(endpoint.port)[1]["problems"][0]
        finally:
            endpoint.close()


def test_a_processor_that_hangs_makes_the_worker_unhealthy_until_it_returns(
    engine: EngineUnderTest,
) -> None:
    stream, journal, release = StreamUnderTest(engine, 1), Journal(), threading.Event()
    config = replace(LOCAL, processor_timeout_millis=100)
    put = stream.put(0, 1)
    with stream.worker(
        "a", lambda: Recorder(journal, lambda r: not release.wait(60)), settings=config
    ) as worker:
        wait_until(lambda: any("has been busy" in p for p in worker.health()["problems"]))
        assert worker.health()["leases_held"] == [SHARD_0], "a hanging call loses no lease"
        release.set()
        wait_until(lambda: worker.health()["status"] == "healthy")
        wait_until(lambda: journal.seen() == put)


def _health(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_leases_of_other_applications_streams_are_left_alone(engine: EngineUnderTest) -> None:
    stream, journal = StreamUnderTest(engine, 1), Journal()
    stream.leases.create_table()
    other = f"111122223333:other-{uuid.uuid4().hex[:8]}:1700000000"
    stream.dynamodb.put_item(
        TableName=stream.application,
        Item={
            "leaseKey": {"S": f"{other}:{SHARD_0}"},
            "leaseCounter": {"N": "5"},
            "checkpoint": {"S": "TRIM_HORIZON"},
            "streamName": {"S": other},
            "shardId": {"S": SHARD_0},
        },
    )
    put = stream.put(0, 10)
    with stream.worker("a", lambda: Recorder(journal)):
        wait_until(lambda: journal.seen() == put)
    foreign = stream.lease(f"{other}:{SHARD_0}")
    assert (foreign.lease_owner, foreign.lease_counter) == (None, 5)
