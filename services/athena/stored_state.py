"""What outlives the engine: executions, workgroups, named queries … as JSON in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

Shape = dict[str, Any]


class StoredState:
    """Kinds of things by key, each with a sort value. `None` as path keeps it in memory."""

    def __init__(self, path: Path | None = None) -> None:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            str(path or ":memory:"), check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS thing (scope TEXT, kind TEXT, key TEXT, sort REAL, body TEXT, "
            "PRIMARY KEY (scope, kind, key))"
        )
        self._connection.execute(
            "CREATE INDEX IF NOT EXISTS thing_order ON thing (scope, kind, sort)"
        )

    def get(self, scope: str, kind: str, key: str) -> Shape | None:
        rows = self._run(
            "SELECT body FROM thing WHERE scope=? AND kind=? AND key=?", scope, kind, key
        )
        return json.loads(rows[0][0]) if rows else None

    def put(self, scope: str, kind: str, key: str, body: Shape, sort: float = 0.0) -> None:
        self._run(
            "INSERT OR REPLACE INTO thing VALUES (?, ?, ?, ?, ?)",
            scope,
            kind,
            key,
            sort,
            json.dumps(body),
        )

    def delete(self, scope: str, kind: str, key: str) -> None:
        self._run("DELETE FROM thing WHERE scope=? AND kind=? AND key=?", scope, kind, key)

    def all(self, scope: str, kind: str, *, newest_first: bool = False) -> list[Shape]:
        order = "sort DESC, rowid DESC" if newest_first else "key"
        rows = self._run(
            f"SELECT body FROM thing WHERE scope=? AND kind=? ORDER BY {order}", scope, kind
        )
        return [json.loads(row[0]) for row in rows]

    def keys_with(self, scope: str, kind: str, path: str, value: str) -> list[str]:
        """Keys of the things that have a value at a JSON path (`$.shape.WorkGroup`), the newest
        first: thousands of bodies are not read for a page of keys."""
        rows = self._run(
            "SELECT key FROM thing WHERE scope=? AND kind=? AND json_extract(body, ?)=? "
            "ORDER BY sort DESC, rowid DESC",
            *(scope, kind, path, value),
        )
        return [row[0] for row in rows]

    def everywhere_but(self, kind: str, path: str, *values: str) -> list[Shape]:
        """Bodies of all accounts and regions with another value at a JSON path: for repair after
        a restart."""
        marks = ", ".join("?" * len(values))
        rows = self._run(
            f"SELECT body FROM thing WHERE kind=? AND json_extract(body, ?) NOT IN ({marks})",
            *(kind, path, *values),
        )
        return [json.loads(row[0]) for row in rows]

    def _run(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()
