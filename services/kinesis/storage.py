"""Where streams are kept: a folder per stream on disk, or memory for tests."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import orjson

from services.kinesis.folder import DiskFolder, Folder, MemoryFolder, OpenFiles
from services.kinesis.shard import shard_id_of

logger = logging.getLogger(__name__)


class Storage(Protocol):
    """Keeps what streams say of themselves, and hands out the folders of their shards."""

    def load(self) -> Iterator[dict[str, Any]]:
        """What `save` was given last for each stream."""

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        """Either wholly or, raising OSError, not at all."""

    def folder(self, stream_id: str, shard_index: int) -> Folder: ...

    def delete(self, stream_id: str) -> None: ...

    def delete_shard(self, stream_id: str, shard_index: int) -> None: ...


class MemoryStorage:
    """Streams that end with the process."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, Any]] = {}
        self._folders: dict[tuple[str, int], MemoryFolder] = {}

    def load(self) -> Iterator[dict[str, Any]]:
        yield from list(self._streams.values())

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        self._streams[stream_id] = fields

    def folder(self, stream_id: str, shard_index: int) -> Folder:
        return self._folders.setdefault((stream_id, shard_index), MemoryFolder())

    def delete(self, stream_id: str) -> None:
        self._streams.pop(stream_id, None)
        for key in [k for k in self._folders if k[0] == stream_id]:
            del self._folders[key]

    def delete_shard(self, stream_id: str, shard_index: int) -> None:
        self._folders.pop((stream_id, shard_index), None)


class DiskStorage:
    """`<stream id>/stream.json` and `<stream id>/<shard id>/*.log` below one folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open_files = OpenFiles()
        path.mkdir(parents=True, exist_ok=True)

    def load(self) -> Iterator[dict[str, Any]]:
        for file in sorted(self._path.glob("*/stream.json")):
            try:
                yield orjson.loads(file.read_bytes())
            except ValueError as damage:
                logger.warning(
                    "The stream in %s cannot be read (%s): its files stay, it is left out.",
                    file,
                    damage,
                )
        for left_over in self._path.glob("*.deleted"):
            shutil.rmtree(left_over, ignore_errors=True)

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        folder = self._path / stream_id
        folder.mkdir(exist_ok=True)
        temporary = folder / "stream.json.new"
        temporary.write_bytes(orjson.dumps(fields))
        os.replace(temporary, folder / "stream.json")

    def folder(self, stream_id: str, shard_index: int) -> Folder:
        return DiskFolder(self._path / stream_id / shard_id_of(shard_index), self._open_files)

    def delete(self, stream_id: str) -> None:
        # Renamed first: a half-deleted folder must not come back as a stream.
        folder = self._path / stream_id
        self._open_files.forget_below(folder)
        if folder.exists():
            gone = folder.with_suffix(".deleted")
            os.replace(folder, gone)
            shutil.rmtree(gone, ignore_errors=True)

    def delete_shard(self, stream_id: str, shard_index: int) -> None:
        folder = self._path / stream_id / shard_id_of(shard_index)
        self._open_files.forget_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
