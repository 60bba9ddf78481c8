"""Rules that the service model's documentation states in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis.errors import KinesisError
from tests.services.kinesis.conftest import Caller, make

SHARD = "shardId-000000000000"
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
ON_DEMAND = {"StreamMode": "ON_DEMAND"}


def refused(call: Caller, operation: str, **request: Any) -> tuple[str, str]:
    """The code and the message."""
    with pytest.raises(KinesisError) as raised:
        call(operation, **request)
    return raised.value.code, raised.value.message


def test_a_page_has_at_most_what_aws_gives(call: Caller) -> None:
    call("CreateStream", StreamName="s", ShardCount=1100)
    for number in range(105):
        call("CreateStream", StreamName=f"t{number:03d}", ShardCount=1)

    described = call("DescribeStream", StreamName="s", Limit=10_000)["StreamDescription"]
    shards = call("ListShards", StreamName="s", MaxResults=10_000)
    streams = call("ListStreams", Limit=10_000)

    assert (len(described["Shards"]), described["HasMoreShards"]) == (100, True)
    assert len(shards["Shards"]) == 1000
    assert len(call("ListShards", NextToken=shards["NextToken"])["Shards"]) == 100
    assert (len(streams["StreamNames"]), streams["HasMoreStreams"]) == (100, True)


def test_auto_takes_no_notice_of_keys(call: Caller) -> None:
    call(
        "CreateStream",
        StreamName="s",
        StreamModeDetails=ON_DEMAND,
        RecordDistributionStrategy="AUTO",
    )
    records = [{"Data": b"x", "PartitionKey": "k"}] * 400
    explicit = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "0"}] * 400

    for batch in (records, explicit, [{"Data": b"x"}] * 400):
        answer = call("PutRecords", StreamName="s", Records=batch)
        found = Counter(result["ShardId"] for result in answer["Records"])
        assert len(found) == 4
        assert min(found.values()) > 50


def test_auto_is_for_on_demand_streams(call: Caller) -> None:
    code, message = refused(
        call,
        "CreateStream",
        StreamName="s",
        ShardCount=1,
        RecordDistributionStrategy="AUTO",
    )
    assert (code, "stream s is in Provisioned mode" in message) == (
        "InvalidArgumentException",
        True,
    )
    call("CreateStream", StreamName="s", ShardCount=1)
    code, _ = refused(
        call,
        "UpdateStreamRecordDistributionStrategy",
        StreamARN=ARN,
        RecordDistributionStrategy="AUTO",
    )
    assert code == "InvalidArgumentException"


def test_a_stream_that_becomes_provisioned_goes_by_keys_again(call: Caller) -> None:
    call(
        "CreateStream",
        StreamName="s",
        StreamModeDetails=ON_DEMAND,
        RecordDistributionStrategy="AUTO",
    )

    call("UpdateStreamMode", StreamARN=ARN, StreamModeDetails={"StreamMode": "PROVISIONED"})

    records = [{"Data": b"x", "PartitionKey": "k"}] * 100
    answer = call("PutRecords", StreamName="s", Records=records)
    assert len({result["ShardId"] for result in answer["Records"]}) == 1


def test_encryption_is_kms(call: Caller) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)

    for operation in ("StartStreamEncryption", "StopStreamEncryption"):
        code, message = refused(
            call, operation, StreamName="s", EncryptionType="NONE", KeyId="alias/aws/kinesis"
        )
        assert code == "InvalidArgumentException"
        assert "NONE" in message


def test_a_consumers_names_must_not_contradict_each_other(call: Caller) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    for name in ("one", "two"):
        call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=name)
    described = call("DescribeStreamConsumer", StreamARN=ARN, ConsumerName="one")
    arn = described["ConsumerDescription"]["ConsumerARN"]

    all_three = {"StreamARN": ARN, "ConsumerName": "one", "ConsumerARN": arn}
    assert call("DescribeStreamConsumer", **all_three) == described
    for other in ({"ConsumerName": "two"}, {"StreamARN": ARN + "x"}):
        code, _ = refused(call, "DeregisterStreamConsumer", **(all_three | other))
        assert code == "InvalidArgumentException"


def test_an_account_with_on_demand_advantage_has_fifty_consumers(call: Caller) -> None:
    call("CreateStream", StreamName="s", StreamModeDetails=ON_DEMAND)
    for number in range(20):
        call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"c{number}")
    code, _ = refused(call, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c20")
    assert code == "LimitExceededException"

    call("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": "ENABLED"})

    for number in range(20, 50):
        call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"c{number}")
    code, _ = refused(call, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c50")
    assert code == "LimitExceededException"


def test_with_quotas_five_streams_and_five_consumers_are_created_at_a_time() -> None:
    clock = FixedClock()
    call = make(clock, shard_limits=True, status_seconds=10)
    call("CreateStream", StreamName="s", ShardCount=1)
    clock.advance(10)
    for number in range(5):
        call("CreateStream", StreamName=f"t{number}", ShardCount=1)
        call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"c{number}")

    sixth_stream = refused(call, "CreateStream", StreamName="t5", ShardCount=1)
    sixth_consumer = refused(call, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c5")

    assert [sixth_stream[0], sixth_consumer[0]] == ["LimitExceededException"] * 2
    clock.advance(10)
    call("CreateStream", StreamName="t5", ShardCount=1)
    call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c5")


def test_a_page_token_stands_alone(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="s", ShardCount=2)
    token = call("ListShards", StreamName="s", MaxResults=1)["NextToken"]

    for name, value in (
        ("ExclusiveStartShardId", SHARD),
        ("StreamCreationTimestamp", clock.now()),
    ):
        assert refused(call, "ListShards", NextToken=token, **{name: value}) == (
            "InvalidArgumentException",
            f"NextToken and {name} cannot be provided together.",
        )


def test_a_creation_tells_streams_of_one_name_apart(call: Caller, clock: FixedClock) -> None:
    earlier = clock.now()
    call("CreateStream", StreamName="s", ShardCount=1)
    call("DeleteStream", StreamName="s")
    clock.advance(10.5)
    call("CreateStream", StreamName="s", ShardCount=2)

    for operation, named in (
        ("ListShards", {"StreamName": "s"}),
        ("ListStreamConsumers", {"StreamARN": ARN}),
    ):
        code, _ = refused(call, operation, **named, StreamCreationTimestamp=earlier)
        assert code == "ResourceNotFoundException"
        call(operation, **named, StreamCreationTimestamp=clock.now())
        call(operation, **named, StreamCreationTimestamp=int(clock.now()))


def test_after_ten_mebibytes_a_shard_gives_nothing_for_five_seconds(clock: FixedClock) -> None:
    call = make(clock)
    call("CreateStream", StreamName="s", ShardCount=1)
    for _ in range(12):
        call("PutRecord", StreamName="s", Data=bytes(1_000_000), PartitionKey="k")
    call.kinesis.shard_limits = True
    iterator = call.iterator("s", SHARD, "TRIM_HORIZON")
    answer = call("GetRecords", ShardIterator=iterator)
    assert len(answer["Records"]) == 10

    clock.advance(4.7)
    code, _ = refused(call, "GetRecords", ShardIterator=answer["NextShardIterator"])
    assert code == "ProvisionedThroughputExceededException"
    clock.advance(0.3)
    assert len(call("GetRecords", ShardIterator=answer["NextShardIterator"])["Records"]) == 2
