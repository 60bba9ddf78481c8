"""Events that were accepted and are not over yet: in a file before the caller hears of it."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import asdict, fields
from pathlib import Path

from services.awslambda.asynchronous.queued_event import QueuedEvent

_COLUMNS = tuple(field.name for field in fields(QueuedEvent))
_CREATE = f"CREATE TABLE IF NOT EXISTS events ({', '.join(_COLUMNS)}, PRIMARY KEY (request_id))"
_PUT = f"INSERT OR REPLACE INTO events VALUES ({', '.join(':' + name for name in _COLUMNS)})"
_ALL = f"SELECT {', '.join(_COLUMNS)} FROM events ORDER BY invoked_at"
_DELETE = "DELETE FROM events WHERE request_id = ?"


class EventJournal:
    """One SQLite file. Every change is written when its method returns.

    Without `sync` the kernel decides when it reaches the disk: that survives the death of every
    process, but not of the machine.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(f"PRAGMA synchronous = {'FULL' if sync else 'OFF'}")
        self._database.execute(_CREATE)

    def events(self) -> list[QueuedEvent]:
        """All that are not over, the oldest first."""
        with self._lock:
            rows = self._database.execute(_ALL).fetchall()
        return [QueuedEvent(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def put(self, event: QueuedEvent) -> None:
        """Keep an event, or what changed of it."""
        with self._lock:
            self._database.execute(_PUT, asdict(event))

    def delete(self, request_id: str) -> None:
        """The event is over."""
        with self._lock:
            self._database.execute(_DELETE, (request_id,))

    def close(self) -> None:
        with self._lock:
            self._database.close()
