"""Once a minute: metrics, on-demand scaling, retention."""

from __future__ import annotations

from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis import scaling
from services.kinesis.arn import Caller as Place
from services.kinesis.errors import KinesisError
from services.kinesis.housekeeping import Housekeeper
from services.kinesis.metrics import UNITS
from services.kinesis.request_shapes import METRICS
from services.kinesis.storage import MemoryStorage
from services.kinesis.subscription import Subscription, subscribe
from tests.services.kinesis.conftest import Caller, make


class CloudWatch:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[Place, list[dict[str, Any]]]] = []

    def __call__(self, place: Place, data: list[dict[str, Any]]) -> None:
        self.published.append((place, data))

    def statistics(self) -> dict[tuple[str, ...], dict[str, float]]:
        """By metric and shard id or consumer name."""
        return {
            (d["MetricName"], *(x["Value"] for x in d["Dimensions"][1:])): d["StatisticValues"]
            for _, data in self.published
            for d in data
        }

    def values(self) -> dict[tuple[str, ...], float]:
        """Their sums."""
        return {name: found["Sum"] for name, found in self.statistics().items()}


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
def housekeeper(call: Caller, cloudwatch: CloudWatch) -> Housekeeper:
    return Housekeeper(lambda: call.kinesis, cloudwatch)


def register(call: Caller) -> str:
    """A consumer's ARN."""
    stream = call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    answer = call("RegisterStreamConsumer", StreamARN=stream["StreamARN"], ConsumerName="reader")
    return str(answer["Consumer"]["ConsumerARN"])


def subscribe_to(call: Caller, consumer_arn: str) -> Subscription:
    request = {
        "ConsumerARN": consumer_arn,
        "ShardId": "shardId-000000000000",
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    }
    return subscribe(call.kinesis, Place(call.account_id, call.region), request)


def put(call: Caller, count: int, size: int = 10) -> None:
    for start in range(0, count, 500):
        keys = range(start, min(start + 500, count))
        records = [{"Data": bytes(size), "PartitionKey": f"{i:04d}"} for i in keys]
        call("PutRecords", StreamName="s", Records=records)


def test_a_stream_without_traffic_publishes_nothing(
    call: Caller, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)

    housekeeper.round()

    assert cloudwatch.published == []


def test_traffic_is_published_once_for_the_stream(
    call: Caller, clock: FixedClock, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, 3)
    call("PutRecord", StreamName="s", Data=b"x", PartitionKey="k")
    clock.advance(2)
    assert len(call.read("s", "shardId-000000000000")) == 4

    housekeeper.round()
    housekeeper.round()

    assert [place for place, _ in cloudwatch.published] == [Place("000000000000", "us-east-1")]
    values = cloudwatch.values()
    assert values[("IncomingRecords",)] == 4
    assert values[("IncomingBytes",)] == 3 * 14 + 2
    assert values[("PutRecords.TotalRecords",)] == 3
    assert values[("PutRecord.Success",)] == 1
    assert values[("PutRecord.Bytes",)] == 2
    assert values[("PutRecords.Bytes",)] == 3 * 14
    assert values[("PutRecords.ThrottledRecords",)] == 0
    assert values[("GetRecords.Records",)] == 4
    assert values[("GetRecords.IteratorAgeMilliseconds",)] == 2000
    assert values[("WriteProvisionedThroughputExceeded",)] == 0


def test_each_call_is_a_sample(
    call: Caller, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    for count in (3, 1, 2):
        put(call, count)

    housekeeper.round()

    found = cloudwatch.statistics()
    expected = {"SampleCount": 3, "Sum": 6, "Minimum": 1, "Maximum": 3}
    assert found[("IncomingRecords",)] == found[("PutRecords.TotalRecords",)] == expected
    latency = found[("PutRecords.Latency",)]
    assert latency["SampleCount"] == 3
    assert 0 < latency["Minimum"] <= latency["Maximum"] < 60_000


def test_a_success_is_a_share_of_the_calls(
    call: Caller, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    """AWS advises alarms on the averages of these."""
    call("CreateStream", StreamName="s", ShardCount=1)
    call.kinesis.shard_limits = True
    put(call, 1500)
    with pytest.raises(KinesisError, match="Rate exceeded"):
        call("PutRecord", StreamName="s", Data=b"x", PartitionKey="k")
    iterator = call.iterator("s", "shardId-000000000000", "LATEST")
    for _ in range(5):
        iterator = call("GetRecords", ShardIterator=iterator)["NextShardIterator"]
    with pytest.raises(KinesisError, match="Rate exceeded"):
        call("GetRecords", ShardIterator=iterator)

    housekeeper.round()

    found = cloudwatch.statistics()
    shares = {
        name: found[(name,)]["Sum"] / found[(name,)]["SampleCount"]
        for name in ("PutRecord.Success", "PutRecords.Success", "GetRecords.Success")
    }
    assert shares == {
        "PutRecord.Success": 0,
        "PutRecords.Success": pytest.approx(2 / 3),
        "GetRecords.Success": pytest.approx(5 / 6),
    }
    throttled = found[("ReadProvisionedThroughputExceeded",)]
    assert throttled == {"SampleCount": 6, "Sum": 1, "Minimum": 0, "Maximum": 1}
    refused = found[("WriteProvisionedThroughputExceeded",)]
    assert refused == {"SampleCount": 4, "Sum": 501, "Minimum": 0, "Maximum": 500}


def test_fan_out_is_published_for_its_consumer_and_its_shard(
    call: Caller, clock: FixedClock, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    call("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["ALL"])
    consumer = register(call)
    put(call, 3)
    clock.advance(2)
    subscription = subscribe_to(call, consumer)
    with pytest.raises(KinesisError, match="Another active subscription exists"):
        subscribe_to(call, consumer)
    events: list[dict[str, Any]] = []

    def push(event: dict[str, Any]) -> None:
        events.append(event)
        subscription.stop()

    subscription.run(push)
    housekeeper.round()

    values = cloudwatch.values()
    assert len(events) == 1
    assert {name[0]: value for name, value in values.items() if "reader" in name} == {
        "SubscribeToShard.Success": 1,
        "SubscribeToShard.RateExceeded": 1,
        "SubscribeToShardEvent.Bytes": 42,
        "SubscribeToShardEvent.Records": 3,
        "SubscribeToShardEvent.MillisBehindLatest": 0,
        "SubscribeToShardEvent.Success": 1,
    }
    assert cloudwatch.statistics()[("SubscribeToShard.Success", "reader")]["SampleCount"] == 2
    assert values[("OutgoingRecords", "shardId-000000000000")] == 3
    assert values[("OutgoingBytes", "shardId-000000000000")] == 42


def test_every_metric_of_aws_is_published(
    call: Caller, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    call("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["ALL"])
    subscription = subscribe_to(call, register(call))
    put(call, 1)
    call("PutRecord", StreamName="s", Data=b"x", PartitionKey="k")
    call.read("s", "shardId-000000000000")
    subscription.run(lambda _: subscription.stop())

    housekeeper.round()

    assert {name for name, *_ in cloudwatch.values()} == set(UNITS)
    shards = {name[0] for name in cloudwatch.values() if "shardId-000000000000" in name}
    assert shards == set(METRICS) - {"ALL"}


def test_shards_are_published_as_monitoring_says(
    call: Caller, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=2)
    call("EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=["IncomingRecords"])
    put(call, 40)

    housekeeper.round()

    values = cloudwatch.values()
    shards = {name[1]: value for name, value in values.items() if len(name) == 2}
    assert set(shards) == {"shardId-000000000000", "shardId-000000000001"}
    assert sum(shards.values()) == values[("IncomingRecords",)] == 40


def test_refused_records_are_counted(
    call: Caller, housekeeper: Housekeeper, cloudwatch: CloudWatch
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    call.kinesis.shard_limits = True
    put(call, 1200)

    housekeeper.round()

    values = cloudwatch.values()
    assert values[("WriteProvisionedThroughputExceeded",)] == 200
    assert values[("IncomingRecords",)] == 1000
    assert values[("PutRecords.ThrottledRecords",)] == 200
    assert values[("PutRecords.FailedRecords",)] == 0
    assert values[("PutRecords.SuccessfulRecords",)] == 1000
    assert values[("PutRecords.Bytes",)] == values[("IncomingBytes",)] == 14_000


def test_an_on_demand_stream_grows_with_its_traffic_and_shrinks_a_month_later(
    call: Caller, clock: FixedClock, housekeeper: Housekeeper
) -> None:
    call("CreateStream", StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})

    def open_shards() -> int:
        summary = call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
        return int(summary["OpenShardCount"])

    housekeeper.round()
    assert open_shards() == 4
    clock.advance(1)
    put(call, 3500)
    housekeeper.round()
    assert open_shards() == 7
    clock.advance(29 * 24 * 3600)
    housekeeper.round()
    assert open_shards() == 7
    clock.advance(2 * 24 * 3600)
    housekeeper.round()
    assert open_shards() == 4


def test_a_provisioned_stream_is_left_as_it_is(
    call: Caller, clock: FixedClock, housekeeper: Housekeeper
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    clock.advance(1)
    put(call, 5000)

    housekeeper.round()

    assert len(call.shards("s")) == 1


def test_expired_records_and_shards_leave_the_storage(clock: FixedClock) -> None:
    storage = MemoryStorage()
    call = make(clock, storage)
    call("CreateStream", StreamName="s", ShardCount=1)
    put(call, 10)
    clock.advance(1)
    call(
        "SplitShard",
        StreamName="s",
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey=str(2**127),
    )
    clock.advance(24 * 3600)

    Housekeeper(lambda: call.kinesis, CloudWatch()).round()

    assert sorted(index for _, index in storage._folders) == [1, 2]
    again = make(clock, storage)
    assert len(again.shards("s")) == 2


@pytest.mark.parametrize(
    ("bytes_per_second", "records_per_second", "expected"),
    [(0, 0, 4), (2 * 1024 * 1024, 0, 4), (2 * 1024 * 1024 + 1, 0, 5), (0, 2500, 5), (1e12, 0, 200)],
)
def test_a_stream_needs_shards_for_twice_its_traffic(
    bytes_per_second: float, records_per_second: float, expected: int
) -> None:
    assert scaling.shards_needed(bytes_per_second, records_per_second) == expected


def test_only_peaks_that_matter_are_remembered() -> None:
    peaks: list[scaling.Peak] = []
    for now, needed in enumerate((4, 9, 5, 7, 7)):
        peaks = scaling.remember(peaks, needed, now)

    assert peaks == [(1, 9), (4, 7)]
    assert scaling.target_shards(peaks, None) == 9
    assert scaling.target_shards([], 12) == 12
