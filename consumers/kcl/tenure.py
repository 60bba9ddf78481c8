"""What a shard consumer may do with the lease it works for, over the real lease table."""

from __future__ import annotations

from collections.abc import Callable

from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.lease_renewer import HeldLease, LeaseRenewer
from consumers.kcl.shard import ChildShard, StreamIdentifier
from consumers.kcl.shard_sync import new_child_lease


class LeaseTenure:
    """A `shard_consumer.Tenure`."""

    def __init__(
        self,
        held: HeldLease,
        renewer: LeaseRenewer,
        table: LeaseTable,
        stream: StreamIdentifier,
    ) -> None:
        self._held = held
        self._renewer = renewer
        self._table = table
        self._stream = stream

    @property
    def lease(self) -> Lease:
        return self._held.lease

    def is_held(self) -> bool:
        return self._renewer.is_held(self._held)

    def update(self, change: Callable[[Lease], Lease]) -> Lease | None:
        return self._renewer.update(self._held, change)

    def unfinished_parents(self) -> list[str]:
        """A parent without lease does not count: it was read long ago, or is not to be read."""
        parents = sorted(self._held.lease.parent_shard_ids)
        leases = [self._table.get_lease(self._stream.lease_key(parent)) for parent in parents]
        return [lease.shard_id for lease in leases if lease is not None and not lease.has_ended]

    def create_child_leases(self, children: tuple[ChildShard, ...]) -> bool:
        """A merge child is made only when both parents have leases, or neither has: were only one
        known, the other might be read later than its child."""
        for child in children:
            if not self._parents_agree(child):
                return False
        for child in children:
            self._table.create_lease(new_child_lease(child, self._stream))
        return self._table.update_lease_meta(
            self._held.lease.lease_key,
            child_shard_ids=[child.shard_id for child in children],
        )

    def _parents_agree(self, child: ChildShard) -> bool:
        others = set(child.parent_shards) - {self._held.lease.shard_id}
        found = [self._table.get_lease(self._stream.lease_key(other)) for other in others]
        if all(lease is not None for lease in found):
            return True
        # The other parent may have ended and been cleaned up; then the child is there already.
        return self._table.get_lease(self._stream.lease_key(child.shard_id)) is not None

    def release(self) -> None:
        if self._held.handing_off:
            self._renewer.transfer(self._held)
        else:
            self._renewer.evict(self._held)
