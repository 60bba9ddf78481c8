"""What a user of the library writes: a ShardRecordProcessor, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber


class KinesisClientRecord(NamedTuple):
    """A user record: a Kinesis record, or one of those packed into an aggregated one."""

    sequence_number: str
    sub_sequence_number: int
    partition_key: str
    data: bytes
    approximate_arrival_timestamp: datetime
    explicit_hash_key: str | None = None
    aggregated: bool = False

    @property
    def position(self) -> ExtendedSequenceNumber:
        return ExtendedSequenceNumber(self.sequence_number, self.sub_sequence_number)


class PreparedCheckpointer(Protocol):
    """A checkpoint announced, not yet made."""

    @property
    def pending_checkpoint(self) -> ExtendedSequenceNumber: ...

    def checkpoint(self) -> None:
        """Make it. Raises as `Checkpointer.checkpoint`, also when a later one was made before."""


class Checkpointer(Protocol):
    """Remembers how far a shard is processed. Safe to call from a thread of the processor's own.

    Raises ShutdownException when the lease is lost (do not retry), ThrottlingException and
    KinesisClientLibDependencyException (retry), InvalidStateException (the lease table is gone),
    InvalidCheckpoint (before the last checkpoint, or after what was delivered).
    """

    def checkpoint(
        self,
        sequence_number: str | KinesisClientRecord | None = None,
        sub_sequence_number: int = 0,
    ) -> None:
        """All up to here is processed: a record, a number, or (None) everything delivered so far.
        A second checkpoint of the same place writes nothing."""

    def prepare_checkpoint(
        self,
        sequence_number: str | KinesisClientRecord | None = None,
        sub_sequence_number: int = 0,
        *,
        application_state: bytes | None = None,
    ) -> PreparedCheckpointer:
        """Announce a checkpoint; after a crash the next owner is told of it, with the state."""


@dataclass(frozen=True, slots=True)
class InitializationInput:
    """Given once, before anything else."""

    stream_name: str
    shard_id: str
    extended_sequence_number: ExtendedSequenceNumber
    pending_checkpoint: ExtendedSequenceNumber | None = None
    pending_checkpoint_state: bytes | None = None


@dataclass(frozen=True, slots=True)
class ProcessRecordsInput:
    """A batch, in order. `millis_behind_latest` is Kinesis' own figure."""

    records: Sequence[KinesisClientRecord]
    checkpointer: Checkpointer
    millis_behind_latest: int
    is_at_shard_end: bool = False


@dataclass(frozen=True, slots=True)
class LeaseLostInput:
    """Nothing can be checkpointed any more."""


@dataclass(frozen=True, slots=True)
class ShardEndedInput:
    """The shard was read to its end: checkpoint before returning."""

    checkpointer: Checkpointer


@dataclass(frozen=True, slots=True)
class ShutdownRequestedInput:
    """The worker stops: the last chance to checkpoint."""

    checkpointer: Checkpointer


class ShardRecordProcessor(Protocol):
    """The user's code for one shard. Calls come one at a time, each on the shard's thread.

    `process_records` may be given records again that it has seen (at least once): everything
    after the last checkpoint comes again after a crash. An exception stops the shard, or brings
    the same records again, or sends the failing one to a dead-letter stream, as the settings say;
    nothing is skipped silently. The other methods are called again when they raise, but
    `lease_lost`, whose exceptions are only logged.
    """

    def initialize(self, initialization_input: InitializationInput) -> None: ...

    def process_records(self, process_records_input: ProcessRecordsInput) -> None: ...

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> None: ...

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None: ...

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None: ...


#: Makes the processor of one shard.
ProcessorFactory = Callable[[], ShardRecordProcessor]
