"""Decide which leases of ended shards may go. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, TRIM_HORIZON
from consumers.kcl.lease import Lease

#: A child at one of these has not begun: it may still ask whether its parent has ended.
_NOT_BEGUN = (TRIM_HORIZON, AT_TIMESTAMP)


def is_completed(lease: Lease, leases_by_shard_id: Mapping[str, Lease]) -> bool:
    """Whether an ended shard's lease has done its work: its children have all begun, and its own
    parents are gone (so that the shard sync finds no gap to fill)."""
    if not lease.has_ended or not lease.child_shard_ids:
        return False
    children = [leases_by_shard_id.get(child) for child in lease.child_shard_ids]
    begun = all(c and c.checkpoint.sequence_number not in _NOT_BEGUN for c in children)
    return begun and not any(parent in leases_by_shard_id for parent in lease.parent_shard_ids)


def is_garbage(lease: Lease, listed_shard_ids: Collection[str]) -> bool:
    """Whether an ended shard is no longer listed: all its records have been trimmed."""
    return lease.has_ended and lease.shard_id not in listed_shard_ids


def plan_cleanup(
    leases: Iterable[Lease],
    listed_shard_ids: Collection[str],
    *,
    cleanup_completed: bool = True,
) -> list[Lease]:
    """Of one stream's leases those that may be deleted now, parents before children."""
    remaining = {lease.shard_id: lease for lease in leases}
    gone: list[Lease] = []
    while found := [
        lease
        for lease in remaining.values()
        if is_garbage(lease, listed_shard_ids)
        or (cleanup_completed and is_completed(lease, remaining))
    ]:
        gone += found
        for lease in found:
            del remaining[lease.shard_id]
    return gone
