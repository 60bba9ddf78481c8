"""Where the catalog is kept: one SQLite table of named things, each with a parent."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Between the parts of a parent; Glue's names may hold no control character but the tab.
SEPARATOR = "\x1f"

SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
    scope TEXT NOT NULL, kind TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (scope, kind, parent, name)
) WITHOUT ROWID;
"""


def path(*parts: str) -> str:
    """The parent made of these parts: `path(database, table)`; `path()` is the top."""
    return "".join(part + SEPARATOR for part in parts)


class Store:
    """Things by (scope, kind, parent, name), in name order. A scope is one account's region.

    `location` None keeps everything in memory. Each `transaction` is one writer's: all of it
    is on disk when it ends, or nothing. Safe for any number of threads.
    """

    def __init__(self, location: Path | None) -> None:
        if location is not None:
            location.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            ":memory:" if location is None else location,
            check_same_thread=False,
            isolation_level=None,
        )
        self._lock = threading.RLock()
        self._depth = 0
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A write-ahead log without fsync for each commit survives kill -9 of the process.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another one it is part of that one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def get(self, scope: str, kind: str, parent: str, name: str) -> Any | None:
        """The thing's body, or None."""
        rows = self._select(
            "SELECT body FROM thing WHERE scope=? AND kind=? AND parent=? AND name=?",
            (scope, kind, parent, name),
        )
        return json.loads(rows[0][0]) if rows else None

    def put(self, scope: str, kind: str, parent: str, name: str, body: Any) -> None:
        """Create or replace."""
        self._write(
            "INSERT OR REPLACE INTO thing VALUES (?, ?, ?, ?, ?)",
            (scope, kind, parent, name, json.dumps(body)),
        )

    def delete(self, scope: str, kind: str, parent: str, name: str) -> bool:
        """Whether it was there."""
        return self._write(
            "DELETE FROM thing WHERE scope=? AND kind=? AND parent=? AND name=?",
            (scope, kind, parent, name),
        )

    def items(
        self, scope: str, kind: str, parent: str, after: str | None = None, limit: int = -1
    ) -> list[tuple[str, Any]]:
        """(name, body) of the direct children called later than `after`, in name order."""
        rows = self._select(
            "SELECT name, body FROM thing WHERE scope=? AND kind=? AND parent=? AND name>?"
            " ORDER BY name LIMIT ?",
            (scope, kind, parent, after or "", limit),
        )
        return [(name, json.loads(body)) for name, body in rows]

    def all_below(self, scope: str, kind: str, parent: str = "") -> Iterable[Any]:
        """Every body of a kind below `parent`, at any depth."""
        rows = self._select(
            "SELECT body FROM thing WHERE scope=? AND kind=? AND substr(parent, 1, ?)=?"
            " ORDER BY parent, name",
            (scope, kind, len(parent), parent),
        )
        return [json.loads(body) for (body,) in rows]

    def scopes(self, kind: str) -> list[str]:
        """Where things of a kind exist."""
        rows = self._select("SELECT DISTINCT scope FROM thing WHERE kind=?", (kind,))
        return [scope for (scope,) in rows]

    def delete_below(self, scope: str, parent: str) -> None:
        """Everything of every kind whose parent is `parent` or below it."""
        self._write(
            "DELETE FROM thing WHERE scope=? AND substr(parent, 1, ?)=?",
            (scope, len(parent), parent),
        )

    def move_below(self, scope: str, parent: str, new_parent: str) -> None:
        """Everything below `parent` belongs to `new_parent` from now on."""
        self._write(
            "UPDATE thing SET parent = ? || substr(parent, ?)"
            " WHERE scope=? AND substr(parent, 1, ?)=?",
            (new_parent, len(parent) + 1, scope, len(parent), parent),
        )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _select(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, arguments).fetchall()

    def _write(self, sql: str, arguments: tuple[Any, ...]) -> bool:
        with self.transaction():
            return self._connection.execute(sql, arguments).rowcount > 0
