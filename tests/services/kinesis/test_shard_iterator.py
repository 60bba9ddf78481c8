"""Tokens: opaque, sealed, short enough, different at each call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kinesis.errors import KinesisError
from services.kinesis.shard_iterator import ShardIterator, check_age, decode, encode

HERE = ShardIterator(
    "000000000000", "us-east-1", "s" * 128, "a" * 20 + "-bcd", 2**31, 2**62, 1_700_000_000_000
)


def test_a_token_gives_back_its_place_and_fits() -> None:
    token = encode(HERE)

    assert decode(token) == HERE
    assert len(token) <= 512
    assert encode(HERE) != token


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_an_altered_token_is_refused(position: int, change: int) -> None:
    token = bytearray(encode(HERE), "ascii")
    token[position % len(token)] ^= change

    with pytest.raises(KinesisError, match="Invalid ShardIterator"):
        decode(token.decode("latin-1"))


@pytest.mark.parametrize("token", ["", "x", "AAAA", "ä", "A" * 512])
def test_an_invented_token_is_refused(token: str) -> None:
    with pytest.raises(KinesisError, match="Invalid ShardIterator"):
        decode(token)


def test_an_old_token_says_when_it_was_made() -> None:
    check_age(HERE, HERE.created_millis + 300_000)

    with pytest.raises(KinesisError) as raised:
        check_age(HERE, HERE.created_millis + 300_001)

    assert raised.value.code == "ExpiredIteratorException"
    assert raised.value.message == (
        "Iterator expired. The iterator was created at time Tue Nov 14 22:13:20 UTC 2023 while "
        "right now it is Tue Nov 14 22:18:20 UTC 2023 which is further in the future than the "
        "tolerated delay of 300000 milliseconds."
    )
