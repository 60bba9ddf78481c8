"""Decide which shards of a stream may be read now. Pure: shards and positions in, names out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class SourceShard:
    """A shard as its stream describes it."""

    shard_id: str
    parent_shard_ids: tuple[str, ...] = ()


def readable(
    shards: Iterable[SourceShard], ended: Collection[str], under_way: Collection[str]
) -> tuple[str, ...]:
    """The shards to begin with: not under way, not ended, and all their parents have ended.

    Records of one key are in the parent before they are in a child, so order per key needs every
    record of the parents dealt with first. A parent that the stream no longer has is no hindrance.
    """
    shards = list(shards)
    known = {shard.shard_id for shard in shards}
    return tuple(
        shard.shard_id
        for shard in shards
        if shard.shard_id not in ended
        and shard.shard_id not in under_way
        and all(parent in ended or parent not in known for parent in shard.parent_shard_ids)
    )
