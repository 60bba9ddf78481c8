"""What one page of a listing holds, found without looking at the keys before or after it. Pure.

Keys come in the order of their UTF-8, as in S3
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html); those that
continue with a delimiter after the prefix are rolled into one common prefix, which is skipped as
a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

#: Keys are asked for in pieces: small ones where common prefixes are skipped, larger ones else.
SMALLEST, LARGEST = 16, 1024

#: At most so many keys of a bucket from one on, that one included, in their order.
KeysFrom = Callable[[str, int], list[str]]
#: What is listed of a key: nothing when it was deleted.
Read = Callable[[str], Any]


class Entry(NamedTuple):
    """A key with what was read of it, or (`value` is None) the first key of a common prefix."""

    key: str
    value: Any = None
    common_prefix: str = ""


class Page(NamedTuple):
    """Entries, and the one after them when the listing goes on."""

    entries: list[Entry]
    following: Entry | None = None

    @property
    def common_prefixes(self) -> list[str]:
        return [entry.common_prefix for entry in self.entries if entry.common_prefix]


def page(entries: Iterable[Entry], max_keys: int) -> Page:
    """The first `max_keys` entries; of none there is none that follows."""
    found = list(islice(entries, max_keys + 1)) if max_keys else []
    return Page(found[:max_keys], found[max_keys] if len(found) > max_keys else None)


def entries(
    keys_from: KeysFrom, read: Read, prefix: str = "", delimiter: str = "", start: str = ""
) -> Iterator[Entry]:
    """Everything that begins with the prefix, from the key `start` on, that one included."""
    start, count = max(start, prefix), SMALLEST
    while keys := keys_from(start, count):
        for key in keys:
            if not key.startswith(prefix):
                return
            if key < start or (value := read(key)) is None:
                continue
            if common := common_prefix(key, prefix, delimiter):
                yield Entry(key, None, common)
                start = beyond(common)
            else:
                yield Entry(key, value)
        # Skipped over what was read: less of it is needed the next time.
        count = max(SMALLEST, count // 4) if start > keys[-1] else min(LARGEST, count * 4)
        start = max(start, after(keys[-1]))


def in_order(keys: Iterable[str]) -> KeysFrom:
    """Of keys that are all known."""
    known = sorted(keys)

    def keys_from(start: str, limit: int) -> list[str]:
        first = bisect_left(known, start)
        return known[first : first + limit]

    return keys_from


def common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """Of a key that begins with the prefix; empty when the key is listed itself."""
    rest = key[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return ""
    return prefix + rest.partition(delimiter)[0] + delimiter


def after(key: str) -> str:
    """The first key there may be behind it."""
    return key + "\0"


def beyond(prefix: str) -> str:
    """The first key there may be behind all that begin so."""
    last = ord(prefix[-1]) + 1
    if last == 0xD800:  # there are no characters up to 0xDFFF
        last = 0xE000
    return prefix[:-1] + chr(last) if last <= 0x10FFFF else after(prefix + "\U0010ffff")


def past_marker(marker: str, prefix: str, delimiter: str) -> str:
    """Where a listing goes on whose marker is a key or a common prefix that was told."""
    if not marker:
        return ""
    common = common_prefix(marker, prefix, delimiter) if marker.startswith(prefix) else ""
    return beyond(common) if common else after(marker)


def versions_from(
    entries: Iterable[Entry], key_marker: str, seen: Callable[[list[Any]], list[Any]]
) -> Iterator[Entry]:
    """Every version as an entry of its own, those of a key from the newest on; `seen` leaves those
    of the marker's key that are still to be told."""
    for entry in entries:
        if entry.common_prefix:
            yield entry
            continue
        told = seen(entry.value) if entry.key == key_marker else entry.value
        yield from (Entry(entry.key, version) for version in told)
