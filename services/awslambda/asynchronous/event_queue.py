"""Runs accepted events when they are due, some of each function at a time, until they are over."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from services.awslambda.asynchronous.after_attempt import (
    EVENT_AGE_EXCEEDED,
    Again,
    AsynchronousSettings,
    Attempt,
    Over,
    after_attempt,
    is_too_old,
)
from services.awslambda.asynchronous.event_journal import EventJournal
from services.awslambda.asynchronous.queued_event import QueuedEvent

LOG = logging.getLogger(__name__)

#: AWS would start hundreds; here each is a process of a laptop.
_AT_ONCE_PER_FUNCTION = 10
_AT_ONCE = 100
#: A function that is being created or updated is looked at again after so long.
_NOT_READY_SECONDS = 0.5


class FunctionGone(Exception):
    """The function was deleted: its events go with it, as on AWS."""


class FunctionNotReady(Exception):
    """The function is being created or updated."""


class EventDoings(Protocol):
    """What the queue has done for it, in threads of its own."""

    def settings(self, event: QueuedEvent) -> AsynchronousSettings:
        """How the function wants its events handled. Raises FunctionGone, FunctionNotReady."""

    def attempt(self, event: QueuedEvent) -> Attempt:
        """Run the function. Raises FunctionGone, FunctionNotReady."""

    def tell(self, event: QueuedEvent, attempt: Attempt | None, condition: str) -> None:
        """Send to the destinations what became of the event."""


class Clock(Protocol):
    """See `services.clock.MovableClock`."""

    def now(self) -> float: ...

    def when_moved(self, call: Callable[[], None]) -> None: ...


class EventQueue:
    """One thread that waits for the next event that is due; it sleeps while there is none.

    `journal` None keeps events in memory alone. An event that was under way when the engine was
    killed runs again: at least once, as on AWS.
    """

    def __init__(self, clock: Clock, journal: EventJournal | None, doings: EventDoings) -> None:
        self._clock = clock
        self._journal = journal
        self._doings = doings
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, QueuedEvent]] = []
        self._due: dict[str, deque[QueuedEvent]] = {}
        self._running: Counter[str] = Counter()
        self._is_stopped = False
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lambda-event")
        self._thread: threading.Thread | None = None
        clock.when_moved(self._wake)

    def put(self, event: QueuedEvent) -> None:
        """Accept an event: it is kept when this returns."""
        if self._journal is not None:
            self._journal.put(event)
        self._schedule(event)

    def go_on(self) -> None:
        """Take up the events that a former engine accepted."""
        for event in self._journal.events() if self._journal is not None else ():
            self._schedule(event)

    def stop(self) -> None:
        """Start nothing any more; what is under way is repeated by the next engine."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _schedule(self, event: QueuedEvent) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (event.due_at, next(self._order), event))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lambda-event-queue", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # -- one thread: what is due -------------------------------------------------------------

    def _run(self) -> None:
        with self._changed:
            while not self._is_stopped:
                now = self._clock.now()
                while self._waiting and self._waiting[0][0] <= now:
                    event = heapq.heappop(self._waiting)[2]
                    self._due.setdefault(event.function_arn, deque()).append(event)
                self._start_what_may()
                self._changed.wait(self._waiting[0][0] - now if self._waiting else None)

    def _start_what_may(self) -> None:
        for function_arn, events in list(self._due.items()):
            while events and self._running[function_arn] < _AT_ONCE_PER_FUNCTION:
                self._running[function_arn] += 1
                self._pool.submit(self._work, events.popleft())
            if not events:
                del self._due[function_arn]

    # -- a thread for each event under way ---------------------------------------------------

    def _work(self, event: QueuedEvent) -> None:
        try:
            self._try(event)
        except FunctionGone:
            self._forget(event)
        except FunctionNotReady:
            self._later(event)
        except Exception:
            LOG.exception("Event %s of %s stays queued", event.request_id, event.function_arn)
            self._later(event)
        finally:
            with self._changed:
                self._running[event.function_arn] -= 1
                if not self._running[event.function_arn]:
                    del self._running[event.function_arn]
                self._changed.notify_all()

    def _try(self, event: QueuedEvent) -> None:
        settings = self._doings.settings(event)
        attempt, next_step = None, Over(EVENT_AGE_EXCEEDED)
        if not is_too_old(event, settings, self._clock.now()):
            attempt = self._doings.attempt(event)
            decided = after_attempt(event, attempt, settings, self._clock.now())
            if self._is_stopped:
                # The engine's end may be what ended the function.
                return
            if isinstance(decided, Again):
                return self.put(decided.event)
            next_step = decided
        self._doings.tell(event, attempt, next_step.condition)
        self._forget(event)

    def _forget(self, event: QueuedEvent) -> None:
        if self._journal is not None:
            self._journal.delete(event.request_id)

    def _later(self, event: QueuedEvent) -> None:
        with self._changed:
            entry = (self._clock.now() + _NOT_READY_SECONDS, next(self._order), event)
            heapq.heappush(self._waiting, entry)
