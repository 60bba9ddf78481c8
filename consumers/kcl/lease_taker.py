"""Looks at the lease table and takes what the assignment says."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.lease_assignment import TakePlan, plan_take
from consumers.kcl.lease_expiry import LeaseObserver
from consumers.kcl.metrics import Metrics, NoMetrics
from consumers.kcl.settings import SchedulerSettings

log = logging.getLogger(__name__)


class LeaseTaker:
    """Takes leases for one worker."""

    def __init__(
        self,
        table: LeaseTable,
        worker_id: str,
        settings: SchedulerSettings,
        monotonic: Callable[[], float],
        chance: random.Random | None = None,
        *,
        is_wanted: Callable[[Lease], bool] = lambda lease: True,
        metrics: Metrics | None = None,
    ) -> None:
        """`is_wanted` leaves leases out of sight, such as those of streams read no more."""
        self._table = table
        self._worker_id = worker_id
        self._settings = settings
        self._monotonic = monotonic
        self._chance = chance or random.Random()
        self._is_wanted = is_wanted
        self._metrics = metrics or NoMetrics()
        self._observer = LeaseObserver()
        #: The last plan, for metrics and health.
        self.last_plan = TakePlan()

    def take(self) -> Sequence[Lease]:
        """One look: the leases that are now this worker's."""
        started = self._monotonic()
        leases = [lease for lease in self._table.list_leases() if self._is_wanted(lease)]
        now = self._monotonic()
        observed = self._observer.observe(leases, now)
        plan = plan_take(observed, self._worker_id, now, self._settings, self._chance)
        self.last_plan = plan
        is_slow = now - started > self._settings.renewer_interval_seconds / 2
        taken = self._take_planned(plan, is_slow)
        self._measure(plan, len(taken))
        return taken

    def _take_planned(self, plan: TakePlan, is_slow: bool) -> list[Lease]:
        def take(lease: Lease) -> Lease | None:
            if plan.is_stealing and is_slow:
                # The scan is old news by now; stealing with a stale counter would fail for sure.
                lease = self._table.get_lease(lease.lease_key) or lease
            return self._table.take_lease(lease, self._worker_id)

        if len(plan.take) < 2:
            answers = [take(lease) for lease in plan.take]
        else:  # a first worker takes all: one after the other would keep its processors waiting
            threads = min(len(plan.take), self._settings.max_lease_renewal_threads) or 1
            with ThreadPoolExecutor(threads, thread_name_prefix="lease-taker") as pool:
                answers = list(pool.map(take, plan.take))
        taken = [lease for lease in answers if lease is not None]
        for lease in taken:
            self._observer.renewed(lease, self._monotonic())
        return taken

    def _measure(self, plan: TakePlan, taken: int) -> None:
        measured = {
            "TotalLeases": plan.total_leases,
            "NumWorkers": plan.num_workers,
            "NeededLeases": plan.needed_leases,
            "LeasesToTake": len(plan.take),
            "TakenLeases": taken,
            "UntakenLeases": len(plan.take) - taken,
            "ExpiredLeases": plan.expired_leases,
            "VeryOldLeases": plan.very_old_leases,
            "LeaseSpillover": plan.lease_spillover,
        }
        for name, value in measured.items():
            self._metrics.add("TakeLeases", name, value)
