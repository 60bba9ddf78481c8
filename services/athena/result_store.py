"""Where result files lie: in the client's bucket, or in Athena's own storage for a day."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from services.athena import object_store
from services.athena.object_store import ObjectMissing, ObjectStore
from services.clock import Clock

#: `managed://results/<id>.csv`: a location that no client ever sees.
MANAGED = "managed://results"
#: https://docs.aws.amazon.com/athena/latest/ug/managed-results.html
RETENTION_SECONDS = 86_400


def is_managed(location: str) -> bool:
    return location.startswith(MANAGED)


class ResultStore:
    """Reads and writes result files by their location, in S3 or (managed) in a folder.

    Without a folder managed results lie in a temporary one that goes with the object.
    """

    def __init__(self, store: ObjectStore, clock: Clock, folder: Path | None = None) -> None:
        self._store, self._clock, self._folder = store, clock, folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._temporary:
            self._temporary.cleanup()

    def write(self, location: str, body: bytes | Path, kind: str) -> None:
        """Raises BucketMissing."""
        if not is_managed(location):
            self._store.write(*object_store.split_location(location), body, kind)
            return
        self._forget_old()
        path = self._path(location)
        path.write_bytes(body.read_bytes() if isinstance(body, Path) else body)
        os.utime(path, (self._clock.now(), self._clock.now()))

    def read(self, location: str) -> bytes:
        """Raises ObjectMissing."""
        if not is_managed(location):
            return self._store.read(*object_store.split_location(location))
        return self._kept(location).read_bytes()

    def read_range(self, location: str, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start` on. Raises ObjectMissing."""
        if not is_managed(location):
            return self._store.read_range(*object_store.split_location(location), start, size)
        with self._kept(location).open("rb") as file:
            file.seek(start)
            return file.read(size)

    def _kept(self, location: str) -> Path:
        path = self._path(location)
        try:
            if not self._is_old(path):
                return path
        except FileNotFoundError:
            pass  # it never was there, or another thread removed it as too old
        raise ObjectMissing("managed", path.name)

    def _path(self, location: str) -> Path:
        return self._own_folder() / location.rpartition("/")[2]

    def _own_folder(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="athena-managed-")
                self._folder = Path(self._temporary.name)
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._folder

    def _forget_old(self) -> None:
        for path in self._own_folder().iterdir():
            try:
                if self._is_old(path):
                    path.unlink()
            except FileNotFoundError:  # another thread was first
                continue

    def _is_old(self, path: Path) -> bool:
        return path.stat().st_mtime < self._clock.now() - RETENTION_SECONDS
