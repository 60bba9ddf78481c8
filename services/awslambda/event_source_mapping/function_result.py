"""What a function's answer to a batch means: which records it has dealt with."""

from __future__ import annotations

import json
from dataclasses import dataclass

from services.awslambda.event_source_mapping.stream_record import SequenceNumbers


@dataclass(frozen=True)
class Succeeded:
    """Every record was dealt with."""


@dataclass(frozen=True)
class Failed:
    """The function failed at the record with index `first_failed`; those before it are done.

    `function_error` is AWS's `Unhandled`, or None when the function reported the failure itself.
    """

    request_id: str
    first_failed: int = 0
    function_error: str | None = "Unhandled"
    status_code: int = 200
    executed_version: str = "$LATEST"


@dataclass(frozen=True)
class NotInvoked:
    """The function was never called: throttled, updating, gone. Costs no retry."""

    reason: str


FunctionResult = Succeeded | Failed | NotInvoked


def first_failed(payload: bytes, batch: SequenceNumbers) -> int | None:
    """The index of the first record that a `ReportBatchItemFailures` answer leaves undone.

    None is success: null, an empty answer, an empty list. Whatever AWS does not understand
    (another shape, an unknown or empty identifier) fails the whole batch, which is 0.
    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
    """
    try:
        answer = json.loads(payload) if payload.strip() else None
    except ValueError:
        return 0
    if answer is None or answer == {} or answer == "":
        return None
    if not isinstance(answer, dict):
        return 0
    failures = answer.get("batchItemFailures")
    if failures is None or failures == []:
        return None
    if not isinstance(failures, list):
        return 0
    places = {sequence_number: place for place, sequence_number in enumerate(batch)}
    found = [places.get(_identifier(failure)) for failure in failures]
    # The lowest one is the checkpoint; an identifier that is none fails everything.
    return 0 if None in found else min(place for place in found if place is not None)


def _identifier(failure: object) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return identifier if isinstance(identifier, str) else ""
