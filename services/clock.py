"""Time as a parameter: the machine's clock, and one that can be moved forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Decisions never call it: they receive `now`."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""


class RealClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()


class MovableClock:
    """The machine's clock plus a distance that only grows: `riacho clock advance` moves it.

    Waiting is done on the clock (`wait`), so that whoever waits for a moment wakes
    as soon as the clock is moved past it.
    """

    def __init__(self, base: Clock | None = None) -> None:
        self._base = base or RealClock()
        self._ahead_seconds = 0.0
        self._moved = threading.Condition()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        return self._base.now() + self._ahead_seconds

    @property
    def ahead_seconds(self) -> float:
        """How far this clock is ahead of its base, in seconds."""
        return self._ahead_seconds

    def advance(self, seconds: float) -> float:
        """Move forward and return the new time. Raises ValueError for a negative distance."""
        if seconds < 0:
            raise ValueError(f"The clock moves forward only; {seconds} seconds is negative.")
        with self._moved:
            self._ahead_seconds += seconds
            self._moved.notify_all()
        for call in self._listeners:
            call()
        return self.now()

    def when_moved(self, call: Callable[[], None]) -> None:
        """`call` runs after each move, in the thread that moved the clock; it must not block."""
        self._listeners.append(call)

    def wait(self, until: float, stop: threading.Event | None = None) -> bool:
        """Block until the clock reaches `until`, or `stop` is set. True when reached."""
        while (left := until - self.now()) > 0:
            if stop is not None and stop.is_set():
                return False
            with self._moved:
                # A stop event cannot wake this condition, so look at it ten times a second.
                self._moved.wait(min(left, 0.1))
        return True


class FixedClock:
    """A clock for tests: stands still until told otherwise."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        self._now += seconds
        return self._now
