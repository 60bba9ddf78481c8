"""The producer: `add` from any thread, a clock watcher, and threads that call PutRecords."""

from __future__ import annotations

import atexit
import random
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from producer.kinesis_producer.batching import KinesisRecord
from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.pipeline import Call, Finished, Pipeline
from producer.kinesis_producer.retrying import Verdict, read_answer
from producer.kinesis_producer.user_record import UserRecord, check_user_record
from producer.ledger import Acknowledgement, GivingUp, Ledger


class ProducerClosed(RuntimeError):
    """`add` after `close`."""


class ProducerFailed(RuntimeError):
    """Something that is no answer of Kinesis stopped the producer (a full disk, say)."""


class KinesisProducer:
    """Puts user records into a stream, quickly and without losing one silently.

    `kinesis_client` is a boto3 client. With a `ledger`, every record needs an event id, and
    what is sent, acknowledged and given up is written there before `flush` returns.
    Records of one partition key keep their order as long as nothing is retried and one
    connection is used: PutRecords itself promises none.
    """

    def __init__(
        self,
        kinesis_client: Any,
        stream_name: str,
        *,
        ledger: Ledger | None = None,
        configuration: Configuration | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = kinesis_client
        self._stream_name = stream_name
        self._ledger = ledger
        self._configuration = configuration or Configuration()
        self._now = now
        self._pipeline = Pipeline(self._configuration, random.random)
        self._lock = threading.Lock()
        self._due = threading.Condition(self._lock)  # the watcher sleeps here
        self._ready = threading.Condition(self._lock)  # senders sleep here
        self._settled = threading.Condition(self._lock)  # add, flush and results wait here
        self._is_closed = self._stopping = False
        self._failure: BaseException | None = None
        self._idle_senders = self._waiting_for_room = 0
        self._senders: list[threading.Thread] = []
        self._watcher = self._start("watcher", self._watch)
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
            was_idle = self._pipeline.next_deadline() is None
            self._pipeline.add(record, self._now())
            if self._pipeline.has_ready:
                self._wake_sender()
            elif was_idle:
                self._due.notify()
        return record

    @property
    def outstanding_records_count(self) -> int:
        """User records that are neither stored nor given up."""
        return self._pipeline.pending_count

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
            self._waiting_for_room += 1
            self._settled.wait()
            self._waiting_for_room -= 1

    def _stop(self) -> None:
        with self._lock:
            self._stopping = True
            abandoned = self._pipeline.abandon()
            self._due.notify_all()
            self._ready.notify_all()
        for thread in [self._watcher, *self._senders]:
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
        while True:
            with self._lock:
                if self._stopping:
                    return
                self._pipeline.advance(self._now())
                self._wake_sender()
                expired = self._pipeline.take_expired()
                if not expired:
                    deadline = self._pipeline.next_deadline()
                    self._due.wait(None if deadline is None else max(0, deadline - self._now()))
            self._settle(expired)

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
            self._due.notify()
        self._settle(finished)

    def _put_records(self, batch: list[KinesisRecord]) -> list[Verdict]:
        entries = [_entry(record) for record in batch]
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
            self._pipeline.settle(finished)
            self._settled.notify_all()

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
                for condition in (self._due, self._ready, self._settled):
                    condition.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ProducerFailed(
                f"The producer of {self._stream_name} stopped: {self._failure}"
            ) from self._failure


def _entry(record: KinesisRecord) -> dict[str, Any]:
    entry = {"Data": record.data, "PartitionKey": record.partition_key}
    if record.explicit_hash_key is not None:
        entry["ExplicitHashKey"] = record.explicit_hash_key
    return entry


def _acknowledgement(done: Finished) -> Acknowledgement:
    record, result = done
    return Acknowledgement(
        str(record.event_id), result.shard_id, result.sequence_number, record.amounts
    )


def _giving_up(done: Finished) -> GivingUp:
    record, result = done
    last = result.attempts[-1]
    return GivingUp(str(record.event_id), last.error_code, last.error_message, record.amounts)
