"""Records for the tests of pure decisions."""

from __future__ import annotations

from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.stream_record import StreamRecord

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


def record(number: int, arrival: float = 0.0, size_bytes: int = 100) -> StreamRecord:
    return StreamRecord(str(number), arrival, "k", {"n": number}, size_bytes)


def records(count: int, first: int = 0) -> tuple[StreamRecord, ...]:
    return tuple(record(number) for number in range(first, first + count))


def mapping(**settings: object) -> Mapping:
    wanted: dict[str, object] = {
        "uuid": "u-1",
        "function_arn": FUNCTION,
        "event_source_arn": STREAM,
    }
    return Mapping(**(wanted | settings))  # type: ignore[arg-type]
