"""One entry of PutRecords: a single user record as it is, or several aggregated."""

from __future__ import annotations

from typing import Any, NamedTuple

from producer.kinesis_producer.user_record import UserRecord

#: The KPL's partition key of every aggregate; the explicit hash key alone decides its shard.
AGGREGATE_PARTITION_KEY = "a"


class KinesisRecord(NamedTuple):
    """What goes over the wire, and the user records in it.

    `shard_id` is the predicted shard, None without a shard map. `size` counts the partition
    key, as PutRecords does. `deadline` is when it wants to be on its way at the latest.
    """

    user_records: list[UserRecord]
    data: bytes
    partition_key: str
    explicit_hash_key: str | None
    shard_id: str | None
    size: int
    deadline: float

    @property
    def is_aggregated(self) -> bool:
        return len(self.user_records) > 1

    @property
    def expires_at(self) -> float:
        """When the first of its user records does."""
        return min(record.expires_at for record in self.user_records)

    def entry(self) -> dict[str, Any]:
        """The record as PutRecords takes it."""
        entry: dict[str, Any] = {"Data": self.data, "PartitionKey": self.partition_key}
        if self.explicit_hash_key is not None:
            entry["ExplicitHashKey"] = self.explicit_hash_key
        return entry


def single(record: UserRecord, shard_id: str | None, deadline: float) -> KinesisRecord:
    """A user record alone is never aggregated: it goes as it is under its own key."""
    return KinesisRecord(
        [record],
        record.data,
        record.partition_key,
        record.explicit_hash_key,
        shard_id,
        record.size,
        deadline,
    )


def aggregated(
    records: list[UserRecord], data: bytes, shard_id: str | None, deadline: float
) -> KinesisRecord:
    """Several records under the key `a` and the hash key of the first."""
    return KinesisRecord(
        records,
        data,
        AGGREGATE_PARTITION_KEY,
        str(records[0].hash_key),
        shard_id,
        len(data) + len(AGGREGATE_PARTITION_KEY),
        deadline,
    )
