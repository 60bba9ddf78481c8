"""Keeps the leases of one stream in order: first leases, gaps, re-created streams, cleanup."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from consumers.kcl.errors import InconsistentShards
from consumers.kcl.extended_sequence_number import TRIM_HORIZON
from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.lease_audit import Finding, LeaseAuditor, without_hash_keys
from consumers.kcl.lease_cleanup import plan_cleanup
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import Shard, StreamIdentifier
from consumers.kcl.shard_detector import ShardDetector
from consumers.kcl.shard_sync import plan_first_leases, plan_leases

log = logging.getLogger(__name__)

#: A list read in the midst of a reshard may have a hole; KCL looks three times, a second apart.
_FIRST_SYNC_ATTEMPTS = 3


class ShardSyncTask:
    """Shard sync, audit and cleanup of one stream."""

    def __init__(
        self,
        stream: StreamIdentifier,
        table: LeaseTable,
        detector: ShardDetector,
        settings: SchedulerSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.stream = stream
        self._table = table
        self._detector = detector
        self._settings = settings
        self._sleep = sleep
        self._auditor = LeaseAuditor(
            settings.leases_recovery_auditor_inconsistency_confidence_threshold
        )

    def sync_if_empty(self, leases: list[Lease]) -> list[Lease]:
        """Make the first leases when there are none. Returns those this call made; other workers,
        doing the same at the same time, make the others. Raises StreamNotFound,
        InconsistentShards."""
        return [] if self.leases_of(leases) else self._create(self._plan_first())

    def audit(self, leases: list[Lease]) -> list[Lease]:
        """What the leader does from time to time. Returns leases it made."""
        mine = self.leases_of(leases)
        shards = self._detector.list_shards()
        self._fill_hash_keys(mine, shards)
        finding = self._auditor.audit(mine, shards)
        if finding is Finding.EARLIER_STREAM:
            return self.begin_anew(leases)
        if finding is Finding.HOLE:
            return self._create(self._plan(mine, shards) if mine else self._plan_first())
        return []

    def clean_up(self, leases: list[Lease]) -> None:
        """Delete leases of ended shards that nobody needs any more."""
        mine = self.leases_of(leases)
        if not any(lease.has_ended for lease in mine):
            return
        listed = {shard.shard_id for shard in self._detector.list_shards()}
        completed_too = self._settings.cleanup_leases_upon_shard_completion
        for lease in plan_cleanup(mine, listed, cleanup_completed=completed_too):
            self._table.delete_lease(lease.lease_key)

    def leases_of(self, leases: Sequence[Lease]) -> list[Lease]:
        """The leases of this stream among those of an application."""
        wanted = self.stream.serialized if self.stream.is_multi_stream else None
        return [lease for lease in leases if lease.stream_identifier == wanted]

    def _create(self, planned: list[Lease]) -> list[Lease]:
        return [lease for lease in planned if self._table.create_lease(lease)]

    def _plan(self, leases: list[Lease], shards: list[Shard]) -> list[Lease]:
        return plan_leases(
            shards,
            {lease.shard_id for lease in leases},
            self._settings.initial_position_in_stream,
            self.stream,
            ignore_unexpected_child_shards=self._settings.ignore_unexpected_child_shards,
        )

    def _plan_first(self) -> list[Lease]:
        position = self._settings.initial_position_in_stream
        for attempt in range(_FIRST_SYNC_ATTEMPTS):
            shards = self._detector.list_shards_at_initial_position()
            try:
                return plan_first_leases(shards, position, self.stream)
            except InconsistentShards as hole:
                if attempt == _FIRST_SYNC_ATTEMPTS - 1:
                    raise
                log.info("Stream %s: %s Looking again.", self.stream.stream_name, hole)
                self._sleep(1.0)
        raise AssertionError("unreachable")

    def begin_anew(self, leases: list[Lease]) -> list[Lease]:
        """The stream was created again: all its records are new, so read it from its beginning.
        Returns the leases it made."""
        mine, shards = self.leases_of(leases), self._detector.list_shards()
        log.warning(
            "Stream %s was deleted and created again: its %d leases are of the old one. They are "
            "deleted, and the new stream is read from its beginning.",
            self.stream.stream_name, len(mine),
        )  # fmt: skip
        for lease in mine:
            self._table.delete_lease(lease.lease_key)
        return self._create(plan_leases(shards, set(), TRIM_HORIZON, self.stream))

    def _fill_hash_keys(self, leases: list[Lease], shards: list[Shard]) -> None:
        ranges = {shard.shard_id: shard.hash_key_range for shard in shards}
        for lease in without_hash_keys(leases):
            if (hash_keys := ranges.get(lease.shard_id)) is not None:
                self._table.update_lease_meta(lease.lease_key, hash_key_range=hash_keys)
