"""The producer's threads: `add` from any, a watcher of the time, and callers of AWS."""

from __future__ import annotations

import atexit
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord
from producer.kinesis_producer.metrics import (
    Dimensions,
    Metrics,
    Statistic,
    metric_data,
    upload,
)
from producer.kinesis_producer.pipeline import Call, Finished, Pipeline
from producer.kinesis_producer.retrying import Verdict, read_answer
from producer.kinesis_producer.shard_map import ShardMap, list_open_shards
from producer.kinesis_producer.user_record import UserRecord, check_user_record
from producer.ledger import Acknowledgement, GivingUp, Ledger

log = logging.getLogger(__name__)

#: Between two refreshes of the shard map, and the longest wait after failed ones, in seconds.
SHARD_MAP_REFRESH_SECONDS, SHARD_MAP_LONGEST_WAIT_SECONDS = 1.0, 30.0


class ProducerClosed(RuntimeError):
    """`add` after `close`."""


class ProducerFailed(RuntimeError):
    """Something that is no answer of Kinesis stopped the producer (a full disk, say)."""


class KinesisProducer:
    """Puts user records into a stream, quickly and without losing one silently.

    `kinesis_client` is a boto3 client. With a `ledger`, every record needs an event id, and
    what is sent, acknowledged and given up is written there before `flush` returns. With a
    `cloudwatch_client`, metrics go there each `metrics_upload_delay`.
    Records of one partition key keep their order as long as nothing is retried and one
    connection is used: PutRecords itself promises none.
    Raises botocore's ClientError (ResourceNotFoundException) for a stream that does not exist.
    """

    def __init__(
        self,
        kinesis_client: Any,
        stream_name: str,
        *,
        ledger: Ledger | None = None,
        configuration: Configuration | None = None,
        cloudwatch_client: Any = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = kinesis_client
        self._stream_name = stream_name
        self._ledger = ledger
        self._configuration = configuration or Configuration()
        self._now = now
        self._cloudwatch = cloudwatch_client
        self._pipeline = Pipeline(self._configuration, random.random)
        self._metrics = Metrics(self._configuration, stream_name)
        self._lock = threading.Lock()
        self._due = threading.Condition(self._lock)  # the watcher sleeps here
        self._ready = threading.Condition(self._lock)  # senders sleep here
        self._settled = threading.Condition(self._lock)  # add, flush and results wait here
        self._stale = threading.Condition(self._lock)  # who lists the shards sleeps here
        self._closing = threading.Condition(self._lock)  # who uploads metrics sleeps here
        self._is_closed = self._stopping = False
        self._failure: BaseException | None = None
        self._idle_senders = self._received = 0
        self._buffered_seconds = self._configuration.record_max_buffered_time / 1000
        self._watcher_wakes_at = 0.0
        self._senders: list[threading.Thread] = []
        self._threads: list[threading.Thread] = []
        if self._configuration.aggregation_enabled or self._configuration.rate_limit is not None:
            self._first_shard_map()
            self._threads.append(self._start("shard-map", self._keep_shard_map))
        if cloudwatch_client is not None and self._configuration.metrics_level != "none":
            self._threads.append(self._start("metrics", self._keep_uploading))
        self._threads.append(self._start("watcher", self._watch))
        atexit.register(self.close, 10)

    def add(
        self,
        data: bytes,
        partition_key: str,
        *,
        explicit_hash_key: str | None = None,
        event_id: str | None = None,
        amounts: Mapping[str, Decimal] | None = None,
    ) -> UserRecord:
        """Take a user record; blocks while `max_buffered_bytes` are on their way.

        The record that comes back can be waited for. Raises ValueError for what Kinesis
        would refuse, ProducerClosed, ProducerFailed.
        """
        check_user_record(
            data, partition_key, explicit_hash_key, self._configuration.max_record_size
        )
        if self._ledger is not None and event_id is None:
            raise ValueError("A producer with a ledger needs an event_id for every record.")
        record = UserRecord(
            data, partition_key, explicit_hash_key, event_id, amounts, self._settled
        )
        with self._lock:
            self._wait_for_room(record)
            self._received += 1
            now = self._now()
            self._pipeline.add(record, now)
            if self._pipeline.has_ready:
                self._wake_sender()
            if now + self._buffered_seconds < self._watcher_wakes_at:
                self._due.notify()
        return record

    @property
    def outstanding_records_count(self) -> int:
        """User records that are neither stored nor given up."""
        return self._pipeline.pending_count

    def take_metrics(self) -> dict[tuple[str, Dimensions], Statistic]:
        """What happened since the last time, by metric name and dimensions."""
        with self._lock:
            self._metrics.add_count("UserRecordsReceived", self._received)
            self._metrics.add("UserRecordsPending", [self._pipeline.pending_count])
            self._received = 0
            return self._metrics.take()

    def flush(self, timeout: float | None = None) -> bool:
        """Send what is buffered and wait. False when records are still pending after `timeout` s.

        Raises ProducerFailed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self._pipeline.pending_count and self._failure is None:
                self._pipeline.flush(self._now())
                self._wake_sender()
                self._due.notify()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                # Records that come back for another attempt are flushed again, too.
                self._settled.wait(0.05 if left is None else min(left, 0.05))
            self._raise_failure()
            return not self._pipeline.pending_count

    def close(self, timeout: float | None = None) -> None:
        """Flush, then stop. What is not stored after `timeout` seconds is given up (`Closed`)."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        atexit.unregister(self.close)
        try:
            self.flush(timeout)
        finally:
            self._stop()
        self._raise_failure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self.close(None if kind is None else 10)

    def _wait_for_room(self, record: UserRecord) -> None:
        while True:
            self._raise_failure()
            if self._is_closed:
                raise ProducerClosed("The producer is closed: make a new one to add records.")
            if self._pipeline.has_room(record):
                return
            self._settled.wait()

    def _stop(self) -> None:
        with self._lock:
            self._stopping = True
            abandoned = self._pipeline.abandon()
            self._wake_everybody()
        for thread in [*self._threads, *self._senders]:
            thread.join()
        if self._failure is None:
            self._settle(abandoned)
        with self._lock:
            late = self._pipeline.abandon()  # what its last call sent back for another attempt
        if self._failure is None:
            self._settle(late)

    def _wake_sender(self) -> None:
        """One more thread works when a batch is ready; a new one only when all are busy."""
        if not self._pipeline.has_ready:
            return
        if not self._idle_senders and len(self._senders) < self._configuration.max_connections:
            self._senders.append(self._start(f"sender-{len(self._senders) + 1}", self._send))
        self._ready.notify()

    def _watch(self) -> None:
        """Wakes when the pipeline has something to do, and settles what expired meanwhile."""
        while True:
            with self._lock:
                if self._stopping:
                    return
                self._pipeline.advance(self._now())
                self._wake_sender()
                expired = self._pipeline.take_expired()
                if not expired:
                    self._sleep_until(self._pipeline.next_deadline(self._now()))
            self._settle(expired)

    def _sleep_until(self, deadline: float | None) -> None:
        self._watcher_wakes_at = float("inf") if deadline is None else deadline
        self._due.wait(None if deadline is None else max(0.0, deadline - self._now()))
        self._watcher_wakes_at = 0.0

    def _send(self) -> None:
        while True:
            with self._lock:
                self._idle_senders += 1
                self._ready.wait_for(lambda: self._pipeline.has_ready or self._stopping)
                self._idle_senders -= 1
                if not self._pipeline.has_ready:
                    return
                batch = self._pipeline.take()
                self._wake_sender()
            self._put(batch)

    def _put(self, batch: list[KinesisRecord]) -> None:
        self._note_sent(batch)
        started_at = self._now()
        verdicts = self._put_records(batch)
        call = Call(started_at, self._now())
        with self._lock:
            finished = self._pipeline.answered(batch, verdicts, call)
            self._metrics.count_call(batch, verdicts, (call.ended_at - started_at) * 1000)
            if not self._pipeline.shard_map_is_fresh:
                self._stale.notify()
            self._due.notify()
        self._settle(finished)

    def _put_records(self, batch: list[KinesisRecord]) -> list[Verdict]:
        entries = [record.entry() for record in batch]
        try:
            response = self._client.put_records(StreamName=self._stream_name, Records=entries)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            return [Verdict(error_code=code, error_message=message)] * len(batch)
        except BotoCoreError as error:
            code = type(error).__name__
            return [Verdict(error_code=code, error_message=str(error))] * len(batch)
        return read_answer(response, len(batch))

    def _note_sent(self, batch: list[KinesisRecord]) -> None:
        if self._ledger is not None:
            users = (user for record in batch for user in record.user_records)
            self._ledger.sent([str(user.event_id) for user in users if not user.attempts])

    def _settle(self, finished: list[Finished]) -> None:
        """The ledger first: whoever sees a result can rely on its being written."""
        if not finished:
            return
        if self._ledger is not None:
            self._ledger.acknowledged(
                [_acknowledgement(done) for done in finished if done.result.successful]
            )
            self._ledger.given_up(
                [_giving_up(done) for done in finished if not done.result.successful]
            )
        with self._lock:
            self._metrics.count_finished(finished)
            self._pipeline.settle(finished)
            self._settled.notify_all()

    def _first_shard_map(self) -> None:
        """Known before the first record, so that it is aggregated already."""
        try:
            self._refresh_shard_map()
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise
            log.info("%s: no shard map yet: %s", self._stream_name, error)
        except BotoCoreError as error:
            log.info("%s: no shard map yet: %s", self._stream_name, error)

    def _refresh_shard_map(self) -> None:
        started_at = self._now()
        shards = list_open_shards(self._client, self._stream_name)
        with self._lock:
            self._pipeline.use(ShardMap(shards, started_at))

    def _keep_shard_map(self) -> None:
        """List the shards again whenever an answer contradicts the map."""
        wait = SHARD_MAP_REFRESH_SECONDS
        while True:
            with self._lock:
                self._stale.wait_for(
                    lambda: self._stopping or not self._pipeline.shard_map_is_fresh
                )
                if self._stopping:
                    return
            try:
                self._refresh_shard_map()
                wait = SHARD_MAP_REFRESH_SECONDS
            except (ClientError, BotoCoreError) as error:
                log.warning("%s: cannot list the shards: %s", self._stream_name, error)
                wait = min(wait * 1.5, SHARD_MAP_LONGEST_WAIT_SECONDS)
            with self._lock:
                self._stale.wait_for(lambda: self._stopping, wait)

    def _keep_uploading(self) -> None:
        delay = self._configuration.metrics_upload_delay / 1000
        while True:
            with self._lock:
                self._closing.wait_for(lambda: self._stopping, delay)
                stopping = self._stopping
            self._upload_metrics()
            if stopping:
                return

    def _upload_metrics(self) -> None:
        data = metric_data(self.take_metrics(), time.time())
        try:
            upload(self._cloudwatch, self._configuration.metrics_namespace, data)
        except (ClientError, BotoCoreError) as error:
            log.warning("%s: cannot upload metrics: %s", self._stream_name, error)

    def _start(self, name: str, run: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(
            target=self._guard, args=(run,), name=f"{self._stream_name}-{name}", daemon=True
        )
        thread.start()
        return thread

    def _guard(self, run: Callable[[], None]) -> None:
        """A thread that dies takes the producer with it: nobody waits for ever."""
        try:
            run()
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            with self._lock:
                self._failure = self._failure or error
                self._stopping = True
                self._wake_everybody()

    def _wake_everybody(self) -> None:
        conditions = (self._due, self._ready, self._settled, self._stale, self._closing)
        for condition in conditions:
            condition.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ProducerFailed(
                f"The producer of {self._stream_name} stopped: {self._failure}"
            ) from self._failure


def _acknowledgement(done: Finished) -> Acknowledgement:
    record, result = done
    return Acknowledgement(
        str(record.event_id),
        result.shard_id,
        result.sequence_number,
        record.amounts,
        result.sub_sequence_number,
    )


def _giving_up(done: Finished) -> GivingUp:
    record, result = done
    last = result.attempts[-1]
    return GivingUp(str(record.event_id), last.error_code, last.error_message, record.amounts)
