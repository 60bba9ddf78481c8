"""Which stream a KCL application reads: a lease table itself does not say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.facts.streams import LeaseFacts

#: Records of one shard share these leading digits with the shard's first sequence number, which
#: hold the time when the shard was made. Seen on AWS as here; of two streams they differ.
SHARED_DIGITS = 20


@dataclass(frozen=True)
class Reader:
    """A KCL application at a stream. `leases` counts those that somebody holds."""

    application: str
    stream_name: str
    workers: int
    leases: int


def readers(
    leases: Sequence[LeaseFacts], shards: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Reader]:
    """Each application with its stream, as far as that is certain. `shards` are ListShards'
    answers by stream name. Pure."""
    found: list[Reader] = []
    for application in dict.fromkeys(lease.application for lease in leases):
        own = [lease for lease in leases if lease.application == application]
        for stream_name in streams_of(own, shards):
            held = [lease for lease in own if lease.owner]
            workers = len({lease.owner for lease in held})
            found.append(Reader(application, stream_name, workers, len(held)))
    return found


def streams_of(
    leases: Sequence[LeaseFacts], shards: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """The streams whose records the checkpoints are of; without a checkpoint, the only stream
    that has all the shards. Pure."""
    begun = {
        (_shard_id(lease), lease.checkpoint[:SHARED_DIGITS])
        for lease in leases
        if lease.checkpoint.isdigit()
    }
    read = {name for name, listed in shards.items() for shard in listed if _first(shard) in begun}
    if read:
        return sorted(read)
    wanted = {_shard_id(lease) for lease in leases}
    whole = [
        name for name, listed in shards.items() if wanted <= {shard["ShardId"] for shard in listed}
    ]
    return whole if len(whole) == 1 else []


def _first(shard: Mapping[str, Any]) -> tuple[str, str]:
    start: str = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    return shard["ShardId"], start[:SHARED_DIGITS]


def _shard_id(lease: LeaseFacts) -> str:
    """A KCL of several streams writes `account:stream:creation:shardId-…`."""
    return lease.lease_key.rpartition(":")[2]
