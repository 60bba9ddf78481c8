"""One delivery stream at work: what it is, and the loop that processes and delivers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from services.clock import Clock
from services.firehose.buffering import BufferingHints
from services.firehose.buffers import BACKUP, DESTINATION, ERROR, INCOMING, Delivery
from services.firehose.configuration import Configuration
from services.firehose.destinations.destination import (
    Delivered,
    DeliveryError,
    Destination,
    StreamIdentity,
    TryAgain,
)
from services.firehose.errors import ServiceUnavailable
from services.firehose.metrics import Metrics
from services.firehose.partitioning import MAX_ACTIVE_PARTITIONS
from services.firehose.processing import Processing
from services.firehose.record import Record, unpack
from services.firehose.stream_data import StreamData

LOG = logging.getLogger(__name__)

#: Without a transform nothing has to be collected before records are processed. But what comes
#: within a moment is processed together: each run writes one group of records for each partition.
_TOGETHER = BufferingHints(size_in_mbs=3, interval_in_seconds=0.5)
_MAX_WAIT_SECONDS = 3600.0


class ErrorLog(Protocol):
    """The CloudWatch log of a delivery stream's errors."""

    def write(self, errors: Sequence[DeliveryError], configuration: Configuration) -> None: ...


@dataclass(frozen=True)
class Surroundings:
    """What a delivery stream is given: its makers and its witnesses."""

    clock: Clock
    workers: ThreadPoolExecutor
    metrics: Metrics
    #: The destinations of a configuration by buffer name (`destination`, `backup`, `error`).
    destinations_of: Callable[[StreamIdentity, Configuration], Mapping[str, Destination]]
    processing_of: Callable[[StreamIdentity, Configuration], Processing]
    error_log_of: Callable[[StreamIdentity], ErrorLog]
    #: Whether a put is answered only after fsync.
    sync: bool = False


class DeliveryStream:
    """`put` and `accept` bring records in; a thread of its own delivers them when they are due."""

    def __init__(
        self,
        identity: StreamIdentity,
        configuration: Configuration,
        folder: Path,
        surroundings: Surroundings,
    ) -> None:
        self.identity = identity
        self._at = surroundings
        self.data = StreamData(folder, self._now(), sync=surroundings.sync)
        self._error_log = surroundings.error_log_of(identity)
        self._changed = threading.Condition()
        self._is_stopping = False
        self._is_processing = False
        self._is_stuck = False
        self._nudges = 0
        self.configure(configuration)
        self._thread = threading.Thread(
            target=self._run, name=f"firehose-{identity.name}", daemon=True
        )

    def configure(self, configuration: Configuration) -> None:
        """Go on with another version; records that are under way keep their targets."""
        self.configuration = configuration
        self._destinations = self._at.destinations_of(self.identity, configuration)
        self._processing = self._at.processing_of(self.identity, configuration)
        self.nudge()

    def start(self) -> None:
        self._thread.start()

    # In

    def put(self, contents: Sequence[bytes]) -> None:
        """DirectPut: on disk when this returns. Raises ServiceUnavailable."""
        now, appended = self._now(), self._appended_delimiter
        if appended is None:
            into = self._entrances()
            opened = self.data.put(contents, into, now)
        else:
            # A delimiter alone is no reason to write everything twice.
            delimited = [content + appended for content in contents]
            both = [(delimited, DESTINATION)]
            if self.configuration.backup is not None:
                both.append((list(contents), BACKUP))
            into = [name for _, name in both]
            opened = self.data.put_apart(both, now)
        size = sum(map(len, contents))
        self._at.metrics.add(
            self.identity, IncomingRecords=len(contents), IncomingBytes=size, IncomingPutRequests=1
        )
        self._nudge_if(opened, into, now)

    def accept(self, records: Sequence[Record], positions: Mapping[str, str]) -> None:
        """Records of a Kinesis stream and the positions after them. Raises ServiceUnavailable."""
        now, into = self._now(), self._entrances()
        opened = self.data.accept([(records, into)], positions, now)
        self._at.metrics.add(
            self.identity,
            DataReadFromKinesisStream_Records=len(records),
            DataReadFromKinesisStream_Bytes=sum(len(record.data) for record in records),
        )
        self._nudge_if(opened, into, now)

    @property
    def _appended_delimiter(self) -> bytes | None:
        processors = self.configuration.processors
        is_alone = processors == type(processors)(append_delimiter=processors.append_delimiter)
        if processors.append_delimiter is None or not is_alone:
            return None
        return processors.append_delimiter.encode()

    def _entrances(self) -> list[str]:
        """The buffers that a source record joins."""
        first = INCOMING if self.configuration.processors.any else DESTINATION
        return [first] if self.configuration.backup is None else [first, BACKUP]

    def _nudge_if(self, opened: bool, names: Sequence[str], now: float) -> None:
        if opened or any(self.data.is_due(name, self._hints(name), now) for name in names):
            self.nudge()

    def nudge(self) -> None:
        """Look again at what is due: something came, or the clock was moved."""
        with self._changed:
            self._nudges += 1
            self._changed.notify_all()

    # The loop

    def _run(self) -> None:
        seen = -1
        while True:
            with self._changed:
                if self._is_stopping:
                    return
                if seen == self._nudges:
                    self._changed.wait(self._seconds_to_wait())
                seen = self._nudges
                if self._is_stopping:
                    return
            try:
                self._step()
            except ServiceUnavailable:
                return
            except Exception:
                LOG.exception("%s could not look after its buffers", self.identity.arn)
                time.sleep(1)

    def _seconds_to_wait(self) -> float:
        times = [self.data.next_due(self._hints, after_incoming=self._waits_for_incoming)]
        if not self._is_processing:
            times.append(self.data.incoming_due(self._hints(INCOMING)))
        due = min((time for time in times if time is not None), default=None)
        if due is None:
            return _MAX_WAIT_SECONDS
        return min(max(due - self._now(), 0.0), _MAX_WAIT_SECONDS)

    def _step(self, at_once: bool = False) -> None:
        now = self._now()
        self._process_what_is_due(now, at_once)
        self.data.close_due(
            now, self._hints, self._target, at_once, after_incoming=self._waits_for_incoming
        )
        for delivery in self.data.start_ready(now):
            self._at.workers.submit(self._attempt, delivery)

    @property
    def _passes_at_once(self) -> bool:
        """Whether what comes in is processed without a buffer of its own, as a transform has."""
        return self.configuration.processors.transform is None

    @property
    def _waits_for_incoming(self) -> bool:
        """Whether a buffer waits for what came in before it is due: not for a defect's end."""
        return self._passes_at_once and not self._is_stuck

    def _hints(self, buffer: str) -> BufferingHints:
        if buffer == INCOMING:
            transform = self.configuration.processors.transform
            if transform is None:
                seconds = self.configuration.hints.interval_in_seconds
                return _TOGETHER if seconds else replace(_TOGETHER, interval_in_seconds=0)
            return BufferingHints(
                transform.buffer_size_in_mbs, transform.buffer_interval_in_seconds
            )
        if buffer == BACKUP and self.configuration.backup is not None:
            return BufferingHints.of(self.configuration.backup["BufferingHints"])
        if buffer.startswith(ERROR):
            return BufferingHints.of(self.configuration.bucket["BufferingHints"])
        return self.configuration.hints

    def _destination(self, buffer: str) -> Destination:
        return self._destinations[buffer.partition(":")[0]]

    def _target(self, buffer: str, oldest_arrival: float) -> dict[str, Any]:
        return self._destination(buffer).target(buffer, oldest_arrival)

    # Processing

    def _process_what_is_due(self, now: float, at_once: bool) -> None:
        with self._changed:
            if self._is_processing:
                return
            groups = self.data.incoming(self._hints(INCOMING), now, at_once)
            self._is_processing = bool(groups)
        if groups:
            self._at.workers.submit(self._process, groups)

    def _process(self, groups: Sequence[Any]) -> None:
        try:
            records = [r for content in self.data.contents(groups) for r in unpack(content)]
            partitions = self.data.partitions()
            processed = self._processing.run(records, partitions, self._now())
            self.data.processed(
                groups, processed.buffers, self._now(), grows_older=self._passes_at_once
            )
            self._is_stuck = False
            self._report_processing(processed, len(partitions))
        except ServiceUnavailable:
            # Stopping: the records stay where they are.
            return
        except Exception:
            self._is_stuck = True
            LOG.exception("%s could not process records; they wait", self.identity.arn)
            # Slow down after a defect, so that it does not fill the log.
            time.sleep(1)
        finally:
            self._is_processing = False
            self.nudge()

    def _report_processing(self, processed: Any, partition_count: int) -> None:
        counts = {**processed.metrics}
        if self.configuration.is_partitioned:
            counts["ActivePartitionsLimit"] = MAX_ACTIVE_PARTITIONS
            counts["PartitionCount"] = partition_count
            counts["PartitionCountExceeded"] = int(processed.partition_limit_exceeded)
        self._at.metrics.add(self.identity, **counts)
        if processed.errors:
            self._error_log.write(processed.errors, self.configuration)

    # Delivering

    def _attempt(self, delivery: Delivery) -> None:
        is_something_left = True
        try:
            outcome = self._destination(delivery.buffer).deliver(
                delivery, self.data.contents(delivery.groups), self._now()
            )
            if isinstance(outcome, TryAgain):
                self.data.postpone(delivery, outcome.left_over, self._now())
            else:
                self.data.delivered(delivery, outcome.failed, self._now())
                is_something_left = bool(outcome.failed)
            self._report(delivery, outcome)
        except ServiceUnavailable:
            return
        except Exception:
            LOG.exception("%s could not deliver %s", self.identity.arn, delivery.target)
            self.data.postpone(delivery, delivery.left_over, self._now())
        finally:
            # Hundreds of partitions are delivered together: what is over is no reason to look.
            if is_something_left:
                self.nudge()

    def _report(self, delivery: Delivery, outcome: Delivered | TryAgain) -> None:
        metric = self._metric_name(delivery.buffer)
        values: dict[str, float] = {f"{metric}_Success": int(isinstance(outcome, Delivered))}
        if isinstance(outcome, Delivered):
            values[f"{metric}_Records"] = outcome.records
            values[f"{metric}_Bytes"] = outcome.size
            values[f"{metric}_DataFreshness"] = max(0, self._now() - delivery.oldest_arrival)
        if delivery.buffer.startswith(DESTINATION):
            values |= self._of_destination(delivery, outcome)
        self._at.metrics.add(self.identity, **values)
        if outcome.error is not None:
            self._error_log.write([outcome.error], self.configuration)

    def _of_destination(
        self, delivery: Delivery, outcome: Delivered | TryAgain
    ) -> dict[str, float]:
        """What only some destinations report of an attempt."""
        values: dict[str, float] = {}
        metric, is_over = self.configuration.kind.metric_name, isinstance(outcome, Delivered)
        if self.configuration.converts and isinstance(outcome, Delivered):
            failed = sum(failure.size for failure in outcome.failed)
            values["FailedConversion_Records"] = len(outcome.failed)
            values["FailedConversion_Bytes"] = failed
            values["SucceedConversion_Records"] = outcome.records
            values["SucceedConversion_Bytes"] = outcome.size - failed
        if self.configuration.is_partitioned and is_over:
            seconds = max(1.0, delivery.closed_at - delivery.oldest_arrival)
            values["PerPartitionThroughput"] = sum(g.size for g in delivery.groups) / seconds
            values["DeliveryToS3_ObjectCount"] = 1
        if metric == "DeliveryToHttpEndpoint":
            values[f"{metric}_ProcessedRecords"] = sum(g.record_count for g in delivery.groups)
            values[f"{metric}_ProcessedBytes"] = sum(g.size for g in delivery.groups)
        if self.configuration.kind.is_search:
            code = outcome.error.code if outcome.error else ""
            values[f"{metric}_AuthFailure"] = int(code in ("401", "403"))
            values[f"{metric}_DeliveryRejected"] = int(is_over and bool(outcome.error))
        return values

    def count(self, **values: float) -> None:
        """Add to this stream's metrics."""
        self._at.metrics.add(self.identity, **values)

    def _metric_name(self, buffer: str) -> str:
        kind = self.configuration.kind
        if buffer.startswith(DESTINATION):
            return kind.metric_name
        # A search destination's backup of all documents has no metrics of its own.
        return "BackupToS3" if buffer == BACKUP and not kind.is_search else "DeliveryToS3"

    def _now(self) -> float:
        return self._at.clock.now()

    # The end

    def flush(self, seconds: float) -> bool:
        """Deliver what waits, trying each piece once; True when nothing is left."""
        deadline = time.monotonic() + seconds
        while True:
            self._step(at_once=True)
            if self.data.is_settled() or time.monotonic() > deadline:
                return self.data.is_empty()
            with self._changed:
                self._changed.wait(0.05)

    def stop(self) -> None:
        """Stop delivering; what waits stays on disk."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.data.close()
