from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.awslambda.asynchronous.after_attempt import (
    Again,
    Answered,
    AsynchronousSettings,
    CouldNotRun,
    Over,
    after_attempt,
    is_too_old,
)
from tests.services.awslambda.asynchronous.events import event

SETTINGS = AsynchronousSettings()
FAILED = Answered(b'{"errorMessage": "no"}', is_error=True)
THROTTLED = CouldNotRun("Rate Exceeded.")


def test_a_function_that_answered_is_done() -> None:
    assert after_attempt(event(), Answered(b"1", False), SETTINGS, 1001) == Over("Success")


def test_an_error_is_tried_again_after_one_minute_and_after_two_more() -> None:
    first = after_attempt(event(), FAILED, SETTINGS, 1001)
    assert first == Again(event(retries=1, due_at=1061))
    second = after_attempt(event(retries=1), FAILED, SETTINGS, 1062)
    assert second == Again(event(retries=2, due_at=1182))
    assert after_attempt(event(retries=2), FAILED, SETTINGS, 1183) == Over("RetriesExhausted")


def test_a_throttled_event_costs_no_retry_and_waits_longer_each_time() -> None:
    waits = []
    for throttles in range(12):
        decided = after_attempt(event(throttles=throttles), THROTTLED, SETTINGS, 1000)
        assert isinstance(decided, Again)
        assert (decided.event.retries, decided.event.throttles) == (0, throttles + 1)
        waits.append(decided.event.due_at - 1000)
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300


def test_a_reserved_concurrency_of_zero_gives_the_event_up_at_once() -> None:
    attempt = CouldNotRun("none reserved", never_will=True)
    assert after_attempt(event(), attempt, SETTINGS, 1000) == Over("ZeroReservedConcurrency")


def test_an_event_that_would_be_too_old_at_its_next_attempt_is_given_up_now() -> None:
    short = AsynchronousSettings(maximum_event_age_in_seconds=60)
    assert after_attempt(event(), FAILED, short, 1001) == Over("EventAgeExceeded")
    assert isinstance(after_attempt(event(), FAILED, short, 1000), Again)
    assert is_too_old(event(), short, 1061)
    assert not is_too_old(event(), short, 1060)


@given(
    outcomes=st.lists(st.sampled_from([FAILED, THROTTLED]), max_size=300),
    retries=st.integers(0, 2),
    age=st.integers(60, 21_600),
)
def test_no_event_is_tried_for_ever(
    outcomes: list[Answered | CouldNotRun], retries: int, age: int
) -> None:
    settings = AsynchronousSettings(
        maximum_retry_attempts=retries, maximum_event_age_in_seconds=age
    )
    queued, now, errors = event(), 1000.0, 0
    for outcome in outcomes:
        errors += outcome is FAILED
        decided = after_attempt(queued, outcome, settings, now)
        if isinstance(decided, Over):
            break
        assert now < decided.event.due_at <= 1000 + age
        queued, now = decided.event, decided.event.due_at
    assert errors <= retries + 1
