"""A Kinesis producer with the behaviour of Amazon's Kinesis Producer Library, in Python."""

from __future__ import annotations

from producer.kinesis_producer.configuration import PLAIN, Configuration
from producer.kinesis_producer.producer import KinesisProducer, ProducerClosed, ProducerFailed
from producer.kinesis_producer.user_record import Attempt, UserRecord, UserRecordResult

__all__ = [
    "PLAIN",
    "Attempt",
    "Configuration",
    "KinesisProducer",
    "ProducerClosed",
    "ProducerFailed",
    "UserRecord",
    "UserRecordResult",
]
