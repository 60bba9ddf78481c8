"""What a put call may bring, and the ids it gets.

https://docs.aws.amazon.com/firehose/latest/dev/limits.html
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from services.firehose.errors import InvalidArgument

MAX_RECORD_BYTES = 1_024_000
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024


def record_ids(count: int) -> list[str]:
    """Opaque and unique."""
    base = secrets.token_urlsafe(36)
    return [f"{base}{number:04d}" for number in range(count)]


def check_batch_size(contents: Sequence[bytes]) -> None:
    """Raises InvalidArgument when a batch is more than 4 MiB."""
    if sum(map(len, contents)) > MAX_BATCH_BYTES:
        raise InvalidArgument("Records size exceeds 4 MB limit")
