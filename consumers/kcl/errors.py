"""What can go wrong in a worker, as facts.

KclError
├── LeaseTableOfAnotherShape    the DynamoDB table is not a lease table
├── InconsistentShards          the shard list has a hole, or open children of an open parent
├── StreamNotFound              no such stream
├── ForeignCheckpoint           a checkpoint is no place of the stream that has its name now
├── InvalidShardAnswer          GetRecords says "end" without children, or the reverse
├── TryAgain                    a processor wants the same records again after a pause
├── ShardStopped                a processor's error stopped a shard
└── CheckpointRefused           base of what a checkpointer raises (KCL's own names below it)
    ├── ShutdownException       the lease is lost: do not retry
    ├── ThrottlingException     DynamoDB throttles: retry
    ├── InvalidStateException   the lease table is gone: cannot continue
    ├── KinesisClientLibDependencyException   any other DynamoDB error: retry
    └── InvalidCheckpoint       outside the window that may be checkpointed
"""

from __future__ import annotations


class KclError(Exception):
    """Base of all."""


class LeaseTableOfAnotherShape(KclError):
    """The table named like the application has another key than `leaseKey`."""


class InconsistentShards(KclError):
    """The shard list contradicts itself; the sync is tried again later."""


class StreamNotFound(KclError):
    """The stream to read does not exist."""


class ForeignCheckpoint(KclError):
    """Kinesis says that the sequence number to go on from did not come from this stream."""


class InvalidShardAnswer(KclError):
    """An answer without next iterator must name child shards, and only such an answer."""


class TryAgain(KclError):
    """Raised by a processor for an error that will pass: the same records come again after the
    backoff, whatever `on_processor_error` says, until they are processed or the lease goes."""


class ShardStopped(KclError):
    """The processor failed and its settings say that the shard stands still."""


class CheckpointRefused(KclError):
    """A checkpoint was not written."""


class ShutdownException(CheckpointRefused):
    """The worker holds the lease no more; another one has it or will."""


class ThrottlingException(CheckpointRefused):
    """DynamoDB throttles; the same checkpoint may be tried again."""


class InvalidStateException(CheckpointRefused):
    """The lease table is gone or unusable."""


class KinesisClientLibDependencyException(CheckpointRefused):
    """DynamoDB failed otherwise; the same checkpoint may be tried again."""


class InvalidCheckpoint(CheckpointRefused, ValueError):
    """The position lies outside what was delivered since the last checkpoint."""
