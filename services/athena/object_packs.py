"""Many small JSON objects as few local files: opening a file costs DuckDB as much as a thousand rows.

Objects of one partition that follow each other in key order are joined as they are stored. gzip
allows members one after the other, and a line break of its own between two objects keeps their
lines apart; the JSON reader skips empty lines. A stream's new objects come last in key order,
so earlier packs stay as they are.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.athena.object_cache import ObjectCache
from services.athena.object_store import ObjectStore, StoredObject

#: From this many objects on it is worth it.
PACKED_FROM = 16
#: What goes into one pack; a larger object stays alone.
PACK_OBJECTS, PACK_BYTES = 128, 16 << 20
_ALONE_FROM_BYTES = 1 << 20
_BREAK = {".gz": gzip.compress(b"\n", mtime=0), "": b"\n"}
#: Other compressions are opened one object at a time.
_NOT_PACKED = (".zst", ".snappy", ".bz2", ".deflate", ".lz4")

#: An object, and its partition's names and values.
Wanted = tuple[StoredObject, Sequence[tuple[str, str]]]


def packs(wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """Runs of objects that may share a file: one bucket, partition and compression. Pure."""
    for _, run in itertools.groupby(wanted, key=_kind):
        pack: list[Wanted] = []
        size = 0
        for each in run:
            full = len(pack) == PACK_OBJECTS or size + each[0].size > PACK_BYTES
            if pack and (full or not _is_small(each[0]) or not _is_small(pack[-1][0])):
                yield pack
                pack, size = [], 0
            pack.append(each)
            size += each[0].size
        if pack:
            yield pack


def _kind(wanted: Wanted) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    found, partition = wanted
    return found.bucket, _suffix(found.key), tuple(partition)


def _suffix(key: str) -> str:
    return ".gz" if key.endswith(".gz") else ""


def _is_small(found: StoredObject) -> bool:
    return found.size < _ALONE_FROM_BYTES and not found.key.endswith(_NOT_PACKED)


class ObjectPacks:
    """Packs below the cache's folder; they are dropped as its files are."""

    def __init__(self, cache: ObjectCache, store: ObjectStore) -> None:
        self._cache, self._store = cache, store

    def fetch(self, wanted: Sequence[Wanted]) -> list[str]:
        """Local paths that hold the rows of all objects."""
        if len(wanted) < PACKED_FROM:
            return self._cache.fetch(wanted)
        planned = list(packs(wanted))
        alone = [pack[0] for pack in planned if len(pack) == 1]
        shared = [(self.path_of(pack), pack) for pack in planned if len(pack) > 1]
        self._cache.side_by_side(self._write, [each for each in shared if not each[0].exists()])
        return [str(path) for path, _ in shared] + self._cache.fetch(alone)

    def path_of(self, pack: Sequence[Wanted]) -> Path:
        """Named by what is in it, and built as the cache's paths are: they name a place in S3."""
        first, partition = pack[0]
        identity = "\n".join(f"{found.key}\t{found.etag}" for found, _ in pack)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:40]
        folder = urllib.parse.quote(first.key.rpartition("/")[0] + "/", safe="-_.~")
        pieces = [folder[i : i + 200] for i in range(0, len(folder), 200)]
        values = [f"{name}={urllib.parse.quote(value, safe='')}" for name, value in partition]
        bucket = urllib.parse.quote(first.bucket, safe="-_.")
        name = f"objects.json{_suffix(first.key)}"
        return self._cache.folder.joinpath(bucket, "k", *pieces, "e", digest, *values, name)

    def _write(self, item: tuple[Path, Sequence[Wanted]]) -> None:
        path, pack = item
        between = _BREAK[_suffix(pack[0][0].key)]
        body = between.join(self._store.read(found.bucket, found.key) for found, _ in pack)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{threading.get_ident()}.part")
        part.write_bytes(body)
        os.replace(part, path)
        self._cache.written(len(body))
