"""Where a partition key lands: MD5 as a 128-bit number."""

from __future__ import annotations

from collections.abc import Iterable

from services.kinesis.errors import invalid_argument

try:
    # Python's own MD5 takes half the time of OpenSSL's, which makes a context for each key.
    from _md5 import md5  # type: ignore[import-not-found]
except ImportError:
    from hashlib import md5

#: The largest hash key, 2^128 - 1.
MAX_HASH_KEY = (1 << 128) - 1


def hash_key(partition_key: bytes) -> int:
    """MD5 of the key's UTF-8 bytes, read as an unsigned big-endian number."""
    return int.from_bytes(md5(partition_key, usedforsecurity=False).digest())


def hash_keys(partition_keys: Iterable[bytes]) -> list[int]:
    """The same of many, without a call for each."""
    number = int.from_bytes
    return [number(md5(key, usedforsecurity=False).digest()) for key in partition_keys]


def explicit_hash_key(text: str) -> int:
    """A caller's own hash key, decimal. Raises InvalidArgumentException from 2^128 on."""
    value = int(text)
    if not 0 <= value <= MAX_HASH_KEY:
        raise invalid_argument(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {text}"
        )
    return value
