"""Athena in LocalStack: its API model parses and serializes, our core answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from localstack.services.plugins import Service, aws_provider

from services.athena.object_store import BucketMissing, ObjectMissing, StoredObject
from services.localstack.running import Running, running


def core() -> Any:
    """The one Athena of this engine, made at first use: DuckDB is loaded only then."""
    return running().core("athena", _make)


def _make(engine: Running) -> Any:
    from services.athena.athena import Athena
    from services.athena.duckdb_engine import DuckDbEngine
    from services.athena.stored_state import StoredState

    folder = engine.settings.data_dir / "athena"
    store = LocalStackObjectStore()
    return Athena(
        clock=engine.clock,
        glue=_glue(engine),
        store=store,
        engine=DuckDbEngine(store, folder),
        state=StoredState(folder / "state.sqlite"),
    )


def _glue(engine: Running) -> Any:
    """Glue's core, in this process."""
    from services.glue.glue import make_glue

    return engine.core("glue", make_glue)


class LocalStackObjectStore:
    """S3 in this process: listings and bodies straight from the store, writes through its API."""

    def __init__(self) -> None:
        self._clients = threading.local()

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

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        found = []
        for entry in self._bucket(bucket).objects.values():
            if entry.key.startswith(prefix) and hasattr(entry, "etag"):
                modified = entry.last_modified.timestamp()
                found.append(StoredObject(bucket, entry.key, entry.size, entry.etag, modified))
        return sorted(found, key=lambda entry: entry.key)

    def read(self, bucket: str, key: str) -> bytes:
        entry = self._bucket(bucket).objects.get(key)
        if entry is None or not hasattr(entry, "etag"):
            raise ObjectMissing(bucket, key)
        with self._provider()._storage_backend.open(bucket, entry, mode="r") as stored:
            body: bytes = stored.read()
        return body

    def write(self, bucket: str, key: str, body: bytes, content_type: str = "") -> None:
        self._bucket(bucket)
        more = {"ContentType": content_type} if content_type else {}
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


def _answer(operation: str) -> Callable[[Any, Any], Any]:
    def answer(context: Any, request: Any) -> Any:
        from localstack.aws.api import CommonServiceException

        try:
            return core().call(
                operation, dict(request), region=context.region, account_id=context.account_id
            )
        except Exception as error:
            if not hasattr(error, "code"):
                raise
            raised = CommonServiceException(error.code, str(error), status_code=400)
            for name, value in getattr(error, "fields", {}).items():
                setattr(raised, name, value)
            raise raised from error

    return answer


@aws_provider(api="athena", name="riacho")
def athena() -> Service:
    from localstack.aws.skeleton import Skeleton
    from localstack.aws.spec import load_service

    from services.athena.operations import OPERATIONS

    model = load_service("athena")
    table = {name: _answer(name) for name in OPERATIONS}
    service = Service(name="athena", skeleton=Skeleton(model, table))
    service._provider = None
    return service
