from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.pipeline import Call, Finished, Pipeline
from producer.kinesis_producer.retrying import THROTTLED, Verdict
from producer.kinesis_producer.user_record import UserRecord

STORED = Verdict("shardId-000000000000", "49590")
FAILURES = [
    Verdict(error_code=THROTTLED, error_message="Rate exceeded"),
    Verdict(error_code="InternalFailure", error_message="Internal Service Failure."),
    Verdict(error_code="EndpointConnectionError", error_message="refused"),
]


def pipeline(**settings: object) -> Pipeline:
    return Pipeline(Configuration(**settings), random.Random(1).random)  # type: ignore[arg-type]


def record(number: int = 0, size: int = 10) -> UserRecord:
    return UserRecord(b"x" * size, f"key-{number}", event_id=f"e-{number}")


def test_a_full_batch_is_ready_before_its_time() -> None:
    line = pipeline(collection_max_count=2)
    line.add(record(1), now=0.0)
    assert not line.has_ready
    line.add(record(2), now=0.0)
    assert [r.partition_key for r in line.take()] == ["key-1", "key-2"]


def test_a_lone_record_is_ready_after_the_buffered_time() -> None:
    line = pipeline(record_max_buffered_time=100)
    line.add(record(), now=5.0)
    assert line.next_deadline() == 5.1
    line.advance(5.09)
    assert not line.has_ready
    line.advance(5.1)
    assert len(line.take()) == 1
    assert line.next_deadline() is None


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
