"""A record as a JSON document, for whoever looks at it later."""

from __future__ import annotations

import base64
from datetime import UTC
from typing import Any

from consumers.kcl.record_processor import KinesisClientRecord


def record_document(stream_name: str, shard_id: str, record: KinesisClientRecord) -> dict[str, Any]:
    """Where the record lay and what it says: `data` as text, or `data_base64` when it is none."""
    arrived_at = record.approximate_arrival_timestamp.astimezone(UTC)
    document: dict[str, Any] = {
        "stream_name": stream_name,
        "shard_id": shard_id,
        "sequence_number": record.sequence_number,
        "sub_sequence_number": record.sub_sequence_number,
        "partition_key": record.partition_key,
        "approximate_arrival_timestamp": arrived_at.isoformat(),
    }
    try:
        return document | {"data": record.data.decode()}
    except UnicodeDecodeError:
        return document | {"data_base64": base64.b64encode(record.data).decode()}
