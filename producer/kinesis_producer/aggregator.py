"""Pack user records of one predicted shard into Kinesis records. Pure: no clock, no threads."""

from __future__ import annotations

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import (
    AGGREGATE_PARTITION_KEY,
    KinesisRecord,
    aggregated,
    single,
)
from producer.kinesis_producer.user_record import UserRecord
from services.kinesis.aggregation import FRAME_BYTES, Aggregate, AggregatedUserRecord


class _Container:
    """The aggregate of one shard that is being filled."""

    def __init__(self, shard_id: str) -> None:
        self.shard_id = shard_id
        self.aggregate = Aggregate()
        self.records: list[UserRecord] = []
        self.deadline = float("inf")

    def close(self) -> KinesisRecord:
        if len(self.records) == 1:
            return single(self.records[0], self.shard_id, self.deadline)
        data = self.aggregate.pack()
        return aggregated(self.records, data, self.shard_id, self.deadline)


class Aggregator:
    """One open container per predicted shard.

    Where no shard is predicted, nothing is aggregated: records of different shards in one
    aggregate would be dropped by the KCL.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._is_enabled = configuration.aggregation_enabled
        self._max_count = configuration.aggregation_max_count
        self._max_size = configuration.aggregation_max_size - len(AGGREGATE_PARTITION_KEY)
        self._containers: dict[str, _Container] = {}
        #: When the first container is due although it is not full; None while all are empty.
        self.deadline: float | None = None

    def add(
        self, record: UserRecord, shard_id: str | None, deadline: float
    ) -> tuple[KinesisRecord, ...]:
        """Put the record into its shard's container; what is full now comes back."""
        if not self._is_enabled or shard_id is None or self._is_too_large(record):
            return (single(record, shard_id, deadline),)
        container, part = self._containers.get(shard_id), _part(record)
        full: tuple[KinesisRecord, ...] = ()
        if container is not None and not container.aggregate.add(part, self._max_size):
            full, container = (self._close(container),), None
        if container is None:
            container = self._containers[shard_id] = _Container(shard_id)
            container.aggregate.add(part)
        container.records.append(record)
        if deadline < container.deadline:
            container.deadline = deadline
            if self.deadline is None or deadline < self.deadline:
                self.deadline = deadline
        if len(container.records) >= self._max_count:
            full += (self._close(container),)
        return full

    def take(self, due: float = float("inf")) -> list[KinesisRecord]:
        """The containers whose deadline is `due` or earlier; all of them by default."""
        ready = [c for c in self._containers.values() if c.deadline <= due]
        return [self._close(container) for container in ready]

    def _close(self, container: _Container) -> KinesisRecord:
        del self._containers[container.shard_id]
        self.deadline = min((c.deadline for c in self._containers.values()), default=None)
        return container.close()

    def _is_too_large(self, record: UserRecord) -> bool:
        """Larger than a container even alone, with some room for the format's own bytes."""
        return record.size + FRAME_BYTES + 64 > self._max_size


def _part(record: UserRecord) -> AggregatedUserRecord:
    return AggregatedUserRecord(record.partition_key, record.data, record.explicit_hash_key)
