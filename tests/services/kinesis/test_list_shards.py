"""Which shards each filter means, at the second."""

from __future__ import annotations

import pytest

from services.clock import FixedClock
from services.kinesis.errors import KinesisError
from services.kinesis.list_shards import ShardFilter, matching
from services.kinesis.shard import HashKeyRange, Shard
from tests.services.kinesis.conftest import Caller

ANY = HashKeyRange(0, 1)
#: 0 is split at 10 into 1 and 2, which are merged at 20 into 3.
SHARDS = [
    Shard(0, ANY, created_at=0, closed_at=10),
    Shard(1, ANY, created_at=10, closed_at=20, parent=0),
    Shard(2, ANY, created_at=10, closed_at=20, parent=0),
    Shard(3, ANY, created_at=20, parent=1, adjacent_parent=2),
]


@pytest.mark.parametrize(
    ("shard_filter", "horizon", "expected"),
    [
        (None, 0, "0123"),
        (ShardFilter("FROM_TRIM_HORIZON"), 15, "0123"),
        (ShardFilter("AT_LATEST"), 0, "3"),
        (ShardFilter("AT_TRIM_HORIZON"), 0, "0"),
        (ShardFilter("AT_TRIM_HORIZON"), 9.9, "0"),
        (ShardFilter("AT_TRIM_HORIZON"), 10, "12"),
        (ShardFilter("AT_TRIM_HORIZON"), 25, "3"),
        (ShardFilter("AFTER_SHARD_ID", "shardId-000000000001"), 0, "23"),
        (ShardFilter("AT_TIMESTAMP", timestamp=5), 0, "0"),
        (ShardFilter("AT_TIMESTAMP", timestamp=10), 0, "012"),
        (ShardFilter("AT_TIMESTAMP", timestamp=15), 0, "12"),
        (ShardFilter("AT_TIMESTAMP", timestamp=30), 0, "3"),
        (ShardFilter("FROM_TIMESTAMP", timestamp=5), 0, "0123"),
        (ShardFilter("FROM_TIMESTAMP", timestamp=15), 0, "123"),
        (ShardFilter("FROM_TIMESTAMP", timestamp=25), 0, "3"),
    ],
)
def test_a_filter_means_exactly_its_shards(
    shard_filter: ShardFilter | None, horizon: float, expected: str
) -> None:
    found = matching(SHARDS, shard_filter, horizon)

    assert "".join(str(shard.index) for shard in found) == expected


@pytest.mark.parametrize("kind", ["AT_TIMESTAMP", "FROM_TIMESTAMP", "AFTER_SHARD_ID"])
def test_a_filter_without_its_parameter_is_refused(call: Caller, kind: str) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)

    with pytest.raises(KinesisError, match="must be provided for ShardFilter type"):
        call("ListShards", StreamName="s", ShardFilter={"Type": kind})


def test_a_page_token_keeps_its_filter_and_expires(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="s", ShardCount=4)
    clock.advance(10)
    call(
        "SplitShard",
        StreamName="s",
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey=str(2**120),
    )
    first = call("ListShards", StreamName="s", ShardFilter={"Type": "AT_LATEST"}, MaxResults=2)
    clock.advance(300)

    second = call("ListShards", NextToken=first["NextToken"])

    ids = [shard["ShardId"] for shard in first["Shards"] + second["Shards"]]
    assert ids == [f"shardId-{i:012d}" for i in (1, 2, 3, 4, 5)]
    clock.advance(1)
    with pytest.raises(KinesisError) as raised:
        call("ListShards", NextToken=first["NextToken"])
    assert raised.value.code == "ExpiredNextTokenException"


def test_a_closed_shard_disappears_with_its_last_record(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    clock.advance(10)
    call(
        "SplitShard",
        StreamName="s",
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey=str(2**127),
    )
    clock.advance(24 * 3600 - 0.001)
    assert len(call.shards("s")) == 3

    clock.advance(0.001)

    assert [shard["ShardId"] for shard in call.shards("s")] == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]
