"""Reads one shard on a thread: waits for parents, feeds the processor, ends as it must."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from consumers.kcl.checkpointer import RecordProcessorCheckpointer
from consumers.kcl.deaggregation import to_client_records
from consumers.kcl.errors import KclError, ShardStopped
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.lease import Lease
from consumers.kcl.metrics import Metrics, NoMetrics, timed
from consumers.kcl.record_processor import (
    InitializationInput,
    KinesisClientRecord,
    LeaseLostInput,
    ProcessorFactory,
    ProcessRecordsInput,
    ShardEndedInput,
    ShardRecordProcessor,
    ShutdownRequestedInput,
)
from consumers.kcl.retrieval import RecordsBatch, RecordsPublisher
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import ChildShard

log = logging.getLogger(__name__)


class ConsumerState(StrEnum):
    """KCL's states, and FAILED for a shard that a processor's error stopped."""

    WAITING_ON_PARENT_SHARDS = "WAITING_ON_PARENT_SHARDS"
    INITIALIZING = "INITIALIZING"
    PROCESSING = "PROCESSING"
    SHUTDOWN_REQUESTED = "SHUTDOWN_REQUESTED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    SHUTDOWN_COMPLETE = "SHUTDOWN_COMPLETE"
    FAILED = "FAILED"


class Tenure(Protocol):
    """What a consumer may do with the lease it works for."""

    @property
    def lease(self) -> Lease:
        """As last written."""

    def is_held(self) -> bool: ...

    def update(self, change: Callable[[Lease], Lease]) -> Lease | None:
        """Write a change; None when the lease is lost."""

    def unfinished_parents(self) -> list[str]:
        """Parents that have a lease and have not ended."""

    def create_child_leases(self, children: tuple[ChildShard, ...]) -> bool:
        """Make the leases of the children and tell the parent's. False: try again later."""

    def release(self) -> None:
        """Give the lease back, or hand it over to the peer that was promised it."""


@dataclass(slots=True)
class Progress:
    """What a consumer has done so far."""

    records_processed: int = 0
    millis_behind_latest: int | None = None


class ProcessorCalls(Protocol):
    """Around the user's code: how its errors are answered, and how long it takes."""

    def process(
        self,
        processor: ShardRecordProcessor,
        given: ProcessRecordsInput,
        checkpointer: RecordProcessorCheckpointer,
    ) -> bool:
        """Deliver a batch. False: not all of it, because this worker must stop first. Raises
        ShardStopped when the shard must stand still."""


class ShardConsumer:
    """One shard, one tenure of its lease, one processor."""

    def __init__(
        self,
        stream_name: str,
        tenure: Tenure,
        processor_factory: ProcessorFactory,
        publisher_factory: Callable[[ExtendedSequenceNumber], RecordsPublisher],
        calls: ProcessorCalls,
        settings: SchedulerSettings,
        on_end: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
    ) -> None:
        lease = tenure.lease
        self.shard_id = lease.shard_id
        self.state = ConsumerState.WAITING_ON_PARENT_SHARDS
        self.progress = Progress()
        self.error: Exception | None = None
        #: Monotonic time at which the running call of the processor began; None between calls.
        self.processing_since: float | None = None
        self._stream_name = stream_name
        self._tenure = tenure
        self._processor_factory = processor_factory
        self._publisher_factory = publisher_factory
        self._calls = calls
        self._settings = settings
        self._on_end = on_end
        self._metrics = metrics or NoMetrics()
        self._woken = threading.Event()
        self._shutdown_requested = False
        self._start = lease.checkpoint
        self._unfinished: list[str] = []
        self._checkpointer = RecordProcessorCheckpointer(
            self.shard_id,
            lease.checkpoint,
            self._write_lease,
            validate_sequence_number=settings.validate_sequence_number_before_checkpointing,
        )
        self._thread = threading.Thread(
            target=self._run, name=f"shard-{self.shard_id}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def request_shutdown(self) -> None:
        """Let the processor checkpoint, then give the lease back."""
        self._shutdown_requested = True
        self._woken.set()

    def wake(self) -> None:
        """Look again at the lease now: it was lost, or a parent has ended."""
        self._woken.set()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    # Life

    def _run(self) -> None:
        try:
            if self._wait_for_parents():
                self._work()
            elif self._tenure.is_held():
                self._attempt("give the lease back", self._tenure.release)
            self.state = ConsumerState.SHUTDOWN_COMPLETE
        except Exception as error:
            # The lease stays: another worker would only meet the same record. A restart goes on
            # from the last checkpoint, once somebody has seen to it.
            self.error = error
            self.state = ConsumerState.FAILED
            log.exception("Shard %s of stream %s stands still.", self.shard_id, self._stream_name)
        finally:
            self._on_end()

    def _wait_for_parents(self) -> bool:
        """True once all parents have ended; False when there is nothing to do any more."""
        while self._goes_on():
            if self._attempt("look at parents", self._look_at_parents) and not self._unfinished:
                return True
            self._woken.wait(self._settings.parent_shard_poll_interval_millis / 1000)
            self._woken.clear()
        return False

    def _look_at_parents(self) -> None:
        self._unfinished = self._tenure.unfinished_parents()

    def _work(self) -> None:
        self.state = ConsumerState.INITIALIZING
        processor = self._processor_factory()
        if not self._initialize(processor):
            self._end_early(processor)
            return
        publisher = self._publisher_factory(self._start)
        publisher.start()
        try:
            self.state = ConsumerState.PROCESSING
            children = self._process_until_end(processor, publisher)
        finally:
            publisher.stop()
        if children is None:
            self._end_early(processor)
        else:
            self._end_shard(processor, children)

    def _goes_on(self) -> bool:
        return not self._shutdown_requested and self._tenure.is_held()

    def _initialize(self, processor: ShardRecordProcessor) -> bool:
        lease = self._tenure.lease
        given = InitializationInput(
            self._stream_name,
            self.shard_id,
            lease.checkpoint,
            lease.pending_checkpoint,
            lease.pending_checkpoint_state,
        )
        started = time.monotonic()
        done = self._until_done("initialize", lambda: processor.initialize(given))
        millis = (time.monotonic() - started) * 1000
        self._metrics.add("InitializeTask", "RecordProcessor.initialize.Time", millis)
        return done

    def _process_until_end(
        self, processor: ShardRecordProcessor, publisher: RecordsPublisher
    ) -> tuple[ChildShard, ...] | None:
        """Children of the shard once it has ended; None when this worker must stop before."""
        poll = self._settings.shard_consumer_dispatch_poll_interval_millis / 1000
        empty_too = self._settings.call_process_records_even_for_empty_record_list
        while self._goes_on():
            batch = publisher.next_batch(poll)
            if batch is None:
                batch = RecordsBatch((), self.progress.millis_behind_latest or 0)
            elif batch.is_shard_end and not batch.records:
                return batch.child_shards
            records = self._records_of(batch)
            if records or empty_too:
                self._deliver(processor, records, batch)
            self.progress.millis_behind_latest = batch.millis_behind_latest
            if batch.is_shard_end:
                return batch.child_shards
        return None

    def _records_of(self, batch: RecordsBatch) -> Sequence[KinesisClientRecord]:
        if not batch.records:
            return []
        # What a previous run had processed; within this run Kinesis delivers everything once.
        seen = self._start
        return to_client_records(batch.records, self._tenure.lease.hash_key_range, seen)

    def _deliver(
        self,
        processor: ShardRecordProcessor,
        records: Sequence[KinesisClientRecord],
        batch: RecordsBatch,
    ) -> None:
        given = ProcessRecordsInput(
            records, self._checkpointer, batch.millis_behind_latest, batch.is_shard_end
        )
        before = self._checkpointer.largest_permitted
        self.processing_since = started = time.monotonic()
        done = False
        try:
            done = self._calls.process(processor, given, self._checkpointer)
        finally:
            self.processing_since = None
            self._measure(records, batch, time.monotonic() - started, done)
        if not done:
            self._checkpointer.delivering(before)  # a last checkpoint must not cover this batch

    def _measure(
        self,
        records: Sequence[KinesisClientRecord],
        batch: RecordsBatch,
        seconds: float,
        succeeded: bool,
    ) -> None:
        size = sum(len(record.data) for record in records)
        if succeeded:
            self.progress.records_processed += len(records)
        measured = {
            "RecordsProcessed": len(records) if succeeded else 0,
            "DataBytesProcessed": size if succeeded else 0,
            "MillisBehindLatest": batch.millis_behind_latest,
            "RecordProcessor.processRecords.Time": seconds * 1000,
            "RecordProcessor.processRecords.Success": int(succeeded),
        }
        for name, value in measured.items():
            self._metrics.add("ProcessTask", name, value, shard_id=self.shard_id)
        self._metrics.add("ApplicationTracker", "MillisBehindLatest", batch.millis_behind_latest)

    def _write_lease(self, change: Callable[[Lease], Lease]) -> Lease | None:
        with timed(self._metrics, "UpdateLease"):
            return self._tenure.update(change)

    # Ends

    def _end_early(self, processor: ShardRecordProcessor) -> None:
        """Asked to stop, or without lease. As in KCL `lease_lost` follows `shutdown_requested`."""
        if self._tenure.is_held():
            self.state = ConsumerState.SHUTDOWN_REQUESTED
            given = ShutdownRequestedInput(self._checkpointer)
            self._shut_down("shutdown_requested", lambda: processor.shutdown_requested(given))
            self._attempt("give the lease back", self._tenure.release)
        self.state = ConsumerState.SHUTTING_DOWN
        self._shut_down("lease_lost", lambda: processor.lease_lost(LeaseLostInput()))

    def _end_shard(self, processor: ShardRecordProcessor, children: tuple[ChildShard, ...]) -> None:
        self.state = ConsumerState.SHUTTING_DOWN
        # Children first: were the parent marked SHARD_END before a crash, nobody would make them.
        made = self._until_done("create child leases", lambda: self._create_children(children))
        if made:
            self._checkpointer.reached_shard_end()
            made = self._until_done("shard_ended", lambda: self._shard_ended(processor))
        # The lease of an ended shard stays with this worker until it is cleaned up.
        if not made:
            self._end_early(processor)

    def _create_children(self, children: tuple[ChildShard, ...]) -> None:
        if children and not self._tenure.create_child_leases(children):
            raise ShardStopped(
                f"The other parent of a child of {self.shard_id} has no lease yet; trying again."
            )

    def _shard_ended(self, processor: ShardRecordProcessor) -> None:
        with self._shutting_down():
            processor.shard_ended(ShardEndedInput(self._checkpointer))
        if not self._checkpointer.last_checkpoint.is_shard_end:
            raise ShardStopped(
                f"The processor did not checkpoint the end of shard {self.shard_id}; "
                "shard_ended must call checkpointer.checkpoint()."
            )

    def _shut_down(self, what: str, call: Callable[[], None]) -> None:
        with self._shutting_down():
            self._attempt(what, call)

    @contextmanager
    def _shutting_down(self) -> Iterator[None]:
        started = time.monotonic()
        yield
        millis = (time.monotonic() - started) * 1000
        self._metrics.add("ShutdownTask", "RecordProcessor.shutdown.Time", millis)

    def _until_done(self, what: str, call: Callable[[], None]) -> bool:
        """Repeat a call until it does not raise. False when this worker must stop before."""
        while self._goes_on():
            if self._attempt(what, call):
                return True
            self._woken.wait(self._settings.task_backoff_time_millis / 1000)
            self._woken.clear()
        return False

    def _attempt(self, what: str, call: Callable[[], None]) -> bool:
        self.processing_since = time.monotonic()
        try:
            call()
        except KclError as told:  # a sentence that says it all
            log.warning("Shard %s, %s: %s", self.shard_id, what, told)
            return False
        except Exception:
            log.exception("Shard %s: %s failed.", self.shard_id, what)
            return False
        finally:
            self.processing_since = None
        return True
