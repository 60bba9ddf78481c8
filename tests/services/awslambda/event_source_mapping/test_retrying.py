"""What happens to a batch after its invocation: retry, split, give up, go on."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.awslambda.event_source_mapping.function_result import Failed, NotInvoked, Succeeded
from services.awslambda.event_source_mapping.retrying import (
    RECORD_AGE_EXCEEDED,
    RETRY_ATTEMPTS_EXHAUSTED,
    Batch,
    after_invocation,
    before_invocation,
)
from services.awslambda.event_source_mapping.stream_record import StreamRecord
from tests.services.awslambda.event_source_mapping.records import mapping, record, records

FAILED = Failed("r-1")


def numbers(batch_records: tuple[StreamRecord, ...]) -> list[int]:
    return [int(each.sequence_number) for each in batch_records]


def todo(batches: tuple[Batch, ...]) -> list[tuple[list[int], int]]:
    return [(numbers(batch.records), batch.retries) for batch in batches]


def test_a_batch_that_succeeded_is_done() -> None:
    plan = after_invocation(Batch(records(3)), Succeeded(), mapping())
    assert numbers(plan.done) == [0, 1, 2]
    assert plan.todo == ()
    assert plan.discarded is None


def test_a_throttled_batch_is_tried_again_after_a_pause_that_grows_and_costs_no_retry() -> None:
    batch, pauses = Batch(records(2)), []
    for _ in range(12):
        plan = after_invocation(batch, NotInvoked("throttled"), mapping(maximum_retry_attempts=0))
        (batch,) = plan.todo
        pauses.append(plan.wait_seconds)
    assert batch.retries == 0
    assert pauses == sorted(pauses)
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses[-1] == 30


def test_without_a_limit_a_failed_batch_is_tried_again_for_ever() -> None:
    plan = after_invocation(Batch(records(2), retries=9999), FAILED, mapping())
    assert todo(plan.todo) == [([0, 1], 10_000)]
    assert plan.done == ()


@pytest.mark.parametrize(("limit", "invocations"), [(0, 1), (1, 2), (3, 4)])
def test_the_limit_counts_retries_so_there_is_one_more_invocation(
    limit: int, invocations: int
) -> None:
    batch, count = Batch(records(2)), 0
    while True:
        count += 1
        plan = after_invocation(batch, FAILED, mapping(maximum_retry_attempts=limit))
        if plan.discarded is not None:
            break
        (batch,) = plan.todo
    assert count == invocations
    assert plan.discarded.invoke_count == invocations
    assert plan.discarded.condition == RETRY_ATTEMPTS_EXHAUSTED
    assert plan.discarded.failure == FAILED
    assert plan.done == plan.discarded.records == batch.records


@pytest.mark.parametrize(
    ("count", "first_failed", "done", "rest"),
    [
        (4, 0, [], [([0, 1], 2), ([2, 3], 2)]),
        (5, 0, [], [([0, 1], 2), ([2, 3, 4], 2)]),
        (4, 2, [0, 1], [([2, 3], 2)]),
        (4, 3, [0, 1, 2], [([3], 3)]),
        (1, 0, [], [([0], 3)]),
    ],
    ids=["halves", "odd halves", "at the record", "one left", "one"],
)
def test_bisecting_costs_no_retry_and_splits_where_the_function_says(
    count: int, first_failed: int, done: list[int], rest: list[tuple[list[int], int]]
) -> None:
    bisecting = mapping(bisect_batch_on_function_error=True, maximum_retry_attempts=5)
    failed = Failed("r-1", first_failed)
    plan = after_invocation(Batch(records(count), retries=2), failed, bisecting)
    assert numbers(plan.done) == done
    assert todo(plan.todo) == rest


def test_a_reported_failure_without_bisect_goes_on_at_that_record() -> None:
    plan = after_invocation(Batch(records(4)), Failed("r-1", 2), mapping())
    assert numbers(plan.done) == [0, 1]
    assert todo(plan.todo) == [([2, 3], 1)]


def test_when_the_retries_are_used_up_what_was_done_is_not_given_up() -> None:
    plan = after_invocation(Batch(records(4)), Failed("r-1", 2), mapping(maximum_retry_attempts=0))
    assert plan.discarded is not None
    assert numbers(plan.discarded.records) == [2, 3]
    assert numbers(plan.done) == [0, 1, 2, 3]


def test_records_over_the_age_are_given_up_and_the_others_stay() -> None:
    batch = Batch((record(0, 10.0), record(1, 40.0), record(2, 41.0)), retries=2)
    plan = before_invocation(batch, mapping(maximum_record_age_in_seconds=60), now=100.0)
    assert plan is not None
    assert plan.discarded is not None
    assert plan.discarded.condition == RECORD_AGE_EXCEEDED
    assert plan.discarded.failure is None
    assert numbers(plan.done) == [0, 1]
    assert todo(plan.todo) == [([2], 2)]


def test_without_an_age_nothing_is_too_old() -> None:
    assert before_invocation(Batch(records(2)), mapping(), now=1e12) is None


@settings(max_examples=200)
@given(
    count=st.integers(1, 40),
    poison=st.sets(st.integers(0, 39), max_size=5),
    reports=st.booleans(),
    limit=st.integers(0, 3),
)
def test_with_bisect_exactly_the_poison_is_given_up_and_all_others_are_done_once(
    count: int, poison: set[int], reports: bool, limit: int
) -> None:
    """A function that fails at each poisoned record, run to the end."""
    poison = {number for number in poison if number < count}
    bisecting = mapping(bisect_batch_on_function_error=True, maximum_retry_attempts=limit)
    queue, given_up, done, effects = deque([Batch(records(count))]), [], [], Counter[int]()
    while queue:
        batch = queue.popleft()
        handed_over = numbers(batch.records)
        bad = [place for place, number in enumerate(handed_over) if number in poison]
        result: Succeeded | Failed = Succeeded()
        if bad:
            result = Failed("r-1", bad[0] if reports else 0)
        succeeded = handed_over[: bad[0] if bad and reports else (0 if bad else None)]
        effects.update(succeeded)
        plan = after_invocation(batch, result, bisecting)
        if plan.discarded is not None:
            given_up += numbers(plan.discarded.records)
        done += numbers(plan.done)
        queue.extendleft(reversed(plan.todo))
    assert given_up == sorted(poison)
    assert done == list(range(count))
    assert effects == Counter({number: 1 for number in range(count) if number not in poison})
