"""Tumbling windows: which window a record is in, and what the function is told of it.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from services.awslambda.event_source_mapping.stream_record import StreamRecord

#: A state may have this much per shard; a larger one ends its window early.
MAXIMUM_STATE_BYTES = 1_048_576


@dataclass(frozen=True)
class Window:
    """The open window of one shard: seconds since 1970, and the state the function returned."""

    start: float
    end: float
    state: dict[str, Any] = field(default_factory=dict)


def window_of(arrival: float, size_seconds: int) -> Window:
    """The window of a record: all windows are multiples of the size since 1970."""
    start = arrival // size_seconds * size_seconds
    return Window(start, start + size_seconds)


def that_belong(records: Sequence[StreamRecord], window: Window) -> int:
    """How many of the first records are in the window; late ones count to the one that is open."""
    for count, record in enumerate(records):
        if record.arrival >= window.end:
            return count
    return len(records)


def is_over(
    window: Window, next_record: StreamRecord | None, now: float, *, shard_ended: bool
) -> bool:
    """Whether the window's final invocation is due, once its records were handed over.

    `next_record` is the next one of the shard, if there is one already. A window does not
    survive the end of its shard.
    """
    if next_record is not None:
        return next_record.arrival >= window.end
    return shard_ended or now >= window.end


def window_fields(
    window: Window, shard_id: str, stream_arn: str, *, is_final: bool, is_early: bool = False
) -> dict[str, Any]:
    """What the event has besides its records."""
    return {
        "window": {"start": _time(window.start), "end": _time(window.end)},
        "state": window.state,
        "shardId": shard_id,
        "eventSourceARN": stream_arn,
        "isFinalInvokeForWindow": is_final,
        "isWindowTerminatedEarly": is_early,
    }


def with_state(window: Window, payload: bytes) -> Window:
    """The window with the state that the function returned; an answer without one clears it."""
    try:
        answer = json.loads(payload or b"null")
    except ValueError:
        answer = None
    state = answer.get("state") if isinstance(answer, dict) else None
    return replace(window, state=state if isinstance(state, dict) else {})


def is_too_large(window: Window) -> bool:
    return len(json.dumps(window.state).encode()) > MAXIMUM_STATE_BYTES


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
