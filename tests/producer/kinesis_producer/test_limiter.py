from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import single
from producer.kinesis_producer.limiter import Limiter, TokenBucket
from producer.kinesis_producer.user_record import UserRecord


def test_a_bucket_holds_one_seconds_worth() -> None:
    bucket = TokenBucket(100, now=0.0)
    bucket.spend(100)
    assert not bucket.affords(1, now=0.0)
    assert bucket.seconds_until(50, now=0.0) == 0.5
    assert bucket.tokens(now=60.0) == 100


def test_more_than_a_bucket_holds_goes_when_it_is_full_and_leaves_a_debt() -> None:
    bucket = TokenBucket(100, now=0.0)
    assert bucket.affords(250, now=0.0)
    bucket.spend(250)
    assert not bucket.affords(1, now=1.5)
    assert bucket.affords(1, now=1.52)


def test_a_full_line_of_one_shard_does_not_hold_another_up() -> None:
    limiter = Limiter(Configuration(rate_limit=1))
    records = [single(UserRecord(b"x", "k"), "shard-1", 0.0) for _ in range(11)]
    assert [limiter.add(r, 0.0) for r in records] == [True] * 10 + [False]
    assert limiter.add(single(UserRecord(b"x", "k"), "shard-2", 0.0), 0.0)


def test_a_record_of_an_unknown_shard_is_not_held_back() -> None:
    limiter = Limiter(Configuration(rate_limit=1))
    records = [single(UserRecord(b"x", "k"), None, 0.0) for _ in range(100)]
    assert all(limiter.add(r, 0.0) for r in records)


@given(
    sizes=st.lists(st.integers(1, 300_000), min_size=1, max_size=60),
    percent=st.integers(1, 300),
)
def test_everyone_in_line_goes_in_order_within_the_pace(sizes: list[int], percent: int) -> None:
    limiter = Limiter(Configuration(rate_limit=percent))
    now, went, waiting = 0.0, list[tuple[float, int]](), list[int]()
    for size in sizes:
        record = single(UserRecord(b"x" * (size - 1), "k"), "shard", 0.0)
        (went.append((now, size)) if limiter.add(record, now) else waiting.append(size))
    while (then := limiter.next_at(now)) is not None:
        assert then > now
        now = then
        going, expired = limiter.drain(now)
        assert not expired
        went += [(now, r.size) for r in going]
    assert [size for _, size in went] == sizes
    budget = 1_048_576 * percent / 100
    sent = 0
    for at, size in went:
        # Never more than one second's worth ahead of the pace, the record itself aside.
        assert sent <= budget * (1 + at) + 1
        sent += size
