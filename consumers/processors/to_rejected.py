"""Keeps rejected records in S3, one object each, so that keeping one again leaves one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from consumers.kcl.record_document import record_document
from consumers.kcl.record_processor import KinesisClientRecord
from consumers.processors.object_store import ObjectStore
from consumers.processors.row import Rejection
from consumers.processors.to_raw_zone import hour_folder

#: Puts at a time: a whole batch of poison should not take minutes.
_PARALLEL_PUTS = 8


class RejectedZone:
    """RejectedRecords in `{prefix}year=…/…/hour=…/{stream}-{shard}-{number}.json`: JSON objects
    with the record's place, the reasons, and its data as text, or base64 when it is none."""

    def __init__(self, store: ObjectStore, prefix: str = "rejected/") -> None:
        self._store = store
        self._prefix = prefix

    def keep(self, stream_name: str, shard_id: str, rejections: Sequence[Rejection]) -> None:
        by_record: dict[KinesisClientRecord, list[Rejection]] = {}
        for rejection in rejections:
            by_record.setdefault(rejection.record, []).append(rejection)
        documents = [
            (self._key(stream_name, shard_id, record), document(stream_name, shard_id, record, its))
            for record, its in by_record.items()
        ]
        with ThreadPoolExecutor(min(_PARALLEL_PUTS, len(documents) or 1)) as threads:
            list(threads.map(lambda d: self._store.put(d[0], orjson.dumps(d[1]), {}), documents))

    def _key(self, stream_name: str, shard_id: str, record: KinesisClientRecord) -> str:
        hour = hour_folder(record.approximate_arrival_timestamp)
        return f"{self._prefix}{hour}{stream_name}-{shard_id}-{record.position}.json"


def document(
    stream_name: str,
    shard_id: str,
    record: KinesisClientRecord,
    rejections: Sequence[Rejection],
) -> dict[str, Any]:
    """A rejected record as JSON."""
    reasons = [{"destination": r.destination, "reason": r.reason} for r in rejections]
    return record_document(stream_name, shard_id, record) | {"reasons": reasons}
