"""S3 in this process: listings and bodies straight from the store, writes through its API."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services.athena.object_store import BucketMissing, ObjectMissing, StoredObject
from services.localstack.s3.bodies import BodyStore


class LocalStackObjectStore:
    """See services.athena.object_store.ObjectStore."""

    def __init__(self) -> None:
        self._clients = threading.local()

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        from services.localstack.s3.stores import current_objects

        return [
            StoredObject(bucket, e.key, e.size, e.etag, e.last_modified.timestamp())
            for e in current_objects(self._bucket(bucket).objects, prefix)
        ]

    def read(self, bucket: str, key: str) -> bytes:
        return self._read(bucket, key, 0, None)

    def read_range(self, bucket: str, key: str, start: int, size: int) -> bytes:
        return self._read(bucket, key, start, size)

    def _read(self, bucket: str, key: str, start: int, size: int | None) -> bytes:
        entry = self._bucket(bucket).objects.get(key)
        if entry is None or not hasattr(entry, "etag"):
            raise ObjectMissing(bucket, key)
        try:
            with self._provider()._storage_backend.open(bucket, entry, mode="r") as stored:
                if start:
                    stored.seek(start)
                body: bytes = stored.read() if size is None else stored.read(size)
        except FileNotFoundError:  # deleted since it was listed
            raise ObjectMissing(bucket, key) from None
        return body

    def link(self, found: StoredObject, path: Path) -> bool:
        """Riacho's S3 keeps every body as a file of its own that is never written again."""
        entry = self._bucket(found.bucket).objects.get(found.key)
        bodies = self._provider()._storage_backend
        if getattr(entry, "etag", None) != found.etag or not isinstance(bodies, BodyStore):
            return False
        try:
            os.link(bodies.path(entry.body), path)
        except OSError:  # another disk, or a body removed just now: reading it tells
            return False
        return True

    def write(self, bucket: str, key: str, body: bytes | Path, content_type: str = "") -> None:
        self._bucket(bucket)
        more = {"ContentType": content_type} if content_type else {}
        if isinstance(body, Path):
            with body.open("rb") as file:
                self._client().put_object(Bucket=bucket, Key=key, Body=file, **more)
        else:
            self._client().put_object(Bucket=bucket, Key=key, Body=body, **more)

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        for key in keys:
            self._client().delete_object(Bucket=bucket, Key=key)

    def _client(self) -> Any:
        """boto3's low-level client, which speaks to the engine without leaving the process."""
        if not hasattr(self._clients, "s3"):
            from localstack.aws.connect import connect_to

            self._clients.s3 = connect_to().s3
        return self._clients.s3

    def _provider(self) -> Any:
        from localstack.services.plugins import SERVICE_PLUGINS

        return SERVICE_PLUGINS.get_service("s3")._provider

    def _bucket(self, name: str) -> Any:
        from localstack.services.s3.models import s3_stores

        for account in list(s3_stores.values()):
            for region in list(account.values()):
                bucket = region.buckets.get(name)
                if bucket is not None:
                    return bucket
        raise BucketMissing(name)
