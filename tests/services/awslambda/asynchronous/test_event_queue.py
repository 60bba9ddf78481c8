"""The queue of events, with functions in memory and a clock that is moved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.awslambda.asynchronous.after_attempt import (
    Answered,
    AsynchronousSettings,
    Attempt,
)
from services.awslambda.asynchronous.event_journal import EventJournal
from services.awslambda.asynchronous.event_queue import EventQueue, FunctionGone, FunctionNotReady
from services.awslambda.asynchronous.queued_event import QueuedEvent
from services.clock import MovableClock
from tests.services.awslambda.asynchronous.events import event
from tests.waiting import wait_until

SUCCEEDED, FAILED = Answered(b"1", False), Answered(b"{}", True)


class Functions:
    """EventDoings that answer what the test says, and remember what they were told."""

    def __init__(self, answer: Callable[[QueuedEvent], Attempt]) -> None:
        self._answer = answer
        self.attempts: list[str] = []
        self.told: list[tuple[str, str]] = []

    def settings(self, event: QueuedEvent) -> AsynchronousSettings:
        return AsynchronousSettings()

    def attempt(self, event: QueuedEvent) -> Attempt:
        self.attempts.append(event.request_id)
        return self._answer(event)

    def tell(self, event: QueuedEvent, attempt: Attempt | None, condition: str) -> None:
        self.told.append((event.request_id, condition))


class World:
    """A folder, a clock, and the queues that live in it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovableClock()
        self._path = folder / "events.sqlite"
        self._open: list[tuple[EventQueue, EventJournal]] = []

    def queue(self, functions: Functions) -> EventQueue:
        journal = EventJournal(self._path)
        queue = EventQueue(self.clock, journal, functions)
        self._open.append((queue, journal))
        return queue

    def kept(self) -> list[QueuedEvent]:
        journal = EventJournal(self._path)
        try:
            return journal.events()
        finally:
            journal.close()

    def now(self, request_id: str = "r-1") -> QueuedEvent:
        return event(request_id, invoked_at=self.clock.now(), due_at=self.clock.now())

    def close(self) -> None:
        for queue, journal in self._open:
            queue.stop()
            journal.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_an_accepted_event_runs_and_is_forgotten(world: World) -> None:
    functions = Functions(lambda _: SUCCEEDED)
    world.queue(functions).put(world.now())
    wait_until(lambda: not world.kept())
    assert functions.told == [("r-1", "Success")]


def test_retries_come_when_the_clock_says_so(world: World) -> None:
    functions = Functions(lambda _: FAILED)
    world.queue(functions).put(world.now())
    for tries in (1, 2, 3):
        wait_until(lambda tries=tries: len(functions.attempts) == tries)
        if tries < 3:
            wait_until(lambda tries=tries: world.kept()[0].retries == tries)
            world.clock.advance(121)
    wait_until(lambda: not world.kept())
    assert functions.told == [("r-1", "RetriesExhausted")]


def test_what_was_accepted_before_the_end_runs_after_it(world: World) -> None:
    go = threading.Event()

    def wait(_: QueuedEvent) -> Attempt:
        go.wait(30)
        return SUCCEEDED

    before = Functions(wait)
    first = world.queue(before)
    for number in range(30):
        first.put(world.now(f"r-{number}"))
    wait_until(lambda: before.attempts)
    first.stop()
    go.set()
    assert len(world.kept()) == 30
    after = Functions(lambda _: SUCCEEDED)
    world.queue(after).go_on()
    wait_until(lambda: not world.kept())
    assert sorted(after.told) == sorted((f"r-{number}", "Success") for number in range(30))
    assert before.told == []


def test_a_slow_function_does_not_hold_up_another_ones_events(world: World) -> None:
    go = threading.Event()

    def answer(queued: QueuedEvent) -> Attempt:
        if queued.request_id.startswith("slow"):
            go.wait(30)
        return SUCCEEDED

    functions = Functions(answer)
    queue = world.queue(functions)
    for number in range(20):
        queue.put(world.now(f"slow-{number}"))
    other = event("quick", function_arn="arn:aws:lambda:us-east-1:000000000000:function:g:1")
    queue.put(other.__class__(**(vars(other) | {"invoked_at": world.clock.now()})))
    wait_until(lambda: ("quick", "Success") in functions.told)
    # No more of one function at once than its share.
    assert sum(each.startswith("slow") for each in functions.attempts) == 10
    go.set()
    wait_until(lambda: len(functions.told) == 21)


def test_the_events_of_a_deleted_function_go_with_it(world: World) -> None:
    def gone(queued: QueuedEvent) -> Attempt:
        raise FunctionGone(queued.function_arn)

    functions = Functions(gone)
    world.queue(functions).put(world.now())
    wait_until(lambda: not world.kept())
    assert functions.told == []


def test_an_event_waits_for_its_function_to_be_ready(world: World) -> None:
    def answer(queued: QueuedEvent) -> Attempt:
        if len(functions.attempts) < 3:
            raise FunctionNotReady(queued.function_arn)
        return SUCCEEDED

    functions = Functions(answer)
    world.queue(functions).put(world.now())
    wait_until(lambda: functions.told == [("r-1", "Success")])


def test_an_event_that_waited_too_long_is_given_up_without_an_attempt(world: World) -> None:
    functions = Functions(lambda _: SUCCEEDED)
    queued = world.now()
    world.clock.advance(21_601)
    world.queue(functions).put(queued)
    wait_until(lambda: functions.told == [("r-1", "EventAgeExceeded")])
    assert functions.attempts == []
