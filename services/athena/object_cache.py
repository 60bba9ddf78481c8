"""Objects as local files for DuckDB: fetched in parallel, kept by ETag, dropped oldest first.

Text objects are kept as `line_files` prepares them, everything else as it is stored.
A file's path says everything a scan needs: bucket, key and partition values, so DuckDB prunes by
partition and `$path` is read back from the path (`uri_of_path` is its inverse in SQL).
"""

from __future__ import annotations

import bz2
import os
import threading
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.athena import line_files
from services.athena.line_files import Lines
from services.athena.object_store import ObjectStore, StoredObject

#: An object, and its partition's names and values.
Wanted = tuple[StoredObject, Sequence[tuple[str, str]]]

#: Bodies are local files: more threads only wait for one another.
PARALLEL_READS = 4
#: Opened here, because DuckDB cannot.
_DECOMPRESSED = (".bz2", ".deflate", ".snappy", ".lz4")


class ObjectCache:
    """`folder` may be deleted while nothing runs; it only saves work."""

    def __init__(self, folder: Path, store: ObjectStore, max_bytes: int = 20 << 30) -> None:
        self.folder, self._store, self._max_bytes = folder, store, max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._written_bytes = 0

    def path_of(
        self, found: StoredObject, partition: Sequence[tuple[str, str]], lines: Lines | None = None
    ) -> Path:
        """Where the object's file is, or will be."""
        name = found.key.rsplit("/", 1)[-1]
        for suffix in line_files.OPENED if lines else (".snappy", ".bz2", ".deflate", ".lz4"):
            if name.endswith(suffix) and not name.endswith((".snappy.parquet", ".snappy.orc")):
                name = name.removesuffix(suffix)
        version = (found.etag or "-") + (f".{lines.variant}" if lines else "")
        last = urllib.parse.quote(name, safe="-_.~")[-120:]
        return self.place(found.bucket, found.key, version, partition) / last

    def place(
        self, bucket: str, key: str, version: str, partition: Sequence[tuple[str, str]]
    ) -> Path:
        """A folder whose path says all; `uri_of_path` is its inverse."""
        values = [f"{name}={urllib.parse.quote(value, safe='')}" for name, value in partition]
        quoted = urllib.parse.quote(key, safe="-_.~")
        pieces = [quoted[i : i + 200] for i in range(0, len(quoted), 200)]
        root = urllib.parse.quote(bucket, safe="-_.")
        return self.folder.joinpath(root, "k", *pieces, "e", version, *values)

    def fetch(self, wanted: Sequence[Wanted], lines: Lines | None = None) -> list[str]:
        """Local paths in the order asked for; reads what is missing, many at once."""
        paths = [self.path_of(found, partition, lines) for found, partition in wanted]
        missing = [
            (found, path)
            for (found, _), path in zip(wanted, paths, strict=True)
            if not path.exists()
        ]
        self.side_by_side(lambda item: self._bring(*item, lines), missing)
        return [str(path) for path in paths]

    def side_by_side[T](self, work: Callable[[T], None], items: Sequence[T]) -> None:
        """Many at once, where there are many."""
        if len(items) > 1:
            list(self._threads().map(work, items))
        elif items:
            work(items[0])

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(PARALLEL_READS, "athena-read")
            return self._pool

    def _bring(self, found: StoredObject, path: Path, lines: Lines | None) -> None:
        if lines is None and not found.key.endswith(_DECOMPRESSED) and self._linked(found, path):
            return
        self.keep(path, self.contents(found, lines))

    def _linked(self, found: StoredObject, path: Path) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        try:
            if not self._store.link(found, part):
                return False
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        self.written(found.size)
        return True

    def contents(self, found: StoredObject, lines: Lines | None) -> Iterable[bytes]:
        """The object's bytes as they are to be kept, in pieces."""
        body = decompressed(found.key, self._store.read(found.bucket, found.key))
        if lines is None:
            return [body]
        return lines.prepared(line_files.opened(found.uri, found.key, body))

    def keep(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Write a file that is there whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        try:
            with part.open("wb") as file:
                file.writelines(pieces)
                size = file.tell()
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        self.written(size)

    def written(self, size: int) -> None:
        """Count bytes; a full cache drops its oldest files."""
        with self._lock:
            self._written_bytes += size
            full = self._written_bytes > self._max_bytes
        if full:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Halve the cache. A scan that loses a file under its feet fails and may be repeated."""
        with self._lock:
            self._written_bytes = 0
        files = [(p.stat().st_atime, p) for p in self.folder.rglob("*") if p.is_file()]
        for _, path in sorted(files)[: len(files) // 2]:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()


def _part(path: Path) -> Path:
    """Where a file is made, by this thread."""
    return path.with_name(f".{threading.get_ident()}.part")


def decompressed(key: str, body: bytes) -> bytes:
    """The body as DuckDB can read it: bzip2, snappy (Hadoop's framing), deflate and LZ4 opened."""
    if key.endswith(".bz2"):
        return bz2.decompress(body)
    if key.endswith(".deflate"):
        return zlib.decompress(body)
    if key.endswith((".snappy", ".lz4")):
        return _hadoop_blocks(body, "snappy" if key.endswith(".snappy") else "lz4_raw")
    return body


def _hadoop_blocks(body: bytes, codec: str) -> bytes:
    """Hadoop writes blocks: length of the plain text, then chunks each with its own length."""
    import pyarrow

    opened, position, out = pyarrow.Codec(codec), 0, []
    while position + 8 <= len(body):
        plain_length = int.from_bytes(body[position : position + 4], "big")
        position, have = position + 4, 0
        while have < plain_length:
            size = int.from_bytes(body[position : position + 4], "big")
            chunk = body[position + 4 : position + 4 + size]
            left = plain_length - have
            plain = bytes(opened.decompress(chunk, decompressed_size=min(left, 262144)))
            position, have = position + 4 + size, have + len(plain)
            out.append(plain)
    return b"".join(out)


def uri_of_path(folder: Path) -> str:
    """SQL that turns DuckDB's `filename` of a cached file back into `s3://bucket/key`."""
    skip = len(str(folder)) + 2
    bucket = f"split_part(substr(filename, {skip}), '/k/', 1)"
    rest = f"substr(substr(filename, {skip}), strpos(substr(filename, {skip}), '/k/') + 3)"
    key = f"replace(split_part({rest}, '/e/', 1), '/', '')"
    return f"'s3://' || {bucket} || '/' || url_decode({key})"
