"""A user record on its way, and what became of it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

#: What a record costs in memory beside its data, roughly: objects, keys, its place in queues.
OVERHEAD_BYTES = 512

_HASH_KEY = re.compile(r"0|[1-9][0-9]{0,38}", re.ASCII).fullmatch
_LARGEST_HASH_KEY = 2**128 - 1


class Attempt(NamedTuple):
    """One try to put a record. Times in milliseconds: since the one before, and of the call."""

    delay: float
    duration: float
    success: bool
    error_code: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class UserRecordResult:
    """What became of a user record: where it is, or the attempts that failed.

    `sub_sequence_number` is its place among those it was packed with; 0 for one that went alone.
    """

    successful: bool
    shard_id: str
    sequence_number: str
    attempts: tuple[Attempt, ...]
    sub_sequence_number: int = 0


class UserRecord:
    """What was given to `add`; the caller may ask it for its result."""

    __slots__ = (
        "_hash_key",
        "_settled",
        "amounts",
        "arrived_at",
        "attempts",
        "data",
        "event_id",
        "expires_at",
        "explicit_hash_key",
        "last_tried_at",
        "partition_key",
        "result",
        "size",
    )

    def __init__(
        self,
        data: bytes,
        partition_key: str,
        explicit_hash_key: str | None = None,
        event_id: str | None = None,
        amounts: Mapping[str, Decimal] | None = None,
        settled: threading.Condition | None = None,
    ) -> None:
        self.data = data
        self.partition_key = partition_key
        self.explicit_hash_key = explicit_hash_key
        self.event_id = event_id
        self.amounts = amounts
        #: Bytes as PutRecords counts them.
        self.size = len(data) + len(partition_key.encode())
        self.arrived_at = self.last_tried_at = 0.0
        self.expires_at = float("inf")
        self.attempts: tuple[Attempt, ...] = ()
        #: None until the record is stored or given up.
        self.result: UserRecordResult | None = None
        self._hash_key = -1
        self._settled = settled

    @property
    def hash_key(self) -> int:
        """Where the record belongs on the stream's ring of 128-bit numbers."""
        if self._hash_key < 0:
            self._hash_key = (
                int.from_bytes(hashlib.md5(self.partition_key.encode()).digest())
                if self.explicit_hash_key is None
                else int(self.explicit_hash_key)
            )
        return self._hash_key

    def wait(self, timeout: float | None = None) -> UserRecordResult:
        """Block until the record is stored or given up. Raises TimeoutError after `timeout` s."""
        if self.result is None and self._settled is not None:
            with self._settled:
                self._settled.wait_for(lambda: self.result is not None, timeout)
        if self.result is None:
            raise TimeoutError(f"The record was neither stored nor given up within {timeout} s.")
        return self.result


def check_user_record(
    data: bytes, partition_key: str, explicit_hash_key: str | None, max_record_size: int
) -> None:
    """Refuse what Kinesis would refuse. Raises ValueError, in one sentence with the value."""
    if not 1 <= len(partition_key) <= 256:
        raise ValueError(
            f"The partition key {partition_key[:40]!r} has {len(partition_key)} characters; "
            "it must have 1 to 256."
        )
    if explicit_hash_key is not None and not (
        _HASH_KEY(explicit_hash_key) and int(explicit_hash_key) <= _LARGEST_HASH_KEY
    ):
        raise ValueError(
            f"The explicit hash key {explicit_hash_key!r} must be a decimal number "
            "from 0 to 2^128 - 1."
        )
    size = len(data) + len(partition_key.encode())
    if size > max_record_size:
        raise ValueError(
            f"The record has {size} bytes with its partition key; at most {max_record_size} "
            "fit. Send it in parts, or raise max_record_size and the stream's own limit."
        )
