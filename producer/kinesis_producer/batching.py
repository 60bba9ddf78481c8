"""Collect Kinesis records into PutRecords calls by count, bytes and age. Pure: `now` is passed in.

"Collection" in the words of the KPL: many Kinesis records in one call.
"""

from __future__ import annotations

from typing import NamedTuple

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.user_record import UserRecord


class KinesisRecord(NamedTuple):
    """One entry of PutRecords and the user records in it. `size` counts the partition key.

    `deadline` is when it wants to be on its way at the latest.
    """

    user_records: list[UserRecord]
    data: bytes
    partition_key: str
    explicit_hash_key: str | None
    size: int
    deadline: float


class Collector:
    """The batch that is being filled."""

    def __init__(self, configuration: Configuration) -> None:
        self._max_count = configuration.collection_max_count
        self._max_size = configuration.collection_max_size
        self._records: list[KinesisRecord] = []
        self._size = 0
        #: When the batch is due although it is not full; None while it is empty.
        self.deadline: float | None = None

    def add(self, record: KinesisRecord) -> list[list[KinesisRecord]]:
        """Put the record into the batch; whatever batches are full now come back."""
        full = []
        if self._records and self._size + record.size > self._max_size:
            full.append(self.take())
        self._records.append(record)
        self._size += record.size
        if self.deadline is None or record.deadline < self.deadline:
            self.deadline = record.deadline
        if len(self._records) >= self._max_count or self._size >= self._max_size:
            full.append(self.take())
        return full

    def take(self) -> list[KinesisRecord]:
        """Whatever is in the batch, which is empty afterwards."""
        records, self._records, self._size, self.deadline = self._records, [], 0, None
        return records
