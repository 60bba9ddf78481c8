"""When gathered records become a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.awslambda.event_source_mapping.batching import Take, Wait, next_batch
from services.awslambda.limits import MAXIMUM_REQUEST_BYTES
from tests.services.awslambda.event_source_mapping.records import mapping, record, records


@pytest.mark.parametrize(
    ("gathered", "settings", "now", "decision"),
    [
        (0, {}, 0, Wait(None)),
        (3, {}, 0, Take(3)),
        (100, {}, 0, Take(100)),
        (101, {}, 0, Take(100)),
        (3, {"maximum_batching_window_in_seconds": 5}, 4.9, Wait(5)),
        (3, {"maximum_batching_window_in_seconds": 5}, 5, Take(3)),
        (100, {"maximum_batching_window_in_seconds": 5}, 0, Take(100)),
    ],
)
def test_a_batch_is_closed_by_its_size_or_by_the_end_of_its_window(
    gathered: int, settings: dict[str, float], now: float, decision: Take | Wait
) -> None:
    assert next_batch(records(gathered), 0.0, mapping(**settings), now) == decision


def test_a_batch_is_closed_when_the_payload_of_an_invocation_is_full() -> None:
    third = MAXIMUM_REQUEST_BYTES // 3
    gathered = [record(number, size_bytes=third) for number in range(4)]
    window = mapping(maximum_batching_window_in_seconds=300)
    assert next_batch(gathered, 0.0, window, 0.0) == Take(2)


def test_the_state_of_a_window_takes_room_from_the_records() -> None:
    gathered = [record(number, size_bytes=1_000_000) for number in range(6)]
    assert next_batch(gathered, 0.0, mapping(), 0.0) == Take(6)
    assert next_batch(gathered, 0.0, mapping(), 0.0, spare_bytes=1_000_000) == Take(5)


def test_a_record_that_is_too_large_by_itself_is_tried_alone() -> None:
    gathered = [record(0, size_bytes=MAXIMUM_REQUEST_BYTES * 2), record(1)]
    assert next_batch(gathered, 0.0, mapping(), 0.0) == Take(1)


def test_the_last_records_of_a_shard_do_not_wait_for_the_window() -> None:
    window = mapping(maximum_batching_window_in_seconds=300)
    assert next_batch(records(2), 0.0, window, 0.0, is_last=True) == Take(2)


@given(
    sizes=st.lists(st.integers(1, 3_000_000), min_size=1, max_size=30),
    batch_size=st.integers(1, 20),
)
def test_no_batch_is_empty_or_over_its_limits(sizes: list[int], batch_size: int) -> None:
    gathered = [record(number, size_bytes=size) for number, size in enumerate(sizes)]
    decision = next_batch(gathered, 0.0, mapping(batch_size=batch_size), 0.0)
    assert isinstance(decision, Take)
    assert 1 <= decision.count <= batch_size
    assert decision.count == 1 or sum(sizes[: decision.count]) <= MAXIMUM_REQUEST_BYTES
