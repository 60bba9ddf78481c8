"""Reads a shard by enhanced fan-out: SubscribeToShard pushes records over one long answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EventStreamError
from urllib3.exceptions import HTTPError

from consumers.kcl.errors import ForeignCheckpoint, KclError
from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, ExtendedSequenceNumber
from consumers.kcl.polling import shard_is_gone
from consumers.kcl.retrieval import PrefetchQueue, RecordsBatch
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import ChildShard

log = logging.getLogger(__name__)

#: A consumer may subscribe to a shard once a second, and within five seconds of a success only
#: after that one has ended: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
_PAUSE_SECONDS = 1.0
_REGISTRATION_SECONDS = 120.0


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

    def _register(self) -> str:
        summary = self._kinesis.describe_stream_summary(StreamName=self._stream_name)
        stream_arn = summary["StreamDescriptionSummary"]["StreamARN"]
        named = {"StreamARN": stream_arn, "ConsumerName": self._consumer_name}
        try:
            self._kinesis.register_stream_consumer(**named)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise  # registered before, by another worker, is as good
        deadline = time.monotonic() + _REGISTRATION_SECONDS
        while time.monotonic() < deadline:
            told = self._kinesis.describe_stream_consumer(**named)["ConsumerDescription"]
            if told["ConsumerStatus"] == "ACTIVE":
                arn: str = told["ConsumerARN"]
                return arn
            self._sleep(0.2)
        raise FanOutNotReady(
            f"Consumer {self._consumer_name!r} of stream {self._stream_name!r} is not ACTIVE "
            f"after {_REGISTRATION_SECONDS:.0f} s."
        )


class FanOutPublisher:
    """A RecordsPublisher over subscriptions that follow one another: each lasts five minutes."""

    def __init__(
        self,
        kinesis: Any,
        consumer: RegisteredConsumer,
        stream_name: str,
        shard_id: str,
        start: ExtendedSequenceNumber,
        settings: SchedulerSettings,
    ) -> None:
        self._kinesis = kinesis
        self._consumer = consumer
        self._stream_name = stream_name
        self._shard_id = shard_id
        self._start = start
        self._settings = settings
        self._continuation: str | None = None
        self._queue = PrefetchQueue(settings)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fan-out-{shard_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next_batch(self, timeout: float) -> RecordsBatch | None:
        return self._queue.get(timeout)

    def stop(self) -> None:
        self._stopping.set()
        self._queue.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                if self._subscribe():
                    return
            except Exception as error:  # noqa: BLE001 - handed to the consumer, which decides
                self._queue.fail(error)
                return
            self._stopping.wait(max(0.0, started + _PAUSE_SECONDS - time.monotonic()))

    def _subscribe(self) -> bool:
        """One subscription. True when there is nothing more to read."""
        try:
            answer = self._kinesis.subscribe_to_shard(
                ConsumerARN=self._consumer.arn(),
                ShardId=self._shard_id,
                StartingPosition=self._starting_position(),
            )
            return self._take_events(answer["EventStream"])
        except ClientError as error:
            return self._answer_error(error)
        except (BotoCoreError, HTTPError, OSError) as error:
            log.info("The subscription to shard %s broke: %s", self._shard_id, error)
            return False

    def _answer_error(self, error: ClientError) -> bool:
        code = error.response["Error"]["Code"]
        if code == "InvalidArgumentException":
            raise ForeignCheckpoint(str(error)) from error  # time will not mend it
        if code == "ResourceNotFoundException" and shard_is_gone(
            self._kinesis, self._stream_name, self._shard_id
        ):
            self._queue.put(RecordsBatch((), 0, is_shard_end=True))
            return True
        if code != "ResourceInUseException" and not isinstance(error, EventStreamError):
            log.warning("Shard %s is subscribed to again: %s", self._shard_id, error)
        return False

    def _take_events(self, events: Any) -> bool:
        try:
            for event in events:
                if self._stopping.is_set() or not self._queue.wait_for_room():
                    return True
                if (told := event.get("SubscribeToShardEvent")) is not None:
                    batch = self._batch(told)
                    self._queue.put(batch)
                    if batch.is_shard_end:
                        return True
        finally:
            events.close()
        return False

    def _batch(self, told: dict[str, Any]) -> RecordsBatch:
        children = tuple(ChildShard.of(child) for child in told.get("ChildShards") or ())
        following = told.get("ContinuationSequenceNumber")
        if following:
            self._continuation = following
        behind = told.get("MillisBehindLatest") or 0
        return RecordsBatch(told["Records"], behind, bool(children) or not following, children)

    def _starting_position(self) -> dict[str, str | datetime | None]:
        if self._continuation is not None:
            return {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._continuation}
        start = self._start
        if start.sequence_number == AT_TIMESTAMP:
            timestamp = self._settings.initial_position_timestamp
            return {"Type": AT_TIMESTAMP, "Timestamp": timestamp}
        if start.is_sentinel:
            return {"Type": start.sequence_number}
        return {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": start.sequence_number}
