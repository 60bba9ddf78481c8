"""Objects in S3 as queries need them: list, read, write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from services.athena.errors import QueryFailed


class StoredObject(NamedTuple):
    """One object of a listing; `modified` in epoch seconds."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: float = 0.0

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class ObjectStore(Protocol):
    """What reads and writes objects. Calls may come from many threads at once."""

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        """All objects below a prefix in key order. Raises BucketMissing."""

    def read(self, bucket: str, key: str) -> bytes:
        """The whole body. Raises ObjectMissing."""

    def read_range(self, bucket: str, key: str, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start` on; fewer at the end. Raises ObjectMissing."""

    def link(self, found: StoredObject, path: Path) -> bool:
        """Give the body the name `path` too, without reading it: a hard link to a file that
        nobody writes any more. False where there is no such file, or on another disk."""

    def write(self, bucket: str, key: str, body: bytes | Path, content_type: str = "") -> None:
        """A body, or the file that holds it. Raises BucketMissing."""

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; missing ones do not matter."""


class BucketMissing(QueryFailed):
    def __init__(self, bucket: str) -> None:
        super().__init__(
            "HIVE_METASTORE_ERROR: The specified bucket does not exist "
            f"(Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket; Bucket: {bucket})",
            error_type=1002,
        )
        self.bucket = bucket


class ObjectMissing(QueryFailed):
    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://{bucket}/{key}: "
            "The specified key does not exist. (Service: Amazon S3; Status Code: 404; "
            "Error Code: NoSuchKey)",
            error_type=1001,
        )


def split_location(location: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as (bucket, key or prefix). Raises QueryFailed for anything else."""
    found = re.match(r"s3[an]?://([^/]+)/?(.*)$", location, re.DOTALL)
    if not found:
        raise QueryFailed(
            f"FAILED: Execution Error, return code 1 from DDLTask. "
            f"MetaException(message:Invalid S3 location {location!r}, use s3://bucket/folder/)",
            error_type=1003,
        )
    return found[1], found[2]


def folder(location: str) -> tuple[str, str]:
    """As split_location; the prefix ends in `/` unless it is empty."""
    bucket, prefix = split_location(location)
    return bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/"


class MemoryObjectStore:
    """Objects in a dictionary, for tests. `buckets` maps a bucket to its objects."""

    def __init__(self, *buckets: str) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {bucket: {} for bucket in buckets}

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        objects = self._bucket(bucket)
        return [
            StoredObject(bucket, key, len(body), f"{hash(body) & 0xFFFFFFFFFFFFFFFF:016x}")
            for key, body in sorted(objects.items())
            if key.startswith(prefix)
        ]

    def read(self, bucket: str, key: str) -> bytes:
        objects = self._bucket(bucket)
        if key not in objects:
            raise ObjectMissing(bucket, key)
        return objects[key]

    def read_range(self, bucket: str, key: str, start: int, size: int) -> bytes:
        return self.read(bucket, key)[start : start + size]

    def link(self, found: StoredObject, path: Path) -> bool:
        return False

    def write(self, bucket: str, key: str, body: bytes | Path, content_type: str = "") -> None:
        self._bucket(bucket)[key] = body.read_bytes() if isinstance(body, Path) else body

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        for key in keys:
            self._bucket(bucket).pop(key, None)

    def _bucket(self, bucket: str) -> dict[str, bytes]:
        if bucket not in self.buckets:
            raise BucketMissing(bucket)
        return self.buckets[bucket]
