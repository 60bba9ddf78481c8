"""Bodies of S3's objects and parts as plain files, a new file for every write.

A body is named by the object that was written (`body`, an attribute of ours), so that an overwrite
never touches what a reader reads or what the journal still names.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from localstack.services.s3.constants import S3_CHUNK_SIZE
from localstack.services.s3.storage.core import (
    LimitedStream,
    S3ObjectStore,
    S3StoredMultipart,
    S3StoredObject,
    should_copy_in_place,
)
from localstack.services.s3.utils import get_s3_checksum

#: A reader that has the object but not yet its file gets this long to open it.
REMOVAL_DELAY_SECONDS = 10.0
#: So many bodies are written to one folder, and then as many to the next.
IN_ONE_FOLDER = 1000


class BodyStore(S3ObjectStore):
    """The store that LocalStack's S3 writes to and reads from."""

    def __init__(self, root: Path) -> None:
        self.root_directory = str(root)
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folders: set[Path] = set()
        self._numbers = itertools.count(uuid.uuid4().int % (256 * IN_ONE_FOLDER))
        self._unwanted: deque[tuple[float, str]] = deque()
        #: Written by this engine while the former one's files are still looked through.
        self._new: set[str] | None = set()
        self._lock = threading.Lock()

    def path(self, body: str) -> Path:
        """256 folders keep each of them small."""
        return self._root / body[:2] / body

    def open(self, bucket: str, s3_object: Any, mode: str = "r") -> StoredBody:
        if mode == "w":
            s3_object.body = self._new_name()
            if (new := self._new) is not None:
                new.add(s3_object.body)
            self._make_folder(self.path(s3_object.body).parent)
        return StoredBody(s3_object, self.path(s3_object.body), mode)

    def _new_name(self) -> str:
        """Bodies that come one after the other lie in one folder: a file system takes a tenth of
        the time to make a file beside the last one than in any of 256 folders."""
        folder = next(self._numbers) // IN_ONE_FOLDER % 256
        return f"{folder:02x}{uuid.uuid4().hex[2:]}"

    def _make_folder(self, folder: Path) -> None:
        if folder not in self._folders:
            folder.mkdir(exist_ok=True)
            self._folders.add(folder)

    def remove(self, bucket: str, s3_object: Any) -> None:
        removed = s3_object if isinstance(s3_object, list) else [s3_object]
        self.discard(body for each in removed if (body := getattr(each, "body", "")))

    def copy(
        self, src_bucket: str, src_object: Any, dest_bucket: str, dest_object: Any
    ) -> StoredBody:
        if should_copy_in_place(src_bucket, src_object, dest_bucket, dest_object):
            dest_object.body = src_object.body
            return self.open(dest_bucket, dest_object)
        with self.open(src_bucket, src_object) as source:
            copied = self.open(dest_bucket, dest_object, "w")
            copied.write(source)
        return copied

    def get_multipart(self, bucket: str, s3_multipart: Any) -> StoredParts:
        return StoredParts(self, bucket, s3_multipart)

    def remove_multipart(self, bucket: str, s3_multipart: Any) -> None:
        self.discard(part.body for part in s3_multipart.parts.values())

    def discard(self, bodies: Iterable[str]) -> None:
        """Remove files in a while, and now those whose while is over."""
        now = time.monotonic()
        with self._lock:
            self._unwanted.extend((now + REMOVAL_DELAY_SECONDS, body) for body in bodies)
            while self._unwanted and self._unwanted[0][0] <= now:
                self.path(self._unwanted.popleft()[1]).unlink(missing_ok=True)

    def remove_all_but(self, named: set[str]) -> None:
        """After a crash: files that were written and never named."""
        new = self._new or ()
        for folder in self._root.glob("??"):
            for name in os.listdir(folder):
                if name not in named and name not in new:
                    (folder / name).unlink(missing_ok=True)
        self._new = None


class StoredBody(S3StoredObject):
    """One open body, for one request."""

    def __init__(self, s3_object: Any, path: Path, mode: str) -> None:
        super().__init__(s3_object=s3_object, mode=mode)
        self._path = path
        # Unbuffered: whoever writes or reads does so in large pieces, and each is on disk at once.
        self._file = open(path, "w+b" if mode == "w" else "rb", buffering=0)  # noqa: SIM115
        self._is_new = mode == "w"
        self._checksum: str | None = None
        self._hash: Any = None

    def write(self, stream: Any) -> int:
        etag = hashlib.md5(usedforsecurity=False)
        if self.s3_object.checksum_algorithm:
            self._hash = get_s3_checksum(self.s3_object.checksum_algorithm)
        if not self._is_new:
            self._file.seek(0)
            self._file.truncate()
        size = 0
        while stream is not None and (data := stream.read(S3_CHUNK_SIZE)):
            self._put(data)
            size += len(data)
            etag.update(data)
            if self._hash:
                self._hash.update(data)
        self._written(size)
        self.s3_object.etag = etag.hexdigest()
        self._file.seek(0)
        return size

    def append(self, part: Any) -> int:
        read = 0
        while data := part.read(S3_CHUNK_SIZE):
            self._put(data)
            read += len(data)
        self._written(self._file.tell())
        return read

    def _put(self, data: bytes) -> None:
        """A disk that is almost full takes a part, and says at the next attempt that it is full."""
        self._is_new = False
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def _written(self, size: int) -> None:
        self.s3_object.size = size
        self.s3_object.internal_last_modified = time.time_ns()

    def read(self, s: int = -1) -> bytes:
        return self._file.read(s)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def close(self) -> None:
        self._file.close()
        self.closed = True

    def __exit__(self, error: Any, *rest: Any) -> None:
        self.close()
        if error is not None and self._mode == "w":
            self._path.unlink(missing_ok=True)

    @property
    def last_modified(self) -> int:
        return int(self.s3_object.internal_last_modified)

    @property
    def checksum(self) -> str | None:
        if not self.s3_object.checksum_algorithm:
            return None
        if self._hash is None:
            self._hash = get_s3_checksum(self.s3_object.checksum_algorithm)
            for data in self._whole():
                self._hash.update(data)
        if self._checksum is None:
            self._checksum = base64.b64encode(self._hash.digest()).decode()
        return self._checksum

    @property
    def etag(self) -> str:
        if not self.s3_object.etag:
            etag = hashlib.md5(usedforsecurity=False)
            for data in self._whole():
                etag.update(data)
            self.s3_object.etag = etag.hexdigest()
        return str(self.s3_object.etag)

    def _whole(self) -> Iterator[bytes]:
        position = self._file.tell()
        self._file.seek(0)
        yield from self
        self._file.seek(position)

    def __iter__(self) -> Iterator[bytes]:
        while data := self._file.read(S3_CHUNK_SIZE):
            yield data


class StoredParts(S3StoredMultipart):
    """The parts of one upload: each part names its own body."""

    _s3_store: BodyStore

    def open(self, s3_part: Any, mode: str = "r") -> StoredBody:
        return self._s3_store.open(self.bucket, s3_part, mode)

    def remove_part(self, s3_part: Any) -> None:
        self._s3_store.discard([s3_part.body])

    def complete_multipart(self, parts: list[Any]) -> None:
        with self._s3_store.open(self.bucket, self.s3_multipart.object, "w") as whole:
            for s3_part in parts:
                with self.open(s3_part) as part:
                    whole.append(part)

    def copy_from_object(
        self, s3_part: Any, src_bucket: str, src_s3_object: Any, range_data: Any
    ) -> None:
        with (
            self._s3_store.open(src_bucket, src_s3_object) as source,
            self.open(s3_part, "w") as part,
        ):
            part.write(LimitedStream(source, range_data=range_data) if range_data else source)
            if s3_part.checksum_algorithm:
                s3_part.checksum_value = part.checksum

    def close(self) -> None:
        """Nothing is kept open."""
