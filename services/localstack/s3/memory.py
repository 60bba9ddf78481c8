"""What LocalStack's S3 has in memory, and how each call's change reaches the journal.

Buckets, uploads in progress and tags are in memory; objects are read when they are asked for.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from localstack.services.s3 import provider as localstacks
from localstack.services.s3.models import KeyStore, S3Bucket, VersionedKeyStore

from services.localstack.s3.journal import BucketRows, Journal, Row
from services.localstack.s3.kept_objects import Versions, read
from services.localstack.s3.keys import BucketKeys
from services.localstack.s3.stores import KeptKeyStore, KeptVersionedKeyStore
from services.localstack.state import pickling

#: Calls that may give tags to what had as many before, without a parameter that says so.
RETAGGING = ("CompleteMultipartUpload", "CopyObject", "PostObject")
#: So many objects stay in memory once they were read or written, some 2 KB each: a query over ten
#: thousand lists them, reads them, and is asked again.
RECENT = 20_000


class Memory:
    """LocalStack's stores (`s3_stores`) with the journal behind them."""

    def __init__(self, stores: Any, journal: Journal) -> None:
        self._stores = stores
        self.journal = journal
        #: How many things had tags when they were written last, by account and region.
        self._tagged: dict[str, int] = {}
        #: What was read or written last, of all buckets.
        self._recent: deque[Any] = deque(maxlen=RECENT)

    def keep_new_buckets(self) -> None:
        """A bucket that is created, or gets versions, has its objects here from the beginning."""
        construct = S3Bucket.__init__

        def construct_kept(bucket: Any, *args: Any, **kwargs: Any) -> None:
            construct(bucket, *args, **kwargs)
            self._keep_objects(bucket)

        S3Bucket.__init__ = construct_kept
        localstacks.VersionedKeyStore = KeptVersionedKeyStore

    def _keep_objects(self, bucket: Any) -> None:
        is_versioned = isinstance(bucket.objects, VersionedKeyStore)
        kept = KeptVersionedKeyStore if is_versioned else KeptKeyStore
        rows = BucketRows(self.journal, bucket.name)
        bucket.objects = kept(BucketKeys(rows, read, self._recent))

    # Saving

    def save(self, context: Any) -> set[str]:
        """Write what a call changed; the bodies that are no longer named."""
        request, name = context.service_request or {}, request_bucket(context)
        bucket = self._stores[context.account_id][context.region].buckets.get(name)
        if bucket is None and (bucket := self._find(name)) is None:
            if context.operation.name == "DeleteBucket":
                self.journal.remove_bucket(name)
            return set()
        with bucket.objects.keys.saved() as changed:
            rows = [
                *self._changed(context, request, bucket, changed),
                *self._tags(bucket, context.operation.name, request),
            ]
            gone = [row[:3] for row in rows if not row.content]
            return self.journal.write([row for row in rows if row.content], gone)

    def _changed(
        self, context: Any, request: Any, bucket: Any, changed: Mapping[str, Any]
    ) -> Iterator[Row]:
        """Rows without content are to be removed."""
        upload_id = request.get("UploadId") or (context.service_response or {}).get("UploadId")
        if upload_id:
            yield self._upload(bucket, upload_id)
        for key, kept in changed.items():
            yield self._object(bucket, key, kept)
        if not (request.get("Key") or context.operation.name in ("DeleteObjects", "PostObject")):
            yield self._shell(bucket)

    def _shell(self, bucket: Any) -> Row:
        """The bucket without what is in it."""
        shell = copy.copy(bucket)
        is_versioned = isinstance(bucket.objects, VersionedKeyStore)
        shell.objects = (VersionedKeyStore if is_versioned else KeyStore)()
        shell.multiparts = {}
        return Row("bucket", bucket.name, "", pickling.dumps(shell))

    def _object(self, bucket: Any, key: str, kept: Any) -> Row:
        if kept is None:
            return Row("object", bucket.name, key, b"")
        versions = dict(kept) if isinstance(kept, Versions) else {"": kept}
        content = pickling.dumps(versions if isinstance(kept, Versions) else kept)
        bodies = tuple(body for v in versions.values() if (body := getattr(v, "body", "")))
        return Row("object", bucket.name, key, content, bodies)

    def _upload(self, bucket: Any, upload_id: str) -> Row:
        upload = bucket.multiparts.get(upload_id)
        if upload is None:
            return Row("upload", bucket.name, upload_id, b"")
        bodies = tuple(part.body for part in upload.parts.values())
        return Row("upload", bucket.name, upload_id, pickling.dumps(upload), bodies)

    def _tags(self, bucket: Any, operation: str, request: Any) -> list[Row]:
        """All tags of a region are one row: written only by a call that may have changed some."""
        tags = self._stores[bucket.bucket_account_id][bucket.bucket_region].tags
        name = f"{bucket.bucket_account_id}/{bucket.bucket_region}"
        is_tagging = "Tagging" in operation or "Tagging" in request or operation in RETAGGING
        if not is_tagging and len(tags._tags) == self._tagged.get(name, 0):
            return []
        self._tagged[name] = len(tags._tags)
        return [Row("tags", "", name, pickling.dumps(tags))]

    def _find(self, name: str) -> Any:
        for _, _, store in self._stores.iter_stores():
            if name in store.buckets:
                return store.buckets[name]
        return None

    # Loading

    def load(self) -> None:
        """Bring back everything that was kept, or nothing when some of it cannot be read."""
        buckets, uploads, tags = (
            [(row, pickling.loads(row.content)) for row in self.journal.rows(kind)]
            for kind in ("bucket", "upload", "tags")
        )
        for _, bucket in buckets:
            store = self._stores[bucket.bucket_account_id][bucket.bucket_region]
            store.buckets[bucket.name] = bucket
            store.global_bucket_map[bucket.name] = bucket.bucket_account_id
            self._keep_objects(bucket)
        for row, upload in uploads:
            self._find(row.bucket).multiparts[row.name] = upload
        for row, tagged in tags:
            account_id, region = row.name.split("/")
            self._stores[account_id][region].tags = tagged
            self._tagged[row.name] = len(tagged._tags)


def request_bucket(context: Any) -> str:
    """The bucket that a call is about; CopyObject's is the one copied to."""
    return str((context.service_request or {}).get("Bucket") or "")
