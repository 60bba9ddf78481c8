"""One worker of an application: holds leases and runs a consumer for each."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.errors import KclError
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.lease_cleanup import cleanable
from consumers.kcl.lease_renewer import HeldLease, LeaseRenewer
from consumers.kcl.lease_table_dynamodb import DynamoDBLeaseTable
from consumers.kcl.lease_taker import LeaseTaker
from consumers.kcl.polling import PollingPublisher, ShardReader
from consumers.kcl.processor_errors import DeadLetters, GuardedCalls
from consumers.kcl.record_processor import ProcessorFactory
from consumers.kcl.retrieval import RecordsPublisher
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import StreamIdentifier
from consumers.kcl.shard_consumer import ConsumerState, ShardConsumer
from consumers.kcl.shard_detector import ShardDetector
from consumers.kcl.shard_sync_task import ShardSyncTask, leases_of
from consumers.kcl.tenure import LeaseTenure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """One shard as this worker sees it."""

    state: str
    records_processed: int
    millis_behind_latest: int | None


@dataclass(frozen=True, slots=True)
class WorkerProgress:
    """What a worker holds and has done since it started. Shards it lost keep their counts."""

    worker_id: str
    leases_held: tuple[str, ...]
    shards: dict[str, ShardProgress] = field(default_factory=dict)
    records_processed: int = 0


class Scheduler:
    """Runs on the calling thread (`run`) or its own (`start`) until `shutdown`.

    `kinesis` and `dynamodb` are boto3 clients; `processor_factory` makes one processor a shard.
    `on_progress` is called about twice a second from the scheduler's thread and must not block.
    """

    def __init__(
        self,
        application_name: str,
        stream_name: str,
        kinesis: Any,
        dynamodb: Any,
        processor_factory: ProcessorFactory,
        *,
        worker_id: str | None = None,
        settings: SchedulerSettings | None = None,
        on_progress: Callable[[WorkerProgress], None] | None = None,
        dead_letters: DeadLetters | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self.application_name = application_name
        self.worker_id = worker_id or str(uuid.uuid4())
        self.settings = settings or SchedulerSettings()
        self._stream = StreamIdentifier(stream_name)
        self._kinesis = kinesis
        self._processor_factory = processor_factory
        self._dead_letters = dead_letters
        self._on_progress = on_progress
        self._monotonic = monotonic
        self._table = DynamoDBLeaseTable(
            dynamodb,
            application_name,
            billing_mode=self.settings.billing_mode,
            consistent_reads=self.settings.consistent_reads,
        )
        self._renewer = LeaseRenewer(self._table, self.worker_id, self.settings, monotonic)
        self._taker = LeaseTaker(self._table, self.worker_id, self.settings, monotonic, chance)
        self._sync = ShardSyncTask(
            self._stream,
            self._table,
            ShardDetector(kinesis, stream_name, self.settings),
            self.settings,
        )
        self._consumers: dict[str, tuple[HeldLease, ShardConsumer]] = {}
        self._totals: dict[str, ShardProgress] = {}
        self._stopping = threading.Event()
        self._renewing_ended = threading.Event()
        self._wants_graceful_end = True
        self._wake = threading.Event()
        self._take_now = threading.Event()
        self._threads: list[threading.Thread] = []
        self._own_thread: threading.Thread | None = None

    # From outside

    def run(self) -> None:
        """Work until `shutdown`. Raises StreamNotFound, LeaseTableOfAnotherShape at the start."""
        self._initialize()
        self._start_thread("lease-renewer", self._renew_forever)
        self._start_thread("lease-taker", self._take_forever)
        self._start_thread("shard-sync", self._sync_forever)
        try:
            self._run_consumers()
        finally:
            self._stopping.set()
            self._end()

    def start(self) -> None:
        """`run` on a thread of its own."""
        self._own_thread = threading.Thread(
            target=self.run, name=f"scheduler-{self.worker_id}", daemon=True
        )
        self._own_thread.start()

    def shutdown(self, *, graceful: bool = True) -> None:
        """Ask to stop. Gracefully: every processor may checkpoint, and leases are given back, so
        that other workers go on at once. Returns immediately; `join` waits."""
        self._wants_graceful_end = graceful
        self._stopping.set()
        self._wake.set()
        self._take_now.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for a scheduler begun by `start`. True when it has ended."""
        if self._own_thread is None:
            return True
        self._own_thread.join(timeout)
        return not self._own_thread.is_alive()

    def progress(self) -> WorkerProgress:
        """Leases held and records processed, as of now."""
        consumers = [consumer for _, consumer in list(self._consumers.values())]
        shards = dict(self._totals)
        for consumer in consumers:
            shards[consumer.shard_id] = self._progress_of(consumer)
        held = sorted(
            h.lease.shard_id for h in self._renewer.held().values() if not h.lease.has_ended
        )
        total = sum(shard.records_processed for shard in shards.values())
        return WorkerProgress(self.worker_id, tuple(held), shards, total)

    def failed_shards(self) -> dict[str, Exception]:
        """Shards that stand still because their processor failed, with its error."""
        consumers = [consumer for _, consumer in list(self._consumers.values())]
        return {c.shard_id: c.error for c in consumers if c.error is not None}

    # Start

    def _initialize(self) -> None:
        self._table.create_table()
        leases = leases_of(self._stream, self._table.list_leases())
        if not leases:
            self._sync.sync()
        self._renewer.adopt(leases)
        self._take()

    def _start_thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    # Loops

    def _renew_forever(self) -> None:
        every = self.settings.renewer_interval_seconds
        due = self._monotonic() + every
        # Goes on while consumers shut down: they checkpoint until their last moment.
        while not self._renewing_ended.wait(max(0.0, due - self._monotonic())):
            due = max(due + every, self._monotonic())
            if self._renewer.renew_all():
                self._wake_consumers()

    def _take_forever(self) -> None:
        while not self._stopping.is_set():
            self._take_now.wait(self.settings.taker_interval_seconds)
            self._take_now.clear()
            if not self._stopping.is_set():
                self._guarded("take leases", self._take)

    def _sync_forever(self) -> None:
        every = self.settings.shard_sync_interval_millis / 1000
        while not self._stopping.wait(every):
            self._guarded("sync shards", self._sync_once)

    def _take(self) -> None:
        taken = self._taker.take()
        for lease in taken:
            self._renewer.add(lease)
        if taken:
            self._wake.set()

    def _sync_once(self) -> None:
        if self._sync.sync():
            self._take_now.set()
        if self.settings.cleanup_leases_upon_shard_completion:
            for lease in cleanable(leases_of(self._stream, self._table.list_leases())):
                self._table.delete_lease(lease.lease_key)

    def _guarded(self, what: str, call: Callable[[], None]) -> None:
        try:
            call()
        except (ClientError, BotoCoreError, KclError) as error:
            log.warning("Worker %s could not %s: %s", self.worker_id, what, error)

    # Consumers

    def _run_consumers(self) -> None:
        next_report = 0.0
        while not self._stopping.is_set():
            self._reconcile()
            if self._on_progress is not None and self._monotonic() >= next_report:
                self._on_progress(self.progress())
                next_report = self._monotonic() + 0.5
            self._wake.wait(0.1)
            self._wake.clear()

    def _reconcile(self) -> None:
        """Drop consumers that ended; start one for each lease that has none."""
        held = self._renewer.held()
        for key, (lease, consumer) in list(self._consumers.items()):
            if held.get(key) is not lease:
                consumer.wake()
            elif lease.handing_off:
                consumer.request_shutdown()
            ended = consumer.state is ConsumerState.SHUTDOWN_COMPLETE or held.get(key) is not lease
            if ended and not consumer.is_alive():
                self._forget(key, consumer)
        for key, lease in held.items():
            # A new tenure waits until the consumer of the old one has ended.
            if key not in self._consumers and not lease.lease.has_ended:
                self._consume(key, lease)

    def _consume(self, key: str, held: HeldLease) -> None:
        tenure = LeaseTenure(held, self._renewer, self._table, self._stream)
        calls = GuardedCalls(
            held.lease.shard_id,
            self.settings,
            self._dead_letters,
            lambda: tenure.is_held() and not self._stopping.is_set(),
        )
        consumer = ShardConsumer(
            self._stream.stream_name,
            tenure,
            self._processor_factory,
            lambda start: self._publisher(held.lease.shard_id, start),
            calls,
            self.settings,
            on_end=self._consumer_ended,
        )
        self._consumers[key] = (held, consumer)
        consumer.start()

    def _publisher(self, shard_id: str, start: ExtendedSequenceNumber) -> RecordsPublisher:
        reader = ShardReader(
            self._kinesis, self._stream.stream_name, shard_id, start, self.settings
        )
        return PollingPublisher(reader, self.settings, shard_id)

    def _consumer_ended(self) -> None:
        self._take_now.set()  # children may be waiting
        self._wake_consumers()

    def _wake_consumers(self) -> None:
        for _, consumer in list(self._consumers.values()):
            consumer.wake()
        self._wake.set()

    def _forget(self, key: str, consumer: ShardConsumer) -> None:
        self._totals[consumer.shard_id] = self._progress_of(consumer)
        del self._consumers[key]

    def _progress_of(self, consumer: ShardConsumer) -> ShardProgress:
        earlier = self._totals.get(consumer.shard_id)
        before = earlier.records_processed if earlier else 0
        progress = consumer.progress
        return ShardProgress(
            consumer.state, before + progress.records_processed, progress.millis_behind_latest
        )

    # End

    def _end(self) -> None:
        held = list(self._renewer.held().values())
        if not self._wants_graceful_end:
            for lease in held:
                self._renewer.drop(lease)
        for _, consumer in list(self._consumers.values()):
            consumer.request_shutdown()
        for _, consumer in list(self._consumers.values()):
            consumer.join()
        for lease in self._renewer.held().values():
            self._guarded("give a lease back", partial(self._renewer.evict, lease))
        self._renewing_ended.set()
        for thread in self._threads:
            thread.join()
        self._renewer.close()
        if self._on_progress is not None:
            self._on_progress(self.progress())
