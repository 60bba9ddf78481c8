"""One thread that sleeps until the next turn of any schedule, and has it sent to its target."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from services.scheduler import progress as progress_of
from services.scheduler.invocation import (
    GivenUp,
    Invocation,
    Refusal,
    after_refusal,
    dead_letter_attributes,
    payload,
)
from services.scheduler.progress import Progress
from services.scheduler.targets import Clients, TargetRefused, send, send_dead_letter

LOG = logging.getLogger(__name__)

_AT_ONCE = 8
#: A clock that was moved over several turns of a schedule runs each of them, as AWS would have;
#: moved by a year it would be half a million of `rate(1 minute)`.
_MOST_TURNS = 1000
#: The wait does not count while a laptop sleeps.
_LONGEST_SLEEP_SECONDS = 60.0


class KeptSchedule(Protocol):
    """A schedule in the store."""

    arn: str
    target: dict[str, Any]
    action_after_completion: str | None
    progress: Progress


class Store(Protocol):
    """Where schedules are kept."""

    def schedules(self) -> Iterable[KeptSchedule]:
        """All of them, of every account and region."""

    def save(self) -> None:
        """Progress has been made."""

    def delete(self, schedule: KeptSchedule) -> None:
        """It is complete; it may be gone already."""


class Clock(Protocol):
    """See `services.clock.MovableClock`."""

    def now(self) -> float: ...

    @property
    def ahead_seconds(self) -> float: ...

    def when_moved(self, call: Callable[[], None]) -> None: ...


class Clockwork:
    """Without schedules there is no thread; without anything due it sleeps.

    An invocation is kept before it is tried and until it is over: one that was under way when
    the engine was killed is tried again, so at least once, as on AWS.
    """

    def __init__(self, clock: Clock, store: Store, clients: Clients) -> None:
        self._clock, self._store, self._clients = clock, store, clients
        #: Held by whoever replaces a schedule's progress.
        self.lock = threading.Lock()
        self._ahead_seconds = clock.ahead_seconds
        self._wake = threading.Event()
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scheduler-target")
        clock.when_moved(self._wake.set)

    def look(self) -> None:
        """Schedules have changed."""
        with self.lock:
            if self._thread is None and not self._is_stopped:
                self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
                self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """Send nothing any more; what is under way is repeated by the next engine."""
        self._is_stopped = True
        self._wake.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.clear()
            try:
                self._do_what_is_due()
                pause = self._until_next()
            except Exception:
                pause = _LONGEST_SLEEP_SECONDS
                if not self._is_stopped:  # otherwise the pool takes nothing any more
                    LOG.exception("the schedules could not be looked at; again in %d s", pause)
            self._wake.wait(pause)

    def _until_next(self) -> float | None:
        moments = (progress_of.wakes_at(each.progress) for each in self._store.schedules())
        first = min((at for at in moments if at is not None), default=None)
        if first is None:
            return None
        return min(max(first - self._clock.now(), 0.0), _LONGEST_SLEEP_SECONDS)

    def _do_what_is_due(self) -> None:
        now, was_moved = self._look_at_clock()
        # Turns that the engine slept through, or was off for, are one: nobody wants last night's.
        at_most = _MOST_TURNS if was_moved else 1
        tries: list[tuple[KeptSchedule, list[Invocation]]] = []
        with self.lock:
            for schedule in self._store.schedules():
                self._take_turns(schedule, now, at_most)
                if due := progress_of.due(schedule.progress, now):
                    tries.append((schedule, due))
        if tries:
            self._store.save()
            list(self._pool.map(lambda each: self._try_all(*each), tries))
            self._store.save()

    def _look_at_clock(self) -> tuple[float, bool]:
        """The time, and whether the clock was moved since the last look."""
        while True:
            ahead, now = self._clock.ahead_seconds, self._clock.now()
            # Otherwise it is being moved right now.
            if ahead == self._clock.ahead_seconds:
                was_moved = ahead != self._ahead_seconds
                self._ahead_seconds = ahead
                return now, was_moved

    def _take_turns(self, schedule: KeptSchedule, now: float, at_most: int) -> None:
        schedule.progress, was_cut = progress_of.take_turns(
            schedule.progress, now, lambda: uuid.uuid4().hex[:16], at_most
        )
        if was_cut and at_most > 1:
            LOG.warning(
                "the clock was moved over more than %d turns of %s: the others do not run",
                at_most,
                schedule.arn,
            )

    def _try_all(self, schedule: KeptSchedule, invocations: list[Invocation]) -> None:
        """One after the other: a queue or a stream gets the turns in their order."""
        for invocation in invocations:
            self._try(schedule, invocation)

    def _try(self, schedule: KeptSchedule, invocation: Invocation) -> None:
        target = schedule.target
        text = payload(schedule.arn, target.get("Input"), invocation)
        refusal, again = self._refusal_of(target, text), None
        if self._is_stopped and refusal is not None:
            return  # The engine's end may be why.
        if refusal is not None:
            policy = target.get("RetryPolicy") or {}
            decided = after_refusal(invocation, refusal, policy, self._clock.now())
            if isinstance(decided, GivenUp):
                self._give_up(schedule, invocation, text, refusal, decided)
            else:
                again = decided
        with self.lock:
            schedule.progress = progress_of.settled(schedule.progress, invocation, again)
            completed = progress_of.is_complete(schedule.progress)
        if completed and schedule.action_after_completion == "DELETE":
            self._store.delete(schedule)

    def _refusal_of(self, target: dict[str, Any], text: str) -> Refusal | None:
        try:
            send(self._clients, target, text)
        except TargetRefused as refused:
            return refused.refusal
        except Exception as wrong:
            LOG.exception("a schedule could not call %s", target["Arn"])
            return Refusal("InternalFailure", str(wrong), False)
        return None

    def _give_up(
        self,
        schedule: KeptSchedule,
        invocation: Invocation,
        text: str,
        refusal: Refusal,
        given_up: GivenUp,
    ) -> None:
        """To the dead-letter queue, or into the log, where AWS would drop it silently."""
        target_arn = schedule.target["Arn"]
        queue = (schedule.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue is None:
            LOG.warning(
                "%s did not reach %s: %s: %s",
                schedule.arn,
                target_arn,
                refusal.code,
                refusal.message,
            )
            return
        attributes = dead_letter_attributes(schedule.arn, target_arn, invocation, refusal, given_up)
        try:
            send_dead_letter(self._clients, queue, text, attributes)
        except Exception:
            LOG.exception("a dead letter of %s did not reach %s", schedule.arn, queue)
