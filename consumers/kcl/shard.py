"""A stream's shards as Kinesis tells them, and how streams and leases are keyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

#: The largest hash key: partition keys are hashed to 128 bits.
LAST_HASH_KEY = 2**128 - 1


class HashKeyRange(NamedTuple):
    """Both bounds belong to the range."""

    starting_hash_key: int
    ending_hash_key: int

    @classmethod
    def of(cls, told: Mapping[str, str]) -> HashKeyRange:
        return cls(int(told["StartingHashKey"]), int(told["EndingHashKey"]))

    def __contains__(self, hash_key: object) -> bool:
        return (
            isinstance(hash_key, int) and self.starting_hash_key <= hash_key <= self.ending_hash_key
        )


@dataclass(frozen=True, slots=True)
class Shard:
    """One entry of ListShards. `is_open`: it still takes records."""

    shard_id: str
    starting_sequence_number: int
    is_open: bool = True
    parents: tuple[str, ...] = ()
    hash_key_range: HashKeyRange | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Shard:
        """From ListShards' shape. Either parent field may be the only one there."""
        numbers = told.get("SequenceNumberRange", {})
        parents = (told.get("ParentShardId"), told.get("AdjacentParentShardId"))
        return cls(
            shard_id=told["ShardId"],
            starting_sequence_number=int(numbers.get("StartingSequenceNumber", 0)),
            is_open=not numbers.get("EndingSequenceNumber"),
            parents=tuple(parent for parent in parents if parent),
            hash_key_range=HashKeyRange.of(told["HashKeyRange"])
            if "HashKeyRange" in told
            else None,
        )


@dataclass(frozen=True, slots=True)
class ChildShard:
    """One entry of `ChildShards`, told by the last GetRecords answer of a closed shard."""

    shard_id: str
    parent_shards: tuple[str, ...]
    hash_key_range: HashKeyRange

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ChildShard:
        return cls(
            told["ShardId"],
            tuple(told.get("ParentShards", ())),
            HashKeyRange.of(told["HashKeyRange"]),
        )


@dataclass(frozen=True, slots=True)
class StreamIdentifier:
    """A stream by name alone, or with account and creation time when a worker reads several."""

    stream_name: str
    account_id: str | None = None
    creation_epoch: int | None = None

    @property
    def serialized(self) -> str:
        if self.account_id is None:
            return self.stream_name
        return f"{self.account_id}:{self.stream_name}:{self.creation_epoch}"

    def lease_key(self, shard_id: str) -> str:
        """Amazon's key of a shard's lease: the bare shard id when there is but one stream."""
        return shard_id if self.account_id is None else f"{self.serialized}:{shard_id}"

    @property
    def is_multi_stream(self) -> bool:
        return self.account_id is not None

    @classmethod
    def parse(cls, serialized: str) -> StreamIdentifier:
        """The reverse of `serialized`. Raises ValueError for anything else."""
        parts = serialized.split(":")
        if len(parts) == 1 and parts[0]:
            return cls(parts[0])
        if len(parts) != 3 or not all(parts) or not parts[2].isdigit():
            raise ValueError(
                f"{serialized!r} is no stream identifier; it must be a stream's name "
                "or account:stream:creation epoch."
            )
        return cls(parts[1], parts[0], int(parts[2]))
