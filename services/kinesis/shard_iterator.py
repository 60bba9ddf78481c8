"""Shard iterators and page tokens: opaque, sealed, valid over restarts, expiring."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from services.kinesis.errors import KinesisError, invalid_argument

LIFETIME_MILLIS = 300_000
# A seal against altered tokens, not a secret: they must stay valid over restarts.
_SEAL_KEY = b"riacho shard iterator"
_SEAL_BYTES = 12
# AWS's tokens start with these eight bytes too.
_PREFIX = bytes(7) + b"\x01"


class ShardIterator(NamedTuple):
    """Where a reader stands: the next ordinal to read in one shard of one stream."""

    account_id: str
    region: str
    stream_name: str
    stream_id: str
    shard_index: int
    ordinal: int
    created_millis: int


def encode(iterator: ShardIterator) -> str:
    """A token of at most 512 characters, different at each call."""
    return seal([*iterator, int.from_bytes(os.urandom(4), "big")])


def decode(token: str) -> ShardIterator:
    """Raises InvalidArgumentException for anything this module did not make."""
    try:
        fields = unseal(token)
        return ShardIterator(*fields[:-1])
    except (ValueError, TypeError):
        raise invalid_argument("Invalid ShardIterator.") from None


def check_age(iterator: ShardIterator, now_millis: int) -> None:
    """Raises ExpiredIteratorException when the iterator is older than five minutes."""
    if now_millis - iterator.created_millis > LIFETIME_MILLIS:
        raise KinesisError(
            "ExpiredIteratorException",
            f"Iterator expired. The iterator was created at time {_date(iterator.created_millis)} "
            f"while right now it is {_date(now_millis)} which is further in the future than the "
            f"tolerated delay of {LIFETIME_MILLIS} milliseconds.",
        )


def seal(fields: list[Any]) -> str:
    """Fields as one opaque text."""
    return _sealed(orjson.dumps(fields))


def unseal(token: str) -> list[Any]:
    """The fields again. Raises ValueError for a text that `seal` did not make."""
    sealed = b64decode(token, validate=True)
    payload = sealed[len(_PREFIX) + _SEAL_BYTES :]
    if _sealed(payload) != token:
        raise ValueError("Not a token of ours.")
    fields: list[Any] = orjson.loads(payload)
    return fields


def _sealed(payload: bytes) -> str:
    digest = blake2b(payload, digest_size=_SEAL_BYTES, key=_SEAL_KEY).digest()
    return b64encode(_PREFIX + digest + payload).decode()


def _date(millis: int) -> str:
    # As AWS writes it: Thu Jan 22 01:22:02 UTC 2015
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    return moment.strftime("%a %b %d %H:%M:%S UTC %Y")
