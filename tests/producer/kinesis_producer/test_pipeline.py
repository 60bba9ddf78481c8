from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord
from producer.kinesis_producer.pipeline import Call, Finished, Pipeline
from producer.kinesis_producer.retrying import THROTTLED, Verdict
from producer.kinesis_producer.shard_map import ShardMap
from producer.kinesis_producer.user_record import UserRecord
from services.kinesis.aggregation import all_belong, unpack

STORED = Verdict("shardId-000000000000", "49590")


class Ring:
    """The shards of a stream as Kinesis routes to them, and what a KCL reads of each."""

    def __init__(self, count: int) -> None:
        width = 2**128 // count
        bounds = [n * width for n in range(count)] + [2**128]
        self.ranges = {f"shardId-{n:012d}": (bounds[n], bounds[n + 1] - 1) for n in range(count)}
        self.open = set(self.ranges)
        self.read: list[bytes] = []

    def open_shards(self) -> list[dict[str, object]]:
        return [
            {
                "ShardId": shard_id,
                "HashKeyRange": {"StartingHashKey": str(start), "EndingHashKey": str(end)},
            }
            for shard_id, (start, end) in self.ranges.items()
            if shard_id in self.open
        ]

    def split(self, shard_id: str) -> None:
        start, end = self.ranges[shard_id]
        middle = (start + end) // 2
        self.replace([shard_id], [(start, middle), (middle + 1, end)])

    def merge(self, one: str, other: str) -> None:
        ends = [*self.ranges[one], *self.ranges[other]]
        self.replace([one, other], [(min(ends), max(ends))])

    def replace(self, closed: list[str], ranges: list[tuple[int, int]]) -> None:
        self.open -= set(closed)
        for held in ranges:
            shard_id = f"shardId-{len(self.ranges):012d}"
            self.ranges[shard_id] = held
            self.open.add(shard_id)

    def shard_of(self, hash_key: int) -> str:
        (shard_id,) = (s for s in self.open if self.ranges[s][0] <= hash_key <= self.ranges[s][1])
        return shard_id

    def put(self, sent: KinesisRecord) -> Verdict:
        own = UserRecord(b"", sent.partition_key, sent.explicit_hash_key)
        shard_id = self.shard_of(own.hash_key)
        packed = unpack(sent.data)
        if packed is None:
            self.read.append(sent.data)
        elif all_belong(packed, *self.ranges[shard_id]):
            self.read += [p.data for p in packed]
        return Verdict(shard_id, "1")


FAILURES = [
    Verdict(error_code=THROTTLED, error_message="Rate exceeded"),
    Verdict(error_code="InternalFailure", error_message="Internal Service Failure."),
    Verdict(error_code="EndpointConnectionError", error_message="refused"),
]


def pipeline(**settings: object) -> Pipeline:
    return Pipeline(Configuration(**settings), random.Random(1).random)  # type: ignore[arg-type]


def record(number: int = 0, size: int = 10) -> UserRecord:
    return UserRecord(b"x" * size, f"key-{number}", event_id=f"e-{number}")


def with_shards(line: Pipeline, count: int = 2) -> Pipeline:
    line.use(ShardMap(Ring(count).open_shards(), 0.0))
    return line


def test_records_of_one_shard_travel_together_under_the_key_a() -> None:
    line = with_shards(pipeline())
    records = [record(n) for n in range(40)]
    for each in records:
        line.add(each, now=0.0)
    line.flush(0.0)
    batch = line.take()
    assert len(batch) == 2
    for kinesis_record in batch:
        assert kinesis_record.partition_key == "a"
        assert kinesis_record.explicit_hash_key == str(kinesis_record.user_records[0].hash_key)
        packed = unpack(kinesis_record.data) or []
        assert [p.data for p in packed] == [r.data for r in kinesis_record.user_records]


def test_a_record_alone_is_sent_as_it_is() -> None:
    line = with_shards(pipeline())
    alone = record(7)
    line.add(alone, now=0.0)
    line.flush(0.0)
    (sent,) = line.take()
    assert (sent.data, sent.partition_key) == (alone.data, "key-7")


def test_without_a_shard_map_nothing_is_aggregated() -> None:
    line = pipeline()
    for n in range(3):
        line.add(record(n), now=0.0)
    line.flush(0.0)
    assert [len(r.user_records) for r in line.take()] == [1, 1, 1]


def test_an_aggregate_on_the_wrong_shard_is_put_again_as_a_whole_and_the_map_is_stale() -> None:
    ring = Ring(1)
    line = pipeline()
    line.use(ShardMap(ring.open_shards(), 0.0))
    for n in range(10):
        line.add(record(n), now=1.0)
    line.flush(1.0)
    ring.split("shardId-000000000000")
    (sent,) = batch = line.take()
    verdict = Verdict(ring.shard_of(int(str(sent.explicit_hash_key))), "1")
    assert line.answered(batch, [verdict], Call(1.0, 1.1)) == []
    assert not line.shard_map_is_fresh
    assert {r.attempts[0].error_code for r in sent.user_records} == {"Wrong Shard"}
    assert line.pending_count == 10


def test_an_aggregate_on_a_child_that_holds_all_its_keys_is_stored() -> None:
    ring = Ring(1)
    line = pipeline()
    line.use(ShardMap(ring.open_shards(), 0.0))
    for n in range(2):
        line.add(UserRecord(b"x", "k", explicit_hash_key=str(n)), now=1.0)
    line.flush(1.0)
    ring.split("shardId-000000000000")
    batch = line.take()
    line.use(ShardMap(ring.open_shards(), 1.5))
    done = line.answered(batch, [Verdict("shardId-000000000001", "1")], Call(2.0, 2.1))
    assert [d.result.shard_id for d in done] == ["shardId-000000000001"] * 2


def test_a_shard_takes_no_more_than_its_pace() -> None:
    line = with_shards(pipeline(aggregation_enabled=False, rate_limit=100), 1)
    for n in range(1_500):
        line.add(record(n), now=0.0)
    line.flush(0.0)
    assert taken(line) == 1_000
    line.advance(0.25)
    line.flush(0.25)
    assert taken(line) == 250


def test_a_record_may_expire_in_its_shards_line() -> None:
    line = with_shards(pipeline(aggregation_enabled=False, rate_limit=1, record_ttl=500), 1)
    for n in range(11):
        line.add(record(n), now=0.0)
    assert line.next_deadline(0.0) is not None
    line.flush(0.0)
    assert taken(line) == 10
    line.advance(0.04)
    assert line.take_expired() == []
    for n in range(200):
        line.add(record(n), now=0.04)
    line.advance(0.6)
    assert {d.result.attempts[-1].error_code for d in line.take_expired()} == {"Expired"}


def taken(line: Pipeline) -> int:
    count = 0
    while line.has_ready:
        count += len(line.take())
    return count


def test_a_full_batch_is_ready_before_its_time() -> None:
    line = pipeline(collection_max_count=2)
    line.add(record(1), now=0.0)
    assert not line.has_ready
    line.add(record(2), now=0.0)
    assert [r.partition_key for r in line.take()] == ["key-1", "key-2"]


def test_a_lone_record_is_ready_after_the_buffered_time() -> None:
    line = pipeline(record_max_buffered_time=100)
    line.add(record(), now=5.0)
    assert line.next_deadline(5.0) == 5.1
    line.advance(5.09)
    assert not line.has_ready
    line.advance(5.1)
    assert len(line.take()) == 1
    assert line.next_deadline(5.1) is None


def test_only_the_failed_entries_are_sent_again() -> None:
    line = pipeline()
    records = [record(n) for n in range(3)]
    for each in records:
        line.add(each, now=0.0)
    line.flush(0.0)
    batch = line.take()
    line.settle(line.answered(batch, [STORED, FAILURES[0], STORED], Call(0.0, 0.1)))
    assert line.pending_count == 1
    line.advance(100.0 - 90.0)
    line.flush(10.0)
    assert [r.partition_key for r in line.take()] == ["key-1"]


def test_a_throttled_record_is_given_up_at_once_when_asked() -> None:
    line = pipeline(fail_if_throttled=True)
    line.add(record(), now=0.0)
    line.flush(0.0)
    (done,) = line.answered(line.take(), [FAILURES[0]], Call(0.0, 0.1))
    assert not done.result.successful
    assert done.result.attempts[-1].error_code == THROTTLED


def test_a_hopeless_error_is_not_tried_again() -> None:
    line = pipeline()
    line.add(record(), now=0.0)
    line.flush(0.0)
    verdict = Verdict(error_code="ResourceNotFoundException", error_message="Stream x not found.")
    (done,) = line.answered(line.take(), [verdict], Call(0.0, 0.1))
    assert not done.result.successful


def test_a_record_expires_after_its_time_to_live() -> None:
    line = pipeline(record_ttl=1_000)
    line.add(record(), now=0.0)
    line.flush(0.0)
    assert line.answered(line.take(), [FAILURES[1]], Call(0.9, 1.5)) == []
    line.advance(1.5)
    (done,) = line.take_expired()
    assert [a.error_code for a in done.result.attempts] == ["InternalFailure", "Expired"]


def test_an_attempt_tells_its_delay_and_duration_in_milliseconds() -> None:
    line = pipeline()
    line.add(record(), now=1.0)
    line.flush(1.0)
    (done,) = line.answered(line.take(), [STORED], Call(1.25, 1.5))
    assert done.result.attempts == ((250.0, 250.0, True, "", ""),)


def test_a_lone_record_larger_than_the_buffer_still_has_room() -> None:
    line = pipeline(max_buffered_bytes=1)
    assert line.has_room(record(1))
    line.add(record(1), now=0.0)
    assert not line.has_room(record(2))


def test_what_is_abandoned_is_given_up_as_closed() -> None:
    line = pipeline()
    line.add(record(), now=0.0)
    (done,) = line.abandon()
    assert done.result.attempts[-1].error_code == "Closed"
    line.settle([done])
    assert (line.pending_count, line.pending_bytes) == (0, 0)


@given(
    sizes=st.lists(st.integers(1, 40_000), max_size=120),
    seed=st.integers(0, 2**32),
    ttl=st.sampled_from([None, 500, 30_000]),
    max_count=st.integers(1, 20),
)
def test_no_record_is_lost_or_settled_twice_whatever_fails(
    sizes: list[int], seed: int, ttl: int | None, max_count: int
) -> None:
    chance = random.Random(seed)
    line = pipeline(record_ttl=ttl, collection_max_count=max_count, collection_max_size=60_000)
    added = [record(n, size) for n, size in enumerate(sizes)]
    waiting, finished, now = list(added), list[Finished](), 0.0
    while waiting or line.pending_count:
        if waiting:
            line.add(waiting.pop(0), now)
        now += chance.random() * 0.05
        line.advance(now) if chance.random() < 0.8 else line.flush(now)
        done = line.take_expired()
        while line.has_ready:
            batch = line.take()
            assert 1 <= len(batch) <= max_count
            assert len(batch) == 1 or sum(r.size for r in batch) <= 60_000
            verdicts = [chance.choice([STORED, *FAILURES]) for _ in batch]
            done += line.answered(batch, verdicts, Call(now, now + chance.random() * 0.1))
        line.settle(done)
        finished += done
    assert Counter(id(d.record) for d in finished) == Counter(map(id, added))
    assert line.pending_bytes == 0
    for done_record, result in finished:
        assert result.attempts[-1].success == result.successful
        assert ttl is not None or result.successful
        assert done_record.result is result


def reshard(ring: Ring, chance: random.Random) -> None:
    shards = sorted(ring.open, key=lambda s: ring.ranges[s])
    if len(shards) > 1 and chance.random() < 0.5:
        place = chance.randrange(len(shards) - 1)
        ring.merge(shards[place], shards[place + 1])
    else:
        ring.split(chance.choice(shards))


@given(
    count=st.integers(0, 150),
    shards=st.integers(1, 5),
    rate_limit=st.sampled_from([None, 2, 150]),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_called_stored_is_read_by_a_kcl_across_reshards_and_failures(
    count: int, shards: int, rate_limit: int | None, seed: int
) -> None:
    chance, ring = random.Random(seed), Ring(shards)
    line = pipeline(
        record_ttl=None, rate_limit=rate_limit, aggregation_max_size=2_000, collection_max_count=9
    )
    added = [UserRecord(b"%d:" % n + b"x" * chance.randint(1, 300), f"k{n}") for n in range(count)]
    waiting, now = list(added), 0.0
    while waiting or line.pending_count:
        if waiting:
            line.add(waiting.pop(), now)
        now += chance.random() * 0.05
        if chance.random() < 0.05 and len(ring.ranges) < 40:
            reshard(ring, chance)
        if not line.shard_map_is_fresh and chance.random() < 0.5:
            line.use(ShardMap(ring.open_shards(), now))
        line.advance(now) if chance.random() < 0.9 else line.flush(now)
        while line.has_ready:
            batch = line.take()
            assert len(batch) <= 9
            assert all(r.size <= 2_000 or not r.is_aggregated for r in batch)
            fails = chance.random() < 0.2
            verdicts = [
                chance.choice(FAILURES) if fails or chance.random() < 0.1 else ring.put(sent)
                for sent in batch
            ]
            line.settle(line.answered(batch, verdicts, Call(now, now)))
    assert all(record.result and record.result.successful for record in added)
    assert set(ring.read) == {record.data for record in added}
