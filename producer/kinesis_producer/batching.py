"""Collect Kinesis records into PutRecords calls by count, bytes and age. Pure: no clock.

"Collection" in the words of the KPL: many Kinesis records in one call.
"""

from __future__ import annotations

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord

#: The KPL sends a batch when one shard has this much in it.
SHARD_FLUSH_BYTES = 256 * 1024


class Collector:
    """The batch that is being filled."""

    def __init__(self, configuration: Configuration) -> None:
        self._max_count = configuration.collection_max_count
        self._max_size = configuration.collection_max_size
        self._records: list[KinesisRecord] = []
        self._size = 0
        self._shard_sizes: dict[str, int] = {}
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
        elif record.shard_id is not None:
            of_shard = self._shard_sizes.get(record.shard_id, 0) + record.size
            self._shard_sizes[record.shard_id] = of_shard
            if of_shard >= SHARD_FLUSH_BYTES:
                full.append(self.take())
        return full

    def take(self) -> list[KinesisRecord]:
        """Whatever is in the batch, which is empty afterwards."""
        records, self._records, self._size, self.deadline = self._records, [], 0, None
        self._shard_sizes.clear()
        return records
