"""Contract: splitting, merging and scaling without loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.kinesis.conftest import Streams

MIDDLE = str(2**127)


def split(streams: Streams, name: str, shard_id: str = "shardId-000000000000") -> None:
    streams.client.split_shard(StreamName=name, ShardToSplit=shard_id, NewStartingHashKey=MIDDLE)
    streams.settle(name)


def by_id(streams: Streams, name: str) -> dict[str, dict[str, Any]]:
    return {shard["ShardId"]: shard for shard in streams.shards(name)}


def test_a_split_closes_the_parent_and_opens_two_children(streams: Streams) -> None:
    name = streams.create()

    split(streams, name)

    shards = by_id(streams, name)
    parent, left, right = (shards[f"shardId-{i:012d}"] for i in range(3))
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert {left["ParentShardId"], right["ParentShardId"]} == {parent["ShardId"]}
    assert left["HashKeyRange"] == {
        "StartingHashKey": "0",
        "EndingHashKey": str(2**127 - 1),
    }
    assert right["HashKeyRange"] == {
        "StartingHashKey": MIDDLE,
        "EndingHashKey": str(2**128 - 1),
    }
    assert "EndingSequenceNumber" not in left["SequenceNumberRange"]
    assert streams.summary(name)["OpenShardCount"] == 2


def test_a_merge_has_both_parents(streams: Streams) -> None:
    name = streams.create(2)

    streams.client.merge_shards(
        StreamName=name,
        ShardToMerge="shardId-000000000000",
        AdjacentShardToMerge="shardId-000000000001",
    )
    streams.settle(name)

    child = by_id(streams, name)["shardId-000000000002"]
    assert child["ParentShardId"] == "shardId-000000000000"
    assert child["AdjacentParentShardId"] == "shardId-000000000001"
    assert child["HashKeyRange"] == {
        "StartingHashKey": "0",
        "EndingHashKey": str(2**128 - 1),
    }


def test_a_closed_parent_is_read_to_its_end_and_names_its_children(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, *"abc")
    split(streams, name)

    iterator: str | None = streams.iterator(name, "shardId-000000000000")
    keys, answer = [], {}
    for _ in range(50):
        if iterator is None:
            break
        answer = streams.client.get_records(ShardIterator=iterator)
        keys += [record["PartitionKey"] for record in answer["Records"]]
        iterator = answer.get("NextShardIterator")

    assert iterator is None
    assert keys == ["a", "b", "c"]
    assert [
        (child["ShardId"], child["ParentShards"], child["HashKeyRange"]["StartingHashKey"])
        for child in answer["ChildShards"]
    ] == [
        ("shardId-000000000001", ["shardId-000000000000"], "0"),
        ("shardId-000000000002", ["shardId-000000000000"], MIDDLE),
    ]


def test_puts_after_a_split_go_to_the_children(streams: Streams) -> None:
    name = streams.create()
    split(streams, name)

    results = streams.put(name, *(f"key-{i}" for i in range(50)))

    assert {r["ShardId"] for r in results} == {"shardId-000000000001", "shardId-000000000002"}


def test_the_last_record_of_a_parent_is_before_its_ending_sequence_number(
    streams: Streams,
) -> None:
    name = streams.create()
    last = streams.put(name, *"abc")[-1]["SequenceNumber"]

    split(streams, name)

    shards = by_id(streams, name)
    ending = shards["shardId-000000000000"]["SequenceNumberRange"]["EndingSequenceNumber"]
    assert int(last) < int(ending)


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2), (2, 3), (3, 2), (1, 2)])
def test_scaling_makes_even_shards_and_loses_nothing(
    streams: Streams, before: int, after: int
) -> None:
    name = streams.create(before)
    keys = {f"key-{i}" for i in range(60)}
    streams.put(name, *keys)

    answer = streams.client.update_shard_count(
        StreamName=name, TargetShardCount=after, ScalingType="UNIFORM_SCALING"
    )
    streams.settle(name)

    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (before, after)
    shards = streams.shards(name)
    widths = [
        int(s["HashKeyRange"]["EndingHashKey"]) - int(s["HashKeyRange"]["StartingHashKey"])
        for s in shards
        if "EndingSequenceNumber" not in s["SequenceNumberRange"]
    ]
    assert len(widths) == after
    assert max(widths) - min(widths) < after
    found = [
        record["PartitionKey"]
        for shard in shards
        for record in streams.client.get_records(
            ShardIterator=streams.iterator(name, shard["ShardId"])
        )["Records"]
    ]
    assert sorted(found) == sorted(keys)


@pytest.mark.parametrize(("count", "target"), [(1, 3), (4, 1)])
def test_scaling_by_more_than_a_factor_of_two_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]], count: int, target: int
) -> None:
    name = streams.create(count)

    error = refused(
        streams.client.update_shard_count,
        StreamName=name,
        TargetShardCount=target,
        ScalingType="UNIFORM_SCALING",
    )

    assert error["Code"] in {"InvalidArgumentException", "LimitExceededException"}
    assert streams.summary(name)["OpenShardCount"] == count


def test_a_closed_shard_cannot_be_split_again(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()
    split(streams, name)

    error = refused(
        streams.client.split_shard,
        StreamName=name,
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey=MIDDLE,
    )

    assert error["Code"] == "InvalidArgumentException"
    assert error["Message"].endswith(
        "has already been merged or split, and thus is not eligible for merging or splitting."
    )


def test_shards_that_are_not_adjacent_cannot_be_merged(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create(3)

    error = refused(
        streams.client.merge_shards,
        StreamName=name,
        ShardToMerge="shardId-000000000000",
        AdjacentShardToMerge="shardId-000000000002",
    )

    assert error["Code"] == "InvalidArgumentException"
    assert error["Message"].endswith("are not an adjacent pair of shards eligible for merging")


@pytest.mark.parametrize("at", ["0", "1", str(2**128 - 1)])
def test_a_split_outside_the_shard_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]], at: str
) -> None:
    name = streams.create()

    error = refused(
        streams.client.split_shard,
        StreamName=name,
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey=at,
    )

    assert error["Code"] == "InvalidArgumentException"
    assert error["Message"].startswith(f"NewStartingHashKey {at} used in SplitShard() on shard ")


def test_a_shard_that_is_not_there_cannot_be_split(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()

    error = refused(
        streams.client.split_shard,
        StreamName=name,
        ShardToSplit="shardId-000000000007",
        NewStartingHashKey=MIDDLE,
    )

    assert error["Code"] == "ResourceNotFoundException"
    assert error["Message"].startswith(
        f"Could not find shard shardId-000000000007 in stream {name} under account "
    )


def test_list_shards_pages_by_token_alone(streams: Streams) -> None:
    name = streams.create(5)

    answer = streams.client.list_shards(StreamName=name, MaxResults=2)
    ids = [shard["ShardId"] for shard in answer["Shards"]]
    while (token := answer.get("NextToken")) is not None and len(ids) < 10:
        answer = streams.client.list_shards(NextToken=token, MaxResults=2)
        ids += [shard["ShardId"] for shard in answer["Shards"]]

    assert ids == [f"shardId-{i:012d}" for i in range(5)]


def test_a_token_and_a_name_do_not_go_together(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create(2)
    token = streams.client.list_shards(StreamName=name, MaxResults=1)["NextToken"]

    error = refused(streams.client.list_shards, StreamName=name, NextToken=token)

    assert error == {
        "Code": "InvalidArgumentException",
        "Message": "NextToken and StreamName cannot be provided together.",
    }


@pytest.mark.parametrize(
    ("shard_filter", "expected"),
    [
        ({"Type": "AT_LATEST"}, [1, 2]),
        ({"Type": "AT_TRIM_HORIZON"}, [0]),
        ({"Type": "FROM_TRIM_HORIZON"}, [0, 1, 2]),
        ({"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000001"}, [2]),
    ],
)
def test_a_filter_means_exactly_its_shards(
    streams: Streams, shard_filter: dict[str, str], expected: list[int]
) -> None:
    name = streams.create()
    split(streams, name)

    shards = streams.shards(name, ShardFilter=shard_filter)

    assert [shard["ShardId"] for shard in shards] == [f"shardId-{i:012d}" for i in expected]
