"""One service's state on disk: named rows in one SQLite file, written all or nothing. Pure.

SQLite's write-ahead log makes a change durable against `kill -9` without rewriting what did not
change, and keeps the file whole over a power cut; `sync` also keeps the last changes over it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

#: The form of the file; another number is another, unreadable, form.
VERSION = 1
#: "Ria" and a dot: SQLite keeps this number for whoever made the file.
APPLICATION_ID = 0x5269612E

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_by (name TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
"""


class StateRefused(RuntimeError):
    """The file is damaged, not ours, or of another version; the message is a sentence."""


class StateRows:
    """Rows of a file; may be used from every thread. `made_by` names the versions of the software
    whose objects the rows hold: a file of others is refused."""

    def __init__(self, file: Path, made_by: Mapping[str, str], *, sync: bool = False) -> None:
        self.file = file
        self._lock = threading.Lock()
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
        if not is_new and version != VERSION:
            raise StateRefused(f"it has version {version}, this engine reads {VERSION}")
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
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "DELETE FROM rows WHERE name = ?", [(name,) for name in removed]
            )
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", rows)

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
        with self._lock:
            self._database.close()


_MARKS = ("application_id", "user_version")


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) or "nobody"
