"""Timers that share a thread."""

from __future__ import annotations

import threading

from services.awslambda.deadlines import Deadline, Deadlines


def nothing() -> None:
    """What these timers would do."""


def test_timers_end_in_the_order_of_their_time_whatever_their_duration() -> None:
    now = [100.0]
    deadlines = Deadlines(lambda: now[0])
    long, short, cancelled = (Deadline(s, nothing, deadlines) for s in (600, 10, 10))
    for deadline in (long, short, cancelled):
        deadline.start()
    cancelled.cancel()
    assert deadlines.take_over(109) == []
    assert deadlines.take_over(110) == [short]
    assert deadlines.take_over(1000) == [long]
    assert deadlines.take_over(1000) == []


def test_a_timer_that_is_shorter_than_those_before_it_is_not_late() -> None:
    deadlines, ended = Deadlines(), threading.Event()
    Deadline(600, nothing, deadlines).start()
    Deadline(0.01, ended.set, deadlines).start()
    assert ended.wait(30)


def test_a_thousand_timers_need_one_thread() -> None:
    deadlines, before = Deadlines(), threading.active_count()
    for _ in range(1000):
        Deadline(600, nothing, deadlines).start()
    assert threading.active_count() <= before + 1


def test_a_cancelled_timer_does_nothing() -> None:
    deadlines, wrong, ended = Deadlines(), threading.Event(), threading.Event()
    cancelled = Deadline(0.05, wrong.set, deadlines)
    cancelled.start()
    cancelled.cancel()
    Deadline(0.1, ended.set, deadlines).start()
    assert ended.wait(30)
    assert not wrong.is_set()
