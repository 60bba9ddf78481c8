"""Which leases have expired: those whose counter has not moved for the fail-over time.

The table holds no time, so that workers need not agree on one: each remembers, on its own
monotonic clock, when it last saw a lease's counter change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumers.kcl.lease import Lease

#: Ages beyond this, of either sign, are a clock's fault and count as expired, as in KCL.
_ABSURD_AGE_SECONDS = 365 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class ObservedLease:
    """A lease and when its counter was last seen to move; None when it was found unowned."""

    lease: Lease
    renewed_at: float | None

    def is_older_than(self, seconds: float, now: float) -> bool:
        if self.renewed_at is None:
            return True
        age = now - self.renewed_at
        return age > seconds or abs(age) > _ABSURD_AGE_SECONDS


class LeaseObserver:
    """Remembers counters between looks at the table."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float | None]] = {}

    def observe(self, leases: Iterable[Lease], now: float) -> Sequence[ObservedLease]:
        """The leases with their ages. A lease that left the table is forgotten."""
        seen: dict[str, tuple[int, float | None]] = {}
        for lease in (leases := list(leases)):
            counter, renewed_at = self._seen.get(lease.lease_key, (None, None))
            if counter != lease.lease_counter:
                # An owned lease seen for the first time counts as renewed now: only a whole
                # fail-over time of silence proves that its owner is gone.
                renewed_at = None if lease.lease_owner is None else now
            seen[lease.lease_key] = (lease.lease_counter, renewed_at)
        self._seen = seen
        return [ObservedLease(lease, seen[lease.lease_key][1]) for lease in leases]

    def renewed(self, lease: Lease, now: float) -> None:
        """Take note of a write of our own."""
        self._seen[lease.lease_key] = (lease.lease_counter, now)
