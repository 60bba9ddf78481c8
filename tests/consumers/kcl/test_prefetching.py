"""How far reading may be ahead of the processor, and that a full queue never locks anybody in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.kcl.retrieval import PrefetchingPublisher, PrefetchQueue, RecordsBatch
from consumers.kcl.settings import SchedulerSettings
from tests.waiting import wait_until

WIDE = {
    "max_pending_process_records_input": 1_000,
    "prefetch_max_bytes": 10**9,
    "prefetch_max_records": 10**9,
}


def batch(records: int, size: int = 1, *, is_end: bool = False) -> RecordsBatch:
    return RecordsBatch([{"Data": b"x" * size}] * records, 0, is_end)


class Endless:
    """A RecordsSource that puts one batch a round, and ends or fails after some rounds."""

    def __init__(self, one: RecordsBatch, rounds: int = 10**9, error: Exception | None = None):
        self._one, self._rounds, self._error = one, rounds, error
        self.read = 0

    def read_into(self, queue: PrefetchQueue) -> float | None:
        if self.read == self._rounds:
            if self._error is not None:
                raise self._error
            return None
        self.read += 1
        queue.put(self._one)
        return 0.0


@contextmanager
def publishing(source: Endless, **limits: int) -> Iterator[PrefetchingPublisher]:
    publisher = PrefetchingPublisher(source, SchedulerSettings(**(WIDE | limits)), "0")  # type: ignore[arg-type]
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()
        wait_until(lambda: not publisher._thread.is_alive())


@pytest.mark.parametrize(
    ("limits", "one", "ahead"),
    [
        ({"max_pending_process_records_input": 3}, batch(10, 10), 3),
        ({"prefetch_max_bytes": 250}, batch(10, 10), 3),
        ({"prefetch_max_records": 25}, batch(10, 10), 3),
        ({"prefetch_max_records": 30}, batch(10, 10), 3),
        ({"max_pending_process_records_input": 3}, batch(0), 3),
    ],
)
def test_reading_waits_at_each_of_the_limits_and_goes_on_batch_by_batch(
    limits: dict[str, int], one: RecordsBatch, ahead: int
) -> None:
    source = Endless(one)
    with publishing(source, **limits) as publisher:
        for taken in range(5):
            wait_until(lambda taken=taken: source.read == ahead + taken, every=0.001)
            assert publisher.next_batch(10) is one


def test_one_batch_larger_than_every_limit_still_gets_through() -> None:
    source = Endless(batch(100, 100), rounds=3)
    with publishing(source, prefetch_max_bytes=1, prefetch_max_records=1) as publisher:
        for _ in range(3):
            assert publisher.next_batch(10) is not None


def test_a_reader_stopped_at_a_full_queue_ends() -> None:
    source = Endless(batch(1))
    with publishing(source, max_pending_process_records_input=1):
        wait_until(lambda: source.read == 1)


def test_who_waits_for_a_batch_is_let_go_when_reading_stops() -> None:
    publisher = PrefetchingPublisher(Endless(batch(1), rounds=0), SchedulerSettings(), "0")
    publisher.start()
    answers: list[RecordsBatch | None] = []
    waiting = threading.Thread(target=lambda: answers.append(publisher.next_batch(60)))
    waiting.start()
    publisher.stop()
    waiting.join(30)
    assert answers == [None]


def test_an_error_comes_after_everything_that_was_read_before_it() -> None:
    source = Endless(batch(1), rounds=2, error=ValueError("broken"))
    with publishing(source) as publisher:
        wait_until(lambda: not publisher._thread.is_alive())
        assert [publisher.next_batch(10), publisher.next_batch(10)] == [batch(1), batch(1)]
        with pytest.raises(ValueError, match="broken"):
            publisher.next_batch(10)


def test_without_a_batch_the_wait_ends_after_its_time() -> None:
    with publishing(Endless(batch(1), rounds=0)) as publisher:
        assert publisher.next_batch(0.01) is None
