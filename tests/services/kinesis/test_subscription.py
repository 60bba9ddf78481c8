"""SubscribeToShard without HTTP: what is pushed, when it ends, who may subscribe."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis.arn import Caller as Place
from services.kinesis.errors import KinesisError
from services.kinesis.subscription import Subscription, subscribe
from tests.services.kinesis.conftest import ACCOUNT, REGION, Caller
from tests.waiting import wait_until

SHARD = "shardId-000000000000"


def open_subscription(
    call: Caller, consumer: str = "reader", shard_id: str = SHARD, **position: Any
) -> Subscription:
    arn = call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    described = call("DescribeStreamConsumer", StreamARN=arn, ConsumerName=consumer)
    request = {
        "ConsumerARN": described["ConsumerDescription"]["ConsumerARN"],
        "ShardId": shard_id,
        "StartingPosition": position or {"Type": "TRIM_HORIZON"},
    }
    return subscribe(call.kinesis, Place(ACCOUNT, REGION), request)


@pytest.fixture
def with_consumers(call: Caller) -> Caller:
    call("CreateStream", StreamName="s", ShardCount=1)
    arn = call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    for name in ("reader", "other"):
        call("RegisterStreamConsumer", StreamARN=arn, ConsumerName=name)
    return call


class Pushed:
    """The events of a subscription that runs in a thread of its own."""

    def __init__(self, subscription: Subscription) -> None:
        self.events: list[dict[str, Any]] = []
        self.subscription = subscription
        self.thread = threading.Thread(target=subscription.run, args=(self.events.append,))
        self.thread.start()

    def keys(self) -> list[str]:
        return [r["PartitionKey"] for event in list(self.events) for r in event["Records"]]

    def end(self) -> None:
        self.subscription.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()


def put(call: Caller, *keys: str) -> None:
    records = [{"Data": b"x", "PartitionKey": key} for key in keys]
    call("PutRecords", StreamName="s", Records=records)


def test_records_are_pushed_as_they_come(with_consumers: Caller) -> None:
    put(with_consumers, "a")
    pushed = Pushed(open_subscription(with_consumers))
    wait_until(lambda: pushed.keys() == ["a"])
    put(with_consumers, "b", "c")
    wait_until(lambda: pushed.keys() == ["a", "b", "c"])
    pushed.end()

    event = next(e for e in pushed.events if e["Records"])
    assert event["ContinuationSequenceNumber"] == event["Records"][-1]["SequenceNumber"]
    assert event["MillisBehindLatest"] == 0


def test_the_first_event_comes_at_once_and_can_be_continued_after(with_consumers: Caller) -> None:
    pushed = Pushed(open_subscription(with_consumers, Type="LATEST"))
    wait_until(lambda: pushed.events)
    pushed.end()
    number = pushed.events[0]["ContinuationSequenceNumber"]
    put(with_consumers, "a")

    again = Pushed(
        open_subscription(
            with_consumers, "other", Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=number
        )
    )

    wait_until(lambda: again.keys() == ["a"])
    again.end()


def test_a_closed_shard_ends_its_subscription(with_consumers: Caller) -> None:
    put(with_consumers, "a")
    pushed = Pushed(open_subscription(with_consumers))
    wait_until(lambda: pushed.keys())

    with_consumers("SplitShard", StreamName="s", ShardToSplit=SHARD, NewStartingHashKey=str(2**127))
    pushed.thread.join(30)

    last = pushed.events[-1]
    assert [child["ShardId"] for child in last["ChildShards"]] == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]
    assert "ContinuationSequenceNumber" not in last


def test_a_second_subscription_is_refused_for_five_seconds_then_takes_over(
    with_consumers: Caller, clock: FixedClock
) -> None:
    pushed = Pushed(open_subscription(with_consumers))
    with pytest.raises(KinesisError, match="Another active subscription exists"):
        open_subscription(with_consumers)
    clock.advance(5)

    second = Pushed(open_subscription(with_consumers))

    pushed.thread.join(30)
    assert not pushed.thread.is_alive()
    second.end()


def test_a_subscription_ends_after_five_minutes(with_consumers: Caller, clock: FixedClock) -> None:
    pushed = Pushed(open_subscription(with_consumers))

    clock.advance(300)

    pushed.thread.join(30)
    assert not pushed.thread.is_alive()


def test_a_consumer_must_be_active(clock: FixedClock, with_consumers: Caller) -> None:
    with_consumers.kinesis.status_seconds = 1
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    with_consumers("RegisterStreamConsumer", StreamARN=arn, ConsumerName="new")

    with pytest.raises(KinesisError, match="is not ACTIVE"):
        open_subscription(with_consumers, "new")

    clock.advance(1)
    open_subscription(with_consumers, "new").stop()
