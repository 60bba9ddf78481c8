"""Hash key ranges and the arithmetic of splitting, merging and scaling."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kinesis.hash_key import MAX_HASH_KEY, hash_key
from services.kinesis.shard import (
    HashKeyRange,
    Split,
    are_adjacent,
    even_ranges,
    merged_range,
    plan_uniform_scaling,
    split_range,
)


def test_a_partition_key_is_hashed_as_aws_documents_it() -> None:
    # MD5("a") = 0cc175b9c0f1b6a831c399e269772661
    assert hash_key(b"a") == 0x0CC175B9C0F1B6A831C399E269772661


@given(st.integers(1, 300))
def test_even_ranges_cover_every_hash_key_once(count: int) -> None:
    ranges = even_ranges(count)

    assert ranges[0].start == 0
    assert ranges[-1].end == MAX_HASH_KEY
    assert all(left.end + 1 == right.start for left, right in itertools.pairwise(ranges))
    widths = {r.end - r.start for r in ranges}
    assert max(widths) - min(widths) < count


@given(st.integers(1, 24), st.integers(1, 24))
def test_a_scaling_plan_ends_with_even_ranges(before: int, after: int) -> None:
    ranges = even_ranges(before)
    for step in plan_uniform_scaling(ranges, after):
        if isinstance(step, Split):
            ranges[step.position : step.position + 1] = split_range(ranges[step.position], step.at)
        else:
            pair = ranges[step.position : step.position + 2]
            assert are_adjacent(*pair)
            ranges[step.position : step.position + 2] = [merged_range(*pair)]
        assert all(r.start <= r.end for r in ranges)

    assert ranges == even_ranges(after)


@pytest.mark.parametrize(
    ("before", "after", "steps"), [(1, 2, 1), (2, 4, 2), (4, 2, 2), (3, 3, 0), (2, 3, 3)]
)
def test_doubling_and_halving_take_one_step_a_shard(before: int, after: int, steps: int) -> None:
    assert len(plan_uniform_scaling(even_ranges(before), after)) == steps


def test_ranges_with_a_gap_are_not_adjacent() -> None:
    low, high = HashKeyRange(0, 9), HashKeyRange(11, 20)

    assert not are_adjacent(low, high)
    assert are_adjacent(high, HashKeyRange(21, 30))
    assert are_adjacent(HashKeyRange(21, 30), high)
