"""The matcher alone: preference, skipping, empty matches, and conditions that are asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.athena.dialect import row_patterns
from services.athena.row_pattern_matcher import Partition, Rules, Slot


def pattern_of(text: str) -> list[tuple[str, bool]]:
    return [(sign, sign.isalpha()) for sign in text if sign != " "]


def matches(text: str, rows: list[str], **more: Any) -> list[tuple[int, str]]:
    """(start, labels) of each match; a label matches the rows that hold its letter."""
    tree = row_patterns.parsed(pattern_of(text))
    labels = row_patterns.names(tree)
    rules = Rules(
        row_patterns.program(tree, labels.index),
        labels,
        {i: i for i in range(len(labels))},
        {},
        measures=[Slot("rows")],
        **more,
    )
    known = [[label in row for label in labels] for row in rows]
    steps = Partition(rules, len(rows), known).run()
    try:
        next(steps)
    except StopIteration as stop:
        return [
            (row["row"], "".join(labels[label] for _, label in row["slots"][0]))
            for row in stop.value
        ]
    raise AssertionError("a known condition was asked")


def test_the_first_alternative_and_the_longest_repetition_are_preferred() -> None:
    assert matches("(A|B)*", ["AB", "B", "A"]) == [(0, "ABA")]
    assert matches("(B|A)*?B", ["AB", "B", "B"]) == [(0, "B"), (1, "B"), (2, "B")]
    assert matches("A{1,2}B", ["A", "A", "A", "B"]) == [(1, "AAB")]
    assert matches("AB|BA", ["B", "A"]) == [(0, "BA")]


def test_anchors_hold_the_partitions_ends() -> None:
    assert matches("^A", ["A", "A"]) == [(0, "A")]
    assert matches("A$", ["A", "A"]) == [(1, "A")]


def test_a_loop_over_nothing_ends() -> None:
    assert matches("((A?){2,})*", ["A", "A"]) == [(0, "AA")]
    assert matches("(A*)*B", ["A"] * 60) == []


def test_matches_may_overlap_after_skip_to_next_row() -> None:
    assert matches("AA", ["A", "A", "A"], skip="next") == [(0, "AA"), (1, "AA")]
    assert matches("AA", ["A", "A", "A"]) == [(0, "AA")]


def test_an_empty_match_is_a_row_of_its_own() -> None:
    assert matches("A*", ["B", "A"]) == [(0, ""), (1, "A")]


def test_conditions_on_the_match_so_far_are_asked_with_the_rows_they_see() -> None:
    tree = row_patterns.parsed(pattern_of("AB*"))
    rules = Rules(
        row_patterns.program(tree, ["A", "B"].index), ["A", "B"], {}, {1: [Slot("row", frozenset([0]))]},
        measures=[Slot("rows")],
    )  # fmt: skip
    steps = Partition(rules, 3, [[]] * 3).run()
    asked = [next(steps), steps.send(True)]
    assert asked == [(1, (1, 0)), (1, (1, 0))]
    with pytest.raises(StopIteration) as stop:
        steps.send(False)
    assert [row["slots"] for row in stop.value.value] == [[((0, 0), (1, 1))], [((2, 0),)]]


@given(st.lists(st.sampled_from(["A", "B", "AB", ""]), max_size=12))
def test_matches_never_overlap_and_hold_only_rows_that_fit(rows: list[str]) -> None:
    last = -1
    for start, labels in matches("A+B?", rows):
        assert start > last
        last = start + len(labels) - 1
        assert all(label in rows[start + i] for i, label in enumerate(labels))
