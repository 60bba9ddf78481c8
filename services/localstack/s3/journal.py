"""What S3 knows, on disk: a row per bucket, per key, per upload, written before the answer. Pure.

The cost of a write does not grow with the number of objects. What a row holds is the caller's
affair; the journal knows only which body files it names, so that it can tell which are no longer
named by any.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

#: Written into the file; another number is another, unreadable, form. Since 3 the row of a key may
#: still hold one object after its bucket has got versions.
VERSION = 3

#: An index beside the rows: names are read without reading the rows' content.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT, bucket TEXT, name TEXT, content BLOB NOT NULL, bodies TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS row_names ON rows (kind, bucket, name)
"""
#: The first form kept rows within their index, four kilobytes each.
_FROM_VERSION_1 = f"""
ALTER TABLE rows RENAME TO former;
{_SCHEMA};
INSERT INTO rows SELECT kind, bucket, name, content, bodies FROM former;
DROP TABLE former
"""


class JournalRefused(RuntimeError):
    """The file is damaged or of another version."""


class Row(NamedTuple):
    """One thing: `kind` is `bucket`, `object`, `upload` or `tags`; `bodies` are file names."""

    kind: str
    bucket: str
    name: str
    content: bytes
    bodies: tuple[str, ...] = ()


class Journal:
    """Rows in SQLite; may be used from every thread. `sync` also survives a power cut."""

    def __init__(self, file: Path, *, sync: bool = False) -> None:
        self._lock, self._reading_lock = threading.Lock(), threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        #: Whoever reads one row does not wait for another's write to reach the disk.
        self._reading = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        try:
            self._prepare(sync)
        except (JournalRefused, sqlite3.DatabaseError) as error:
            self.close()
            raise JournalRefused(f"{file} cannot be read ({error}).") from None

    def _prepare(self, sync: bool) -> None:
        execute = self._database.execute
        version = execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, 1, VERSION):
            raise JournalRefused(f"it has version {version}, this engine reads 1 to {VERSION}")
        execute("PRAGMA journal_mode=WAL")
        execute(f"PRAGMA synchronous={'FULL' if sync else 'NORMAL'}")
        with self._database:
            execute("BEGIN IMMEDIATE")
            for statement in (_FROM_VERSION_1 if version == 1 else _SCHEMA).split(";"):
                execute(statement)
            execute(f"PRAGMA user_version={VERSION}")

    def write(self, rows: Iterable[Row], removed: Iterable[tuple[str, str, str]] = ()) -> set[str]:
        """Put and remove rows, all or nothing; the bodies that no row of these names any more."""
        rows, removed = list(rows), list(removed)
        with self._lock, self._database:
            self._database.execute("BEGIN")
            named = [self._bodies(key) for key in (*(row[:3] for row in rows), *removed)]
            if removed:
                self._database.executemany(
                    "DELETE FROM rows WHERE kind = ? AND bucket = ? AND name = ?", removed
                )
            self._database.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)",
                [(*row[:4], " ".join(row.bodies)) for row in rows],
            )
        still_named = {body for row in rows for body in row.bodies}
        return {body for bodies in named for body in bodies} - still_named

    def _bodies(self, key: tuple[str, str, str]) -> list[str]:
        found = self._database.execute(
            "SELECT bodies FROM rows WHERE kind = ? AND bucket = ? AND name = ?", key
        ).fetchone()
        return found[0].split() if found else []

    def remove_bucket(self, bucket: str) -> None:
        """Forget a bucket and all that is in it."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM rows WHERE bucket = ?", (bucket,))

    def rows(self, kind: str, bucket: str | None = None) -> Iterator[Row]:
        """Every row of a kind (in one bucket), by bucket and name."""
        where, values = ("", (kind,)) if bucket is None else (" AND bucket = ?", (kind, bucket))
        with self._lock:
            found = self._database.execute(
                f"SELECT * FROM rows WHERE kind = ?{where} ORDER BY bucket, name", values
            ).fetchall()
        for kind, bucket, name, content, bodies in found:
            yield Row(kind, bucket, name, content, tuple(bodies.split()))

    def names_from(self, kind: str, bucket: str, start: str, limit: int) -> list[str]:
        """At most so many names in one bucket from one on, that one included, in their order."""
        with self._reading_lock:
            found = self._reading.execute(
                "SELECT name FROM rows WHERE kind = ? AND bucket = ? AND name >= ? "
                "ORDER BY name LIMIT ?",
                (kind, bucket, start, limit),
            ).fetchall()
        return [name for (name,) in found]

    def content(self, kind: str, bucket: str, name: str) -> bytes | None:
        """One row's content, or None when there is no such row."""
        with self._reading_lock:
            found = self._reading.execute(
                "SELECT content FROM rows WHERE kind = ? AND bucket = ? AND name = ?",
                (kind, bucket, name),
            ).fetchone()
        return found[0] if found else None

    def bodies(self) -> set[str]:
        """Every body that some row names. Others may read and write meanwhile: what is written
        then comes last, so that it is not missed."""
        named: set[str] = set()
        last = -1
        while found := self._bodies_after(last):
            named.update(body for _, bodies in found for body in bodies.split())
            last = found[-1][0]
        return named

    def _bodies_after(self, last: int) -> list[tuple[int, str]]:
        with self._reading_lock:
            return self._reading.execute(
                "SELECT rowid, bodies FROM rows WHERE rowid > ? ORDER BY rowid LIMIT 5000", (last,)
            ).fetchall()

    def close(self) -> None:
        with self._lock, self._reading_lock:
            self._reading.close()
            self._database.close()


class BucketRows:
    """The objects of one bucket. See `keys.Rows`."""

    def __init__(self, journal: Journal, bucket: str) -> None:
        self._journal, self._bucket = journal, bucket

    def content(self, key: str) -> bytes | None:
        return self._journal.content("object", self._bucket, key)

    def names_from(self, start: str, limit: int) -> list[str]:
        return self._journal.names_from("object", self._bucket, start, limit)
