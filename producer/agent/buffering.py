"""Gather a flow's records into calls by count, bytes and age. Pure but for random keys."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from producer.agent.configuration import KINESIS, Flow
from producer.agent.files import Position, TrackedFile
from producer.agent.splitting import truncate
from producer.agent.tailer import Chunk

log = logging.getLogger(__name__)


class AgentRecord(NamedTuple):
    """What is sent: `partition_key` is empty for Firehose."""

    data: bytes
    partition_key: str


@dataclass
class Buffer:
    """The records of one call, and how far each file was read when they all are sent."""

    records: list[AgentRecord] = field(default_factory=list)
    size: int = 0
    opened_at: float = 0.0
    files: dict[str, TrackedFile] = field(default_factory=dict)
    positions: list[Position] = field(default_factory=list)


@dataclass
class ParsedCounts:
    """What the status line tells about reading."""

    records_parsed: int = 0
    bytes_consumed: int = 0
    records_processed: int = 0
    records_skipped: int = 0


class Buffering:
    """The buffer that is being filled."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._max_records = int(flow.values["maxBufferSizeRecords"])
        self._max_bytes = flow.max_buffer_bytes
        self._age_seconds = flow.values["maxBufferAgeMillis"] / 1000
        self._terminator = flow.values["truncatedRecordTerminator"].encode()
        self._is_random = flow.values["partitionKeyOption"] == "RANDOM"
        self._buffer = Buffer()
        self.counts = ParsedCounts()

    def add(self, chunk: Chunk, now: float) -> Iterator[Buffer]:
        """Consume the chunk; buffers that are full come back."""
        for record, raw in zip(chunk.records, chunk.raw, strict=True):
            ready = self._ready(record)
            if ready is not None:
                size = len(ready.data) + len(ready.partition_key)
                if self._buffer.records and self._buffer.size + size > self._max_bytes:
                    yield self._close()
                self._buffer.opened_at = self._buffer.opened_at or now
                self._buffer.records.append(ready)
                self._buffer.size += size
            self._note(chunk.file, now)
            chunk.file.consume(raw)
            self.counts.bytes_consumed += len(raw)
            if len(self._buffer.records) >= self._max_records:
                yield self._close()
        self._note(chunk.file, now)

    def take(self, now: float) -> Buffer | None:
        """The buffer when it is old enough, or at the end of everything (`now` infinite)."""
        if not self._buffer.files or now - self._buffer.opened_at < self._age_seconds:
            return None
        return self._close()

    def _note(self, file: TrackedFile, now: float) -> None:
        self._buffer.opened_at = self._buffer.opened_at or now
        self._buffer.files[file.id] = file

    def _close(self) -> Buffer:
        closed, self._buffer = self._buffer, Buffer()
        closed.positions = [file.position() for file in closed.files.values()]
        return closed

    def _ready(self, record: bytes) -> AgentRecord | None:
        """The record as it is sent; None when it is left out."""
        if not record:
            return None
        self.counts.records_parsed += 1
        data = self._processed(record)
        if data is None:
            self.counts.records_skipped += 1
            return None
        key = self._partition_key(data)
        room = self._flow.max_record_bytes - len(key)
        return AgentRecord(truncate(data, room, self._terminator), key)

    def _processed(self, record: bytes) -> bytes | None:
        if self._flow.converter is None:
            return record
        try:
            converted = self._flow.converter(record)
        except Exception as error:  # noqa: BLE001  (a user's data or plug-in: sent as it is)
            log.debug("%s: a record is sent unprocessed: %s", self._flow.id, error)
            return record
        self.counts.records_processed += converted is not None
        return converted

    def _partition_key(self, data: bytes) -> str:
        if self._flow.kind != KINESIS:
            return ""
        if self._is_random:
            return str(random.random() * 1_000_000)
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
