"""Contract: registered consumers and SubscribeToShard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.contract.kinesis.conftest import Streams
from tests.waiting import wait_until


def register(streams: Streams, name: str, consumer_name: str = "reader") -> str:
    """An ACTIVE consumer's ARN."""
    arn = streams.summary(name)["StreamARN"]
    consumer = streams.client.register_stream_consumer(StreamARN=arn, ConsumerName=consumer_name)
    consumer_arn = str(consumer["Consumer"]["ConsumerARN"])

    def status() -> str:
        answer = streams.client.describe_stream_consumer(ConsumerARN=consumer_arn)
        return str(answer["ConsumerDescription"]["ConsumerStatus"])

    wait_until(lambda: status() == "ACTIVE", streams.patience)
    return consumer_arn


@contextmanager
def subscription(
    streams: Streams, consumer_arn: str, shard_id: str, **position: Any
) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a shard."""
    stream = streams.client.subscribe_to_shard(
        ConsumerARN=consumer_arn, ShardId=shard_id, StartingPosition=position
    )["EventStream"]
    try:
        yield (event["SubscribeToShardEvent"] for event in stream)
    finally:
        stream.close()


def keys_of(events: Iterator[dict[str, Any]], wanted: int) -> list[str]:
    keys: list[str] = []
    for event in events:
        keys += [record["PartitionKey"] for record in event["Records"]]
        if len(keys) >= wanted:
            break
    return keys


def test_a_consumer_is_registered_described_listed_and_deregistered(streams: Streams) -> None:
    name = streams.create()
    arn = streams.summary(name)["StreamARN"]

    consumer_arn = register(streams, name)

    described = streams.client.describe_stream_consumer(StreamARN=arn, ConsumerName="reader")
    assert described["ConsumerDescription"]["ConsumerARN"] == consumer_arn
    assert described["ConsumerDescription"]["StreamARN"] == arn
    assert consumer_arn.startswith(f"{arn}/consumer/reader:")
    listed = streams.client.list_stream_consumers(StreamARN=arn)["Consumers"]
    assert [c["ConsumerARN"] for c in listed] == [consumer_arn]
    assert streams.summary(name)["ConsumerCount"] == 1
    streams.client.deregister_stream_consumer(ConsumerARN=consumer_arn)
    wait_until(
        lambda: streams.client.list_stream_consumers(StreamARN=arn)["Consumers"] == [],
        streams.patience,
    )


def test_a_consumers_name_is_unique_in_its_stream(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()
    register(streams, name)

    error = refused(
        streams.client.register_stream_consumer,
        StreamARN=streams.summary(name)["StreamARN"],
        ConsumerName="reader",
    )

    assert error["Code"] == "ResourceInUseException"


def test_a_consumer_that_is_not_there_is_not_found(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    arn = streams.summary(streams.create())["StreamARN"]

    error = refused(streams.client.describe_stream_consumer, StreamARN=arn, ConsumerName="nobody")

    assert error["Code"] == "ResourceNotFoundException"


def test_consumers_page_by_token(streams: Streams) -> None:
    name = streams.create()
    arn = streams.summary(name)["StreamARN"]
    for consumer_name in ("a", "b", "c"):
        register(streams, name, consumer_name)

    first = streams.client.list_stream_consumers(StreamARN=arn, MaxResults=2)
    second = streams.client.list_stream_consumers(StreamARN=arn, NextToken=first["NextToken"])

    found = [c["ConsumerName"] for c in first["Consumers"] + second["Consumers"]]
    assert found == ["a", "b", "c"]


def test_a_subscriber_gets_what_is_there_and_what_comes(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, "before")
    consumer_arn = register(streams, name)

    with subscription(streams, consumer_arn, streams.shard_id(name), Type="TRIM_HORIZON") as events:
        assert keys_of(events, 1) == ["before"]
        streams.put(name, "after")
        assert keys_of(events, 1) == ["after"]


def test_a_subscriber_goes_on_after_a_continuation_sequence_number(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, *"abc")
    consumer_arn, shard_id = register(streams, name), streams.shard_id(name)
    with subscription(streams, consumer_arn, shard_id, Type="TRIM_HORIZON") as events:
        number = next(e for e in events if e["Records"])["ContinuationSequenceNumber"]
    streams.put(name, *"de")
    other = register(streams, name, "other")

    with subscription(
        streams, other, shard_id, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=number
    ) as events:
        assert keys_of(events, 2) == ["d", "e"]


def test_a_subscription_ends_with_its_shard_and_names_the_children(streams: Streams) -> None:
    name = streams.create()
    streams.put(name, "a")
    consumer_arn = register(streams, name)
    with subscription(streams, consumer_arn, streams.shard_id(name), Type="TRIM_HORIZON") as events:
        keys_of(events, 1)
        streams.client.split_shard(
            StreamName=name,
            ShardToSplit="shardId-000000000000",
            NewStartingHashKey=str(2**127),
        )

        last = list(events)[-1]

    assert [child["ShardId"] for child in last["ChildShards"]] == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]


def test_a_second_subscription_at_once_is_refused(
    streams: Streams, refused: Callable[..., dict[str, str]]
) -> None:
    name = streams.create()
    consumer_arn, shard_id = register(streams, name), streams.shard_id(name)

    with subscription(streams, consumer_arn, shard_id, Type="LATEST"):
        error = refused(
            streams.client.subscribe_to_shard,
            ConsumerARN=consumer_arn,
            ShardId=shard_id,
            StartingPosition={"Type": "LATEST"},
        )

    assert error["Code"] == "ResourceInUseException"
