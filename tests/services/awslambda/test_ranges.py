"""Numbers that Lambda's API refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.awslambda.ranges import RANGES, refuse_numbers


@given(st.sampled_from(sorted(RANGES)), st.data())
def test_every_number_within_its_range_is_taken(name: str, data: st.DataObject) -> None:
    smallest, largest = RANGES[name]
    first = 60 if name == "MaximumRecordAgeInSeconds" else smallest
    assert refuse_numbers({name: data.draw(st.integers(first, largest))}) is None
    assert refuse_numbers({name: smallest}) is None


@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_number_outside_is_refused_with_the_value_and_the_limit(name: str) -> None:
    smallest, largest = RANGES[name]
    member = name[0].lower() + name[1:]
    for value, words in (
        (largest + 1, f"less than or equal to {largest}"),
        (smallest - 1, f"greater than or equal to {smallest}"),
    ):
        refusal = refuse_numbers({name: value})
        assert refusal is not None
        assert refusal.code == "ValidationException"
        assert refusal.message == (
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: Member must have value {words}"
        )


def test_a_record_age_under_a_minute_is_refused() -> None:
    refusal = refuse_numbers({"MaximumRecordAgeInSeconds": 59})
    assert refusal is not None
    assert refusal.code == "InvalidParameterValueException"


def test_all_wrong_numbers_are_told_at_once() -> None:
    refusal = refuse_numbers({"Timeout": 901, "MemorySize": 1})
    assert refusal is not None
    assert refusal.message.startswith("2 validation errors detected: Value '901' at 'timeout'")
