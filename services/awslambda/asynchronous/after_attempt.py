"""Decide what becomes of an event after an attempt. Pure: attempt and `now` in, what next out.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.awslambda.asynchronous.queued_event import QueuedEvent

SUCCESS = "Success"
RETRIES_EXHAUSTED = "RetriesExhausted"
EVENT_AGE_EXCEEDED = "EventAgeExceeded"
ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"

#: "One minute before the second attempt, and two minutes between the second and the third."
_MINUTES_BEFORE_RETRY = 60.0
#: Throttles and faults of the service: from a second on, doubled each time.
_LONGEST_PAUSE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class AsynchronousSettings:
    """A function's EventInvokeConfig and its dead-letter queue; destinations are ARNs."""

    maximum_retry_attempts: int = 2
    maximum_event_age_in_seconds: float = 21_600.0
    on_success: str = ""
    on_failure: str = ""
    dead_letter_arn: str = ""


@dataclass(frozen=True)
class Answered:
    """The function ran."""

    payload: bytes
    is_error: bool
    executed_version: str = "$LATEST"


@dataclass(frozen=True)
class CouldNotRun:
    """The function was throttled or the service failed; `never_will` with a concurrency of 0."""

    reason: str
    never_will: bool = False


Attempt = Answered | CouldNotRun


@dataclass(frozen=True)
class Again:
    """Try once more, when `event.due_at` has come."""

    event: QueuedEvent


@dataclass(frozen=True)
class Over:
    """Nothing more to do but to tell the destinations, with AWS's condition."""

    condition: str


def is_too_old(event: QueuedEvent, settings: AsynchronousSettings, now: float) -> bool:
    """Whether the event is given up before its attempt: it waited too long in the queue."""
    return now - event.invoked_at > settings.maximum_event_age_in_seconds


def after_attempt(
    event: QueuedEvent, attempt: Attempt, settings: AsynchronousSettings, now: float
) -> Again | Over:
    """What next. An event that would be too old at its next attempt is given up at once."""
    if isinstance(attempt, Answered):
        if not attempt.is_error:
            return Over(SUCCESS)
        if event.retries >= settings.maximum_retry_attempts:
            return Over(RETRIES_EXHAUSTED)
        retries = event.retries + 1
        again = replace(
            event, retries=retries, throttles=0, due_at=now + retries * _MINUTES_BEFORE_RETRY
        )
    elif attempt.never_will:
        return Over(ZERO_RESERVED_CONCURRENCY)
    else:
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(event.throttles, 10))
        again = replace(event, throttles=event.throttles + 1, due_at=now + pause)
    if is_too_old(event, settings, again.due_at):
        return Over(EVENT_AGE_EXCEEDED)
    return Again(again)
