from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from producer.datasets import Event, RejectedRow
from producer.replay import Replayed, replay

START = datetime(2026, 1, 1)


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def events(*offsets: float) -> list[Event | RejectedRow]:
    return [
        Event(f"e-{n}", "k", b"{}", START + timedelta(seconds=offset))
        for n, offset in enumerate(offsets)
    ]


def played(items: list[Event | RejectedRow], **how: Any) -> list[tuple[str, float]]:
    time, seen = Time(), list[tuple[str, float]]()

    def add(event: Event) -> None:
        seen.append((event.event_id, round(time.now() - 100.0, 6)))

    replay(items, add, now=time.now, sleep=time.sleep, **how)
    return seen


def test_events_come_at_their_own_timestamps_times_the_speed() -> None:
    assert played(events(0, 60, 90), speed=60) == [("e-0", 0.0), ("e-1", 1.0), ("e-2", 1.5)]


def test_an_event_older_than_the_first_comes_at_once() -> None:
    assert played(events(0, -30, 30), speed=1) == [("e-0", 0.0), ("e-1", 0.0), ("e-2", 30.0)]


def test_events_come_at_a_rate_whatever_their_timestamps() -> None:
    assert played(events(0, 500, 501), rate=4) == [("e-0", 0.0), ("e-1", 0.25), ("e-2", 0.5)]


def test_without_speed_and_rate_nothing_waits() -> None:
    assert played(events(0, 500)) == [("e-0", 0.0), ("e-1", 0.0)]


def test_rejected_rows_are_kept_and_counted() -> None:
    row = RejectedRow("x.csv", 2, "1 fields instead of 8", "oops")
    result = replay([row, *events(0)], lambda event: None)
    assert (result.events, result.rejected, result.rejected_rows) == (1, 1, [row])


def test_rejected_rows_go_to_whoever_asks_for_them() -> None:
    row, seen = RejectedRow("x.csv", 2, "…", "oops"), list[RejectedRow]()
    result = replay([row], lambda event: None, on_rejected=seen.append)
    assert seen == [row]
    assert result.rejected_rows == []


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    seen: list[int] = []

    def progress(so_far: Replayed) -> None:
        seen.append(so_far.events)

    replay(events(*range(5)), lambda event: None, progress=progress, progress_every=2)
    assert seen == [2, 4, 5]


def test_a_stop_ends_the_replay_even_in_a_long_wait() -> None:
    time, added = Time(), list[Event]()
    result = replay(
        events(0, 1e6),
        added.append,
        speed=1,
        stop=lambda: time.now() > 110.0,
        now=time.now,
        sleep=time.sleep,
    )
    assert time.now() < 112.0
    assert result.events == len(added) == 1


@pytest.mark.parametrize(
    ("how", "text"), [({"speed": 0.0}, "speed is 0.0"), ({"rate": -1.0}, "-1")]
)
def test_a_speed_or_rate_that_is_not_above_zero_is_refused(
    how: dict[str, float], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        played(events(0), **how)


def test_speed_and_rate_together_are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        played(events(0), speed=1.0, rate=1.0)
