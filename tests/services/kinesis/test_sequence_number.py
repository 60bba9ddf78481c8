"""Sequence numbers: the 186 bits, and what is read out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kinesis.sequence_number import END_ORDINAL, SequenceNumber, compose, parse

PARTS = st.builds(
    SequenceNumber,
    shard_created=st.integers(0, 2**36 - 1),
    shard_index=st.integers(0, 2**31 - 1),
    ordinal=st.integers(0, END_ORDINAL),
    arrival=st.integers(0, 2**36 - 1),
)


@given(PARTS)
def test_a_number_gives_back_its_parts(parts: SequenceNumber) -> None:
    number = compose(*parts)

    assert number.bit_length() == 186
    assert parse(str(number)) == parts


@given(PARTS, st.integers(0, 2**36 - 1))
def test_a_later_record_of_a_shard_has_a_larger_number(parts: SequenceNumber, at: int) -> None:
    later = parts._replace(ordinal=parts.ordinal + 1, arrival=at)

    assert compose(*later) > compose(*parts)


def test_a_number_that_aws_gave_out_is_read() -> None:
    # From AWS's own documentation of PutRecord.
    parts = parse("49543463076548007577105092703039560359975228518395019266")

    assert parts == SequenceNumber(
        shard_created=1411403981, shard_index=0, ordinal=5501, arrival=1411431220
    )


@pytest.mark.parametrize("text", ["0", "1", "-5", str(2**185), str((2 << 184) | 1), "9" * 80])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a sequence number"):
        parse(text)
