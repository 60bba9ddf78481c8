"""Shards: hash key ranges, and the arithmetic of splitting, merging and scaling them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from services.kinesis import sequence_number
from services.kinesis.hash_key import MAX_HASH_KEY


class HashKeyRange(NamedTuple):
    """Both ends belong to it."""

    start: int
    end: int


@dataclass
class Shard:
    """One shard. It is open until `closed_at`; times in seconds since 1970.

    A child's `created_at` is its parents' `closed_at`, and always later than their `created_at`,
    so that at any moment the shards open then cover the hash keys exactly once.
    """

    index: int
    hash_key_range: HashKeyRange
    created_at: float
    parent: int | None = None
    adjacent_parent: int | None = None
    closed_at: float | None = None

    @property
    def shard_id(self) -> str:
        return shard_id_of(self.index)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def parents(self) -> tuple[int, ...]:
        return tuple(p for p in (self.parent, self.adjacent_parent) if p is not None)

    def sequence_number(self, ordinal: int, arrival_millis: int) -> int:
        created = int(self.created_at)
        return sequence_number.compose(created, self.index, ordinal, arrival_millis // 1000)

    @property
    def starting_sequence_number(self) -> str:
        return str(self.sequence_number(0, int(self.created_at) * 1000))

    @property
    def ending_sequence_number(self) -> str | None:
        """Above every record of a closed shard; None while it is open."""
        if self.closed_at is None:
            return None
        return str(self.sequence_number(sequence_number.END_ORDINAL, int(self.closed_at) * 1000))


def shard_id_of(index: int) -> str:
    return f"shardId-{index:012d}"


def describe(shard: Shard) -> dict[str, Any]:
    """AWS's `Shard` structure; what an original or open shard lacks is absent."""
    numbers = {"StartingSequenceNumber": shard.starting_sequence_number}
    if (ending := shard.ending_sequence_number) is not None:
        numbers["EndingSequenceNumber"] = ending
    answer: dict[str, Any] = {"ShardId": shard.shard_id}
    if shard.parent is not None:
        answer["ParentShardId"] = shard_id_of(shard.parent)
    if shard.adjacent_parent is not None:
        answer["AdjacentParentShardId"] = shard_id_of(shard.adjacent_parent)
    answer["HashKeyRange"] = describe_range(shard.hash_key_range)
    answer["SequenceNumberRange"] = numbers
    return answer


def describe_range(hash_key_range: HashKeyRange) -> dict[str, str]:
    return {
        "StartingHashKey": str(hash_key_range.start),
        "EndingHashKey": str(hash_key_range.end),
    }


def describe_child(shard: Shard) -> dict[str, Any]:
    """AWS's `ChildShard`, which a reader gets at the end of the parent."""
    return {
        "ShardId": shard.shard_id,
        "ParentShards": [shard_id_of(parent) for parent in shard.parents],
        "HashKeyRange": describe_range(shard.hash_key_range),
    }


def even_ranges(count: int) -> list[HashKeyRange]:
    """The whole hash key space in `count` equal ranges; the last takes what is left over."""
    width = (MAX_HASH_KEY + 1) // count
    ends = [width * (i + 1) - 1 for i in range(count - 1)] + [MAX_HASH_KEY]
    return [HashKeyRange(width * i, end) for i, end in enumerate(ends)]


def split_range(whole: HashKeyRange, at: int) -> tuple[HashKeyRange, HashKeyRange]:
    """Two ranges, the second starting at `at`, which lies inside and is not the first key."""
    return HashKeyRange(whole.start, at - 1), HashKeyRange(at, whole.end)


def are_adjacent(first: HashKeyRange, second: HashKeyRange) -> bool:
    return first.end + 1 == second.start or second.end + 1 == first.start


def merged_range(first: HashKeyRange, second: HashKeyRange) -> HashKeyRange:
    return HashKeyRange(min(first.start, second.start), max(first.end, second.end))


class Split(NamedTuple):
    """Split the `position`-th open shard (by hash key) at this hash key."""

    position: int
    at: int


class Merge(NamedTuple):
    """Merge the `position`-th open shard (by hash key) with its right neighbour."""

    position: int


def plan_uniform_scaling(open_ranges: Sequence[HashKeyRange], target: int) -> list[Split | Merge]:
    """Steps that turn the open ranges into `target` even ones, as UpdateShardCount does:
    splits first, then merges; positions are those at the time of each step."""
    ranges, steps = list(open_ranges), list[Split | Merge]()
    wanted = even_ranges(target)
    for boundary in (r.start for r in wanted[1:]):
        position = next(i for i, r in enumerate(ranges) if r.start <= boundary <= r.end)
        if ranges[position].start != boundary:
            ranges[position : position + 1] = split_range(ranges[position], boundary)
            steps.append(Split(position, boundary))
    for position, goal in enumerate(wanted):
        while ranges[position] != goal:
            ranges[position : position + 2] = [merged_range(*ranges[position : position + 2])]
            steps.append(Merge(position))
    return steps
