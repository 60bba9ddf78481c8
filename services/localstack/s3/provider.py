"""LocalStack's S3 that survives kill -9, unless the settings want it in memory."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localstack.runtime import hooks
from localstack.services.plugins import Service, aws_provider

from services.localstack.running import running
from services.localstack.s3.journal import Journal, JournalRefused, Row
from services.localstack.s3.notifications import NAME, notifications
from services.localstack.state import pickling
from services.localstack.state.provider import is_kept, keeper
from services.localstack.state.set_aside import set_aside

LOG = logging.getLogger(__name__)

#: Calls that change nothing.
READING = ("Get", "List", "Head", "Select")
#: Calls that may give tags to what had as many before, without a parameter that says so.
RETAGGING = ("CompleteMultipartUpload", "CopyObject", "PostObject")
#: What reading a damaged or foreign journal raises.
UNREADABLE = (
    JournalRefused,
    sqlite3.DatabaseError,
    pickle.UnpicklingError,
    AttributeError,
    ImportError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
)
NOT_KEPT = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code>'
    b"<Message>The change could not be written to disk. Please try again.</Message></Error>"
)


@aws_provider(api="s3", name="riacho")
def s3() -> Service:
    """S3."""
    from localstack.services.s3.provider import S3Provider

    settings = running().settings
    if settings.object_storage == "memory":
        return Service.for_provider(S3Provider())
    return Service.for_provider(S3Provider(_durable()))


def _durable() -> Any:
    from localstack.aws import handlers

    from services.localstack.s3.bodies import BodyStore

    folder = running().settings.data_dir / "s3"
    try:
        memory = _load(folder)
    except UNREADABLE as why:
        set_aside(folder, "S3", why)
        memory = _load(folder)
    if is_kept():
        notifications(running()).watch()
    store = BodyStore(folder / "bodies")
    # Millions of files take a while to look through: nobody waits for it.
    threading.Thread(
        target=lambda: store.remove_all_but(memory.journal.bodies()), name="s3-tidy", daemon=True
    ).start()

    def save(chain: Any, context: Any, response: Any) -> None:
        operation = context.operation
        if not (operation and context.service.service_name == "s3"):
            return
        if response.status_code >= 400 or operation.name.startswith(READING):
            return
        try:
            store.discard(memory.save(context))
        except (sqlite3.Error, OSError) as error:
            LOG.error("S3 could not keep what %s changed: %s", operation.name, error)
            response.status_code = 500
            response.set_response(NOT_KEPT)

    handlers.run_custom_response_handlers.append(save)
    return store


@hooks.on_infra_ready()
def go_on_notifying() -> None:
    """What a former engine did not get to is sent, without waiting for a call to S3."""
    is_durable = running().settings.object_storage != "memory" and is_kept()
    if is_durable and keeper().file_of(NAME).exists():
        waiting = notifications(running())
        threading.Thread(target=waiting.go_on, name="s3-goes-on", daemon=True).start()


def _load(folder: Path) -> Memory:
    from localstack.services.s3.models import s3_stores

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sync = running().settings.stream_sync == "always"
    memory = Memory(s3_stores, Journal(folder / "journal.sqlite3", sync=sync))
    with _without_collection():
        memory.load()
    return memory


@contextmanager
def _without_collection() -> Iterator[None]:
    """A million objects that stay make Python look through all of them again and again."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


class Memory:
    """LocalStack's S3 in memory, and how each call's change reaches the journal."""

    def __init__(self, stores: Any, journal: Journal) -> None:
        self._stores = stores
        self.journal = journal
        #: How many things had tags when they were written last, by account and region.
        self._tagged: dict[str, int] = {}

    # Saving

    def save(self, context: Any) -> set[str]:
        """Write what a call changed; the bodies that are no longer named."""
        request, name = context.service_request or {}, request_bucket(context)
        store = self._stores[context.account_id][context.region]
        bucket = store.buckets.get(name) or self._find(name)
        if bucket is None:
            if context.operation.name == "DeleteBucket":
                self.journal.remove_bucket(name)
            return set()
        rows = [
            *self._changed(context, request, bucket),
            *self._tags(bucket, context.operation.name, request),
        ]
        gone = [row[:3] for row in rows if not row.content]
        return self.journal.write([row for row in rows if row.content], gone)

    def _changed(self, context: Any, request: Any, bucket: Any) -> Iterator[Row]:
        """Rows without content are to be removed."""
        operation = context.operation.name
        upload_id = request.get("UploadId") or (context.service_response or {}).get("UploadId")
        if upload_id:
            yield self._upload(bucket, upload_id)
        if operation == "DeleteObjects":
            for each in request["Delete"]["Objects"]:
                yield self._object(bucket, each["Key"])
        elif operation in ("PostObject", "PutBucketVersioning"):
            for key in list(bucket.objects._store):
                yield self._object(bucket, key)
            yield self._shell(bucket)
        elif request.get("Key"):
            yield self._object(bucket, request["Key"])
        else:
            yield self._shell(bucket)

    def _shell(self, bucket: Any) -> Row:
        """The bucket without what is in it."""
        shell = copy.copy(bucket)
        shell.objects, shell.multiparts = type(bucket.objects)(), {}
        return Row("bucket", bucket.name, "", pickling.dumps(shell))

    def _object(self, bucket: Any, key: str) -> Row:
        from services.localstack.s3.unread import become_read

        kept = bucket.objects._store.get(key)
        if not kept:
            return Row("object", bucket.name, key, b"")
        versions = kept.values() if isinstance(kept, dict) else [become_read(kept)]
        bodies = tuple(body for v in versions if (body := getattr(v, "body", "")))
        return Row("object", bucket.name, key, pickling.dumps(kept), bodies)

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
        """Bring back everything that was kept."""
        for row in self.journal.rows("bucket"):
            bucket = pickling.loads(row.content)
            store = self._stores[bucket.bucket_account_id][bucket.bucket_region]
            store.buckets[bucket.name] = bucket
            store.global_bucket_map[bucket.name] = bucket.bucket_account_id
            self._load_objects(bucket)
        for row in self.journal.rows("upload"):
            self._find(row.bucket).multiparts[row.name] = pickling.loads(row.content)
        for row in self.journal.rows("tags"):
            account_id, region = row.name.split("/")
            self._stores[account_id][region].tags = tags = pickling.loads(row.content)
            self._tagged[row.name] = len(tags._tags)

    def _load_objects(self, bucket: Any) -> None:
        from localstack.services.s3.models import KeyStore

        from services.localstack.s3.unread import Source, UnreadObject

        kept, name = bucket.objects._store, bucket.name
        if isinstance(bucket.objects, KeyStore):
            source = Source(name, self._read)
            kept.update(
                (key, UnreadObject(key, source)) for key in self.journal.names("object", name)
            )
        else:
            for row in self.journal.rows("object", name):
                kept[row.name] = pickling.loads(row.content)

    def _read(self, bucket: str, key: str) -> dict[str, Any]:
        content = self.journal.content("object", bucket, key)
        attributes: dict[str, Any] = vars(pickling.loads(content))
        return attributes


def request_bucket(context: Any) -> str:
    """The bucket that a call is about; CopyObject's is the one copied to."""
    return str((context.service_request or {}).get("Bucket") or "")
