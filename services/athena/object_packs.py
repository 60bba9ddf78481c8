"""Many small text objects as few local files: opening a file costs DuckDB as much as a thousand rows.

Objects of one partition that follow each other in key order are joined. A stream's new objects come
last in key order, so earlier packs stay as they are.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.athena.line_files import Lines
from services.athena.object_cache import ObjectCache, Wanted
from services.athena.object_store import StoredObject

#: From this many objects on it is worth it.
PACKED_FROM = 16
#: What goes into one pack; a larger object stays alone.
PACK_OBJECTS, PACK_BYTES = 128, 4 << 20
_ALONE_FROM_BYTES = 1 << 20


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


def _kind(wanted: Wanted) -> tuple[str, tuple[tuple[str, str], ...]]:
    found, partition = wanted
    return found.bucket, tuple(partition)


def _is_small(found: StoredObject) -> bool:
    return found.size < _ALONE_FROM_BYTES


class ObjectPacks:
    """Packs below the cache's folder; they are dropped as its files are."""

    def __init__(self, cache: ObjectCache) -> None:
        self._cache = cache

    def fetch(self, wanted: Sequence[Wanted], lines: Lines) -> list[str]:
        """Local paths that hold the rows of all objects."""
        if len(wanted) < PACKED_FROM:
            return self._cache.fetch(wanted, lines)
        planned = list(packs(wanted))
        alone = [pack[0] for pack in planned if len(pack) == 1]
        shared = [(self.path_of(pack, lines), pack) for pack in planned if len(pack) > 1]
        missing = [each for each in shared if not each[0].exists()]
        self._cache.side_by_side(lambda item: self._write(*item, lines), missing)
        return [str(path) for path, _ in shared] + self._cache.fetch(alone, lines)

    def path_of(self, pack: Sequence[Wanted], lines: Lines) -> Path:
        """Named by what is in it, and built as the cache's paths are: they name a place in S3."""
        first, partition = pack[0]
        identity = "\n".join(f"{found.key}\t{found.etag}" for found, _ in pack)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:40]
        folder = first.key.rpartition("/")[0] + "/"
        version = f"{digest}.{lines.variant}"
        return self._cache.place(first.bucket, folder, version, partition) / "objects.txt"

    def _write(self, path: Path, pack: Sequence[Wanted], lines: Lines) -> None:
        pieces = (piece for found, _ in pack for piece in self._cache.contents(found, lines))
        self._cache.keep(path, pieces)
