"""Objects that are created once: S3's conditional PutObject, and the same in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

#: S3 answers 409 when two conditional writes of one key meet: ask again.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_CONFLICT_ATTEMPTS = 20


class ObjectStore(Protocol):
    """What the raw zone needs of a store."""

    def create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
        """Store an object whose key is free. False, and nothing written, when it is taken: of
        several at once exactly one succeeds."""

    def metadata(self, key: str) -> Mapping[str, str]:
        """The metadata of an object that exists."""

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store an object, in place of an earlier one of that key."""


class S3ObjectStore:
    """An ObjectStore in a bucket."""

    def __init__(
        self, s3: Any, bucket: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._sleep = sleep

    def create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=body, Metadata=metadata, IfNoneMatch="*"
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "PreconditionFailed":
                    return False
                if code != "ConditionalRequestConflict":
                    raise
                self._sleep(0.1)
            else:
                return True
        raise TimeoutError(f"s3://{self._bucket}/{key} is written by others all the time.")

    def metadata(self, key: str) -> Mapping[str, str]:
        answer = self._s3.head_object(Bucket=self._bucket, Key=key)
        metadata: Mapping[str, str] = answer["Metadata"]
        return metadata

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, Metadata=metadata)


class MemoryObjectStore:
    """An ObjectStore in a dictionary: key → (body, metadata)."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, Mapping[str, str]]] = {}
        self._lock = threading.Lock()

    def create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
        with self._lock:
            if key in self.objects:
                return False
            self.objects[key] = (body, dict(metadata))
            return True

    def metadata(self, key: str) -> Mapping[str, str]:
        with self._lock:
            return self.objects[key][1]

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        with self._lock:
            self.objects[key] = (body, dict(metadata))
