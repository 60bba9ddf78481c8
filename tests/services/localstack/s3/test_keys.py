"""Keys whose values are read when they are asked for, and stay in memory until they are written."""

from __future__ import annotations

import gc
import random
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.localstack.s3.journal import BucketRows, Journal, Row
from services.localstack.s3.keys import BucketKeys


class Value:
    """What the tests keep; like LocalStack's objects it can be referred to weakly."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class Bucket:
    """Keys with a journal behind them."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal.sqlite3")
        self.rows = BucketRows(self.journal, "b")
        self.keys = BucketKeys(
            self.rows, lambda keys, key, content: Value(content), deque(maxlen=2)
        )

    def put(self, key: str, content: bytes) -> None:
        self.keys.put(key, Value(content))

    def content(self, key: str) -> bytes | None:
        value = self.keys.get(key)
        return value.content if value else None

    def save(self) -> None:
        with self.keys.saved() as changed:
            rows = [Row("object", "b", key, v.content) for key, v in changed.items() if v]
            gone = [("object", "b", key) for key, value in changed.items() if value is None]
            self.journal.write(rows, gone)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    bucket = Bucket(tmp_path)
    yield bucket
    bucket.journal.close()


def test_what_was_put_is_there_before_and_after_it_is_written(bucket: Bucket) -> None:
    bucket.put("a", b"1")
    assert bucket.content("a") == b"1"
    assert bucket.rows.content("a") is None
    bucket.save()
    gc.collect()
    assert bucket.content("a") == bucket.rows.content("a") == b"1"
    bucket.keys.remove("a")
    assert bucket.content("a") is None
    assert bucket.keys.is_empty()
    bucket.save()
    assert bucket.rows.content("a") is None
    assert bucket.content("a") is None


def test_whoever_asks_meanwhile_gets_the_same(bucket: Bucket) -> None:
    bucket.put("a", b"1")
    bucket.save()
    held = bucket.keys.get("a")
    assert bucket.keys.get("a") is held
    bucket.keys.exchange("a", other := Value(b"1"))
    assert bucket.keys.get("a") is other
    bucket.save()
    assert bucket.rows.content("a") == b"1"


def test_what_was_read_last_is_not_read_again(bucket: Bucket) -> None:
    for key in "abc":
        bucket.put(key, key.encode())
    bucket.save()
    gc.collect()
    read = [weakref.ref(bucket.keys.get(key)) for key in "abc"]
    gc.collect()
    assert read[0]() is None
    assert [bucket.keys.get(key) for key in "bc"] == [each() for each in read[1:]]


def test_what_was_written_last_is_not_read(bucket: Bucket) -> None:
    written = {key: Value(b"1") for key in "ab"}
    for key, value in written.items():
        bucket.keys.put(key, value)
    bucket.save()
    known = [weakref.ref(value) for value in written.values()]
    del written, value
    gc.collect()
    assert [bucket.keys.get(key) for key in "ab"] == [each() for each in known]


def test_a_change_that_could_not_be_written_is_written_by_the_next_call(bucket: Bucket) -> None:
    bucket.put("a", b"1")
    bucket.put("b", b"1")

    def fail_to_write() -> None:
        with bucket.keys.saved():
            bucket.put("b", b"2")  # while it is being written
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail_to_write()
    assert bucket.content("a") == b"1"
    bucket.save()
    assert (bucket.rows.content("a"), bucket.rows.content("b")) == (b"1", b"2")


def test_a_change_during_the_write_is_written_the_next_time(bucket: Bucket) -> None:
    bucket.put("a", b"1")
    with bucket.keys.saved() as changed:
        bucket.journal.write([Row("object", "b", "a", changed["a"].content)])
        bucket.put("a", b"2")
        bucket.put("c", b"1")
        bucket.keys.remove("c")
        assert bucket.content("a") == b"2"
        assert bucket.keys.names_from("", 9) == ["a"]
    bucket.save()
    assert bucket.rows.content("a") == b"2"


@pytest.mark.parametrize("seed", range(10))
def test_names_are_those_that_are_there_in_their_order(bucket: Bucket, seed: int) -> None:
    known, some = dict[str, bytes](), random.Random(seed)
    for _ in range(400):
        key, content = f"é{some.randrange(60)}", b"%d" % some.randrange(9)
        if some.random() < 0.5:
            bucket.put(key, content)
            known[key] = content
        elif some.random() < 0.6:
            bucket.keys.remove(key)
            known.pop(key, None)
        else:
            bucket.save()
        start, limit = f"é{some.randrange(60)}", some.randrange(1, 9)
        names = sorted(name for name in known if name >= start)
        assert bucket.keys.names_from(start, limit) == names[:limit]
        assert bucket.content(key) == known.get(key)
    assert list(bucket.keys.all_names()) == sorted(known)


def test_many_threads_lose_nothing(bucket: Bucket) -> None:
    begin = threading.Barrier(8)

    def write(thread: int) -> None:
        begin.wait()
        for number in range(50):
            key = f"{thread}-{number}"
            bucket.put(key, key.encode())
            bucket.save()
            assert bucket.rows.content(key) == key.encode(), "written when the call is answered"

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert len(list(bucket.keys.all_names())) == 400
