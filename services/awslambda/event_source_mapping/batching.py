"""Decide when gathered records become a batch. Pure: what is there and `now` in, a size out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.stream_record import StreamRecord
from services.awslambda.limits import MAXIMUM_REQUEST_BYTES

#: Room for `{"Records": […]}` and what a tumbling window adds besides its state.
_ENVELOPE_BYTES = 4096


@dataclass(frozen=True)
class Take:
    """Hand the first `count` records to the function now."""

    count: int


@dataclass(frozen=True)
class Wait:
    """Nothing to do before `until` (None: before more records arrive)."""

    until: float | None


def next_batch(
    records: Sequence[StreamRecord],
    gathering_since: float,
    mapping: Mapping,
    now: float,
    *,
    spare_bytes: int = 0,
    is_last: bool = False,
) -> Take | Wait:
    """What to do with the records gathered since `gathering_since`.

    A batch is closed when it has `batch_size` records, when its payload is full (the 6 MB of a
    synchronous invocation, less `spare_bytes`), or when the batching window is over. With a
    window of 0 that is at once; `is_last` says that no more will come.
    """
    if not records:
        return Wait(None)
    count = _that_fit(records, mapping.batch_size, spare_bytes)
    is_full = count == mapping.batch_size or count < len(records)
    closes_at = gathering_since + mapping.maximum_batching_window_in_seconds
    if is_full or is_last or now >= closes_at:
        return Take(count)
    return Wait(closes_at)


def _that_fit(records: Sequence[StreamRecord], batch_size: int, spare_bytes: int) -> int:
    left = MAXIMUM_REQUEST_BYTES - _ENVELOPE_BYTES - spare_bytes
    for count, record in enumerate(records):
        left -= record.size_bytes
        # A record that is too large by itself is tried alone: the invocation tells.
        if count == batch_size or (left < 0 and count > 0):
            return count
    return len(records)
