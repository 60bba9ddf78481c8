"""How far a schedule has come."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from services.scheduler.expression import Timing
from services.scheduler.progress import (
    Progress,
    after_restart,
    begin,
    changed,
    due,
    is_complete,
    settled,
    take_turns,
    wakes_at,
)

NOW = 1_700_000_000.0
EVERY_MINUTE = Timing("rate(1 minute)", "UTC", None, None, NOW)
ONCE = Timing("at(2023-11-15T00:00:00)", "UTC", None, None, NOW)  # 6400 seconds after NOW


def take_turn(progress: Progress, now: float, execution_id: str) -> Progress:
    """What is taken while nobody moves the clock."""
    return take_turns(progress, now, lambda: execution_id, 1)[0]


def test_a_rate_runs_at_once_and_then_after_each_period() -> None:
    made = begin(EVERY_MINUTE, True)
    assert wakes_at(made) == NOW
    taken = take_turn(made, NOW, "a")
    (first,) = due(taken, NOW)
    assert (first.scheduled_at, first.attempt) == (NOW, 1)
    assert wakes_at(settled(taken, first, None)) == NOW + 60


def test_turns_that_the_engine_slept_through_are_one() -> None:
    ran = take_turn(begin(EVERY_MINUTE, True), NOW + 3600, "a")
    assert [each.scheduled_at for each in ran.underway] == [NOW]
    assert take_turn(ran, NOW + 3600, "b") == ran
    assert wakes_at(settled(ran, ran.underway[0], None)) == NOW + 3660


def test_a_clock_that_was_moved_over_turns_has_each_of_them_in_order() -> None:
    ids = count()
    ran, was_cut = take_turns(begin(EVERY_MINUTE, True), NOW + 300, lambda: str(next(ids)), 1000)
    assert [each.scheduled_at for each in ran.underway] == [NOW + 60 * n for n in range(6)]
    assert [each.execution_id for each in ran.underway] == ["0", "1", "2", "3", "4", "5"]
    assert not was_cut
    assert take_turns(ran, NOW + 300, lambda: "again", 1000) == (ran, False)


def test_of_more_turns_than_may_run_the_first_ones_do_and_that_is_told() -> None:
    ran, was_cut = take_turns(begin(EVERY_MINUTE, True), NOW + 6000, lambda: "a", 3)
    assert [each.scheduled_at for each in ran.underway] == [NOW, NOW + 60, NOW + 120]
    assert was_cut
    for each in ran.underway:
        ran = replace(ran, underway=tuple(e for e in ran.underway if e != each))
    assert wakes_at(ran) == NOW + 6060


def test_a_disabled_schedule_has_no_turns() -> None:
    made = begin(EVERY_MINUTE, False)
    assert take_turn(made, NOW + 600, "a") == made
    assert wakes_at(made) is None


def test_only_other_times_make_a_schedule_begin_again() -> None:
    ran = take_turn(begin(EVERY_MINUTE, True), NOW, "a")
    assert changed(ran, replace(EVERY_MINUTE, anchor=NOW + 30), True) == ran
    other = changed(ran, Timing("rate(1 hour)", "UTC", None, None, NOW + 30), True)
    assert other.underway == ran.underway
    assert take_turn(other, NOW + 30, "b").underway[-1].scheduled_at == NOW + 30


def test_a_one_time_schedule_is_complete_when_its_target_took_it() -> None:
    made = begin(ONCE, True)
    assert not is_complete(made)
    taken = take_turn(made, NOW + 7000, "a")
    assert not is_complete(taken)
    assert is_complete(settled(taken, taken.underway[0], None))


def test_a_recurring_schedule_is_complete_at_its_end_date_alone() -> None:
    endless = take_turn(begin(EVERY_MINUTE, True), NOW, "a")
    assert not is_complete(settled(endless, endless.underway[0], None))
    ending = take_turn(begin(replace(EVERY_MINUTE, end=NOW + 59), True), NOW, "a")
    assert is_complete(settled(ending, ending.underway[0], None))


def test_a_clock_that_was_ahead_does_not_hold_schedules_back_after_a_restart() -> None:
    ahead = take_turn(begin(EVERY_MINUTE, True), NOW + 86_400, "a")
    woken = wakes_at(settled(after_restart(ahead, NOW), ahead.underway[0], None))
    assert woken == NOW + 60
    once = take_turn(begin(ONCE, True), NOW + 86_400, "a")
    assert take_turn(after_restart(once, NOW), NOW + 90_000, "b").underway[-1].execution_id == "a"
