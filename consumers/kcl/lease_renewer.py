"""Keeps the leases a worker holds: renews them, writes checkpoints, notices what was lost."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.settings import SchedulerSettings

log = logging.getLogger(__name__)


@dataclass(eq=False)
class HeldLease:
    """One tenure of one lease. A worker that loses a lease and takes it again holds another one,
    with another token: what belongs to the earlier tenure can write no more."""

    lease: Lease
    renewed_at: float
    concurrency_token: str = field(default_factory=lambda: str(uuid.uuid4()))
    #: A 3.x peer's leader has asked for this lease: shut down, then hand over.
    handing_off: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class LeaseRenewer:
    """The leases of one worker. Thread-safe."""

    def __init__(
        self,
        table: LeaseTable,
        worker_id: str,
        settings: SchedulerSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self._table = table
        self._worker_id = worker_id
        self._settings = settings
        self._monotonic = monotonic
        self._held: dict[str, HeldLease] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(
            min(settings.max_lease_renewal_threads, 32), thread_name_prefix="lease-renewer"
        )

    def held(self) -> dict[str, HeldLease]:
        """The leases held now, by lease key."""
        with self._lock:
            return dict(self._held)

    def adopt(self, leases: Iterable[Lease]) -> None:
        """At start: go on with rows that name this worker, even expired ones. A worker with a
        name of its own resumes at once after a restart."""
        for lease in leases:
            if lease.lease_owner == self._worker_id and lease.checkpoint_owner is None:
                renewed = self._table.renew_lease(lease)
                if renewed is not None:
                    self.add(renewed)

    def add(self, lease: Lease) -> HeldLease:
        """Begin a tenure of a lease just taken."""
        held = HeldLease(lease, self._monotonic())
        with self._lock:
            self._held[lease.lease_key] = held
        return held

    def drop(self, held: HeldLease) -> None:
        """End this tenure in memory; the table is not touched."""
        with self._lock:
            if self._held.get(held.lease.lease_key) is held:
                del self._held[held.lease.lease_key]

    def is_held(self, held: HeldLease) -> bool:
        """Whether this very tenure goes on."""
        with self._lock:
            return self._is_current(held)

    def renew_all(self) -> tuple[str, ...]:
        """Renew every lease once, in parallel. Returns the keys of those that were lost."""
        held = list(self.held().values())
        kept = self._threads.map(self._renew, held)
        return tuple(h.lease.lease_key for h, ok in zip(held, kept, strict=True) if not ok)

    def update(self, held: HeldLease, change: Callable[[Lease], Lease]) -> Lease | None:
        """Write a change of checkpoint or children. None: the lease is lost (and dropped)."""
        with held.lock:
            if not self.is_held(held):
                return None
            wanted = change(held.lease)
            written = self._table.update_lease(wanted)
            if written is None:
                written = self._written_after_all(wanted, held)
            if written is None:
                self.drop(held)
                return None
            held.lease, held.renewed_at = written, self._monotonic()
            return written

    def evict(self, held: HeldLease) -> None:
        """Give a lease back, so that another worker need not wait for the fail-over time."""
        with held.lock:
            if self.is_held(held):
                self._table.evict_lease(held.lease)
            self.drop(held)

    def transfer(self, held: HeldLease) -> None:
        """Hand a lease over to the worker that a 3.x leader chose for it."""
        with held.lock:
            self.drop(held)
            self._table.transfer_lease(held.lease)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _renew(self, held: HeldLease) -> bool:
        with held.lock:
            if not self.is_held(held):
                return True  # given back meanwhile
            if self._monotonic() - held.renewed_at > self._settings.failover_seconds:
                # Others may have seen it expire: renewing now could undo a take in flight.
                log.warning(
                    "Worker %s lets lease %s go: it could not renew it for %.1f s.",
                    self._worker_id, held.lease.lease_key, self._settings.failover_seconds,
                )  # fmt: skip
                self.drop(held)
                return False
            try:
                return self._renew_in_table(held)
            except (ClientError, BotoCoreError) as error:
                log.warning(
                    "Worker %s could not renew lease %s: %s",
                    self._worker_id, held.lease.lease_key, error,
                )  # fmt: skip
                return True  # still held until it expires here

    def _renew_in_table(self, held: HeldLease) -> bool:
        renewed = self._table.renew_lease(held.lease, handing_off=held.handing_off)
        if renewed is None:
            renewed = self._renew_refused(held)
        if renewed is None:
            self.drop(held)
            return False
        held.lease, held.renewed_at = renewed, self._monotonic()
        return True

    def _renew_refused(self, held: HeldLease) -> Lease | None:
        stored = self._table.get_lease(held.lease.lease_key)
        if stored is None:
            return None
        if stored.checkpoint_owner == self._worker_id and not held.handing_off:
            # A 3.x leader gave the lease to another worker and leaves us time to finish.
            held.handing_off = True
            return self._table.renew_lease(stored, handing_off=True)
        if self._is_own_write(stored, held.lease.lease_counter + 1):
            return stored  # an earlier try had timed out and yet succeeded
        return None

    def _written_after_all(self, wanted: Lease, held: HeldLease) -> Lease | None:
        stored = self._table.get_lease(wanted.lease_key)
        if stored is None or not self._is_own_write(stored, held.lease.lease_counter + 1):
            return None
        if stored.checkpoint != wanted.checkpoint:
            # The write in doubt was a renewal; the checkpoint itself is still to be written.
            return self._table.update_lease(replace(wanted, lease_counter=stored.lease_counter))
        return stored

    def _is_own_write(self, stored: Lease, counter: int) -> bool:
        return stored.actual_owner == self._worker_id and stored.lease_counter == counter

    def _is_current(self, held: HeldLease) -> bool:
        return self._held.get(held.lease.lease_key) is held
