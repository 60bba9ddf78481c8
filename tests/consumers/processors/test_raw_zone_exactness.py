"""Whatever is killed at whatever moment, every row lies in exactly one object of the raw zone."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consumers.kcl.deaggregation import after_checkpoint
from consumers.kcl.errors import ShutdownException
from consumers.kcl.extended_sequence_number import SHARD_END, TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.record_processor import (
    InitializationInput,
    KinesisClientRecord,
    ProcessRecordsInput,
    ShardEndedInput,
    ShutdownRequestedInput,
)
from consumers.processors.object_store import MemoryObjectStore
from consumers.processors.raw_zone_chain import CutLimits
from consumers.processors.storing import StoringProcessor
from consumers.processors.to_raw_zone import RawZone
from consumers.processors.to_rejected import RejectedZone
from tests.consumers.processors.records import record


class Killed(BaseException):
    """The process is no more: nothing catches this but the test."""


class Shard:
    """A shard, its checkpoint, and who holds its lease; tenures only grow."""

    def __init__(self) -> None:
        self.records: list[KinesisClientRecord] = []
        self.checkpoint = ExtendedSequenceNumber(TRIM_HORIZON)
        self.tenure = 0

    def put(self, count: int, minutes: float, poison: set[int]) -> None:
        for _ in range(count):
            number = len(self.records) + 1
            data = b"no row" if number % 7 in poison else None
            self.records.append(record(number, data, minutes=minutes))


class Worker:
    """A worker that holds, or believes to hold, the shard. `dies_in` store or checkpoint calls."""

    def __init__(self, shard: Shard, store: MemoryObjectStore) -> None:
        shard.tenure += 1
        self.shard, self.tenure = shard, shard.tenure
        self._store = store
        self.dies_in: int | None = None
        self.dies_after_effect = False
        self.is_alive = True
        self.now = 0.0
        limits = CutLimits(max_records=5, max_age_seconds=10)
        self.processor = StoringProcessor(
            [RawZone(self, "raw/", limits, monotonic=lambda: self.now)],
            RejectedZone(store),
            checkpoint_interval_seconds=0,
            monotonic=lambda: self.now,
        )
        start = shard.checkpoint
        self.last = start
        self.processor.initialize(InitializationInput("clicks", "shardId-0", start))
        self.next = len(shard.records) - len(after_checkpoint(shard.records, start))

    # ObjectStore, with deaths

    def create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
        if self._dies_now() and not self.dies_after_effect:
            raise Killed
        created = self._store.create(key, body, metadata)
        if self.dies_in == 0:
            raise Killed
        return created

    def metadata(self, key: str) -> Mapping[str, str]:
        return self._store.metadata(key)

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        self._store.put(key, body, metadata)

    # Checkpointer, with deaths and leases

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int = 0) -> None:
        if self._dies_now() and not self.dies_after_effect:
            raise Killed
        if self.tenure != self.shard.tenure:
            raise ShutdownException("lost")
        position = ExtendedSequenceNumber(sequence_number or SHARD_END, sub_sequence_number)
        assert position >= self.shard.checkpoint
        self.shard.checkpoint = position
        if self.dies_in == 0:
            raise Killed

    def prepare_checkpoint(self, *_: object, **__: object) -> None:
        raise NotImplementedError

    def _dies_now(self) -> bool:
        if self.dies_in is None:
            return False
        self.dies_in -= 1
        return self.dies_in <= 0

    # Work

    def read(self, count: int) -> None:
        batch = self.shard.records[self.next : self.next + count]
        self._guarded(lambda: self.processor.process_records(self._input(batch)))
        self.next += len(batch)

    def stop(self) -> None:
        given = ShutdownRequestedInput(self)  # type: ignore[arg-type]
        self._guarded(lambda: self.processor.shutdown_requested(given))
        self.is_alive = False

    def finish(self) -> None:
        self.read(len(self.shard.records))
        given = ShardEndedInput(self)  # type: ignore[arg-type]
        self.processor.shard_ended(given)

    def _input(self, batch: list[KinesisClientRecord]) -> ProcessRecordsInput:
        return ProcessRecordsInput(batch, self, 0)  # type: ignore[arg-type]

    def _guarded(self, call: object) -> None:
        try:
            call()  # type: ignore[operator]
        except Killed:
            self.is_alive = False
        except ShutdownException:
            self.is_alive = False


class RawZoneUnderFire(RuleBasedStateMachine):
    """Workers read in turns of any size, die before or after any write, lose the lease without
    noticing and go on writing; time passes and the hour changes."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryObjectStore()
        self.shard = Shard()
        self.workers: list[Worker] = []
        self.poison: set[int] = set()
        self.minutes = 0.0

    @initialize(poison=st.sets(st.integers(0, 6), max_size=3))
    def some_records_are_no_rows(self, poison: set[int]) -> None:
        self.poison = poison

    @rule(count=st.integers(1, 12), minutes=st.sampled_from([0, 0, 0, 0.5, 3, 61]))
    def records_arrive(self, count: int, minutes: float) -> None:
        self.minutes += minutes
        self.shard.put(count, self.minutes, self.poison)

    @rule()
    def another_worker_takes_the_shard(self) -> None:
        self.workers.append(Worker(self.shard, self.store))

    @rule(who=st.integers(0, 3), count=st.integers(0, 9))
    def a_worker_reads(self, who: int, count: int) -> None:
        if (worker := self._pick(who)) is not None:
            worker.read(count)

    @rule(who=st.integers(0, 3), seconds=st.sampled_from([1, 11]))
    def time_passes_for_a_worker(self, who: int, seconds: float) -> None:
        if (worker := self._pick(who)) is not None:
            worker.now += seconds
            worker.read(0)

    @rule(who=st.integers(0, 3), calls=st.integers(1, 3), after=st.booleans())
    def a_worker_is_going_to_die(self, who: int, calls: int, after: bool) -> None:
        if (worker := self._pick(who)) is not None:
            worker.dies_in, worker.dies_after_effect = calls, after

    @rule(who=st.integers(0, 3))
    def a_worker_stops_gracefully(self, who: int) -> None:
        if (worker := self._pick(who)) is not None:
            worker.stop()

    @invariant()
    def no_row_is_stored_twice(self) -> None:
        assert not {i: n for i, n in self.stored().items() if n > 1}

    @invariant()
    def nothing_before_the_checkpoint_is_missing(self) -> None:
        checkpoint = self.shard.checkpoint
        done = [r for r in self.shard.records if r.position <= checkpoint]
        assert not {r.sequence_number for r in done} - self.stored().keys()

    def teardown(self) -> None:
        """In the end one worker reads to the end, while the others go on until they notice."""
        last = Worker(self.shard, self.store)
        for worker in self._living():
            worker.dies_in = None
            worker.read(len(self.shard.records))
        last.finish()
        for worker in self._living():
            worker.stop()
        assert self.stored() == Counter(r.sequence_number for r in self.shard.records)

    def stored(self) -> Counter[str]:
        """How often each record lies in the raw zone or among the rejected ones."""
        seen: Counter[str] = Counter()
        for key, (body, _) in self.store.objects.items():
            if key.startswith("raw/"):
                hours = {self._hour(key, line) for line in gzip.decompress(body).splitlines()}
                assert len(hours) == 1, "an object holds rows of one hour"
                seen.update(
                    orjson.loads(line)["event_id"] for line in gzip.decompress(body).splitlines()
                )
            else:
                seen.update([orjson.loads(body)["sequence_number"]])
        return seen

    def _hour(self, key: str, line: bytes) -> str:
        arrived = self.shard.records[int(orjson.loads(line)["event_id"]) - 1]
        hour = arrived.approximate_arrival_timestamp.strftime("%H")
        assert f"/hour={hour}/" in key
        return arrived.approximate_arrival_timestamp.strftime("%d %H")

    def _living(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_alive]

    def _pick(self, who: int) -> Worker | None:
        living = self._living()
        return living[who % len(living)] if living else None


TestRawZoneUnderFire = RawZoneUnderFire.TestCase
TestRawZoneUnderFire.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
