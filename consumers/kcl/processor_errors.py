"""What an error of the user's `process_records` does: stop, retry, or set the record aside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from consumers.kcl.checkpointer import RecordProcessorCheckpointer
from consumers.kcl.dead_letters import DeadLetters
from consumers.kcl.deaggregation import after_checkpoint
from consumers.kcl.errors import ShardStopped, ShutdownException, TryAgain
from consumers.kcl.record_processor import (
    ProcessRecordsInput,
    ShardRecordProcessor,
)
from consumers.kcl.settings import SchedulerSettings

log = logging.getLogger(__name__)


class GuardedCalls:
    """ProcessorCalls by the settings of a worker, for one shard.

    `is_wanted` says whether going on makes sense: not after the lease is lost or the worker stops.
    """

    def __init__(
        self,
        stream_name: str,
        shard_id: str,
        settings: SchedulerSettings,
        dead_letters: DeadLetters | None,
        is_wanted: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream_name = stream_name
        self._shard_id = shard_id
        self._settings = settings
        self._dead_letters = dead_letters
        self._is_wanted = is_wanted
        self._sleep = sleep

    def process(
        self,
        processor: ShardRecordProcessor,
        given: ProcessRecordsInput,
        checkpointer: RecordProcessorCheckpointer,
    ) -> bool:
        error = self._attempts(processor, given, checkpointer)
        if error is None:
            return True
        if not self._is_wanted():
            return False
        if self._dead_letters is None or not given.records:
            raise ShardStopped(
                f"The processor of shard {self._shard_id} failed: {type(error).__name__}: {error}"
            ) from error
        return self._isolate(processor, given, checkpointer, error)

    def _attempts(
        self,
        processor: ShardRecordProcessor,
        given: ProcessRecordsInput,
        checkpointer: RecordProcessorCheckpointer,
    ) -> Exception | None:
        """None when the batch was processed; else the error of the last try that is allowed, or
        that came while this worker stops."""
        tries = 0
        while True:
            if (error := _call(processor, given, checkpointer)) is None:
                return None
            if isinstance(error, ShutdownException):
                return error  # the lease went while it checkpointed: nothing is wrong with it
            # What will pass counts for no try: an engine that is away for an hour comes back.
            tries += not isinstance(error, TryAgain)
            log.warning(
                "Shard %s: process_records failed: %s: %s",
                self._shard_id, type(error).__name__, error,
            )  # fmt: skip
            if not self._is_wanted() or (tries and self._gives_up(tries)):
                return error
            self._sleep(self._settings.task_backoff_time_millis / 1000)

    def _gives_up(self, tries: int) -> bool:
        how = self._settings.on_processor_error
        return how == "STOP" or (
            how == "DEAD_LETTER" and tries > self._settings.max_processor_retries
        )

    def _isolate(
        self,
        processor: ShardRecordProcessor,
        given: ProcessRecordsInput,
        checkpointer: RecordProcessorCheckpointer,
        error: Exception,
    ) -> bool:
        """Deliver ever smaller parts until the failing record stands alone, and set that aside."""
        records = given.records
        if len(records) == 1:
            assert self._dead_letters is not None
            reason = f"{type(error).__name__}: {error}"
            self._dead_letters.put(self._stream_name, self._shard_id, records[0], reason)
            return True
        middle = len(records) // 2
        for part in (records[:middle], records[middle:]):
            if not self._is_wanted():
                return False
            smaller = replace(given, records=part)
            failure = _call(processor, smaller, checkpointer)
            if failure is not None and not self._isolate(processor, smaller, checkpointer, failure):
                return False
        return True


def _call(
    processor: ShardRecordProcessor,
    given: ProcessRecordsInput,
    checkpointer: RecordProcessorCheckpointer,
) -> Exception | None:
    """One delivery, of what is not checkpointed yet: an earlier try may have come half-way."""
    records = after_checkpoint(given.records, checkpointer.last_checkpoint)
    if records:
        checkpointer.delivering(records[-1].position)
    elif given.records:
        return None
    try:
        processor.process_records(replace(given, records=records))
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        return error
    return None
