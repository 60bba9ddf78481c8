"""How far each file was sent: SQLite, in the original agent's table.

A second table keeps a fingerprint of each file, which the original has not; it ignores it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from producer.agent.files import GONE, Position

_TABLES = """
create table if not exists FILE_CHECKPOINTS(
    flow text, path text, fileId text, lastModifiedTime bigint, size bigint, offset bigint,
    lastUpdated datetime, primary key (flow, path));
create table if not exists RIACHO_FINGERPRINTS(
    flow text, fileId text, head blob, tail blob, primary key (flow, fileId));
"""
_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"


class CheckpointsUnusable(Exception):
    """The checkpoint file cannot be opened; the message says why and what to do."""


class Checkpoints:
    """The checkpoints of all flows. Thread-safe; each call is one transaction on the disk."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=10, check_same_thread=False)
            self._database.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise CheckpointsUnusable(
                f"checkpointFile {path} cannot be used: {error}. Name a file in a folder that "
                "the agent may write to."
            ) from None

    def load(self, flow_id: str) -> list[Position]:
        """Every position of a flow, the one saved last at the end."""
        query = (
            "select c.fileId, c.path, c.offset, c.size, c.lastModifiedTime, f.head, f.tail "
            "from FILE_CHECKPOINTS c left join RIACHO_FINGERPRINTS f "
            "on f.flow = c.flow and f.fileId = c.fileId where c.flow = ? order by c.lastUpdated"
        )
        with self._lock:
            rows = self._database.execute(query, (flow_id,)).fetchall()
        return [
            Position(file_id, _path(path), offset, size, modified, head or b"", tail or b"")
            for file_id, path, offset, size, modified, head, tail in rows
        ]

    def has_started(self, flow_id: str) -> bool:
        """Whether this agent has worked on the flow before; the original leaves no such sign."""
        query = "select 1 from RIACHO_FINGERPRINTS where flow = ? limit 1"
        with self._lock:
            return self._database.execute(query, (flow_id,)).fetchone() is not None

    def save(self, flow_id: str, positions: Iterable[Position], moved: Mapping[str, Path]) -> None:
        """All of these or none; the flow counts as started from then on.

        `moved` are files (by id) that have new paths: rotation shifts names, so their rows
        leave before any other takes their place.
        """
        with self._lock, self._database as database:
            database.execute(
                "insert or ignore into RIACHO_FINGERPRINTS values(?, '', x'', x'')", (flow_id,)
            )
            if moved:
                _move(database, flow_id, moved)
            for position in positions:
                _save(database, flow_id, position)

    def delete_old(self, days: int, keep: Collection[Path]) -> None:
        """Forget what was not updated for so long; not the files that are still there."""
        with self._lock, self._database as database:
            rows = database.execute(
                "select flow, path from FILE_CHECKPOINTS "
                "where datetime(lastUpdated, ?) < current_timestamp",
                (f"+{days} days",),
            ).fetchall()
            kept = {str(path) for path in keep}
            database.executemany(
                "delete from FILE_CHECKPOINTS where flow = ? and path = ?",
                [row for row in rows if row[1] not in kept],
            )
            database.execute(
                "delete from RIACHO_FINGERPRINTS where fileId <> '' and (flow, fileId) not in "
                "(select flow, fileId from FILE_CHECKPOINTS)"
            )

    def close(self) -> None:
        with self._lock:
            self._database.close()


def _move(database: sqlite3.Connection, flow_id: str, moved: Mapping[str, Path]) -> None:
    rows = []
    for file_id, path in moved.items():
        row = database.execute(
            "select fileId, lastModifiedTime, size, offset, lastUpdated "
            "from FILE_CHECKPOINTS where flow = ? and fileId = ?",
            (flow_id, file_id),
        ).fetchone()
        if row is not None:
            rows.append((flow_id, str(path), *row))
    database.executemany(
        "delete from FILE_CHECKPOINTS where flow = ? and fileId = ?",
        [(flow_id, row[2]) for row in rows],
    )
    database.executemany(
        "insert or replace into FILE_CHECKPOINTS values(?, ?, ?, ?, ?, ?, ?)", rows
    )


def _save(database: sqlite3.Connection, flow_id: str, position: Position) -> None:
    database.execute(
        "delete from FILE_CHECKPOINTS where flow = ? and fileId = ? and path <> ?",
        (flow_id, position.file_id, str(position.path)),
    )
    database.execute(
        f"insert or replace into FILE_CHECKPOINTS values(?, ?, ?, ?, ?, ?, {_NOW})",
        (
            flow_id,
            str(position.path),
            position.file_id,
            position.modified_millis,
            position.size,
            position.offset,
        ),
    )
    database.execute(
        "insert or replace into RIACHO_FINGERPRINTS values(?, ?, ?, ?)",
        (flow_id, position.file_id, position.head, position.tail),
    )


def _path(text: str) -> Path:
    return Path(text.partition(f"{GONE}(dev=")[0])
