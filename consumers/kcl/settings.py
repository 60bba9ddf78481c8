"""Every setting of a worker, with KCL's names and KCL's defaults unless a line says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, LATEST, TRIM_HORIZON

_UNLIMITED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class SchedulerSettings:
    """Settings of a Scheduler. Raises ValueError naming value and rule."""

    #: A lease whose counter has not moved for this long may be taken by another worker.
    failover_time_millis: int = 10_000
    epsilon_millis: int = 25
    #: How often the lease table is read to take leases. None: as often as leases are renewed.
    #: KCL looks every 2 x (failover + epsilon); reading more often makes fail-over quicker.
    lease_taker_interval_millis: int | None = None
    max_leases_for_worker: int = _UNLIMITED
    max_leases_to_steal_at_one_time: int = 1
    enable_priority_lease_assignment: bool = True
    very_old_lease_duration_multiplier: int = 3
    max_lease_renewal_threads: int = 20
    billing_mode: str = "PAY_PER_REQUEST"
    consistent_reads: bool = False

    #: Where a shard without a checkpoint starts; read only when its lease is made.
    initial_position_in_stream: str = TRIM_HORIZON
    initial_position_timestamp: datetime | None = None

    #: How often a worker looks whether a stream of its has no leases at all.
    shard_sync_interval_millis: int = 60_000
    ignore_unexpected_child_shards: bool = False
    list_shards_attempts: int = 50
    list_shards_backoff_time_millis: int = 1_500
    leases_recovery_auditor_execution_frequency_millis: int = 120_000
    leases_recovery_auditor_inconsistency_confidence_threshold: int = 3
    cleanup_leases_upon_shard_completion: bool = True
    lease_cleanup_interval_millis: int = 60_000

    parent_shard_poll_interval_millis: int = 10_000
    shard_consumer_dispatch_poll_interval_millis: int = 1_000
    task_backoff_time_millis: int = 500

    #: POLLING or FANOUT. KCL's default is FANOUT, which registers (and on AWS bills) a consumer.
    retrieval_mode: str = "POLLING"
    max_records: int = 10_000
    #: The pause between two reads of a shard that is caught up.
    idle_time_between_reads_in_millis: int = 1_500
    #: The pause while a shard is behind: AWS allows five reads a second and shard.
    min_time_between_reads_in_millis: int = 200
    max_pending_process_records_input: int = 4
    prefetch_max_bytes: int = 8 * 1024 * 1024
    prefetch_max_records: int = 30_000
    call_process_records_even_for_empty_record_list: bool = False

    validate_sequence_number_before_checkpointing: bool = True
    #: What an error of `process_records` does: STOP the shard, RETRY the same records, or
    #: DEAD_LETTER: after the retries find the failing record and put it to `dead_letter_stream`.
    #: KCL skips the batch, which loses it; that is not on offer.
    on_processor_error: str = "STOP"
    max_processor_retries: int = 3
    dead_letter_stream: str | None = None
    #: A `process_records` call that takes longer makes the worker unhealthy. None: never.
    processor_timeout_millis: int | None = None

    #: NONE or DETAILED (to CloudWatch, namespace = application name). KCL's default is DETAILED.
    metrics_level: str = "NONE"
    metrics_buffer_time_millis: int = 10_000

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; it must be one of: {', '.join(words)}."
                )
        for setting in fields(self):
            value = getattr(self, setting.name)
            if isinstance(value, int) and not isinstance(value, bool) and value < 0:
                raise ValueError(f"{setting.name} is {value}; it must not be negative.")
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if self.failover_time_millis <= 3 * self.epsilon_millis:
            raise ValueError(
                f"failover_time_millis is {self.failover_time_millis}; it must be more than "
                f"{3 * self.epsilon_millis} (three times epsilon_millis)."
            )
        if not 1 <= self.max_records <= 10_000:
            raise ValueError(f"max_records is {self.max_records}; Kinesis allows 1 to 10000.")
        at_timestamp = self.initial_position_in_stream == AT_TIMESTAMP
        if at_timestamp != (self.initial_position_timestamp is not None):
            raise ValueError("AT_TIMESTAMP and initial_position_timestamp belong together.")
        if (self.on_processor_error == "DEAD_LETTER") != (self.dead_letter_stream is not None):
            raise ValueError("DEAD_LETTER and dead_letter_stream belong together.")

    @property
    def renewer_interval_seconds(self) -> float:
        """Leases are renewed three times within the fail-over time."""
        return (self.failover_time_millis / 3 - self.epsilon_millis) / 1000

    @property
    def taker_interval_seconds(self) -> float:
        if self.lease_taker_interval_millis is None:
            return self.renewer_interval_seconds
        return self.lease_taker_interval_millis / 1000

    @property
    def failover_seconds(self) -> float:
        return self.failover_time_millis / 1000


_WORDS = {
    "initial_position_in_stream": (TRIM_HORIZON, LATEST, AT_TIMESTAMP),
    "retrieval_mode": ("POLLING", "FANOUT"),
    "on_processor_error": ("STOP", "RETRY", "DEAD_LETTER"),
    "metrics_level": ("NONE", "DETAILED"),
    "billing_mode": ("PAY_PER_REQUEST", "PROVISIONED"),
}

#: For one laptop: fail-over in about three seconds, new records within some twenty milliseconds.
#: On AWS it would cost more lease table calls, and be throttled at five reads a second and shard.
LOCAL = SchedulerSettings(
    failover_time_millis=2_000,
    shard_sync_interval_millis=2_000,
    leases_recovery_auditor_execution_frequency_millis=2_000,
    lease_cleanup_interval_millis=10_000,
    parent_shard_poll_interval_millis=250,
    shard_consumer_dispatch_poll_interval_millis=100,
    max_records=1_000,
    idle_time_between_reads_in_millis=25,
    min_time_between_reads_in_millis=0,
    list_shards_backoff_time_millis=200,
)
