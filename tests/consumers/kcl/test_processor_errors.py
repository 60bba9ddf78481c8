"""Stop, retry, or set the failing record aside; never skip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.kcl.checkpointer import RecordProcessorCheckpointer
from consumers.kcl.errors import ShardStopped, TryAgain
from consumers.kcl.extended_sequence_number import TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.lease import Lease
from consumers.kcl.processor_errors import GuardedCalls
from consumers.kcl.record_processor import (
    Checkpointer,
    KinesisClientRecord,
    ProcessRecordsInput,
    ShardRecordProcessor,
)
from consumers.kcl.settings import SchedulerSettings
from tests.consumers.processors.records import record

STOP = SchedulerSettings()
RETRY = SchedulerSettings(on_processor_error="RETRY")
DEAD_LETTER = SchedulerSettings(
    on_processor_error="DEAD_LETTER", dead_letter_stream="dead", max_processor_retries=2
)


class Letters:
    """DeadLetters in a list."""

    def __init__(self) -> None:
        self.numbers: list[str] = []
        self.reasons: list[str] = []

    def put(
        self, stream_name: str, shard_id: str, record: KinesisClientRecord, reason: str
    ) -> None:
        self.numbers.append(record.sequence_number)
        self.reasons.append(reason)


class Processor:
    """Processes records one by one; `fails` decides which it cannot digest."""

    def __init__(self, fails: Callable[[str], bool], *, checkpoints: bool = False) -> None:
        self._fails, self._checkpoints = fails, checkpoints
        self.done: list[str] = []
        self.calls = 0

    def process_records(self, given: ProcessRecordsInput) -> None:
        self.calls += 1
        for one in given.records:
            if self._fails(one.sequence_number):
                raise RuntimeError(f"poison {one.sequence_number}")
            self.done.append(one.sequence_number)
            if self._checkpoints:
                given.checkpointer.checkpoint(one)
        given.checkpointer.checkpoint()


def deliver(
    processor: Processor,
    numbers: Sequence[int],
    settings: SchedulerSettings,
    letters: Letters | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> tuple[bool, ExtendedSequenceNumber]:
    lease = Lease("0", "0")

    def write(change: Callable[[Lease], Lease]) -> Lease:
        return replace(change(lease))

    checkpointer = RecordProcessorCheckpointer(
        "0", ExtendedSequenceNumber(TRIM_HORIZON), write, validate_sequence_number=False
    )
    calls = GuardedCalls("clicks", "0", settings, letters, is_wanted, sleep=lambda _: None)
    given = ProcessRecordsInput([record(n) for n in numbers], cast("Checkpointer", checkpointer), 0)
    done = calls.process(cast("ShardRecordProcessor", processor), given, checkpointer)
    return done, checkpointer.last_checkpoint


def test_by_default_the_first_error_stops_the_shard() -> None:
    processor = Processor(lambda number: number == "2")
    with pytest.raises(ShardStopped, match="poison 2"):
        deliver(processor, [1, 2, 3], STOP)
    assert processor.calls == 1


def test_retry_brings_the_same_records_until_they_pass() -> None:
    failures = iter([True, True, False])
    processor = Processor(lambda number: number == "2" and next(failures))
    assert deliver(processor, [1, 2, 3], RETRY) == (True, ExtendedSequenceNumber("3"))
    assert processor.done == ["1", "1", "1", "2", "3"]


def test_an_error_that_will_pass_brings_the_records_again_in_every_mode() -> None:
    class Waiting(Processor):
        def process_records(self, given: ProcessRecordsInput) -> None:
            if self.calls < 5:
                self.calls += 1
                raise TryAgain("the table is away")
            super().process_records(given)

    for settings in (STOP, RETRY, DEAD_LETTER):
        letters = Letters()
        processor = Waiting(lambda _: False)
        assert deliver(processor, [1, 2], settings, letters)[0]
        assert processor.done == ["1", "2"]
        assert letters.numbers == []


def test_a_retry_leaves_out_what_was_checkpointed() -> None:
    failures = iter([True, False])
    processor = Processor(lambda number: number == "2" and next(failures), checkpoints=True)
    deliver(processor, [1, 2, 3], RETRY)
    assert processor.done == ["1", "2", "3"]


def test_retrying_ends_unfinished_when_the_worker_stops() -> None:
    asked = iter([False])
    processor = Processor(lambda number: True)
    done, checkpoint = deliver(processor, [1], RETRY, is_wanted=lambda: next(asked, False))
    assert not done
    assert checkpoint == ExtendedSequenceNumber(TRIM_HORIZON)


def test_a_call_without_records_that_fails_is_never_swallowed() -> None:
    class Failing(Processor):
        def process_records(self, given: ProcessRecordsInput) -> None:
            raise RuntimeError("the disk is full")

    with pytest.raises(ShardStopped, match="disk is full"):
        deliver(Failing(lambda _: True), [], DEAD_LETTER, Letters())


@given(count=st.integers(1, 40), poison=st.sets(st.integers(1, 40)))
def test_exactly_the_failing_records_become_dead_letters(count: int, poison: set[int]) -> None:
    letters = Letters()
    processor = Processor(lambda number: int(number) in poison)
    done, checkpoint = deliver(processor, range(1, count + 1), DEAD_LETTER, letters)
    assert done
    expected = sorted(poison & set(range(1, count + 1)))
    assert [int(number) for number in letters.numbers] == expected
    assert {int(n) for n in processor.done} == set(range(1, count + 1)) - poison
    assert all("poison" in reason for reason in letters.reasons)
    assert checkpoint <= ExtendedSequenceNumber(str(count))
