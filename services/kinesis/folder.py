"""Where a shard's segment files live: in a folder on disk, or in memory for tests."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Protocol


class Folder(Protocol):
    """A flat set of named files of bytes. Writes go to an offset; all errors are OSError.

    What `write` returned from has reached the operating system: it survives the end of this
    process. `sync` makes it survive the end of the machine.
    """

    def names(self) -> list[str]: ...

    def size(self, name: str) -> int: ...

    def read(self, name: str, offset: int, length: int) -> bytes: ...

    def write(self, name: str, offset: int, content: bytes) -> None:
        """Write all of it, making the file if need be; raises OSError when only a part went."""

    def truncate(self, name: str, size: int) -> None: ...

    def sync(self, name: str) -> None: ...

    def rename(self, name: str, new_name: str) -> None:
        """Replaces a file that has the new name."""

    def remove(self, name: str) -> None: ...


class MemoryFolder:
    """Files that end with the process."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}

    def names(self) -> list[str]:
        return sorted(self._files)

    def size(self, name: str) -> int:
        return len(self._file(name))

    def read(self, name: str, offset: int, length: int) -> bytes:
        return bytes(self._file(name)[offset : offset + length])

    def write(self, name: str, offset: int, content: bytes) -> None:
        self._files.setdefault(name, bytearray())[offset : offset + len(content)] = content

    def truncate(self, name: str, size: int) -> None:
        del self._file(name)[size:]

    def sync(self, name: str) -> None:
        self._file(name)

    def rename(self, name: str, new_name: str) -> None:
        self._files[new_name] = self._file(name)
        if name != new_name:
            del self._files[name]

    def remove(self, name: str) -> None:
        self._files.pop(name, None)

    def _file(self, name: str) -> bytearray:
        if name not in self._files:
            raise FileNotFoundError(name)
        return self._files[name]


class _Descriptor:
    """An open file; closed when its last user lets go of it."""

    def __init__(self, path: str, create: int) -> None:
        self.fd = os.open(path, os.O_RDWR | create | os.O_CLOEXEC, 0o600)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


class OpenFiles:
    """At most `limit` open files for all streams: the least recently used is closed first."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._files: OrderedDict[str, _Descriptor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, *, create: int = 0) -> _Descriptor:
        """`create` is O_CREAT for a file that may be new."""
        with self._lock:
            if path in self._files:
                self._files.move_to_end(path)
            else:
                self._files[path] = _Descriptor(path, create)
                while len(self._files) > self._limit:
                    self._files.popitem(last=False)
            return self._files[path]

    def forget(self, *paths: str) -> None:
        with self._lock:
            for path in paths:
                self._files.pop(path, None)

    def forget_below(self, folder: Path) -> None:
        """Close every file below a folder that is about to go."""
        with self._lock:
            for path in [p for p in self._files if folder in Path(p).parents]:
                del self._files[path]


class DiskFolder:
    """Files in one folder, made at the first write."""

    def __init__(self, path: Path, open_files: OpenFiles) -> None:
        self.path = path
        # Strings: a Path for each write takes as long as the write.
        self._prefix = f"{path}{os.sep}"
        self._open_files = open_files

    def names(self) -> list[str]:
        return sorted(p.name for p in self.path.iterdir()) if self.path.is_dir() else []

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def read(self, name: str, offset: int, length: int) -> bytes:
        file = self._open_files.get(self._prefix + name)
        return os.pread(file.fd, length, offset)

    def write(self, name: str, offset: int, content: bytes) -> None:
        file = self._writable(name)
        written = os.pwrite(file.fd, content, offset)
        while written < len(content):
            written += os.pwrite(file.fd, content[written:], offset + written)

    def truncate(self, name: str, size: int) -> None:
        os.ftruncate(self._writable(name).fd, size)

    def sync(self, name: str) -> None:
        os.fsync(self._writable(name).fd)

    def rename(self, name: str, new_name: str) -> None:
        self._open_files.forget(self._prefix + name, self._prefix + new_name)
        os.replace(self.path / name, self.path / new_name)

    def remove(self, name: str) -> None:
        self._open_files.forget(self._prefix + name)
        (self.path / name).unlink(missing_ok=True)

    def _writable(self, name: str) -> _Descriptor:
        try:
            return self._open_files.get(self._prefix + name, create=os.O_CREAT)
        except FileNotFoundError:
            self.path.mkdir(parents=True, exist_ok=True)
            return self._open_files.get(self._prefix + name, create=os.O_CREAT)
