"""`threading.Timer` for many that are nearly all cancelled: one thread instead of one each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Deadlines:
    """Timers by how long they run: those of one duration end in the order they were started.

    The thread sleeps until the first of them, also when that was cancelled meanwhile: starting
    and cancelling wakes nobody.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._by_duration: dict[float, dict[Deadline, float]] = {}
        self._wakes_at = float("inf")
        self._thread: threading.Thread | None = None

    def start(self, deadline: Deadline) -> None:
        ends_at = self._now() + deadline.seconds
        with self._changed:
            self._by_duration.setdefault(deadline.seconds, {})[deadline] = ends_at
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lambda-deadlines", daemon=True
                )
                self._thread.start()
            elif ends_at < self._wakes_at:
                self._changed.notify()

    def cancel(self, deadline: Deadline) -> None:
        with self._changed:
            self._by_duration.get(deadline.seconds, {}).pop(deadline, None)

    def take_over(self, now: float) -> list[Deadline]:
        """The timers that have ended; they are no longer waited for."""
        over = []
        with self._changed:
            for waiting in self._by_duration.values():
                for deadline, ends_at in list(waiting.items()):
                    if ends_at > now:
                        break
                    del waiting[deadline]
                    over.append(deadline)
        return over

    def _run(self) -> None:
        while True:
            for deadline in self.take_over(self._now()):
                # What it does may take seconds: stop a function's process, for one.
                threading.Thread(target=deadline.call, name="lambda-deadline", daemon=True).start()
            with self._changed:
                firsts = (next(iter(each.values()), None) for each in self._by_duration.values())
                first = min((at for at in firsts if at is not None), default=None)
                self._wakes_at = float("inf") if first is None else first
                self._changed.wait(None if first is None else max(0.0, first - self._now()))


_all = Deadlines()


class Deadline:
    """As `threading.Timer`: `call` runs so many seconds after `start`, unless cancelled."""

    def __init__(
        self, seconds: float, call: Callable[[], object], deadlines: Deadlines | None = None
    ) -> None:
        self.seconds, self.call = seconds, call
        self._deadlines = deadlines or _all

    def start(self) -> None:
        self._deadlines.start(self)

    def cancel(self) -> None:
        self._deadlines.cancel(self)
