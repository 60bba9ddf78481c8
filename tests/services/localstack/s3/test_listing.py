"""Pages of keys: the same as when all keys are looked at, whatever the keys are."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

import pytest

from services.localstack.s3.listing import (
    Entry,
    after,
    beyond,
    entries,
    in_order,
    page,
    past_marker,
    versions_from,
)

#: Around the end of the characters below the surrogates, and the last one there is.
SIGNS = ("a", "b", "/", "=", " ", "é", "\ud7ff", "\ue000", "\U0010ffff")


def listed(keys: list[str], prefix: str, delimiter: str, start: str) -> list[tuple[str, str]]:
    """By looking at every key: what is told, and the first key of it."""
    found: dict[str, str] = {}
    for key in sorted(keys):
        if key < start or not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        cut = rest.find(delimiter) if delimiter else -1
        found.setdefault(prefix + rest[: cut + len(delimiter)] if cut >= 0 else key, key)
    return list(found.items())


@pytest.mark.parametrize("seed", range(30))
def test_a_page_holds_what_looking_at_all_keys_finds(seed: int) -> None:
    some = random.Random(seed)
    words = ["".join(some.choices(SIGNS, k=some.randint(1, 6))) for _ in range(300)]
    deleted = set(some.sample(words, 30))
    kept = [word for word in set(words) if word not in deleted]

    def read(key: str) -> str | None:
        return None if key in deleted else key

    for prefix, delimiter in product(("", "a", "a/", "é"), ("", "/", "=", "/a")):
        start = some.choice(["", *words])
        told = entries(in_order(set(words)), read, prefix, delimiter, start)
        assert [(e.common_prefix or e.key, e.key) for e in told] == listed(
            kept, prefix, delimiter, start
        )


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_one_after_the_other_hold_everything_once(size: int, delimiter: str) -> None:
    keys = [f"{first}{second}{n}" for first in "ab" for second in ("/", "0/x", "z") for n in "123"]
    found, start = [], ""
    while True:
        told = page(entries(in_order(keys), str, "", delimiter, start), size)
        found += [entry.common_prefix or entry.key for entry in told.entries]
        if told.following is None:
            break
        start = told.following.key
    assert found == [name for name, _ in listed(keys, "", delimiter, "")]


def test_common_prefixes_are_skipped_without_reading_what_they_hold() -> None:
    keys = [f"{folder:02}/{n:05}" for folder in range(20) for n in range(1000)]
    all_keys, asked = in_order(keys), []

    def counted(start: str, limit: int) -> list[str]:
        found = all_keys(start, limit)
        asked.extend(found)
        return found

    read: Callable[[str], str] = str
    told = list(entries(counted, read, "", "/"))
    assert [entry.common_prefix for entry in told] == [f"{folder:02}/" for folder in range(20)]
    assert len(asked) < 1000


def test_nothing_is_asked_for_and_nothing_follows() -> None:
    assert page(entries(in_order(["a"]), str), 0) == page([], 0) == ([], None)


def test_a_marker_is_a_key_or_a_common_prefix() -> None:
    assert past_marker("", "", "/") == ""
    assert past_marker("a", "", "/") == after("a") == "a\0"
    assert past_marker("a/", "", "/") == past_marker("a/b", "", "/") == "a0"
    assert past_marker("a/b", "a/", "/") == "a/b\0"


@pytest.mark.parametrize("prefix", ["a", "a\ud7ff", "a\U0010ffff", "/"])
def test_beyond_a_prefix_is_behind_all_that_begins_so(prefix: str) -> None:
    assert beyond(prefix) > prefix + "\U0010ffff" * 2 or prefix.endswith("\U0010ffff")
    assert beyond(prefix) > prefix + "zzz"
    beyond(prefix).encode()


def test_versions_of_the_markers_key_go_on_behind_the_marker() -> None:
    keys = [Entry("a", ["a2", "a1"]), Entry("b/1", None, "b/"), Entry("c", ["c1"])]
    told = versions_from(keys, "a", lambda found: found[1:])
    assert [(e.key, e.value) for e in told] == [("a", "a1"), ("b/1", None), ("c", "c1")]
