"""Decide which leases a worker takes: KCL 2.x's algorithm. Pure: leases in, plan out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.kcl.lease import Lease
from consumers.kcl.lease_expiry import ObservedLease
from consumers.kcl.settings import SchedulerSettings


@dataclass(frozen=True, slots=True)
class TakePlan:
    """Leases to take now: free ones, or (`is_stealing`) live ones of the most loaded worker.

    The numbers are KCL's metrics of the same names.
    """

    take: tuple[Lease, ...] = ()
    is_stealing: bool = False
    total_leases: int = 0
    num_workers: int = 0
    needed_leases: int = 0
    expired_leases: int = 0
    very_old_leases: int = 0
    lease_spillover: int = 0


def plan_take(
    observed: Sequence[ObservedLease],
    worker_id: str,
    now: float,
    settings: SchedulerSettings,
    chance: random.Random,
) -> TakePlan:
    """What `worker_id` should take. Leases of ended shards count too, as in KCL: they stay in
    the table until their children are under way.

    Order of the rules: a lease older than three fail-over times is taken at once, whatever the
    target (which lets a first worker take everything and later ones steal); then free leases up
    to the fair share; only when none is free is a live lease stolen.
    """
    available = [o for o in observed if _is_available(o, settings.failover_seconds, now)]
    free_keys = {o.lease.lease_key for o in available}
    counts = Counter({worker_id: 0})
    counts.update(
        o.lease.lease_owner
        for o in observed
        if o.lease.lease_owner is not None and o.lease.lease_key not in free_keys
    )
    mine = counts[worker_id]
    fair_share = _fair_share(len(observed), len(counts))
    target = min(fair_share, settings.max_leases_for_worker)
    very_old = _very_old(available, now, settings)
    if very_old:
        room = settings.max_leases_for_worker - mine
        chosen = _choose(very_old, room, chance)
    else:
        chosen = _choose(available, target - mine, chance)
    is_stealing = not available and target > mine
    if is_stealing:
        chosen = _steal(observed, counts, worker_id, target, settings, chance)
    return TakePlan(
        take=tuple(o.lease for o in chosen),
        is_stealing=is_stealing,
        total_leases=len(observed),
        num_workers=len(counts),
        needed_leases=max(0, target - mine),
        expired_leases=len(available),
        very_old_leases=len(very_old),
        lease_spillover=max(0, fair_share - target),
    )


def _is_available(observed: ObservedLease, failover_seconds: float, now: float) -> bool:
    return observed.lease.lease_owner is None or observed.is_older_than(failover_seconds, now)


def _fair_share(leases: int, workers: int) -> int:
    """At least one each, or everybody's part rounded up."""
    return 1 if workers >= leases else -(-leases // workers)


def _very_old(
    available: Sequence[ObservedLease], now: float, settings: SchedulerSettings
) -> list[ObservedLease]:
    if not settings.enable_priority_lease_assignment:
        return []
    age = settings.failover_seconds * settings.very_old_lease_duration_multiplier
    return [o for o in available if o.is_older_than(age, now)]


def _steal(
    observed: Sequence[ObservedLease],
    counts: Counter[str],
    worker_id: str,
    target: int,
    settings: SchedulerSettings,
    chance: random.Random,
) -> list[ObservedLease]:
    # Ties are broken by name, so that the plan depends on the table alone.
    victim, load = max(counts.items(), key=lambda item: (item[1], item[0]))
    need = target - counts[worker_id]
    if victim == worker_id or load < target:
        return []
    number = min(need, load - target)
    if number == 0 and need > 1:
        number = 1
    number = min(number, settings.max_leases_to_steal_at_one_time)
    theirs = [o for o in observed if o.lease.lease_owner == victim]
    return _choose(theirs, number, chance)


def _choose(
    candidates: Sequence[ObservedLease], number: int, chance: random.Random
) -> list[ObservedLease]:
    """At random, so that workers starting together rarely want the same; ended shards last."""
    shuffled = chance.sample(candidates, len(candidates))
    shuffled.sort(key=lambda candidate: candidate.lease.has_ended)
    return shuffled[: max(0, number)]
