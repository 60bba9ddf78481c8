"""Shard quotas as token buckets; `now` is passed in.

https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

from __future__ import annotations

WRITE_BYTES_PER_SECOND = 1024 * 1024
WRITE_RECORDS_PER_SECOND = 1_000
READ_BYTES_PER_SECOND = 2 * 1024 * 1024
READ_CALLS_PER_SECOND = 5


class TokenBucket:
    """Fills at `rate` per second up to `burst`."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def level(self, now: float) -> float:
        """What may be taken now."""
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now
        # Seconds since 1970 are exact to less than a microsecond: what is below is rounding.
        return round(self._level, 3)

    def take(self, amount: float) -> None:
        """May go below zero: the debt must be paid off before `level` is positive again."""
        self._level -= amount

    def empty(self) -> None:
        """What was saved up is no help."""
        self._level = min(self._level, 0.0)


class WriteQuota:
    """1 MiB and 1,000 records a second; one large record may use up several seconds at once."""

    def __init__(self, now: float) -> None:
        self._bytes = TokenBucket(WRITE_BYTES_PER_SECOND, WRITE_BYTES_PER_SECOND, now)
        self._records = TokenBucket(WRITE_RECORDS_PER_SECOND, WRITE_RECORDS_PER_SECOND, now)

    def admit(self, size: int, now: float) -> bool:
        """Whether a record of `size` bytes (data and partition key) fits; if so, it counts."""
        needed = min(size, WRITE_BYTES_PER_SECOND)
        if self._bytes.level(now) < needed or self._records.level(now) < 1:
            return False
        self._bytes.take(size)
        self._records.take(1)
        return True


class ReadQuota:
    """5 calls and 2 MiB a second, shared by all who poll the shard."""

    def __init__(self, now: float) -> None:
        self._bytes = TokenBucket(READ_BYTES_PER_SECOND, READ_BYTES_PER_SECOND, now)
        self._calls = TokenBucket(READ_CALLS_PER_SECOND, READ_CALLS_PER_SECOND, now)

    def admit(self, now: float) -> bool:
        """Whether a call may be made; if so, it counts."""
        if self._calls.level(now) < 1 or self._bytes.level(now) <= 0:
            return False
        self._calls.take(1)
        return True

    def took(self, size: int) -> None:
        """What the answer weighed. After one of 10 MiB the next five seconds give nothing:
        https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
        """
        if size > READ_BYTES_PER_SECOND:
            self._bytes.empty()
        self._bytes.take(size)
