"""The shard consumers of one worker: one for each lease it holds, ended when a lease goes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from consumers.kcl.dead_letters import DeadLetters
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.lease import LeaseTable
from consumers.kcl.lease_renewer import HeldLease, LeaseRenewer
from consumers.kcl.metrics import Metrics
from consumers.kcl.processor_errors import GuardedCalls
from consumers.kcl.record_processor import ProcessorFactory
from consumers.kcl.retrieval import RecordsPublisher
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import StreamIdentifier
from consumers.kcl.shard_consumer import ConsumerState, ShardConsumer
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
    """What a worker holds and has done since it started. Shards it lost keep their counts.

    Shards are told by their lease keys: the bare shard id, unless several streams are read.
    """

    worker_id: str
    leases_held: tuple[str, ...]
    shards: Mapping[str, ShardProgress] = field(default_factory=dict)
    records_processed: int = 0


#: Makes the publisher of a stream's shard from a position on.
PublisherFactory = Callable[[StreamIdentifier, str, ExtendedSequenceNumber], RecordsPublisher]


class ShardConsumers:
    """Starts, watches and ends consumers. Called from the scheduler's thread alone, but for
    `wake`, `progress`, `failed` and `hanging`."""

    def __init__(
        self,
        table: LeaseTable,
        renewer: LeaseRenewer,
        processor_factory: ProcessorFactory,
        publisher_factory: PublisherFactory,
        settings: SchedulerSettings,
        *,
        dead_letters: DeadLetters | None,
        metrics: Metrics,
        stopping: threading.Event,
        on_end: Callable[[], None],
    ) -> None:
        self._table = table
        self._renewer = renewer
        self._processor_factory = processor_factory
        self._publisher_factory = publisher_factory
        self._settings = settings
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._stopping = stopping
        self._on_end = on_end
        self._running: dict[str, tuple[HeldLease, ShardConsumer]] = {}
        self._totals: dict[str, ShardProgress] = {}
        self._told_hanging: set[str] = set()

    def reconcile(self, stream_of: Callable[[HeldLease], StreamIdentifier]) -> None:
        """Forget consumers that ended; start one for each lease that has none."""
        held = self._renewer.held()
        for key, (lease, consumer) in list(self._running.items()):
            is_lost = held.get(key) is not lease
            if is_lost:
                consumer.wake()
            elif lease.handing_off:
                consumer.request_shutdown()
            has_ended = is_lost or consumer.state is ConsumerState.SHUTDOWN_COMPLETE
            if has_ended and not consumer.is_alive():
                self._totals[key] = self._progress_of(key, consumer)
                del self._running[key]
        for key, lease in held.items():
            # A new tenure waits until the consumer of the old one has ended.
            if key not in self._running and not lease.lease.has_ended:
                self._consume(key, lease, stream_of(lease))
        self._warn_of_hanging()

    def wake(self) -> None:
        """Let consumers look at their leases and parents now."""
        for _, consumer in list(self._running.values()):
            consumer.wake()

    def end(self) -> None:
        """Ask all to stop and wait for them."""
        running = [consumer for _, consumer in self._running.values()]
        for consumer in running:
            consumer.request_shutdown()
        for consumer in running:
            consumer.join()

    def progress(self) -> dict[str, ShardProgress]:
        running = {
            key: self._progress_of(key, consumer)
            for key, (_, consumer) in list(self._running.items())
        }
        return self._totals | running

    def failed(self) -> dict[str, Exception]:
        """Shards that stand still, with the error that stopped them."""
        running = list(self._running.items())
        return {key: c.error for key, (_, c) in running if c.error is not None}

    def hanging(self) -> dict[str, float]:
        """Shards whose processor has been busy with one call for too long, with the seconds."""
        if self._settings.processor_timeout_millis is None:
            return {}
        longest, now = self._settings.processor_timeout_millis / 1000, time.monotonic()
        busy = {
            key: now - since
            for key, (_, consumer) in list(self._running.items())
            if (since := consumer.processing_since) is not None
        }
        return {key: seconds for key, seconds in busy.items() if seconds > longest}

    def _warn_of_hanging(self) -> None:
        hanging = self.hanging()
        for key in hanging.keys() - self._told_hanging:
            log.warning(
                "The processor of shard %s has been busy with one call for %.0f s.",
                key, hanging[key],
            )  # fmt: skip
        self._told_hanging = set(hanging)

    def _consume(self, key: str, held: HeldLease, stream: StreamIdentifier) -> None:
        tenure = LeaseTenure(held, self._renewer, self._table, stream)
        shard_id = held.lease.shard_id
        calls = GuardedCalls(
            stream.stream_name,
            shard_id,
            self._settings,
            self._dead_letters,
            lambda: tenure.is_held() and not self._stopping.is_set(),
        )
        consumer = ShardConsumer(
            stream.stream_name,
            tenure,
            self._processor_factory,
            lambda start: self._publisher_factory(stream, shard_id, start),
            calls,
            self._settings,
            self._on_end,
            self._metrics,
        )
        self._running[key] = (held, consumer)
        consumer.start()

    def _progress_of(self, key: str, consumer: ShardConsumer) -> ShardProgress:
        earlier = self._totals.get(key)
        before = earlier.records_processed if earlier else 0
        progress = consumer.progress
        return ShardProgress(
            consumer.state, before + progress.records_processed, progress.millis_behind_latest
        )
