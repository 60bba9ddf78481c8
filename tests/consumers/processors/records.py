"""Records for tests of processors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson

from consumers.kcl.record_processor import KinesisClientRecord

START = datetime(2026, 7, 1, 9, 58, tzinfo=UTC)


def record(number: int, data: bytes | None = None, *, minutes: float = 0) -> KinesisClientRecord:
    """The record with this sequence number; by default a row `{"event_id": number}`."""
    body = orjson.dumps({"event_id": str(number)}) if data is None else data
    return KinesisClientRecord(
        str(number), 0, f"key-{number}", body, START + timedelta(minutes=minutes)
    )
