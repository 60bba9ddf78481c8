"""Makes missing leases of one stream: at the first start, and whenever a gap is found."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from consumers.kcl.errors import InconsistentShards
from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import StreamIdentifier
from consumers.kcl.shard_detector import ShardDetector
from consumers.kcl.shard_sync import plan_first_leases, plan_leases

log = logging.getLogger(__name__)

#: A list read in the midst of a reshard may have a hole; KCL looks three times, a second apart.
_FIRST_SYNC_ATTEMPTS = 3


class ShardSyncTask:
    """Shard sync of one stream."""

    def __init__(
        self,
        stream: StreamIdentifier,
        table: LeaseTable,
        detector: ShardDetector,
        settings: SchedulerSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = stream
        self._table = table
        self._detector = detector
        self._settings = settings
        self._sleep = sleep

    def sync(self) -> list[Lease]:
        """Make what is missing. Returns the leases this call made; other workers, doing the same
        at the same time, make the others. Raises StreamNotFound, InconsistentShards."""
        leased = {lease.shard_id for lease in leases_of(self._stream, self._table.list_leases())}
        planned = self._plan(leased) if leased else self._plan_first()
        return [lease for lease in planned if self._table.create_lease(lease)]

    def _plan(self, leased: set[str]) -> list[Lease]:
        return plan_leases(
            self._detector.list_shards(),
            leased,
            self._settings.initial_position_in_stream,
            self._stream,
            ignore_unexpected_child_shards=self._settings.ignore_unexpected_child_shards,
        )

    def _plan_first(self) -> list[Lease]:
        position = self._settings.initial_position_in_stream
        for attempt in range(_FIRST_SYNC_ATTEMPTS):
            shards = self._detector.list_shards_at_initial_position()
            try:
                return plan_first_leases(shards, position, self._stream)
            except InconsistentShards as hole:
                if attempt == _FIRST_SYNC_ATTEMPTS - 1:
                    raise
                log.info("Stream %s: %s Looking again.", self._stream.stream_name, hole)
                self._sleep(1.0)
        raise AssertionError("unreachable")


def leases_of(stream: StreamIdentifier, leases: list[Lease]) -> list[Lease]:
    """The leases of one stream among those of an application."""
    wanted = stream.serialized if stream.is_multi_stream else None
    return [lease for lease in leases if lease.stream_identifier == wanted]
