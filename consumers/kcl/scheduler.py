"""One worker of an application: takes and keeps leases, and runs a consumer for each."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.dead_letters import DeadLetters, KinesisDeadLetters
from consumers.kcl.errors import ForeignCheckpoint, KclError
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.fan_out import FanOutSource, RegisteredConsumer
from consumers.kcl.health import Report
from consumers.kcl.leader import is_leader
from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.lease_renewer import HeldLease, LeaseRenewer
from consumers.kcl.lease_table_dynamodb import DynamoDBLeaseTable
from consumers.kcl.lease_taker import LeaseTaker
from consumers.kcl.metrics import CloudWatchMetrics, Metrics, NoMetrics, timed
from consumers.kcl.polling import PollingSource, ShardReader
from consumers.kcl.record_processor import ProcessorFactory
from consumers.kcl.retrieval import (
    PrefetchingPublisher,
    RecordsPublisher,
    RecordsSource,
    ShardToRead,
)
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import StreamIdentifier
from consumers.kcl.shard_consumers import ShardConsumers, WorkerProgress
from consumers.kcl.shard_detector import ShardDetector
from consumers.kcl.shard_sync_task import ShardSyncTask
from consumers.kcl.streams import identify

log = logging.getLogger(__name__)


class Scheduler:
    """Runs on the calling thread (`run`) or its own (`start`) until `shutdown`.

    `stream_name` is one stream, or a sequence of several that share the application's leases.
    `kinesis`, `dynamodb` and (for metrics) `cloudwatch` are boto3 clients; `processor_factory`
    makes one processor a shard. Leases lie in the DynamoDB table `application_name` unless
    another `lease_table` is given. `on_progress` is called about twice a second from the
    scheduler's thread and must not block.
    """

    def __init__(
        self,
        application_name: str,
        stream_name: str | Sequence[str],
        kinesis: Any,
        dynamodb: Any,
        processor_factory: ProcessorFactory,
        *,
        worker_id: str | None = None,
        settings: SchedulerSettings | None = None,
        on_progress: Callable[[WorkerProgress], None] | None = None,
        lease_table: LeaseTable | None = None,
        dead_letters: DeadLetters | None = None,
        cloudwatch: Any = None,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self.application_name = application_name
        self.worker_id = worker_id or str(uuid.uuid4())
        self.settings = settings or SchedulerSettings()
        self._stream_names = stream_name
        self._kinesis = kinesis
        self._on_progress = on_progress
        self._monotonic = monotonic
        self._table = lease_table or DynamoDBLeaseTable(
            dynamodb,
            application_name,
            billing_mode=self.settings.billing_mode,
            consistent_reads=self.settings.consistent_reads,
        )
        self._metrics = self._choose_metrics(cloudwatch)
        self._stopping = threading.Event()
        self._renewing_ended = threading.Event()
        self._wake = threading.Event()
        self._take_now = threading.Event()
        self._wants_graceful_end = True
        self._renewed_at: float | None = None
        self._streams: dict[str | None, ShardSyncTask] = {}
        self._fan_out: dict[str, RegisteredConsumer] = {}
        self._renewer = LeaseRenewer(self._table, self.worker_id, self.settings, monotonic)
        self._taker = LeaseTaker(
            self._table,
            self.worker_id,
            self.settings,
            monotonic,
            chance,
            is_wanted=lambda lease: lease.stream_identifier in self._streams,
            metrics=self._metrics,
        )
        self._consumers = ShardConsumers(
            self._table,
            self._renewer,
            processor_factory,
            self._publisher,
            self.settings,
            dead_letters=dead_letters or self._choose_dead_letters(),
            metrics=self._metrics,
            stopping=self._stopping,
            on_end=self._consumer_ended,
        )
        self._threads: list[threading.Thread] = []
        self._own_thread: threading.Thread | None = None

    # From outside

    def run(self) -> None:
        """Work until `shutdown`. Raises StreamNotFound, LeaseTableOfAnotherShape,
        InconsistentShards at the start."""
        self._initialize()
        if isinstance(self._metrics, CloudWatchMetrics):
            self._metrics.start()
        self._start_thread("lease-renewer", self._renew_forever)
        self._start_thread("lease-taker", self._take_forever)
        self._start_thread("shard-sync", self._sync_forever)
        self._start_thread("lease-audit", self._audit_forever)
        self._start_thread("lease-cleanup", self._clean_up_forever)
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
        shards = self._consumers.progress()
        held = self._renewer.held().items()
        return WorkerProgress(
            self.worker_id,
            tuple(sorted(key for key, lease in held if not lease.lease.has_ended)),
            shards,
            sum(shard.records_processed for shard in shards.values()),
        )

    def failed_shards(self) -> dict[str, Exception]:
        """Shards that stand still because their processor failed, with its error."""
        return self._consumers.failed()

    def health(self) -> Report:
        """For `HealthEndpoint`: whether this worker is well, what it holds and has done."""
        problems = [f"Shard {key} stands still: {e}" for key, e in self.failed_shards().items()]
        problems += [
            f"The processor of shard {key} has been busy with one call for {seconds:.0f} s."
            for key, seconds in self._consumers.hanging().items()
        ]
        if self._renewed_at is None:
            problems.append("The worker has not started.")
        elif (age := self._monotonic() - self._renewed_at) > self.settings.failover_seconds:
            problems.append(f"Leases have not been renewed for {age:.0f} s.")
        progress = self.progress()
        return {
            "status": "unhealthy" if problems else "healthy",
            "problems": problems,
            "application_name": self.application_name,
            "worker_id": self.worker_id,
            "leases_held": list(progress.leases_held),
            "records_processed": progress.records_processed,
            "shards": {
                key: {
                    "state": shard.state,
                    "records_processed": shard.records_processed,
                    "millis_behind_latest": shard.millis_behind_latest,
                }
                for key, shard in progress.shards.items()
            },
        }

    # Start

    def _initialize(self) -> None:
        self._table.create_table()
        for stream in identify(self._kinesis, self._stream_names):
            detector = ShardDetector(self._kinesis, stream.stream_name, self.settings)
            key = stream.serialized if stream.is_multi_stream else None
            self._streams[key] = ShardSyncTask(stream, self._table, detector, self.settings)
        leases = self._sync_if_empty()
        self._renewer.adopt(lease for lease in leases if lease.stream_identifier in self._streams)
        self._take()
        self._renewed_at = self._monotonic()

    def _choose_metrics(self, cloudwatch: Any) -> Metrics:
        if self.settings.metrics_level == "NONE":
            return NoMetrics()
        if cloudwatch is None:
            raise ValueError("metrics_level DETAILED needs a cloudwatch client.")
        return CloudWatchMetrics(
            cloudwatch,
            self.application_name,
            self.worker_id,
            buffer_seconds=self.settings.metrics_buffer_time_millis / 1000,
        )

    def _choose_dead_letters(self) -> DeadLetters | None:
        stream = self.settings.dead_letter_stream
        return None if stream is None else KinesisDeadLetters(self._kinesis, stream)

    def _start_thread(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    # Loops

    def _renew_forever(self) -> None:
        every = self.settings.renewer_interval_seconds
        due = self._monotonic() + every
        # Goes on while consumers shut down: they checkpoint until their last moment.
        while not self._renewing_ended.wait(min(every, max(0.0, due - self._monotonic()))):
            now = self._monotonic()
            # At a fixed rate, unless the machine slept or the clock jumped.
            due = (due if abs(now - due) < every else now) + every
            self._guarded("renew leases", self._renew)

    def _take_forever(self) -> None:
        while not self._stopping.is_set():
            self._take_now.wait(self.settings.taker_interval_seconds)
            self._take_now.clear()
            if not self._stopping.is_set():
                self._guarded("take leases", self._take)

    def _sync_forever(self) -> None:
        every = self.settings.shard_sync_interval_millis / 1000
        while not self._stopping.wait(every):
            self._guarded("sync shards", self._sync_if_empty)

    def _audit_forever(self) -> None:
        every = self.settings.leases_recovery_auditor_execution_frequency_millis / 1000
        while not self._stopping.wait(every):
            self._guarded("audit leases", self._audit)

    def _clean_up_forever(self) -> None:
        every = self.settings.lease_cleanup_interval_millis / 1000
        while not self._stopping.wait(every):
            self._guarded("clean up leases", self._clean_up)

    def _renew(self) -> None:
        with timed(self._metrics, "RenewAllLeases"):
            lost = self._renewer.renew_all()
        self._renewed_at = self._monotonic()
        self._metrics.add("RenewAllLeases", "LostLeases", len(lost))
        self._metrics.add("RenewAllLeases", "CurrentLeases", len(self._renewer.held()))
        if lost:
            self._wake_consumers()

    def _take(self) -> None:
        with timed(self._metrics, "TakeLeases"):
            taken = self._taker.take()
        for lease in taken:
            self._renewer.add(lease)
        if taken:
            self._wake.set()

    def _sync_if_empty(self) -> list[Lease]:
        """Make the first leases of streams that have none. Returns the leases there were."""
        leases = self._table.list_leases()
        for task in self._streams.values():
            if task.sync_if_empty(leases):
                self._take_now.set()
        return leases

    def _audit(self) -> None:
        leases = self._table.list_leases()
        self._begin_recreated_streams_anew(leases)
        if not is_leader(leases, self.worker_id):
            return
        with timed(self._metrics, "PeriodicShardSyncManager"):
            made = [lease for task in self._streams.values() for lease in task.audit(leases)]
        self._metrics.add("PeriodicShardSyncManager", "NumStreamsToSync", _streams_of(made))
        if made:
            self._take_now.set()

    def _begin_recreated_streams_anew(self, leases: list[Lease]) -> None:
        """A consumer was told that its checkpoint is of a stream that is no more."""
        by_key = {lease.lease_key: lease for lease in leases}
        told = {
            by_key[key].stream_identifier
            for key, error in self.failed_shards().items()
            if isinstance(error, ForeignCheckpoint) and key in by_key
        }
        for stream in told:
            if self._streams[stream].begin_anew(leases):
                self._take_now.set()

    def _clean_up(self) -> None:
        # By every worker, not by the leader alone: until it is gone, the lease of an ended shard
        # counts as its owner's load, also for Amazon's workers, which look every five minutes.
        leases = self._table.list_leases()
        for task in self._streams.values():
            task.clean_up(leases)

    def _guarded(self, what: str, call: Callable[[], object]) -> None:
        try:
            call()
        except (ClientError, BotoCoreError, KclError) as error:
            log.warning("Worker %s could not %s: %s", self.worker_id, what, error)

    # Consumers

    def _run_consumers(self) -> None:
        reported_at = float("-inf")
        while not self._stopping.is_set():
            self._consumers.reconcile(self._stream_of)
            now = self._monotonic()
            if self._on_progress is not None and abs(now - reported_at) >= 0.5:
                self._on_progress(self.progress())
                reported_at = now
            self._wake.wait(0.1)
            self._wake.clear()

    def _stream_of(self, held: HeldLease) -> StreamIdentifier:
        return self._streams[held.lease.stream_identifier].stream

    def _publisher(
        self, stream: StreamIdentifier, shard_id: str, start: ExtendedSequenceNumber
    ) -> RecordsPublisher:
        name = stream.stream_name
        shard = ShardToRead(self._kinesis, name, shard_id, start, self.settings)
        if self.settings.retrieval_mode == "FANOUT":
            consumer = self._fan_out.setdefault(
                name, RegisteredConsumer(self._kinesis, name, self.application_name)
            )
            source: RecordsSource = FanOutSource(shard, consumer)
        else:
            source = PollingSource(ShardReader(shard), self.settings, stream.lease_key(shard_id))
        return PrefetchingPublisher(source, self.settings, stream.lease_key(shard_id))

    def _consumer_ended(self) -> None:
        self._take_now.set()  # children may be waiting
        self._wake_consumers()

    def _wake_consumers(self) -> None:
        self._consumers.wake()
        self._wake.set()

    # End

    def _end(self) -> None:
        if not self._wants_graceful_end:
            for lease in self._renewer.held().values():
                self._renewer.drop(lease)
        self._consumers.end()
        for lease in self._renewer.held().values():
            self._guarded("give a lease back", partial(self._renewer.evict, lease))
        self._renewing_ended.set()
        for thread in self._threads:
            thread.join()
        self._renewer.close()
        if isinstance(self._metrics, CloudWatchMetrics):
            self._metrics.close()
        if self._on_progress is not None:
            self._on_progress(self.progress())


def _streams_of(leases: Sequence[Lease]) -> int:
    return len({lease.stream_identifier for lease in leases})
