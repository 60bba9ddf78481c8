"""Leases in memory: for tests, and for a single process that wants no table."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from consumers.kcl.lease import Lease
from consumers.kcl.shard import HashKeyRange


class MemoryLeaseTable:
    """A LeaseTable in a dictionary, with DynamoDB's conditions."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()

    def create_table(self) -> bool:
        return False

    def list_leases(self) -> list[Lease]:
        with self._lock:
            return list(self._leases.values())

    def get_lease(self, lease_key: str) -> Lease | None:
        with self._lock:
            return self._leases.get(lease_key)

    def create_lease(self, lease: Lease) -> bool:
        with self._lock:
            if lease.lease_key in self._leases:
                return False
            self._leases[lease.lease_key] = lease
            return True

    def renew_lease(self, lease: Lease, *, handing_off: bool = False) -> Lease | None:
        with self._lock:
            stored = self._same_counter(lease)
            if stored is None or (stored.checkpoint_owner is not None and not handing_off):
                return None
            return self._put(replace(stored, lease_counter=stored.lease_counter + 1))

    def take_lease(self, lease: Lease, owner: str) -> Lease | None:
        with self._lock:
            stored = self._same_counter(lease)
            if stored is None:
                return None
            switched = stored.lease_owner is not None and stored.lease_owner != owner
            return self._put(
                replace(
                    stored,
                    lease_owner=owner,
                    checkpoint_owner=None,
                    lease_counter=stored.lease_counter + 1,
                    owner_switches_since_checkpoint=stored.owner_switches_since_checkpoint
                    + switched,
                )
            )

    def evict_lease(self, lease: Lease) -> bool:
        with self._lock:
            stored = self._same_owners(lease)
            if stored is None:
                return False
            owner = None if stored.checkpoint_owner is None else stored.lease_owner
            self._put(
                replace(
                    stored,
                    lease_owner=owner,
                    checkpoint_owner=None,
                    lease_counter=stored.lease_counter + 1,
                )
            )
            return True

    def transfer_lease(self, lease: Lease) -> bool:
        with self._lock:
            stored = self._same_owners(lease)
            if stored is None:
                return False
            self._put(
                replace(stored, checkpoint_owner=None, lease_counter=stored.lease_counter + 1)
            )
            return True

    def update_lease(self, lease: Lease) -> Lease | None:
        with self._lock:
            stored = self._same_counter(lease)
            if stored is None:
                return None
            return self._put(
                replace(
                    stored,
                    checkpoint=lease.checkpoint,
                    pending_checkpoint=lease.pending_checkpoint,
                    pending_checkpoint_state=lease.pending_checkpoint_state,
                    owner_switches_since_checkpoint=lease.owner_switches_since_checkpoint,
                    child_shard_ids=lease.child_shard_ids or stored.child_shard_ids,
                    hash_key_range=lease.hash_key_range or stored.hash_key_range,
                    lease_counter=stored.lease_counter + 1,
                )
            )

    def update_lease_meta(
        self,
        lease_key: str,
        *,
        child_shard_ids: Iterable[str] = (),
        hash_key_range: HashKeyRange | None = None,
    ) -> bool:
        with self._lock:
            stored = self._leases.get(lease_key)
            if stored is None:
                return False
            children = frozenset(child_shard_ids) or stored.child_shard_ids
            self._put(
                replace(
                    stored,
                    child_shard_ids=children,
                    hash_key_range=hash_key_range or stored.hash_key_range,
                )
            )
            return True

    def delete_lease(self, lease_key: str) -> None:
        with self._lock:
            self._leases.pop(lease_key, None)

    def _put(self, lease: Lease) -> Lease:
        self._leases[lease.lease_key] = lease
        return lease

    def _same_counter(self, lease: Lease) -> Lease | None:
        stored = self._leases.get(lease.lease_key)
        return stored if stored and stored.lease_counter == lease.lease_counter else None

    def _same_owners(self, lease: Lease) -> Lease | None:
        stored = self._leases.get(lease.lease_key)
        if stored is None:
            return None
        same = (stored.lease_owner, stored.checkpoint_owner) == (
            lease.lease_owner,
            lease.checkpoint_owner,
        )
        return stored if same else None
