"""What a stream record says as a row: a JSON object, or the reason why it is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from consumers.kcl.record_processor import KinesisClientRecord


class Row(NamedTuple):
    """A record that is a JSON object."""

    record: KinesisClientRecord
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that `destination` cannot take, and why."""

    record: KinesisClientRecord
    destination: str
    reason: str


def read_row(record: KinesisClientRecord) -> Row | str:
    """The row, or the reason why the record is none."""
    try:
        values = orjson.loads(record.data)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    if not isinstance(values, dict):
        return f"not a JSON object but {type(values).__name__}"
    return Row(record, values)


def split_rows(records: Sequence[KinesisClientRecord]) -> tuple[list[Row], list[Rejection]]:
    """Rows in order, and the records that are none."""
    rows: list[Row] = []
    rejections: list[Rejection] = []
    for record in records:
        read = read_row(record)
        if isinstance(read, str):
            rejections.append(Rejection(record, "row", read))
        else:
            rows.append(read)
    return rows, rejections
