"""Contract: creating, describing, listing, changing and deleting streams."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.contract.kinesis.conftest import Streams
from tests.waiting import wait_until

MAX_HASH_KEY = str(2**128 - 1)


def test_a_provisioned_stream_covers_all_hash_keys_evenly(streams: Streams) -> None:
    shards = streams.shards(streams.create(4))

    ranges = [
        (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
        for s in shards
    ]
    assert [s["ShardId"] for s in shards] == [f"shardId-{i:012d}" for i in range(4)]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 2**128 - 1
    assert all(left[1] + 1 == right[0] for left, right in pairwise(ranges))
    assert {end - start + 1 for start, end in ranges} == {2**126}


def test_a_stream_without_a_shard_count_has_four_shards(streams: Streams) -> None:
    assert len(streams.shards(streams.create(None))) == 4


def test_an_on_demand_stream_has_four_shards(streams: Streams) -> None:
    name = streams.create(None, StreamModeDetails={"StreamMode": "ON_DEMAND"})

    summary = streams.summary(name)
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert summary["OpenShardCount"] == 4


def test_a_summary_has_what_aws_says_of_a_new_stream(streams: Streams) -> None:
    name = streams.create(2)

    summary = streams.summary(name)

    arn = summary["StreamARN"].split(":")
    assert [*arn[:3], arn[5]] == ["arn", "aws", "kinesis", f"stream/{name}"]
    assert summary["StreamStatus"] == "ACTIVE"
    assert summary["RetentionPeriodHours"] == 24
    assert summary["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert summary["EncryptionType"] == "NONE"
    assert summary["OpenShardCount"] == 2
    assert summary["ConsumerCount"] == 0
    assert summary["MaxRecordSizeInKiB"] == 1024


def test_a_stream_can_be_named_by_arn(streams: Streams) -> None:
    name = streams.create()
    arn = streams.summary(name)["StreamARN"]

    described = streams.client.describe_stream(StreamARN=arn)["StreamDescription"]

    assert described["StreamName"] == name
    put = streams.client.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
    assert put["ShardId"] == "shardId-000000000000"


def test_describe_stream_pages_its_shards(streams: Streams) -> None:
    name = streams.create(5)

    first = streams.client.describe_stream(StreamName=name, Limit=2)["StreamDescription"]
    second = streams.client.describe_stream(
        StreamName=name, Limit=3, ExclusiveStartShardId=first["Shards"][-1]["ShardId"]
    )["StreamDescription"]

    assert first["HasMoreShards"] is True
    assert second["HasMoreShards"] is False
    ids = [shard["ShardId"] for shard in first["Shards"] + second["Shards"]]
    assert ids == [f"shardId-{i:012d}" for i in range(5)]


def test_list_streams_pages_by_token_alone(streams: Streams) -> None:
    mine = {streams.create() for _ in range(3)}

    names: list[str] = []
    answer = streams.client.list_streams(Limit=1)
    names += answer["StreamNames"]
    while answer["HasMoreStreams"]:
        answer = streams.client.list_streams(NextToken=answer["NextToken"], Limit=1)
        names += answer["StreamNames"]
        assert [s["StreamName"] for s in answer["StreamSummaries"]] == answer["StreamNames"]

    assert mine <= set(names)
    assert names == sorted(names)


def test_a_second_stream_of_the_same_name_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()

    error = refused(streams.client.create_stream, StreamName=name, ShardCount=1)

    assert error["Code"] == "ResourceInUseException"
    assert error["Message"].startswith(f"Stream {name} under account ")
    assert error["Message"].endswith(" already exists.")


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("describe_stream", {}),
        ("describe_stream_summary", {}),
        ("delete_stream", {}),
        ("list_tags_for_stream", {}),
        ("put_record", {"Data": b"x", "PartitionKey": "k"}),
        ("put_records", {"Records": [{"Data": b"x", "PartitionKey": "k"}]}),
        ("list_shards", {}),
        ("update_shard_count", {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}),
    ],
)
def test_a_stream_that_is_not_there_is_not_found(
    streams: Streams,
    refused: Callable[..., dict[str, str]],
    operation: str,
    more: dict[str, Any],
) -> None:
    error = refused(getattr(streams.client, operation), StreamName="no-such-stream", **more)

    assert error["Code"] == "ResourceNotFoundException"
    assert error["Message"].startswith("Stream no-such-stream under account ")
    assert error["Message"].endswith(" not found.")


def test_a_deleted_stream_is_gone_after_a_while(streams: Streams) -> None:
    name = streams.create()

    streams.client.delete_stream(StreamName=name)

    wait_until(lambda: name not in streams.client.list_streams()["StreamNames"], streams.patience)


def test_a_stream_of_the_same_name_starts_anew(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, "old")
    streams.client.delete_stream(StreamName=name)
    wait_until(lambda: name not in streams.client.list_streams()["StreamNames"], streams.patience)
    streams.client.create_stream(StreamName=name, ShardCount=1)
    streams.settle(name)

    streams.put(name, "new")

    assert [r["Data"] for r in streams.read(name, streams.shard_id(name), 1)] == [b"new"]


def test_a_stream_with_consumers_is_deleted_only_when_told(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()
    arn = streams.summary(name)["StreamARN"]
    streams.client.register_stream_consumer(StreamARN=arn, ConsumerName="reader")

    error = refused(streams.client.delete_stream, StreamName=name)

    assert error["Code"] == "ResourceInUseException"
    streams.client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


def test_the_retention_can_be_made_longer_and_shorter(streams: Streams) -> None:
    name = streams.create()

    streams.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    streams.settle(name)
    assert streams.summary(name)["RetentionPeriodHours"] == 48
    streams.client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    streams.settle(name)
    assert streams.summary(name)["RetentionPeriodHours"] == 24


@pytest.mark.parametrize(
    ("operation", "hours", "message"),
    [
        (
            "increase_stream_retention_period",
            23,
            "Minimum allowed retention period is 24 hours. "
            "Requested retention period (23 hours) is too short.",
        ),
        (
            "increase_stream_retention_period",
            8761,
            "Maximum allowed retention period is 8760 hours. "
            "Requested retention period (8761 hours) is too long.",
        ),
        (
            "decrease_stream_retention_period",
            25,
            "Requested retention period (25 hours) for stream {name} can not be longer than "
            "existing retention period (24 hours). Use IncreaseRetentionPeriod API.",
        ),
    ],
)
def test_a_retention_outside_the_rules_is_refused(
    streams: Streams,
    refused: Callable[..., dict[str, str]],
    operation: str,
    hours: int,
    message: str,
) -> None:
    name = streams.create()

    error = refused(getattr(streams.client, operation), StreamName=name, RetentionPeriodHours=hours)

    assert error == {"Code": "InvalidArgumentException", "Message": message.format(name=name)}


def test_encryption_is_echoed(streams: Streams) -> None:
    name = streams.create()

    streams.client.start_stream_encryption(
        StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    streams.settle(name)

    summary = streams.summary(name)
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", "alias/aws/kinesis")
    put = streams.client.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    assert put["EncryptionType"] == "KMS"
    [record] = streams.read(name, put["ShardId"], 1)
    assert record["EncryptionType"] == "KMS"


def test_shard_level_metrics_are_switched_on_and_off(streams: Streams) -> None:
    name = streams.create()

    on = streams.client.enable_enhanced_monitoring(
        StreamName=name, ShardLevelMetrics=["IncomingBytes", "OutgoingBytes"]
    )
    streams.settle(name)
    off = streams.client.disable_enhanced_monitoring(
        StreamName=name, ShardLevelMetrics=["IncomingBytes"]
    )
    streams.settle(name)

    assert on["CurrentShardLevelMetrics"] == []
    assert set(on["DesiredShardLevelMetrics"]) == {"IncomingBytes", "OutgoingBytes"}
    assert off["DesiredShardLevelMetrics"] == ["OutgoingBytes"]
    assert streams.summary(name)["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["OutgoingBytes"]}]


def test_a_stream_changes_between_provisioned_and_on_demand(streams: Streams) -> None:
    name = streams.create(2)

    streams.client.update_stream_mode(
        StreamARN=streams.summary(name)["StreamARN"],
        StreamModeDetails={"StreamMode": "ON_DEMAND"},
    )
    streams.settle(name)

    assert streams.summary(name)["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}


def test_an_on_demand_stream_cannot_be_resharded_by_hand(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create(None, StreamModeDetails={"StreamMode": "ON_DEMAND"})

    error = refused(
        streams.client.update_shard_count,
        StreamName=name,
        TargetShardCount=5,
        ScalingType="UNIFORM_SCALING",
    )

    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith(f"Request is invalid. Stream {name} under account ")
    assert error["Message"].endswith(" is in On-Demand mode.")


def test_the_largest_record_size_can_be_changed(streams: Streams) -> None:
    name = streams.create()

    streams.client.update_max_record_size(
        StreamARN=streams.summary(name)["StreamARN"], MaxRecordSizeInKiB=2048
    )
    streams.settle(name)

    assert streams.summary(name)["MaxRecordSizeInKiB"] == 2048
    streams.client.put_record(StreamName=name, Data=bytes(2_000_000), PartitionKey="k")


def test_limits_count_open_shards(streams: Streams) -> None:
    streams.create(3)

    limits = streams.client.describe_limits()

    assert 3 <= limits["OpenShardCount"] <= limits["ShardLimit"]
    assert limits["OnDemandStreamCountLimit"] > 0


def test_tags_are_added_listed_in_pages_and_removed(streams: Streams) -> None:
    name = streams.create(Tags={"team": "web"})

    streams.client.add_tags_to_stream(StreamName=name, Tags={"cost": "low", "stage": ""})
    first = streams.client.list_tags_for_stream(StreamName=name, Limit=2)
    second = streams.client.list_tags_for_stream(
        StreamName=name, ExclusiveStartTagKey=first["Tags"][-1]["Key"]
    )
    streams.client.remove_tags_from_stream(StreamName=name, TagKeys=["cost", "stage"])
    left = streams.client.list_tags_for_stream(StreamName=name)

    assert first["HasMoreTags"] is True
    assert [t["Key"] for t in first["Tags"] + second["Tags"]] == ["cost", "stage", "team"]
    assert left["Tags"] == [{"Key": "team", "Value": "web"}]


def test_the_resource_interface_shows_the_same_tags(streams: Streams) -> None:
    name = streams.create()
    arn = streams.summary(name)["StreamARN"]

    streams.client.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    streams.client.untag_resource(ResourceARN=arn, TagKeys=["a"])

    assert streams.client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "b", "Value": "2"}
    ]
    assert streams.client.list_tags_for_stream(StreamName=name)["Tags"] == [
        {"Key": "b", "Value": "2"}
    ]


def test_a_resource_policy_is_kept_and_deleted(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    arn = streams.summary(streams.create())["StreamARN"]
    policy = '{"Version": "2012-10-17", "Statement": []}'

    streams.client.put_resource_policy(ResourceARN=arn, Policy=policy)
    kept = streams.client.get_resource_policy(ResourceARN=arn)["Policy"]
    streams.client.delete_resource_policy(ResourceARN=arn)

    assert kept == policy
    error = refused(streams.client.delete_resource_policy, ResourceARN=arn)
    assert error["Code"] == "ResourceNotFoundException"
