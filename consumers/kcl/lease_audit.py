"""Decide whether the lease table is sound: no hash keys without a lease, no leases of old streams.

Pure. A finding counts when it is seen several times running: leases of children are being made
all the time, and a look in between proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from consumers.kcl.lease import Lease
from consumers.kcl.shard import HashKeyRange, Shard
from consumers.kcl.shard_sync import find_hole


class Finding(StrEnum):
    """What is to be done about a stream's leases."""

    SOUND = "SOUND"
    #: Some hash keys have no lease: sync shards.
    HOLE = "HOLE"
    #: The stream was deleted and created again: its leases speak of the old one.
    EARLIER_STREAM = "EARLIER_STREAM"


class LeaseAuditor:
    """Audits the leases of one stream, time after time."""

    def __init__(self, confidence_threshold: int) -> None:
        self._threshold = confidence_threshold
        self._last: HashKeyRange | str | None = None
        self._times = 0

    def audit(self, leases: Sequence[Lease], shards: Sequence[Shard]) -> Finding:
        """`leases` must have been read before `shards`."""
        if not leases:
            self._last, self._times = None, 0
            return Finding.HOLE
        if is_of_an_earlier_stream(leases, shards):
            return Finding.EARLIER_STREAM if self._confirmed("earlier") else Finding.SOUND
        hole = find_hole(_live_ranges(leases))
        return Finding.HOLE if self._confirmed(hole) else Finding.SOUND

    def _confirmed(self, found: HashKeyRange | str | None) -> bool:
        self._times = self._times + 1 if found == self._last else 1
        self._last = found
        return found is not None and self._times >= self._threshold


def is_of_an_earlier_stream(leases: Iterable[Lease], shards: Iterable[Shard]) -> bool:
    """Whether a lease tells what cannot be of the shard that now has its name: a checkpoint
    before the shard's first record, or the end of a shard that is open. (Sequence numbers grow
    with time, so those of a deleted stream lie before those of one created later.)"""
    by_id = {shard.shard_id: shard for shard in shards}
    for lease in leases:
        shard, checkpoint = by_id.get(lease.shard_id), lease.checkpoint
        if shard is None:
            continue
        if checkpoint.is_shard_end and shard.is_open:
            return True
        if not checkpoint.is_sentinel:
            number = int(checkpoint.sequence_number)
            if number < shard.starting_sequence_number:
                return True
    return False


def without_hash_keys(leases: Iterable[Lease]) -> list[Lease]:
    """Leases that old libraries made, which do not say their hash keys."""
    return [lease for lease in leases if lease.hash_key_range is None and not lease.has_ended]


def _live_ranges(leases: Iterable[Lease]) -> list[HashKeyRange]:
    return [
        lease.hash_key_range for lease in leases if lease.hash_key_range and not lease.has_ended
    ]
