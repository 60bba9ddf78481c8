"""Which shard a hash key belongs to, from ListShards: what aggregation is predicted with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any


class ShardMap:
    """The open shards of a stream by their hash key ranges, as of `updated_at`."""

    def __init__(self, shards: Iterable[Mapping[str, Any]], updated_at: float) -> None:
        """`shards` as ListShards gives them; closed ones (with an end) are left out."""
        self.updated_at = updated_at
        ranges = sorted(
            (
                int(shard["HashKeyRange"]["StartingHashKey"]),
                int(shard["HashKeyRange"]["EndingHashKey"]),
                shard["ShardId"],
            )
            for shard in shards
            if "EndingSequenceNumber" not in shard.get("SequenceNumberRange", {})
        )
        self._starts = [start for start, _, _ in ranges]
        self._ends = [end for _, end, _ in ranges]
        self._shard_ids: list[str] = [shard_id for _, _, shard_id in ranges]
        self._ranges = {shard_id: (start, end) for start, end, shard_id in ranges}

    def __len__(self) -> int:
        return len(self._shard_ids)

    @property
    def shard_ids(self) -> set[str]:
        return set(self._shard_ids)

    def shard_of(self, hash_key: int) -> str | None:
        """The shard whose range holds the hash key; None when no open one does."""
        place = bisect_right(self._starts, hash_key) - 1
        if place < 0 or hash_key > self._ends[place]:
            return None
        return self._shard_ids[place]

    def range_of(self, shard_id: str) -> tuple[int, int] | None:
        """The first and last hash key of a shard; None for a shard this map does not know."""
        return self._ranges.get(shard_id)


def list_open_shards(kinesis_client: Any, stream_name: str) -> list[dict[str, Any]]:
    """Every open shard, page by page. Raises botocore's ClientError."""
    request: dict[str, Any] = {"StreamName": stream_name, "ShardFilter": {"Type": "AT_LATEST"}}
    shards: list[dict[str, Any]] = []
    while True:
        answer = kinesis_client.list_shards(**request)
        shards += answer["Shards"]
        if not answer.get("NextToken"):
            return shards
        request = {"NextToken": answer["NextToken"]}
