"""What a data set yields: events, and rows that are none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Event(NamedTuple):
    """One event, ready for `KinesisProducer.add`.

    `data` is JSON in UTF-8 without a line end; `timestamp` is the event's own time, without a
    zone as in the source; `amounts` are the named numbers that `reconcile` adds up.
    """

    event_id: str
    partition_key: str
    data: bytes
    timestamp: datetime
    amounts: Mapping[str, Decimal] = {}


class RejectedRow(NamedTuple):
    """A row of a source that is not a row: where, why, and what stood there."""

    source: str
    line_number: int
    reason: str
    raw: str
