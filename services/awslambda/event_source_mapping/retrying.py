"""Decide what happens to a batch after its invocation. Pure: result and `now` in, a plan out."""

from __future__ import annotations

from dataclasses import dataclass

from services.awslambda.event_source_mapping.function_result import (
    Failed,
    FunctionResult,
    NotInvoked,
    Succeeded,
)
from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.stream_record import StreamRecord

RETRY_ATTEMPTS_EXHAUSTED = "RetryAttemptsExhausted"
RECORD_AGE_EXCEEDED = "RecordAgeExceeded"

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Batch:
    """Records to hand over together, in order. `retries` counts the failures that cost one.

    `failures` counts all in a row, for the pause before the next try.
    """

    records: tuple[StreamRecord, ...]
    retries: int = 0
    failures: int = 0


@dataclass(frozen=True)
class Discarded:
    """Records that are given up, with AWS's condition and the last failure, where there is one."""

    records: tuple[StreamRecord, ...]
    condition: str
    invoke_count: int
    failure: Failed | None


@dataclass(frozen=True)
class Plan:
    """First `discarded` goes to the on-failure destination, then `done` (it includes them) may be
    checkpointed, then, after `wait_seconds`, the batches `todo` come, in their order."""

    done: tuple[StreamRecord, ...] = ()
    discarded: Discarded | None = None
    todo: tuple[Batch, ...] = ()
    wait_seconds: float = 0.0


def before_invocation(batch: Batch, mapping: Mapping, now: float) -> Plan | None:
    """What to give up because of its age before it is handed over; None: nothing, go ahead."""
    if mapping.maximum_record_age_in_seconds < 0:
        return None
    horizon = now - mapping.maximum_record_age_in_seconds
    # Records arrive in order, so the old ones are the first.
    old = 0
    while old < len(batch.records) and batch.records[old].arrival <= horizon:
        old += 1
    if old == 0:
        return None
    expired, rest = batch.records[:old], batch.records[old:]
    given_up = Discarded(expired, RECORD_AGE_EXCEEDED, batch.retries, None)
    todo = (Batch(rest, batch.retries, batch.failures),) if rest else ()
    return Plan(done=expired, discarded=given_up, todo=todo)


def after_invocation(batch: Batch, result: FunctionResult, mapping: Mapping) -> Plan:
    """What to do now that the batch was handed over (or could not be)."""
    match result:
        case Succeeded():
            return Plan(done=batch.records)
        case NotInvoked():
            again = Batch(batch.records, batch.retries, batch.failures + 1)
            return Plan(todo=(again,), wait_seconds=_wait_seconds(batch.failures))
        case Failed():
            return _after_failure(batch, result, mapping)


def _after_failure(batch: Batch, failed: Failed, mapping: Mapping) -> Plan:
    done, rest = batch.records[: failed.first_failed], batch.records[failed.first_failed :]
    if mapping.bisect_batch_on_function_error and len(rest) > 1:
        # Splitting costs no retry. The function's own report splits at its record; where that is
        # the first, or there is none, the batch is halved.
        pieces = (rest,) if done else _halves(rest)
        todo = tuple(Batch(piece, batch.retries, batch.failures) for piece in pieces)
        return Plan(done=done, todo=todo)
    limit = mapping.maximum_retry_attempts
    if limit >= 0 and batch.retries >= limit:
        given_up = Discarded(rest, RETRY_ATTEMPTS_EXHAUSTED, batch.retries + 1, failed)
        return Plan(done=batch.records, discarded=given_up)
    again = Batch(rest, batch.retries + 1, batch.failures + 1)
    return Plan(done=done, todo=(again,), wait_seconds=_wait_seconds(batch.failures))


def _halves(
    records: tuple[StreamRecord, ...],
) -> tuple[tuple[StreamRecord, ...], tuple[StreamRecord, ...]]:
    middle = len(records) // 2
    return records[:middle], records[middle:]


def _wait_seconds(failures: int) -> float:
    return min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(failures, 30))
