"""A processor for tests that remembers what it was given, and by which worker."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from consumers.kcl import (
    InitializationInput,
    KinesisClientRecord,
    LeaseLostInput,
    ProcessRecordsInput,
    ShardEndedInput,
    ShutdownRequestedInput,
)


class Journal:
    """What all processors of a test were given, in the order in which it happened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.events: list[tuple[str, str]] = []
        self.records: dict[str, list[KinesisClientRecord]] = defaultdict(list)
        #: What each processor was given: a shard that changes hands may be read again in part.
        self.runs: list[list[KinesisClientRecord]] = []

    def note(self, shard_id: str, event: str) -> None:
        with self._lock:
            self.events.append((shard_id, event))

    def add(self, shard_id: str, records: list[KinesisClientRecord]) -> None:
        with self._lock:
            self.records[shard_id] += records

    def seen(self) -> set[bytes]:
        with self._lock:
            return {record.data for records in self.records.values() for record in records}

    def of(self, shard_id: str) -> list[str]:
        return [event for shard, event in self.events if shard == shard_id]


class Recorder:
    """Remembers, then checkpoints. `fails_on` raises for a record before it is remembered."""

    def __init__(
        self,
        journal: Journal,
        fails_on: Callable[[KinesisClientRecord], bool] = lambda record: False,
        *,
        checkpoints: bool = True,
    ) -> None:
        self._journal = journal
        self._fails_on = fails_on
        self._checkpoints = checkpoints
        self._shard_id = ""
        self._run: list[KinesisClientRecord] = []
        journal.runs.append(self._run)

    def initialize(self, initialization_input: InitializationInput) -> None:
        self._shard_id = initialization_input.shard_id
        self._journal.note(self._shard_id, "initialize")

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        for record in process_records_input.records:
            if self._fails_on(record):
                raise RuntimeError(f"cannot digest {record.data!r}")
        self._journal.add(self._shard_id, list(process_records_input.records))
        self._run += process_records_input.records
        if self._checkpoints:
            process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> None:
        self._journal.note(self._shard_id, "lease_lost")

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        self._journal.note(self._shard_id, "shard_ended")
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        self._journal.note(self._shard_id, "shutdown_requested")
        if self._checkpoints:
            shutdown_requested_input.checkpointer.checkpoint()
