"""One row of the lease table, and what every store of leases must be able to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from consumers.kcl.extended_sequence_number import TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.shard import HashKeyRange


@dataclass(frozen=True, slots=True)
class Lease:
    """A shard's lease. `lease_counter` is lock and heartbeat at once; nothing holds a time."""

    lease_key: str
    shard_id: str
    lease_owner: str | None = None
    lease_counter: int = 0
    owner_switches_since_checkpoint: int = 0
    checkpoint: ExtendedSequenceNumber = field(
        default_factory=lambda: ExtendedSequenceNumber(TRIM_HORIZON)
    )
    pending_checkpoint: ExtendedSequenceNumber | None = None
    pending_checkpoint_state: bytes | None = None
    parent_shard_ids: frozenset[str] = frozenset()
    child_shard_ids: frozenset[str] = frozenset()
    hash_key_range: HashKeyRange | None = None
    #: KCL 3.x during a graceful hand-off: the worker that still processes and checkpoints.
    checkpoint_owner: str | None = None
    #: `account:stream:epoch` when the application reads several streams.
    stream_identifier: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.checkpoint.is_shard_end

    @property
    def actual_owner(self) -> str | None:
        """Who processes now: during a hand-off still the old owner."""
        return self.checkpoint_owner or self.lease_owner


class LeaseTable(Protocol):
    """Leases shared by all workers of an application.

    Every write is conditional and atomic; `None` or False says that the condition failed, which
    is ordinary. Anything else the store cannot do raises (for DynamoDB: botocore's errors).
    """

    def create_table(self) -> bool:
        """Make the table and wait until it can be used. True when this call made it."""

    def list_leases(self) -> list[Lease]:
        """All leases; rows that are no leases, or unreadable, are left out."""

    def get_lease(self, lease_key: str) -> Lease | None: ...

    def create_lease(self, lease: Lease) -> bool:
        """Write a new lease. False when its key is there already."""

    def renew_lease(self, lease: Lease, *, handing_off: bool = False) -> Lease | None:
        """Bump the counter of a lease read as `lease`. `handing_off`: go on during a hand-off."""

    def take_lease(self, lease: Lease, owner: str) -> Lease | None:
        """Become the owner when the counter is still `lease`'s. Returns the lease as it is now."""

    def evict_lease(self, lease: Lease) -> bool:
        """Leave it without owner, when the owner is still `lease`'s."""

    def transfer_lease(self, lease: Lease) -> bool:
        """End a hand-off: `lease_owner` takes over, `checkpoint_owner` goes, the counter moves."""

    def update_lease(self, lease: Lease) -> Lease | None:
        """Write checkpoint, pending checkpoint and children when the counter is still `lease`'s."""

    def update_lease_meta(
        self,
        lease_key: str,
        *,
        child_shard_ids: Iterable[str] = (),
        hash_key_range: HashKeyRange | None = None,
    ) -> bool:
        """Write children or hash range of a lease that exists; owner and counter are untouched."""

    def delete_lease(self, lease_key: str) -> None: ...
