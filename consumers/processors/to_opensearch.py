"""Rows to OpenSearch by its bulk API, each under an id of its own: storing again leaves one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from opensearchpy.exceptions import ConnectionError as OpenSearchConnectionError
from opensearchpy.exceptions import TransportError

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.processors.destination import StoresAtOnce
from consumers.processors.row import Rejection, Row

#: https://docs.opensearch.org/latest/api-reference/document-apis/bulk/ : some megabytes a call.
_BULK_BYTES, _BULK_ROWS = 5 * 1024 * 1024, 1_000

#: Pauses between tries of what OpenSearch had no room for, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_TOO_MANY_REQUESTS = 429

#: Index name + this of the arrival time, as Firehose rotates indexes.
ROTATIONS = {
    "NoRotation": "",
    "OneHour": "-%Y-%m-%d-%H",
    "OneDay": "-%Y-%m-%d",
    "OneMonth": "-%Y-%m",
}


class BulkClient(Protocol):
    """What we need of an opensearch-py client."""

    def bulk(self, *, body: bytes) -> Mapping[str, Any]:
        """The answer of `POST /_bulk`. Raises opensearch-py's TransportError."""


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of the rows of one bulk call."""

    again: list[Row] = field(default_factory=list)
    refused: list[tuple[Row, str]] = field(default_factory=list)


class OpenSearchIndex(StoresAtOnce):
    """A Destination: one document a row. `id_attribute` names the row's id; without it the
    record's own place in the stream is the id."""

    name = "to_opensearch"

    def __init__(
        self,
        client: BulkClient,
        index: str,
        *,
        id_attribute: str | None = None,
        rotation: str = "NoRotation",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rotation not in ROTATIONS:
            raise ValueError(
                f"rotation is {rotation!r}; it must be one of: {', '.join(ROTATIONS)}."
            )
        self._client = client
        self._index = index
        self._id_attribute = id_attribute
        self._rotation = ROTATIONS[rotation]
        self._sleep = sleep
        self._stream = ""

    def open(self, stream_name: str, shard_id: str) -> None:
        self._stream = f"{stream_name}-{shard_id}"

    def reason_to_reject(self, row: Row) -> str | None:
        if self._id_attribute is None:
            return None
        found = row.values.get(self._id_attribute)
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            # https://docs.opensearch.org: an _id has at most 512 bytes.
            return None if len(str(found).encode()) <= 512 else "its id has more than 512 bytes"
        return f"its {self._id_attribute!r} is {found!r}; it must be a text or a whole number"

    def store(self, rows: Sequence[Row], through: ExtendedSequenceNumber) -> Sequence[Rejection]:
        refused: list[Rejection] = []
        for part in _parts(rows):
            refused += self._store_part(part)
        self._durable_through = through
        return refused

    def close(self) -> None:
        """Nothing to give back."""

    def _store_part(self, rows: list[Row]) -> list[Rejection]:
        """Until all are indexed or refused: while the cluster is full the shard waits, and with
        it, in the end, whoever reads ahead."""
        refused: list[Rejection] = []
        pause = _FIRST_PAUSE
        while rows:
            outcome = self._bulk(rows)
            refused += [Rejection(row.record, self.name, why) for row, why in outcome.refused]
            rows = outcome.again
            if rows:
                self._sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, _LONGEST_PAUSE)
        return refused

    def _bulk(self, rows: list[Row]) -> BulkOutcome:
        try:
            return sort_out(rows, self._client.bulk(body=self._body(rows)))
        except OpenSearchConnectionError:
            return BulkOutcome(again=rows)
        except TransportError as error:
            if not isinstance(error.status_code, int) or not _passes(error.status_code):
                raise
            return BulkOutcome(again=rows)

    def _body(self, rows: Iterable[Row]) -> bytes:
        lines: list[bytes] = []
        for row in rows:
            action = {"_index": self._index_of(row), "_id": self._id_of(row)}
            lines += (orjson.dumps({"index": action}), orjson.dumps(row.values))
        return b"\n".join(lines) + b"\n"

    def _index_of(self, row: Row) -> str:
        arrived: datetime = row.record.approximate_arrival_timestamp
        return self._index + arrived.astimezone(UTC).strftime(self._rotation)

    def _id_of(self, row: Row) -> str:
        if self._id_attribute is not None:
            return str(row.values[self._id_attribute])
        return f"{self._stream}-{row.record.position}"


def sort_out(rows: Sequence[Row], answer: Mapping[str, Any]) -> BulkOutcome:
    """Which rows to send again, and which OpenSearch refuses for good, from a bulk answer."""
    outcome = BulkOutcome()
    if not answer.get("errors"):
        return outcome
    for row, item in zip(rows, answer["items"], strict=True):
        (result,) = item.values()
        status = int(result["status"])
        if _passes(status):
            outcome.again.append(row)
        elif status >= 400:
            error = result.get("error", {})
            outcome.refused.append((row, f"{error.get('type')}: {error.get('reason')}"))
    return outcome


def _passes(status: int) -> bool:
    """Whether an error is one of the moment: too many requests, or the cluster's own."""
    return status == _TOO_MANY_REQUESTS or status >= 500


def _parts(rows: Sequence[Row]) -> list[list[Row]]:
    parts: list[list[Row]] = []
    size = 0
    for row in rows:
        length = len(row.record.data)
        if not parts or len(parts[-1]) >= _BULK_ROWS or size + length > _BULK_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(row)
        size += length
    return parts
