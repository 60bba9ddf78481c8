"""The way of a user record from `add` to its result, without threads: `now` is passed in."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from producer.kinesis_producer.aggregator import Aggregator
from producer.kinesis_producer.batching import Collector
from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord
from producer.kinesis_producer.limiter import Limiter
from producer.kinesis_producer.retrying import (
    CLOSED,
    EXPIRED,
    Verdict,
    backoff_seconds,
    check_shard,
    will_retry,
)
from producer.kinesis_producer.shard_map import ShardMap
from producer.kinesis_producer.user_record import (
    OVERHEAD_BYTES,
    Attempt,
    UserRecord,
    UserRecordResult,
)


class Finished(NamedTuple):
    """A user record whose story has ended; it is pending until `settle`."""

    record: UserRecord
    result: UserRecordResult


@dataclass(frozen=True, slots=True)
class Call:
    """When a PutRecords began and ended."""

    started_at: float
    ended_at: float


class Pipeline:
    """Everything that is on its way. Not thread-safe; times are seconds of one steady clock.

    A user record goes through the aggregator (company of its shard), the limiter (its shard's
    pace) and the collector (company in a call), and after a failure rests and goes again.
    """

    def __init__(self, configuration: Configuration, random: Callable[[], float]) -> None:
        self._configuration = configuration
        self._random = random
        self._aggregator = Aggregator(configuration)
        self._limiter = Limiter(configuration)
        self._collector = Collector(configuration)
        self._shard_map: ShardMap | None = None
        #: False until a shard map is there, and again when it has turned out stale.
        self.shard_map_is_fresh = False
        self._ready: deque[list[KinesisRecord]] = deque()
        self._resting: list[tuple[float, int, UserRecord]] = []
        self._expired: list[Finished] = []
        self._serial = itertools.count()
        self.pending_count = 0
        self.pending_bytes = 0

    def has_room(self, record: UserRecord) -> bool:
        """Whether the record fits beside what is pending; a lone record always does."""
        size = record.size + OVERHEAD_BYTES
        return (
            not self.pending_count
            or self.pending_bytes + size <= self._configuration.max_buffered_bytes
        )

    def add(self, record: UserRecord, now: float) -> None:
        """A new user record enters."""
        record.arrived_at = record.last_tried_at = now
        if self._configuration.record_ttl is not None:
            record.expires_at = now + self._configuration.record_ttl / 1000
        self.pending_count += 1
        self.pending_bytes += record.size + OVERHEAD_BYTES
        self._enter(record, now + self._configuration.record_max_buffered_time / 1000, now)

    def use(self, shard_map: ShardMap) -> None:
        """Predict with this map from now on."""
        if self._shard_map is not None:
            self._limiter.forget(self._shard_map.shard_ids - shard_map.shard_ids)
        self._shard_map = shard_map
        self.shard_map_is_fresh = len(shard_map) > 0

    def advance(self, now: float) -> None:
        """Let time have its effects: rests end, records become due, move on or expire."""
        while self._resting and self._resting[0][0] <= now:
            self._enter_again(heapq.heappop(self._resting)[2], now)
        if self._aggregator.deadline is not None and self._aggregator.deadline <= now:
            self._limit(self._aggregator.take(now), now)
        self._drain(now)
        if self._collector.deadline is not None and self._collector.deadline <= now:
            self._ready.append(self._collector.take())

    def flush(self, now: float) -> None:
        """Whatever is buffered is due now; a shard's pace and rests after failures hold."""
        self.advance(now)
        self._limit(self._aggregator.take(), now)
        if records := self._collector.take():
            self._ready.append(records)

    def next_deadline(self, now: float) -> float | None:
        """When `advance` has something to do again; None: not before something else happens."""
        moments = (
            self._resting[0][0] if self._resting else None,
            self._aggregator.deadline,
            self._collector.deadline,
            self._limiter.next_at(now),
        )
        return min((m for m in moments if m is not None), default=None)

    @property
    def has_ready(self) -> bool:
        """Whether `take` would give a batch."""
        return bool(self._ready)

    def take(self) -> list[KinesisRecord]:
        """The next batch to send."""
        return self._ready.popleft()

    def answered(
        self, batch: list[KinesisRecord], verdicts: list[Verdict], call: Call
    ) -> list[Finished]:
        """The answer to a batch: who is stored or given up comes back, the others try again."""
        finished: list[Finished] = []
        for kinesis_record, answer in zip(batch, verdicts, strict=True):
            verdict, is_stale = check_shard(kinesis_record, answer, self._shard_map)
            if is_stale and self._shard_map and self._shard_map.updated_at <= call.ended_at:
                self.shard_map_is_fresh = False
            for place, record in enumerate(kinesis_record.user_records):
                self._judge(record, place, verdict, call, finished)
        return finished

    def take_expired(self) -> list[Finished]:
        """Those whose time ran out while they waited."""
        expired, self._expired = self._expired, []
        return expired

    def abandon(self) -> list[Finished]:
        """Give up all that is not in a call right now."""
        lines = [self._aggregator.take(), self._limiter.take(), self._collector.take()]
        batches = [*self._ready, *lines]
        waiting = [user for batch in batches for record in batch for user in record.user_records]
        waiting += [record for _, _, record in self._resting]
        self._ready.clear()
        self._resting.clear()
        text = "The producer was closed before the record was stored."
        return [_give_up(record, CLOSED, text) for record in waiting] + self.take_expired()

    def settle(self, finished: Iterable[Finished]) -> None:
        """These have left; their results can be seen."""
        for record, result in finished:
            record.result = result
            self.pending_count -= 1
            self.pending_bytes -= record.size + OVERHEAD_BYTES

    def _enter(self, record: UserRecord, deadline: float, now: float) -> None:
        shard_id = None
        if self.shard_map_is_fresh and self._shard_map is not None:
            shard_id = self._shard_map.shard_of(record.hash_key)
        self._limit(self._aggregator.add(record, shard_id, deadline), now)

    def _enter_again(self, record: UserRecord, now: float) -> None:
        """After a rest, a record waits half as long for company, as in the KPL."""
        if record.expires_at <= now:
            self._expire(record)
        else:
            self._enter(record, now + self._configuration.record_max_buffered_time / 2000, now)

    def _limit(self, records: Iterable[KinesisRecord], now: float) -> None:
        for record in records:
            if self._limiter.add(record, now):
                self._ready.extend(self._collector.add(record))

    def _drain(self, now: float) -> None:
        going, expired = self._limiter.drain(now)
        for kinesis_record in going:
            self._ready.extend(self._collector.add(kinesis_record))
        for kinesis_record in expired:
            for record in kinesis_record.user_records:
                self._enter_again(record, now)

    def _judge(
        self,
        record: UserRecord,
        place: int,
        verdict: Verdict,
        call: Call,
        finished: list[Finished],
    ) -> None:
        attempt = Attempt(
            (call.started_at - record.last_tried_at) * 1000,
            (call.ended_at - call.started_at) * 1000,
            not verdict.error_code,
            verdict.error_code,
            verdict.error_message,
        )
        record.attempts += (attempt,)
        record.last_tried_at = call.ended_at
        if not verdict.error_code:
            result = UserRecordResult(
                True, verdict.shard_id, verdict.sequence_number, record.attempts, place
            )
            finished.append(Finished(record, result))
        elif not will_retry(verdict, self._configuration):
            finished.append(Finished(record, UserRecordResult(False, "", "", record.attempts)))
        else:
            rest = backoff_seconds(len(record.attempts), self._configuration, self._random)
            until = min(call.ended_at + rest, record.expires_at)
            heapq.heappush(self._resting, (until, next(self._serial), record))

    def _expire(self, record: UserRecord) -> None:
        ttl = self._configuration.record_ttl
        text = f"The record was not stored within {ttl} ms."
        self._expired.append(_give_up(record, EXPIRED, text))


def _give_up(record: UserRecord, code: str, message: str) -> Finished:
    attempts = (*record.attempts, Attempt(0.0, 0.0, False, code, message))
    return Finished(record, UserRecordResult(False, "", "", attempts))
