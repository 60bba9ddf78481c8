"""The processor behind every destination: what it does when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from consumers.kcl.errors import InvalidCheckpoint, KinesisClientLibDependencyException, TryAgain
from consumers.kcl.extended_sequence_number import TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.record_processor import Checkpointer, InitializationInput, ProcessRecordsInput
from consumers.processors.row import Rejection, Row
from consumers.processors.storing import StoringProcessor, will_pass
from tests.consumers.processors.records import record


def answered(code: str, status: int) -> ClientError:
    metadata = {"HTTPStatusCode": status}
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": metadata}
    return ClientError(response, "PutObject")


class Listing:
    """A Destination in a list; `failures` are raised by the next calls of `store`."""

    name = "listing"

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.stored: list[str] = []
        self.durable_through: ExtendedSequenceNumber | None = None

    def open(self, stream_name: str, shard_id: str) -> None: ...

    def reason_to_reject(self, row: Row) -> str | None:
        return None

    def store(self, rows: Sequence[Row], through: ExtendedSequenceNumber) -> Sequence[Rejection]:
        if self._failures:
            raise self._failures.pop(0)
        self.stored += [row.record.sequence_number for row in rows]
        self.durable_through = through
        return ()

    def flush(self) -> None: ...

    def idle(self) -> None: ...

    def close(self) -> None: ...


class Marks:
    """A Checkpointer in a list; `failures` are raised by its next calls."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.made: list[str | None] = []

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int = 0) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.made.append(sequence_number)


def processor(*destinations: Listing) -> StoringProcessor:
    made = StoringProcessor(destinations, checkpoint_interval_seconds=0)
    made.initialize(InitializationInput("s", "0", ExtendedSequenceNumber(TRIM_HORIZON)))
    return made


def given(marks: Marks, *numbers: int) -> ProcessRecordsInput:
    records = [record(number) for number in numbers]
    return ProcessRecordsInput(records, cast("Checkpointer", marks), 0)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (answered("InternalError", 500), True),
        (answered("SlowDown", 503), True),
        (answered("ProvisionedThroughputExceededException", 400), True),
        (answered("ThrottlingException", 400), True),
        (answered("AccessDenied", 403), False),
        (answered("ValidationException", 400), False),
        (answered("NoSuchBucket", 404), False),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), True),
    ],
)
def test_errors_of_the_moment_bring_the_records_again_and_others_do_not(
    error: ClientError | BotoCoreError, passes: bool
) -> None:
    assert will_pass(error) is passes
    storing, marks = processor(Listing(error)), Marks()
    with pytest.raises(TryAgain if passes else type(error)):
        storing.process_records(given(marks, 1))
    assert marks.made == []


def test_after_such_an_error_the_records_are_stored_and_checkpointed() -> None:
    listing, marks = Listing(answered("SlowDown", 503)), Marks()
    storing = processor(listing)
    with pytest.raises(TryAgain):
        storing.process_records(given(marks, 1, 2))
    storing.process_records(given(marks, 1, 2))
    assert (listing.stored, marks.made) == (["1", "2"], ["2"])


def test_a_checkpoint_that_fails_for_the_moment_is_made_up_for_by_the_next() -> None:
    marks = Marks(KinesisClientLibDependencyException("away"))
    storing = processor(Listing())
    storing.process_records(given(marks, 1))
    storing.process_records(given(marks, 2))
    assert marks.made == ["2"]


def test_a_checkpoint_that_can_never_be_is_an_error() -> None:
    with pytest.raises(InvalidCheckpoint):
        processor(Listing()).process_records(given(Marks(InvalidCheckpoint("no")), 1))


def test_nothing_is_checkpointed_behind_the_slowest_destination() -> None:
    class Lagging(Listing):
        def store(
            self, rows: Sequence[Row], through: ExtendedSequenceNumber
        ) -> Sequence[Rejection]:
            return ()

    marks = Marks()
    processor(Listing(), Lagging()).process_records(given(marks, 1, 2))
    assert marks.made == []
