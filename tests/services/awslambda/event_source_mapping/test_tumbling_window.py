"""Tumbling windows: which one a record is in, and when one is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.awslambda.event_source_mapping.stream_record import StreamRecord
from services.awslambda.event_source_mapping.tumbling_window import (
    MAXIMUM_STATE_BYTES,
    Window,
    is_over,
    is_too_large,
    that_belong,
    window_fields,
    window_of,
    with_state,
)
from tests.services.awslambda.event_source_mapping.records import STREAM, record

WINDOW = Window(30.0, 60.0, {"n": 1})


@given(st.floats(0, 4e9), st.integers(1, 900))
def test_a_record_is_in_exactly_one_window_of_the_size(arrival: float, size: int) -> None:
    window = window_of(arrival, size)
    assert window.start <= arrival < window.end
    assert window.end - window.start == size
    assert window.start % size == 0


def test_late_records_count_to_the_open_window_and_the_next_ones_do_not() -> None:
    gathered = [record(0, 10.0), record(1, 59.9), record(2, 60.0)]
    assert that_belong(gathered, WINDOW) == 2


@pytest.mark.parametrize(
    ("next_record", "now", "shard_ended", "over"),
    [
        (None, 59.0, False, False),
        (None, 60.0, False, True),
        (None, 31.0, True, True),
        (record(0, 59.0), 90.0, False, False),
        (record(0, 60.0), 31.0, False, True),
    ],
)
def test_a_window_is_over_by_time_by_the_next_record_or_with_its_shard(
    next_record: StreamRecord | None, now: float, shard_ended: bool, over: bool
) -> None:
    assert is_over(WINDOW, next_record, now, shard_ended=shard_ended) is over


def test_the_event_has_awss_fields() -> None:
    assert window_fields(WINDOW, "shardId-0", STREAM, is_final=True) == {
        "window": {"start": "1970-01-01T00:00:30Z", "end": "1970-01-01T00:01:00Z"},
        "state": {"n": 1},
        "shardId": "shardId-0",
        "eventSourceARN": STREAM,
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        (b'{"state": {"n": 2}}', {"n": 2}),
        (b"null", {}),
        (b"", {}),
        (b"no JSON", {}),
        (b'{"state": 1}', {}),
    ],
)
def test_the_state_is_what_the_function_returned(payload: bytes, state: dict[str, int]) -> None:
    assert with_state(WINDOW, payload).state == state


def test_a_state_over_one_megabyte_is_too_large() -> None:
    assert not is_too_large(WINDOW)
    assert is_too_large(Window(0, 1, {"x": "y" * MAXIMUM_STATE_BYTES}))
