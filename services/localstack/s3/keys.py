"""The keys of one bucket: what is not written yet in memory, everything else read when asked for.

A bucket of a million objects takes no longer to bring back than an empty one, and no more memory
than what was read or written lately.
Pure: what is kept under a key is the caller's affair.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakValueDictionary


class Rows(Protocol):
    """Where the keys of this bucket lie."""

    def content(self, key: str) -> bytes | None:
        """None when there is no such key."""

    def names_from(self, start: str, limit: int) -> list[str]:
        """At most so many keys from one on, that one included, in their order."""


class BucketKeys:
    """May be used from every thread. Whoever asks for a key while another has what is kept under
    it gets the same; `read(keys, key, content)` makes it from its row. What was read or written
    goes into `recent`, which decides how long it stays at least: who lists a bucket reads its
    objects next."""

    def __init__(
        self, rows: Rows, read: Callable[[BucketKeys, str, bytes], Any], recent: deque[Any]
    ) -> None:
        self._rows, self._read, self._recent = rows, read, recent
        self.lock = threading.RLock()
        self._saving = threading.Lock()
        #: By key, None for what was removed; what is on its way to the disk separately.
        self._changed: dict[str, Any] = {}
        self._on_the_way: dict[str, Any] = {}
        self._in_use: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def get(self, key: str) -> Any:
        """What is kept under a key, or None."""
        # Who finds it in memory does not wait for those who read others from the disk.
        if (known := self.in_memory(key)) is not None:
            return known
        with self.lock:
            known = self.in_memory(key)
            if known is not None or self._is_removed(key):
                return known
            content = self._rows.content(key)
            if content is None:
                return None
            value = self._in_use[key] = self._read(self, key, content)
            self._recent.append(value)
            return value

    def in_memory(self, key: str) -> Any:
        """What is kept under a key if it need not be read, or None."""
        changed = self._changed.get(key, self)
        if changed is not self:
            return changed
        return self._in_use.get(key) or self._on_the_way.get(key)

    def _is_removed(self, key: str) -> bool:
        return key in self._changed or key in self._on_the_way

    def put(self, key: str, value: Any) -> None:
        """Keep something under a key, or say that it has changed."""
        with self.lock:
            self._changed[key] = self._in_use[key] = value

    def exchange(self, key: str, value: Any) -> None:
        """The same as before, in another form: nothing that must be written."""
        with self.lock:
            self._in_use[key] = value
            if key in self._changed:
                self._changed[key] = value

    def remove(self, key: str) -> None:
        with self.lock:
            self._changed[key] = None
            self._in_use.pop(key, None)

    def names_from(self, start: str, limit: int) -> list[str]:
        """At most so many keys from one on, that one included, in their order."""
        with self.lock:
            changes = {**self._on_the_way, **self._changed}
            written = self._rows.names_from(start, limit + len(changes))
        if not changes:
            return written
        names = {name for name in written if changes.get(name, self) is not None}
        names.update(name for name, value in changes.items() if value is not None and name >= start)
        return sorted(names)[:limit]

    def all_names(self, start: str = "") -> Iterator[str]:
        """Every key from one on, in their order, read a thousand at a time."""
        while names := self.names_from(start, 1000):
            yield from names
            start = names[-1] + "\0"

    def is_empty(self) -> bool:
        return not self.names_from("", 1)

    @contextmanager
    def saved(self) -> Iterator[dict[str, Any]]:
        """What has changed since it was saved last, to be written within; it stays changed when
        that fails. A call that comes meanwhile waits, and finds its own change written or here."""
        with self._saving:
            with self.lock:
                self._on_the_way, self._changed = self._changed, {}
            try:
                yield self._on_the_way
                self._recent.extend(
                    value for value in self._on_the_way.values() if value is not None
                )
            except BaseException:
                with self.lock:
                    self._changed = {**self._on_the_way, **self._changed}
                raise
            finally:
                with self.lock:
                    self._on_the_way = {}
