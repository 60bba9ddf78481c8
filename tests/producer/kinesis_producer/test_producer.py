"""The producer against the real engine."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from producer.kinesis_producer import (
    PLAIN,
    Configuration,
    KinesisProducer,
    ProducerClosed,
    ProducerFailed,
)
from producer.ledger import Ledger, read_ledger, summarize
from services.kinesis.aggregation import all_belong, unpack
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


@pytest.fixture
def kinesis(engine: EngineUnderTest) -> Any:
    return engine.client("kinesis")


def wait_until_active(kinesis: Any, name: str) -> None:
    def is_active() -> bool:
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return bool(summary["StreamStatus"] == "ACTIVE")

    wait_until(is_active)


@pytest.fixture
def stream(kinesis: Any) -> Iterator[Callable[[int], str]]:
    """Makes active streams, and deletes them afterwards."""
    made: list[str] = []

    def make(shards: int) -> str:
        name = f"producer-{uuid.uuid4().hex[:8]}"
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        wait_until_active(kinesis, name)
        made.append(name)
        return name

    yield make
    for name in made:
        kinesis.delete_stream(StreamName=name)


def stored(kinesis: Any, stream_name: str) -> list[tuple[str, bytes, str]]:
    """(shard, data, partition key) of every Kinesis record in the stream."""
    records = []
    for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream_name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator)
            for r in answer["Records"]:
                records.append((shard["ShardId"], r["Data"], r["PartitionKey"]))
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                break
            iterator = answer.get("NextShardIterator")
    return records


def user_data(kinesis: Any, stream_name: str) -> list[bytes]:
    """What a KCL hands to its processor, over all shards."""
    ranges = {
        s["ShardId"]: (
            int(s["HashKeyRange"]["StartingHashKey"]),
            int(s["HashKeyRange"]["EndingHashKey"]),
        )
        for s in kinesis.list_shards(StreamName=stream_name)["Shards"]
    }
    data: list[bytes] = []
    for shard_id, blob, _ in stored(kinesis, stream_name):
        packed = unpack(blob)
        if packed is None:
            data.append(blob)
        elif all_belong(packed, *ranges[shard_id]):
            data += [record.data for record in packed]
    return data


@pytest.mark.parametrize("configuration", [PLAIN, Configuration()], ids=["plain", "aggregated"])
def test_every_record_is_stored_once_and_in_the_ledger(
    kinesis: Any,
    stream: Callable[[int], str],
    tmp_path: Path,
    configuration: Configuration,
) -> None:
    name = stream(3)
    with (
        Ledger(tmp_path / "ledger", name) as ledger,
        KinesisProducer(kinesis, name, ledger=ledger, configuration=configuration) as producer,
    ):
        for n in range(2_000):
            producer.add(
                b"data-%d" % n, f"key-{n % 50}", event_id=f"e-{n}", amounts={"x": Decimal("0.1")}
            )
    assert Counter(user_data(kinesis, name)) == Counter(b"data-%d" % n for n in range(2_000))
    summary = summarize(tmp_path / "ledger")
    assert (summary.sent, summary.acknowledged, summary.in_doubt) == (2_000, 2_000, [])
    assert summary.amounts == {"x": Decimal("200.0")}
    shards = {e.shard_id for e in read_ledger(tmp_path / "ledger") if e.kind == "acknowledged"}
    assert shards == {shard for shard, _, _ in stored(kinesis, name)}


def test_aggregation_sends_few_kinesis_records(kinesis: Any, stream: Callable[[int], str]) -> None:
    name = stream(2)
    with KinesisProducer(kinesis, name) as producer:
        for n in range(1_000):
            producer.add(b"x" * 100, f"key-{n}")
    records = stored(kinesis, name)
    assert len(records) < 50
    assert {key for _, _, key in records} == {"a"}


def test_a_result_says_where_the_record_is(kinesis: Any, stream: Callable[[int], str]) -> None:
    name = stream(1)
    with KinesisProducer(kinesis, name) as producer:
        result = producer.add(b"hello", "key").wait(30)
    assert result.successful
    assert result.shard_id == "shardId-000000000000"
    assert [a.success for a in result.attempts] == [True]
    ((_, data, key),) = stored(kinesis, name)
    assert (data, key) == (b"hello", "key")


def test_an_explicit_hash_key_chooses_the_shard(kinesis: Any, stream: Callable[[int], str]) -> None:
    name = stream(2)
    with KinesisProducer(kinesis, name) as producer:
        for hash_key, shard_id in (("0", "shardId-000000000000"), (str(2**128 - 1), None)):
            result = producer.add(b"x", "same key", explicit_hash_key=hash_key).wait(30)
            assert result.shard_id == (shard_id or "shardId-000000000001")


def test_nothing_is_lost_while_the_stream_is_split_and_merged(
    kinesis: Any, stream: Callable[[int], str], tmp_path: Path
) -> None:
    name = stream(2)
    total = 6_000
    with (
        Ledger(tmp_path / "ledger") as ledger,
        KinesisProducer(
            kinesis, name, ledger=ledger, configuration=Configuration(record_ttl=None)
        ) as producer,
    ):
        for n in range(total):
            if n == 2_000:
                _reshard(kinesis, name, 4)
            elif n == 4_000:
                _reshard(kinesis, name, 2)
            producer.add(b"data-%d" % n, f"key-{n}", event_id=str(n))
    assert set(user_data(kinesis, name)) == {b"data-%d" % n for n in range(total)}
    assert summarize(tmp_path / "ledger").acknowledged == total


def _reshard(kinesis: Any, name: str, shards: int) -> None:
    kinesis.update_shard_count(
        StreamName=name, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
    )
    wait_until(
        lambda: (
            kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"][
                "StreamStatus"
            ]
            == "ACTIVE"
        )
    )


def test_many_threads_may_add(kinesis: Any, stream: Callable[[int], str]) -> None:
    name = stream(1)
    small = Configuration(max_buffered_bytes=50_000)
    with KinesisProducer(kinesis, name, configuration=small) as producer:

        def add(thread: int) -> None:
            for n in range(300):
                producer.add(b"%d-%d" % (thread, n), "key")

        threads = [threading.Thread(target=add, args=(t,)) for t in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(user_data(kinesis, name))) == 1_500


def test_add_waits_while_the_buffer_is_full(kinesis: Any, stream: Callable[[int], str]) -> None:
    name = stream(1)
    slow = Configuration(max_buffered_bytes=5_000, record_max_buffered_time=60_000)
    with KinesisProducer(kinesis, name, configuration=slow) as producer:
        entered = threading.Event()

        def add() -> None:
            for _ in range(20):
                producer.add(b"x" * 500, "key")
            entered.set()

        thread = threading.Thread(target=add)
        thread.start()
        wait_until(lambda: producer.outstanding_records_count == 4)
        assert not entered.wait(0.2)
        wait_until(lambda: producer.flush(5) and entered.is_set())
        thread.join()
    assert len(user_data(kinesis, name)) == 20


def test_a_stream_that_does_not_exist_is_told_at_once(kinesis: Any) -> None:
    with pytest.raises(ClientError) as caught:
        KinesisProducer(kinesis, "no-such-stream")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_record_of_a_deleted_stream_is_given_up_with_aws_words(
    kinesis: Any, tmp_path: Path
) -> None:
    with (
        Ledger(tmp_path / "ledger") as ledger,
        KinesisProducer(kinesis, "no-such-stream", ledger=ledger, configuration=PLAIN) as producer,
    ):
        result = producer.add(b"x", "key", event_id="e-1").wait(30)
    assert not result.successful
    assert result.attempts[-1].error_code == "ResourceNotFoundException"
    summary = summarize(tmp_path / "ledger")
    assert (summary.given_up, summary.in_doubt) == (1, [])


def test_without_an_engine_records_expire(kinesis: Any, engine: EngineUnderTest) -> None:
    nobody = engine._session.client("kinesis", endpoint_url="http://127.0.0.1:9")
    brief = Configuration(record_ttl=300, aggregation_enabled=False, rate_limit=None)
    with KinesisProducer(nobody, "any", configuration=brief) as producer:
        result = producer.add(b"x", "key").wait(60)
    assert result.attempts[0].error_code == "EndpointConnectionError"
    assert result.attempts[-1].error_code == "Expired"


def test_a_ledger_that_cannot_be_written_stops_the_producer_with_the_reason(
    kinesis: Any, stream: Callable[[int], str], tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger")
    producer = KinesisProducer(kinesis, stream(1), ledger=ledger)
    ledger.close()
    producer.add(b"x", "key", event_id="e-1")
    with pytest.raises(ProducerFailed, match="stopped: "):
        producer.flush(30)
    with pytest.raises(ProducerFailed):
        producer.add(b"x", "key", event_id="e-2")
    with pytest.raises(ProducerFailed):
        producer.close()


def test_a_closed_producer_takes_nothing_and_leaves_no_thread(
    kinesis: Any, stream: Callable[[int], str]
) -> None:
    name = stream(1)
    producer = KinesisProducer(kinesis, name)
    producer.add(b"x", "key")
    producer.close()
    producer.close()
    with pytest.raises(ProducerClosed, match="make a new one"):
        producer.add(b"x", "key")
    assert not [t for t in threading.enumerate() if t.name.startswith(name)]


def test_metrics_have_the_kpls_names_and_reach_cloudwatch(
    kinesis: Any, engine: EngineUnderTest, stream: Callable[[int], str]
) -> None:
    name, cloudwatch = stream(1), engine.client("cloudwatch")
    with KinesisProducer(kinesis, name, cloudwatch_client=cloudwatch) as producer:
        for n in range(10):
            producer.add(b"x" * 10, f"key-{n}")
    listed = cloudwatch.list_metrics(
        Namespace="KinesisProducerLibrary",
        Dimensions=[{"Name": "StreamName", "Value": name}],
    )["Metrics"]
    names = {m["MetricName"] for m in listed}
    assert {"UserRecordsReceived", "UserRecordsPut", "KinesisRecordsPut", "BufferingTime"} <= names


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"partition_key": ""}, "0 characters; it must have 1 to 256"),
        ({"partition_key": "k" * 257}, "257 characters"),
        ({"explicit_hash_key": str(2**128)}, "from 0 to 2\\^128 - 1"),
        ({"explicit_hash_key": "01"}, "'01' must be a decimal number"),
        ({"data": b"x" * 1_048_576}, "1048579 bytes with its partition key; at most 1048576"),
    ],
)
def test_what_kinesis_would_refuse_is_refused_at_once(
    kinesis: Any, arguments: dict[str, Any], text: str
) -> None:
    with (
        KinesisProducer(kinesis, "any", configuration=PLAIN) as producer,
        pytest.raises(ValueError, match=text),
    ):
        producer.add(**({"data": b"x", "partition_key": "key"} | arguments))
