"""How far each shard of a mapping was read: kept in one small file, whole or not at all."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from services.awslambda.event_source_mapping.tumbling_window import Window

SHARD_END = "SHARD_END"


class Positions:
    """The positions of one mapping. Every change is on disk before its method returns, unless
    `path` is None: then nothing outlives the engine."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._content: dict[str, Any] = {"started_at": None, "shards": {}}
        if path is not None and path.exists():
            self._content = json.loads(path.read_text())

    def start(self, now: float) -> float:
        """When the mapping was first started; `now` the first time."""
        with self._lock:
            if self._content["started_at"] is None:
                self._content["started_at"] = now
                self._save()
            started_at: float = self._content["started_at"]
            return started_at

    def sequence_number(self, shard_id: str) -> str | None:
        """The last record that is done; `SHARD_END` when all are; None before the first."""
        found: str | None = self._shard(shard_id).get("sequence_number")
        return found

    def ended(self) -> frozenset[str]:
        """The shards of which everything is done."""
        with self._lock:
            return frozenset(
                shard_id
                for shard_id, shard in self._content["shards"].items()
                if shard.get("sequence_number") == SHARD_END
            )

    def checkpoint(self, shard_id: str, sequence_number: str, window: Window | None = None) -> None:
        """The record and the state that includes it are kept together: one without the other
        would count records twice or not at all."""
        self._change(shard_id, sequence_number=sequence_number, window=_window_fields(window))

    def window(self, shard_id: str) -> Window | None:
        """The open tumbling window of a shard."""
        found = self._shard(shard_id).get("window")
        return Window(**found) if found else None

    def keep_window(self, shard_id: str, window: Window | None) -> None:
        self._change(shard_id, window=_window_fields(window))

    def delete(self) -> None:
        with self._lock:
            if self._path is not None:
                self._path.unlink(missing_ok=True)
            self._path = None

    def _shard(self, shard_id: str) -> dict[str, Any]:
        with self._lock:
            return dict(self._content["shards"].get(shard_id, {}))

    def _change(self, shard_id: str, **fields: Any) -> None:
        with self._lock:
            self._content["shards"].setdefault(shard_id, {}).update(fields)
            self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self._content))
        # A rename is all or nothing, also when the engine is killed. Losing the last one to a
        # power cut only repeats a batch, so no fsync: it would cost more than the invocation.
        os.replace(draft, self._path)


def _window_fields(window: Window | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {"start": window.start, "end": window.end, "state": window.state}
