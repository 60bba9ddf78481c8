"""Amazon's Kinesis Client Library in Python: workers that share a stream's shards by leases."""

from __future__ import annotations

from consumers.kcl.record_processor import (
    InitializationInput,
    KinesisClientRecord,
    LeaseLostInput,
    ProcessRecordsInput,
    ShardEndedInput,
    ShardRecordProcessor,
    ShutdownRequestedInput,
)
from consumers.kcl.scheduler import Scheduler
from consumers.kcl.settings import LOCAL, SchedulerSettings
from consumers.kcl.shard_consumers import WorkerProgress

__all__ = [
    "LOCAL",
    "InitializationInput",
    "KinesisClientRecord",
    "LeaseLostInput",
    "ProcessRecordsInput",
    "Scheduler",
    "SchedulerSettings",
    "ShardEndedInput",
    "ShardRecordProcessor",
    "ShutdownRequestedInput",
    "WorkerProgress",
]
