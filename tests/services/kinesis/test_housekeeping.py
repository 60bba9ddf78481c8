"""Once a minute: metrics, on-demand scaling, retention."""

from __future__ import annotations

from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis import scaling
from services.kinesis.arn import Caller as Place
from services.kinesis.housekeeping import Housekeeper
from services.kinesis.storage import MemoryStorage
from tests.services.kinesis.conftest import Caller, make


class CloudWatch:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[Place, list[dict[str, Any]]]] = []

    def __call__(self, place: Place, data: list[dict[str, Any]]) -> None:
        self.published.append((place, data))

    def values(self) -> dict[tuple[str, ...], float]:
        """By metric and shard id."""
        return {
            (d["MetricName"], *(x["Value"] for x in d["Dimensions"][1:])): d["Value"]
            for _, data in self.published
            for d in data
        }


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
def housekeeper(call: Caller, cloudwatch: CloudWatch) -> Housekeeper:
    return Housekeeper(lambda: call.kinesis, cloudwatch)


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
