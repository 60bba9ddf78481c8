"""Reading a shard by subscriptions: how one follows on another, and what breaks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

from consumers.kcl.errors import ForeignCheckpoint
from consumers.kcl.extended_sequence_number import LATEST, TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.fan_out import FanOutSource, RegisteredConsumer
from consumers.kcl.retrieval import PrefetchQueue, ShardToRead
from consumers.kcl.settings import SchedulerSettings

SHARD = "shardId-000000000000"
CHILD = {
    "ShardId": "shardId-000000000001",
    "ParentShards": [SHARD],
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
}
WIDE = SchedulerSettings(max_pending_process_records_input=1_000)


def event(*numbers: int, following: str | None, children: Any = ()) -> dict[str, Any]:
    told: dict[str, Any] = {
        "Records": [{"SequenceNumber": str(n), "Data": b"x"} for n in numbers],
        "MillisBehindLatest": 0,
        "ContinuationSequenceNumber": following,
    }
    return {"SubscribeToShardEvent": told | ({"ChildShards": children} if children else {})}


def refused(code: str, kind: type[ClientError] = ClientError) -> ClientError:
    error = {"Error": {"Code": code, "Message": f"{code} was said"}}
    return kind(error, "SubscribeToShard")


class Events:
    """An event stream of botocore's: events, and an error where the script has one."""

    def __init__(self, script: list[Any]) -> None:
        self._script = script
        self.is_closed = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for one in self._script:
            if isinstance(one, Exception):
                raise one
            yield one

    def close(self) -> None:
        self.is_closed = True


class Kinesis:
    """AWS as far as fan-out asks it; each subscription follows the next script."""

    def __init__(self, *scripts: list[Any] | Exception) -> None:
        self._scripts = list(scripts)
        self.asked: list[dict[str, Any]] = []
        self.streams: list[Events] = []
        self.registered = 0
        self.statuses = ["ACTIVE"]

    def describe_stream_summary(self, **_: Any) -> Any:
        return {"StreamDescriptionSummary": {"StreamARN": "arn:stream"}}

    def register_stream_consumer(self, **_: Any) -> None:
        self.registered += 1

    def describe_stream_consumer(self, **_: Any) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        arn = f"arn:consumer:{self.registered}"
        return {"ConsumerDescription": {"ConsumerStatus": status, "ConsumerARN": arn}}

    def subscribe_to_shard(self, **asked: Any) -> Any:
        self.asked.append(asked)
        script = self._scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        self.streams.append(Events(script))
        return {"EventStream": self.streams[-1]}

    def get_paginator(self, _: str) -> Any:
        raise refused("ResourceNotFoundException")

    @property
    def positions(self) -> list[dict[str, Any]]:
        return [asked["StartingPosition"] for asked in self.asked]


def rounds(
    kinesis: Kinesis, count: int, start: str = TRIM_HORIZON
) -> tuple[list[str], list[float | None]]:
    """The numbers of all records that came, and the pauses."""
    position = ExtendedSequenceNumber(start)
    shard = ShardToRead(kinesis, "clicks", SHARD, position, WIDE)
    source = FanOutSource(shard, RegisteredConsumer(kinesis, "clicks", "app", lambda _: None))
    queue = PrefetchQueue(WIDE)
    pauses = [source.read_into(queue) for _ in range(count)]
    seen: list[str] = []
    while (batch := queue.get(0)) is not None:
        seen += [record["SequenceNumber"] for record in batch.records]
        if batch.is_shard_end:
            seen.append(f"end {[child.shard_id for child in batch.child_shards]}")
    return seen, pauses


@pytest.mark.parametrize(
    ("start", "position"),
    [
        (TRIM_HORIZON, {"Type": "TRIM_HORIZON"}),
        (LATEST, {"Type": "LATEST"}),
        ("7", {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}),
    ],
)
def test_the_first_subscription_begins_at_the_checkpoint(
    start: str, position: dict[str, str]
) -> None:
    kinesis = Kinesis([])
    rounds(kinesis, 1, start)
    assert kinesis.positions == [position]


def test_a_subscription_follows_on_where_the_last_one_ended_or_broke() -> None:
    kinesis = Kinesis(
        [event(1, 2, following="2"), event(following="5")],  # five minutes are over
        [event(6, following="6"), ProtocolError("the connection broke")],
        [event(7, following="7"), refused("InternalFailureException", EventStreamError)],
        refused("ResourceInUseException"),
        [event(8, following=None, children=[CHILD])],
    )
    seen, pauses = rounds(kinesis, 5)
    assert seen == ["1", "2", "6", "7", "8", "end ['shardId-000000000001']"]
    after = [{"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": n} for n in "5677"]
    assert kinesis.positions == [{"Type": "TRIM_HORIZON"}, *after]
    assert pauses == [1.0] * 4 + [None]
    assert all(stream.is_closed for stream in kinesis.streams)


CONTRADICTIONS = {
    "an end without children": event(2, following=None),
    "children before the end": event(2, following="2", children=[CHILD]),
    "children without parents": event(2, following=None, children=[{**CHILD, "ParentShards": []}]),
}


@pytest.mark.parametrize("answer", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_event_that_contradicts_itself_is_asked_for_again(
    answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kinesis = Kinesis(
        [event(1, following="1"), answer],
        [event(2, following=None, children=[CHILD])],
    )
    seen, pauses = rounds(kinesis, 2)
    assert seen == ["1", "2", "end ['shardId-000000000001']"]
    assert kinesis.positions[1] == {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "1"}
    assert pauses == [1.0, None]
    assert "reading again" in caplog.text


def test_a_consumer_that_is_gone_is_registered_again(caplog: pytest.LogCaptureFixture) -> None:
    gone = refused("ResourceNotFoundException")
    kinesis = Kinesis([event(1, following="1")], gone, gone, [event(2, following="2")])
    seen, _ = rounds(kinesis, 4)
    assert seen == ["1", "2"]
    arns = [asked["ConsumerARN"] for asked in kinesis.asked]
    assert arns == [f"arn:consumer:{n}" for n in (1, 1, 2, 3)]
    assert caplog.text.count("is subscribed to again") == 1, "once a minute is enough"


def test_a_checkpoint_of_another_stream_is_told_and_not_tried_again() -> None:
    with pytest.raises(ForeignCheckpoint, match="InvalidArgumentException was said"):
        rounds(Kinesis(refused("InvalidArgumentException")), 1)


def test_a_consumer_is_waited_for_until_it_is_active_at_ever_longer_intervals() -> None:
    kinesis = Kinesis()
    waited: list[float] = []
    kinesis.statuses = ["CREATING"] * 8 + ["ACTIVE"]
    consumer = RegisteredConsumer(kinesis, "clicks", "app", waited.append)
    assert consumer.arn() == "arn:consumer:1"
    assert waited == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
    assert consumer.arn() == "arn:consumer:1"
    assert kinesis.registered == 1
