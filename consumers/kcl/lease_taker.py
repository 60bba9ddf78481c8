"""Looks at the lease table and takes what the assignment says."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence

from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.lease_assignment import TakePlan, plan_take
from consumers.kcl.lease_expiry import LeaseObserver
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
    ) -> None:
        self._table = table
        self._worker_id = worker_id
        self._settings = settings
        self._monotonic = monotonic
        self._chance = chance or random.Random()
        self._observer = LeaseObserver()
        #: The last plan, for metrics and health.
        self.last_plan = TakePlan()

    def take(self) -> Sequence[Lease]:
        """One look: the leases that are now this worker's."""
        started = self._monotonic()
        leases = self._table.list_leases()
        now = self._monotonic()
        observed = self._observer.observe(leases, now)
        plan = plan_take(observed, self._worker_id, now, self._settings, self._chance)
        self.last_plan = plan
        is_slow = now - started > self._settings.renewer_interval_seconds / 2
        taken = []
        for lease in plan.take:
            if plan.is_stealing and is_slow:
                # The scan is old news by now; stealing with a stale counter would fail for sure.
                lease = self._table.get_lease(lease.lease_key) or lease
            if (mine := self._table.take_lease(lease, self._worker_id)) is not None:
                self._observer.renewed(mine, self._monotonic())
                taken.append(mine)
        return taken
