"""PyIceberg's files in our object store, without a network between them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow
import pyarrow.fs
from pyiceberg.io.pyarrow import PyArrowFileIO

from services.athena.object_store import BucketMissing, ObjectMissing, ObjectStore


class StoreFileIO(PyArrowFileIO):
    """`s3://bucket/key` of one object store."""

    def __init__(self, store: ObjectStore, properties: dict[str, str]) -> None:
        super().__init__(properties)
        files = pyarrow.fs.PyFileSystem(_Objects(store))

        def fs_by_scheme(scheme: str, netloc: str | None = None) -> pyarrow.fs.FileSystem:
            return files

        self.fs_by_scheme = fs_by_scheme


class _Written(io.BytesIO):
    """What is written, handed on when it is closed."""

    def __init__(self, done: Callable[[bytes], None]) -> None:
        super().__init__()
        self._done = done

    def close(self) -> None:
        if not self.closed:
            self._done(self.getvalue())
        super().close()


class _Objects(pyarrow.fs.FileSystemHandler):  # type: ignore[misc]
    """Objects as PyArrow's files. A path is `bucket/key`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Objects) and other._store is self._store

    def __hash__(self) -> int:
        return id(self._store)

    def get_type_name(self) -> str:
        return "objects"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pyarrow.fs.FileInfo]:
        return [self._info(path) for path in paths]

    def _info(self, path: str) -> pyarrow.fs.FileInfo:
        bucket, key = _split(path)
        try:
            found = [each for each in self._store.list(bucket, key) if each.key == key]
        except BucketMissing:
            found = []
        if not found:
            return pyarrow.fs.FileInfo(path, pyarrow.fs.FileType.NotFound)
        return pyarrow.fs.FileInfo(path, pyarrow.fs.FileType.File, size=found[0].size)

    def get_file_info_selector(self, selector: Any) -> list[pyarrow.fs.FileInfo]:
        bucket, prefix = _split(selector.base_dir.rstrip("/") + "/")
        return [
            pyarrow.fs.FileInfo(f"{bucket}/{e.key}", pyarrow.fs.FileType.File, size=e.size)
            for e in self._store.list(bucket, prefix)
        ]

    def open_input_stream(self, path: str) -> Any:
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> Any:
        try:
            return pyarrow.BufferReader(self._store.read(*_split(path)))
        except (BucketMissing, ObjectMissing):
            raise FileNotFoundError(path) from None

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        bucket, key = _split(path)
        written = _Written(lambda body: self._store.write(bucket, key, body))
        return pyarrow.PythonFile(written, mode="w")

    def open_append_stream(self, path: str, metadata: Any) -> Any:
        raise NotImplementedError("objects cannot grow")

    def delete_file(self, path: str) -> None:
        bucket, key = _split(path)
        self._store.delete(bucket, [key])

    def create_dir(self, path: str, recursive: bool) -> None:
        """Folders need no making in S3."""

    def delete_dir(self, path: str) -> None:
        self.delete_dir_contents(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        bucket, prefix = _split(path.rstrip("/") + "/")
        self._store.delete(bucket, [each.key for each in self._store.list(bucket, prefix)])

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError("no bucket is emptied as a whole")

    def move(self, src: str, dest: str) -> None:
        self.copy_file(src, dest)
        self.delete_file(src)

    def copy_file(self, src: str, dest: str) -> None:
        self._store.write(*_split(dest), self._store.read(*_split(src)))


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.partition("/")
    return bucket, key
