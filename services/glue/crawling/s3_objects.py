"""Objects of a crawl, through a boto3 client: listing, first bytes, a seekable file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

#: What a crawler reads of an object to know its schema.
BEGINNING_BYTES = 1 << 20
#: Reads inside a file (the footer of Parquet and ORC) are rounded up to this.
STEP_BYTES = 1 << 18


class S3Object(NamedTuple):
    """One object as a listing shows it."""

    key: str
    size: int


class S3Objects:
    """Reads a bucket. Raises botocore's ClientError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def under(self, bucket: str, prefix: str) -> Iterator[S3Object]:
        """All objects whose key begins with `prefix`, in key order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                yield S3Object(item["Key"], item["Size"])

    def beginning(self, bucket: str, key: str) -> bytes:
        return self.part(bucket, key, 0, BEGINNING_BYTES)

    def part(self, bucket: str, key: str, start: int, length: int) -> bytes:
        answer = self._client.get_object(
            Bucket=bucket, Key=key, Range=f"bytes={start}-{start + length - 1}"
        )
        content: bytes = answer["Body"].read()
        return content

    def file(self, bucket: str, item: S3Object) -> IO[bytes]:
        """The object as a file that reads only where it is asked."""
        return io.BufferedReader(_RangedObject(self, bucket, item), STEP_BYTES)


class _RangedObject(io.RawIOBase):
    """Each read is one ranged GET."""

    def __init__(self, objects: S3Objects, bucket: str, item: S3Object) -> None:
        self._objects, self._bucket, self._item, self._at = objects, bucket, item, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._item.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._item.size - self._at)
        if length <= 0:
            return 0
        content = self._objects.part(self._bucket, self._item.key, self._at, length)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
