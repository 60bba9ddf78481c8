"""SubscribeToShard: pushes a shard's records to a registered consumer, for five minutes at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from services.kinesis.arn import Caller
from services.kinesis.errors import KinesisError, resource_in_use
from services.kinesis.limits import READ_BYTES_PER_SECOND
from services.kinesis.live_stream import LiveStream
from services.kinesis.operation import Request
from services.kinesis.operations_on_consumers import find_consumer
from services.kinesis.operations_on_records import (
    describe_records,
    find_shard,
    refuse_dry_run,
    starting_ordinal,
)
from services.kinesis.shard import Shard, describe_child
from services.kinesis.stream import ACTIVE

if TYPE_CHECKING:
    from services.kinesis.kinesis import Kinesis

#: A subscription ends after this time on the engine's clock.
LIFETIME_SECONDS = 300.0
#: An event without records tells that the subscription is alive.
HEARTBEAT_SECONDS = 5.0
#: A second subscription within this time of the first is refused; a later one takes over.
_TAKEOVER_SECONDS = 5.0
_EVENT_RECORDS = 2_000


class SubscriptionKey(NamedTuple):
    """What can be subscribed once."""

    consumer_arn: str
    shard_index: int


class Subscription:
    """One consumer reading one shard. `events` is for a thread of its own; `stop` ends it."""

    def __init__(
        self, kinesis: Kinesis, live: LiveStream, consumer_name: str, shard: Shard, ordinal: int
    ) -> None:
        self._kinesis = kinesis
        self._live = live
        self._consumer_name = consumer_name
        self._shard = shard
        self._ordinal = ordinal
        self._stopped = threading.Event()
        self.started_at = kinesis.clock.now()

    def stop(self) -> None:
        """May be called from any thread, more than once."""
        self._stopped.set()
        self._live.wake()

    @property
    def is_over(self) -> bool:
        age = self._kinesis.clock.now() - self.started_at
        return self._stopped.is_set() or age >= LIFETIME_SECONDS

    def run(self, push: Callable[[dict[str, Any]], None]) -> None:
        """Push AWS's SubscribeToShardEvents, the first at once, until the shard or time ends."""
        while not self.is_over:
            event, size, has_ended = self._next_event()
            # A push hands the event's data over in another form.
            records = len(event["Records"])
            push(event)
            self._count(records, size, event["MillisBehindLatest"])
            if has_ended:
                return
            if self._kinesis.shard_limits:
                self._stopped.wait(size / READ_BYTES_PER_SECOND)
            self._wait_for_news()

    def _wait_for_news(self) -> None:
        """Until there are records, the shard was closed, or it is time for a heartbeat."""
        deadline = time.monotonic() + HEARTBEAT_SECONDS
        seen = self._live.version
        while not (self.is_over or self._has_news()):
            if (left := deadline - time.monotonic()) <= 0:
                return
            # The clock may be moved meanwhile, which wakes nobody: look once a second.
            seen = self._live.wait(seen, min(left, 1.0))

    def _has_news(self) -> bool:
        log = self._live.logs.get(self._shard.index)
        return log is None or log.next_ordinal > self._ordinal or not self._shard.is_open

    def _count(self, records: int, size: int, millis_behind: int) -> None:
        self._live.traffic.add(
            {
                "SubscribeToShardEvent.Bytes": size,
                "SubscribeToShardEvent.Records": records,
                "SubscribeToShardEvent.MillisBehindLatest": millis_behind,
                "SubscribeToShardEvent.Success": 1,
            },
            ("ConsumerName", self._consumer_name),
        )
        self._live.count_shard(self._shard, {"OutgoingBytes": size, "OutgoingRecords": records})

    def _next_event(self) -> tuple[dict[str, Any], int, bool]:
        """The event, the bytes of its records, and whether it is the last."""
        now = self._kinesis.clock.now()
        page = self._live.read(self._shard, self._ordinal, now, _EVENT_RECORDS)
        if page.runs:
            self._ordinal = page.runs[-1].next_ordinal
        event: dict[str, Any] = {
            "Records": describe_records(self._shard, page),
            "MillisBehindLatest": self._live.millis_behind(self._shard, self._ordinal, now),
        }
        if self._live.has_ended(self._shard, self._ordinal):
            children = self._live.state.children(self._shard)
            event["ChildShards"] = [describe_child(child) for child in children]
            return event, page.size, True
        before = self._shard.sequence_number(max(self._ordinal - 1, 0), int(now * 1000))
        last = event["Records"][-1]["SequenceNumber"] if page.runs else str(before)
        event["ContinuationSequenceNumber"] = last
        return event, page.size, False


def subscribe(kinesis: Kinesis, caller: Caller, request: Request) -> Subscription:
    """Raises what SubscribeToShard answers at once; `request` was checked already."""
    live, consumer = find_consumer(kinesis, caller, request)
    now, position = kinesis.clock.now(), request["StartingPosition"]
    with live.lock:
        shard = find_shard(live, request["ShardId"], now)
        ordinal = starting_ordinal(
            live,
            shard,
            now,
            kind=position["Type"],
            number=position.get("SequenceNumber"),
            timestamp=position.get("Timestamp"),
        )
        if consumer.status(now) != ACTIVE:
            raise resource_in_use(
                f"Consumer {consumer.name} under stream {live.state.name} is not ACTIVE."
            )
        refuse_dry_run(request)
        key = SubscriptionKey(live.state.consumer_arn(consumer), shard.index)
        new = Subscription(kinesis, live, consumer.name, shard, ordinal)
        dimension = "ConsumerName", consumer.name
        try:
            _replace(kinesis, key, new)
        except KinesisError:
            refused = {"SubscribeToShard.Success": 0, "SubscribeToShard.RateExceeded": 1}
            live.traffic.add(refused, dimension)
            raise
        taken = {"SubscribeToShard.Success": 1, "SubscribeToShard.RateExceeded": 0}
        live.traffic.add(taken, dimension)
        return new


def _replace(kinesis: Kinesis, key: SubscriptionKey, new: Subscription) -> None:
    with kinesis.lock:
        old = kinesis.subscriptions.get(key)
        if old is not None and not old.is_over:
            if new.started_at - old.started_at < _TAKEOVER_SECONDS:
                raise _already_subscribed(key)
            old.stop()
        for ended in [k for k, found in kinesis.subscriptions.items() if found.is_over]:
            del kinesis.subscriptions[ended]
        kinesis.subscriptions[key] = new


def _already_subscribed(key: SubscriptionKey) -> KinesisError:
    return resource_in_use(
        f"Another active subscription exists for this consumer: {key.consumer_arn} and shard: "
        f"shardId-{key.shard_index:012d}"
    )
