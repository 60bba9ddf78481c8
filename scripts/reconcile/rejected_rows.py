"""Rows that are no rows: kept in the lake under `rejected/`, with line number and reason."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from producer.datasets import RejectedRow

PREFIX = "rejected/"


def put_rejected_rows(s3: Any, bucket: str, stream_name: str, rows: Iterable[RejectedRow]) -> str:
    """One gzip object of JSON lines; its address. The same rows make the same object again."""
    lines = [orjson.dumps(row._asdict()) for row in rows]
    body = b"\n".join(lines) + b"\n"
    digest = hashlib.sha256(body).hexdigest()[:16]
    key = f"{PREFIX}{stream_name}/rows-{digest}.json.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(body, mtime=0))
    return f"s3://{bucket}/{key}"
