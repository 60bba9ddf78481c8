"""Puts records that a processor cannot digest to a stream of their own."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from consumers.kcl.record_document import record_document
from consumers.kcl.record_processor import KinesisClientRecord


class DeadLetters(Protocol):
    """Where a record goes that a processor cannot digest."""

    def put(
        self, stream_name: str, shard_id: str, record: KinesisClientRecord, reason: str
    ) -> None:
        """Keep it, durably. Raises when it could not. It may be put again after a crash."""


class KinesisDeadLetters:
    """DeadLetters in a Kinesis stream: a JSON document a record, under its partition key."""

    def __init__(self, kinesis: Any, dead_letter_stream: str) -> None:
        self._kinesis = kinesis
        self._dead_letter_stream = dead_letter_stream

    def put(
        self, stream_name: str, shard_id: str, record: KinesisClientRecord, reason: str
    ) -> None:
        document = record_document(stream_name, shard_id, record) | {"reason": reason}
        self._kinesis.put_record(
            StreamName=self._dead_letter_stream,
            Data=orjson.dumps(document),
            PartitionKey=record.partition_key,
        )
