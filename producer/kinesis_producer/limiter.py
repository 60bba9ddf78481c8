"""Hold Kinesis records back to what their shard takes: token buckets. Pure: `now` is passed in."""

from __future__ import annotations

from collections import deque

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord

#: What a shard takes in a second: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
SHARD_RECORDS_PER_SECOND = 1_000
SHARD_BYTES_PER_SECOND = 1_048_576
#: How often the KPL looks whether more may go, in seconds.
DRAIN_SECONDS = 0.025


class TokenBucket:
    """Fills at `rate` tokens a second up to one second's worth."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = self._tokens = rate
        self._filled_at = now

    def tokens(self, now: float) -> float:
        """How many there are."""
        if now > self._filled_at:
            grown = self._tokens + (now - self._filled_at) * self._rate
            self._tokens, self._filled_at = min(self._rate, grown), now
        return self._tokens

    def spend(self, count: float) -> None:
        """Take tokens out; a count beyond the bucket's size leaves a debt to wait off."""
        self._tokens -= count

    def affords(self, count: float, now: float) -> bool:
        """Whether so many can be spent now; more than fit need a full bucket only."""
        # A millionth is forgiven: filling adds fractions, and they must not wait for ever.
        return self.tokens(now) + 1e-6 >= min(count, self._rate)

    def seconds_until(self, count: float, now: float) -> float:
        return max(0.0, (min(count, self._rate) - self.tokens(now)) / self._rate)


class _ShardLimiter:
    def __init__(self, percent: int, now: float) -> None:
        self.waiting: deque[KinesisRecord] = deque()
        self._records = TokenBucket(SHARD_RECORDS_PER_SECOND * percent / 100, now)
        self._bytes = TokenBucket(SHARD_BYTES_PER_SECOND * percent / 100, now)

    def may_go(self, record: KinesisRecord, now: float) -> bool:
        if self._records.affords(1, now) and self._bytes.affords(record.size, now):
            self._records.spend(1)
            self._bytes.spend(record.size)
            return True
        return False

    def next_at(self, now: float) -> float:
        """When the first in line may go or expires, whichever is first."""
        first = self.waiting[0]
        wait = max(self._records.seconds_until(1, now), self._bytes.seconds_until(first.size, now))
        return min(now + max(wait, DRAIN_SECONDS), max(now, first.expires_at))


class Limiter:
    """A line of records for each predicted shard, which moves at the shard's pace."""

    def __init__(self, configuration: Configuration) -> None:
        self._percent = configuration.rate_limit
        self._shards: dict[str, _ShardLimiter] = {}
        self._busy: set[str] = set()

    def add(self, record: KinesisRecord, now: float) -> bool:
        """True when the record may go at once; else it waits in its shard's line."""
        if self._percent is None or record.shard_id is None:
            return True
        shard = self._shards.get(record.shard_id)
        if shard is None:
            shard = self._shards[record.shard_id] = _ShardLimiter(self._percent, now)
        if not shard.waiting and shard.may_go(record, now):
            return True
        shard.waiting.append(record)
        self._busy.add(record.shard_id)
        return False

    def drain(self, now: float) -> tuple[list[KinesisRecord], list[KinesisRecord]]:
        """Who may go now, and who holds a user record that has expired while waiting."""
        going: list[KinesisRecord] = []
        expired: list[KinesisRecord] = []
        for shard_id in list(self._busy):
            shard = self._shards[shard_id]
            while shard.waiting:
                if shard.waiting[0].expires_at <= now:
                    expired.append(shard.waiting.popleft())
                elif shard.may_go(shard.waiting[0], now):
                    going.append(shard.waiting.popleft())
                else:
                    break
            if not shard.waiting:
                self._busy.discard(shard_id)
        return going, expired

    def next_at(self, now: float) -> float | None:
        """When `drain` has something to do; None while nobody waits."""
        return min((self._shards[s].next_at(now) for s in self._busy), default=None)

    def forget(self, shard_ids: set[str]) -> None:
        """Shards that exist no more need no bucket; records in line keep theirs."""
        for shard_id in shard_ids & self._shards.keys() - self._busy:
            del self._shards[shard_id]

    def take(self) -> list[KinesisRecord]:
        """Everyone in line."""
        lines = [self._shards[shard_id].waiting for shard_id in self._busy]
        everyone = [record for line in lines for record in line]
        for line in lines:
            line.clear()
        self._busy.clear()
        return everyone
