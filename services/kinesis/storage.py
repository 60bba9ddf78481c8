"""Where streams are kept: a folder per stream on disk, or memory for tests."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import orjson

from services.kinesis.folder import DiskFolder, Folder, MemoryFolder, OpenFiles
from services.kinesis.shard import shard_id_of

logger = logging.getLogger(__name__)

#: What a stream is, twice: the second is for when the first is damaged.
_STATE, _COPY = "stream.json", "stream.copy.json"
#: What accounts have set, beside the streams' folders.
_ACCOUNTS = "accounts.json"


class Storage(Protocol):
    """Keeps what streams say of themselves, and hands out the folders of their shards."""

    def load(self) -> Iterator[dict[str, Any]]:
        """What `save` was given last for each stream."""

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        """Either wholly or, raising OSError, not at all."""

    def load_accounts(self) -> dict[str, Any]:
        """What `save_accounts` was given last: the settings of each account."""

    def save_accounts(self, settings: dict[str, Any]) -> None:
        """Either wholly or, raising OSError, not at all."""

    def folder(self, stream_id: str, shard_index: int) -> Folder: ...

    def delete(self, stream_id: str) -> None: ...

    def delete_shard(self, stream_id: str, shard_index: int) -> None: ...


class MemoryStorage:
    """Streams that end with the process."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, Any]] = {}
        self._folders: dict[tuple[str, int], MemoryFolder] = {}
        self._accounts: dict[str, Any] = {}

    def load(self) -> Iterator[dict[str, Any]]:
        yield from list(self._streams.values())

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        self._streams[stream_id] = fields

    def load_accounts(self) -> dict[str, Any]:
        return dict(self._accounts)

    def save_accounts(self, settings: dict[str, Any]) -> None:
        self._accounts = dict(settings)

    def folder(self, stream_id: str, shard_index: int) -> Folder:
        return self._folders.setdefault((stream_id, shard_index), MemoryFolder())

    def delete(self, stream_id: str) -> None:
        self._streams.pop(stream_id, None)
        for key in [k for k in self._folders if k[0] == stream_id]:
            del self._folders[key]

    def delete_shard(self, stream_id: str, shard_index: int) -> None:
        self._folders.pop((stream_id, shard_index), None)


class DiskStorage:
    """`<stream id>/stream.json` and `<stream id>/<shard id>/*.log` below one folder.

    What cannot be read is left where it is and named in the engine's log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open_files = OpenFiles()
        path.mkdir(parents=True, exist_ok=True)

    def load(self) -> Iterator[dict[str, Any]]:
        for folder in sorted(p for p in self._path.iterdir() if p.suffix != ".deleted"):
            if (fields := _state_in(folder)) is not None:
                yield fields
        for left_over in self._path.glob("*.deleted"):
            shutil.rmtree(left_over, ignore_errors=True)

    def save(self, stream_id: str, fields: dict[str, Any]) -> None:
        folder = self._path / stream_id
        is_new = not folder.exists()
        folder.mkdir(exist_ok=True)
        # Whole and in the end under its name: what is there stays when there is no room.
        new, copy = folder / f"{_STATE}.new", folder / f"{_COPY}.new"
        try:
            for file in (new, copy):
                file.write_bytes(_sealed(fields))
        except OSError:
            for file in (new, copy):
                file.unlink(missing_ok=True)
            if is_new:
                folder.rmdir()
            raise
        os.replace(copy, folder / _COPY)
        os.replace(new, folder / _STATE)

    def load_accounts(self) -> dict[str, Any]:
        file = self._path / _ACCOUNTS
        try:
            return _unsealed(file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as damage:
            logger.warning("%s cannot be read (%s): accounts have no settings.", file, damage)
            return {}

    def save_accounts(self, settings: dict[str, Any]) -> None:
        new = self._path / f"{_ACCOUNTS}.new"
        try:
            new.write_bytes(_sealed(settings))
        except OSError:
            new.unlink(missing_ok=True)
            raise
        os.replace(new, self._path / _ACCOUNTS)

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


def _sealed(fields: dict[str, Any]) -> bytes:
    content = orjson.dumps(fields)
    return orjson.dumps({"crc32": crc32(content), "stream": orjson.Fragment(content)})


def _unsealed(content: bytes) -> dict[str, Any]:
    """The fields again. Raises ValueError when they are not as they were written."""
    found = orjson.loads(content)
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    if "stream" not in found:
        # Releases before the checksum wrote the fields alone.
        return found
    fields = found["stream"]
    if not isinstance(fields, dict) or crc32(orjson.dumps(fields)) != found.get("crc32"):
        raise ValueError("its checksum is another")
    return fields


def _state_in(folder: Path) -> dict[str, Any] | None:
    """What the stream in a folder is, from the first of its two files that is good."""
    damages = list[str]()
    for file in (folder / _STATE, folder / _COPY):
        try:
            fields = _unsealed(file.read_bytes())
        except FileNotFoundError:
            damages.append(f"{file} is missing")
        except (OSError, ValueError) as damage:
            damages.append(f"{file} cannot be read ({damage})")
        else:
            if fields.get("stream_id") != folder.name:
                damages.append(f"{file} is of another stream, {fields.get('stream_id')}")
                continue
            if file.name == _COPY:
                logger.warning("%s: its copy beside it is used.", damages[0])
            return fields
    if _has_shards(folder):
        logger.warning("%s: its files stay, it is left out.", "; ".join(damages))
    return None


def _has_shards(folder: Path) -> bool:
    try:
        return any(child.name.startswith("s") for child in folder.iterdir())
    except NotADirectoryError:
        return False
    except OSError:
        return True
