"""Reads a shard by enhanced fan-out: SubscribeToShard pushes records over one long answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EventStreamError
from urllib3.exceptions import HTTPError

from consumers.kcl.errors import InvalidShardAnswer, KclError
from consumers.kcl.retrieval import PrefetchQueue, RareWarning, RecordsBatch, ShardToRead
from consumers.kcl.shard import ChildShard

log = logging.getLogger(__name__)

#: A consumer may subscribe to a shard once a second, and within five seconds of a success only
#: after that one has ended: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
_PAUSE_SECONDS = 1.0
_REGISTRATION_SECONDS = 120.0
#: Between two looks at a consumer that is being registered; AWS allows 20 a second.
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.02, 1.0


class FanOutNotReady(KclError):
    """The registered consumer does not become ACTIVE."""


class RegisteredConsumer:
    """The application's fan-out consumer of one stream, registered at its first use."""

    def __init__(
        self,
        kinesis: Any,
        stream_name: str,
        consumer_name: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kinesis = kinesis
        self._stream_name = stream_name
        self._consumer_name = consumer_name
        self._sleep = sleep
        self._lock = threading.Lock()
        self._arn: str | None = None

    def arn(self) -> str:
        """Its ARN, once it is ACTIVE. Raises FanOutNotReady, or botocore's errors."""
        with self._lock:
            if self._arn is None:
                self._arn = self._register()
            return self._arn

    def forget(self) -> None:
        """The consumer is gone, as with a stream that was deleted: register anew."""
        with self._lock:
            self._arn = None

    def _register(self) -> str:
        summary = self._kinesis.describe_stream_summary(StreamName=self._stream_name)
        stream_arn = summary["StreamDescriptionSummary"]["StreamARN"]
        named = {"StreamARN": stream_arn, "ConsumerName": self._consumer_name}
        try:
            self._kinesis.register_stream_consumer(**named)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise  # registered before, by another worker, is as good
        deadline, pause = time.monotonic() + _REGISTRATION_SECONDS, _FIRST_LOOK_SECONDS
        while time.monotonic() < deadline:
            told = self._kinesis.describe_stream_consumer(**named)["ConsumerDescription"]
            if told["ConsumerStatus"] == "ACTIVE":
                arn: str = told["ConsumerARN"]
                return arn
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)
        raise FanOutNotReady(
            f"Consumer {self._consumer_name!r} of stream {self._stream_name!r} is not ACTIVE "
            f"after {_REGISTRATION_SECONDS:.0f} s."
        )


class FanOutSource:
    """A RecordsSource of subscriptions that follow one another: each lasts five minutes."""

    def __init__(self, shard: ShardToRead, consumer: RegisteredConsumer) -> None:
        self._shard = shard
        self._consumer = consumer
        self._continuation: str | None = None
        self._warning = RareWarning(log)

    def read_into(self, queue: PrefetchQueue) -> float | None:
        """One subscription."""
        try:
            position = self._shard.position_after(self._continuation)
            answer = self._shard.kinesis.subscribe_to_shard(
                ConsumerARN=self._consumer.arn(),
                ShardId=self._shard.shard_id,
                StartingPosition=position.told(type="Type", sequence_number="SequenceNumber"),
            )
            is_over = self._take_events(answer["EventStream"], queue)
        except ClientError as error:
            is_over = self._answer_error(error, queue)
        except InvalidShardAnswer as error:
            self._warning.tell("%s", error)
            is_over = False
        except (BotoCoreError, HTTPError, OSError) as error:
            log.info("The subscription to shard %s broke: %s", self._shard.shard_id, error)
            is_over = False
        return None if is_over else _PAUSE_SECONDS

    def _answer_error(self, error: ClientError, queue: PrefetchQueue) -> bool:
        if self._shard.has_ended(error):
            queue.put(RecordsBatch((), 0, is_shard_end=True))
            return True
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            self._consumer.forget()
        if code != "ResourceInUseException" and not isinstance(error, EventStreamError):
            self._warning.tell("Shard %s is subscribed to again: %s", self._shard.shard_id, error)
        return False

    def _take_events(self, events: Any, queue: PrefetchQueue) -> bool:
        try:
            for event in events:
                if not queue.wait_for_room():
                    return True  # the consumer has stopped
                if (told := event.get("SubscribeToShardEvent")) is not None:
                    self._warning.over()
                    batch = self._batch(told)
                    queue.put(batch)
                    if batch.is_shard_end:
                        return True
        finally:
            events.close()
        return False

    def _batch(self, told: dict[str, Any]) -> RecordsBatch:
        children = tuple(ChildShard.of(child) for child in told.get("ChildShards") or ())
        following = told.get("ContinuationSequenceNumber")
        self._shard.refuse_contradiction(
            "SubscribeToShard", is_end=not following, children=children
        )
        self._continuation = following or self._continuation
        behind = told.get("MillisBehindLatest") or 0
        return RecordsBatch(told["Records"], behind, not following, children)
