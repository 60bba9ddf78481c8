"""One service's state on disk: named rows in one SQLite file, written all or nothing.

SQLite's write-ahead log makes a change durable against `kill -9` without rewriting what did not
change, and keeps the file whole over a power cut; `sync` also keeps the last changes over it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from pathlib import Path
from typing import Any

#: The form of the file. The first had no pieces (see `pieces`) and is read as well; another number
#: is another, unreadable, form.
VERSION = 2
_READ = (1, VERSION)
#: "Ria" and a dot: SQLite keeps this number for whoever made the file.
APPLICATION_ID = 0x5269612E

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_by (name TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
"""

#: The beginning, a row's part and the end of a statement for many rows.
_PUT = ("INSERT OR REPLACE INTO rows VALUES ", "(?, ?)", "")
_REMOVE = ("DELETE FROM rows WHERE name IN (", "?", ")")
#: SQLite keeps a few statements prepared, whose length is the number of rows.
_IN_A_STATEMENT = 50
#: What leaves soon is gone after so long.
SOON_SECONDS = 0.05


class StateRefused(RuntimeError):
    """The file is damaged, not ours, or of another version; the message is a sentence."""


class StateRows:
    """Rows of a file; may be used from every thread. `made_by` names the versions of the software
    whose objects the rows hold: a file of others is refused."""

    def __init__(self, file: Path, made_by: Mapping[str, str], *, sync: bool = False) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._leaving: list[str] = []
        self._left = threading.Event()
        self._remover: threading.Thread | None = None
        self._settled = False
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        try:
            self._prepare(dict(made_by), sync)
        except (StateRefused, sqlite3.DatabaseError) as error:
            self._database.close()
            raise StateRefused(f"{file} cannot be read ({error}).") from None

    def _prepare(self, made_by: dict[str, str], sync: bool) -> None:
        execute = self._database.execute
        application, version = (execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS)
        is_new = not execute("SELECT name FROM sqlite_master").fetchone()
        if not is_new and application != APPLICATION_ID:
            raise StateRefused("it is not a state file")
        if not is_new and version not in _READ:
            raise StateRefused(f"it has version {version}, this engine reads up to {VERSION}")
        execute("PRAGMA journal_mode=WAL")
        execute(f"PRAGMA synchronous={'FULL' if sync else 'NORMAL'}")
        with self._database:
            execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                execute(statement)
            execute(f"PRAGMA application_id={APPLICATION_ID}")
            execute(f"PRAGMA user_version={VERSION}")
            if is_new:
                self._database.executemany("INSERT INTO made_by VALUES (?, ?)", made_by.items())
        kept: dict[str, str] = dict(execute("SELECT name, version FROM made_by").fetchall())
        if kept != made_by:
            raise StateRefused(f"it was written by {_named(kept)}; this is {_named(made_by)}")
        # Pages that a damaged file lacks are found now, not in the middle of a load.
        if (check := execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            raise StateRefused(str(check))

    def write(self, rows: Iterable[tuple[str, bytes]], removed: Iterable[str] = ()) -> None:
        """Put and remove rows, all or nothing. Raises sqlite3.Error and changes nothing then."""
        names = [(name,) for name in removed]
        steps = [*_in_batches(_REMOVE, names), *_in_batches(_PUT, rows)]
        with self._lock:
            if len(steps) == 1:
                # Each statement lets go of Python's lock, and getting it back may take a while.
                self._database.execute(*steps[0])
                return
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                for statement, values in steps:
                    self._database.execute(statement, values)

    def remove_soon(self, name: str) -> None:
        """Remove a row within `SOON_SECONDS`, together with others: for what may be there again
        after `kill -9`. While the disk is full it stays, and is tried again."""
        with self._lock:
            self._leaving.append(name)
            if self._settled:
                self._remove_leaving()
            elif self._remover is None:
                self._remover = threading.Thread(
                    target=self._remove, name=f"{self.file.stem}-removals", daemon=True
                )
                self._remover.start()
        self._left.set()

    def settle(self) -> None:
        """What leaves soon leaves now: the process is about to end."""
        with self._lock:
            self._settled = True
            self._remove_leaving()

    def _remove(self) -> None:
        while not self._settled:
            self._left.wait()
            time.sleep(SOON_SECONDS)
            with self._lock:
                self._left.clear()
                self._remove_leaving()
            if self._leaving:
                self._left.set()

    def _remove_leaving(self) -> None:
        try:
            for statement, values in _in_batches(_REMOVE, [(n,) for n in self._leaving]):
                self._database.execute(statement, values)
        except sqlite3.Error:
            return  # full: they may be there again after a restart, as after `kill -9`
        self._leaving.clear()

    def remove_below(self, prefix: str) -> None:
        """Remove every row whose name begins so."""
        with self._lock, self._database:
            self._database.execute(
                "DELETE FROM rows WHERE name >= ? AND name < ?", (prefix, prefix + "\U0010ffff")
            )

    def below(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """Name and content of the rows whose name begins so, by name."""
        with self._lock:
            return self._database.execute(
                "SELECT name, content FROM rows WHERE name >= ? AND name < ? ORDER BY name",
                (prefix, prefix + "\U0010ffff"),
            ).fetchall()

    def close(self) -> None:
        self.settle()
        self._left.set()
        with self._lock:
            self._database.close()


def _in_batches(
    statement: tuple[str, str, str], values: Iterable[Sequence[Any]]
) -> Iterator[tuple[str, list[Any]]]:
    """As few statements as there can be, with their parameters."""
    begin, each, end = statement
    for some in batched(values, _IN_A_STATEMENT, strict=False):
        yield begin + ", ".join([each] * len(some)) + end, [v for value in some for v in value]


_MARKS = ("application_id", "user_version")


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) or "nobody"
