"""Documents in an OpenSearch (or Elasticsearch) index, by its bulk API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson
import requests

from services.firehose import error_record
from services.firehose.buffers import Delivery
from services.firehose.configuration import Configuration
from services.firehose.destinations.destination import (
    Delivered,
    DeliveryError,
    FailedRecord,
    Outcome,
    StreamIdentity,
    TryAgain,
)
from services.firehose.index_rotation import index_name
from services.firehose.record import Record, unpack

_TIMEOUT_SECONDS = 60
#: A buffer may hold 100 MiB, which with its ids is more than a server takes in one call.
_BULK_BYTES = 10 * 1024 * 1024
#: Statuses that another attempt may change.
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})


class Document(NamedTuple):
    """One record on its way into an index."""

    record: Record
    document_id: str
    index_name: str


class _LeftOver(NamedTuple):
    """Between two attempts."""

    waiting: list[Document]
    failed: list[FailedRecord]


class Endpoint(Protocol):
    """Where a domain or a collection answers; raises EndpointUnknown when there is none."""

    def __call__(self) -> str: ...


class EndpointUnknown(Exception):
    """The domain does not exist, or has no endpoint yet."""


class OpenSearchDestination:
    """A repeated delivery gives every document the id it had before."""

    def __init__(
        self,
        stream: StreamIdentity,
        configuration: Configuration,
        endpoint: Endpoint,
    ) -> None:
        self._stream = stream
        self._content = configuration.content
        self._retry_seconds = configuration.retry_seconds
        self._error_output_type = configuration.kind.error_output_type
        self._endpoint = endpoint
        ids = self._content.get("DocumentIdOptions") or {}
        self._names_documents = ids.get("DefaultDocumentIdFormat") != "NO_DOCUMENT_ID"

    def target(self, buffer: str, oldest_arrival: float) -> dict[str, Any]:
        return {}

    def deliver(self, delivery: Delivery, contents: Iterable[bytes], now: float) -> Outcome:
        left_over: _LeftOver | None = delivery.left_over
        documents = left_over.waiting if left_over else self._documents(delivery, contents)
        failed = list(left_over.failed) if left_over else []
        waiting, refused, error = self._attempt(documents)
        failed += [self._failure(d, reason, delivery, now) for d, reason in refused]
        is_over = delivery.tried_for(now) >= self._retry_seconds
        if waiting and not is_over:
            assert error is not None
            return TryAgain(error, _LeftOver(waiting, failed))
        if waiting:
            assert error is not None
            failed += [self._failure(document, error, delivery, now) for document in waiting]
        count = sum(group.record_count for group in delivery.groups)
        size = sum(group.size for group in delivery.groups)
        return Delivered(count - len(failed), size, tuple(failed), error)

    def _documents(self, delivery: Delivery, contents: Iterable[bytes]) -> list[Document]:
        base, rotation = (
            self._content["IndexName"],
            self._content.get("IndexRotationPeriod", "NoRotation"),
        )
        found = []
        for group, content in zip(delivery.groups, contents, strict=True):
            for number, record in enumerate(unpack(content)):
                # The place in the journal stays what it is, however often it is read.
                place = f"{delivery.delivery_id}.{group.segment}.{group.offset}.{number}"
                document_id = hashlib.sha256(place.encode()).hexdigest()[:40]
                index = index_name(base, rotation, record.arrival)
                found.append(Document(record, document_id, index))
        return found

    def _attempt(
        self, documents: Sequence[Document]
    ) -> tuple[list[Document], list[tuple[Document, DeliveryError]], DeliveryError | None]:
        """The documents to try again, those refused for good, and what to tell of it."""
        sendable, refused = [], []
        for document in documents:
            if (reason := _no_document(document.record.data)) is None:
                sendable.append(document)
            else:
                refused.append((document, reason))
        waiting: list[Document] = []
        error = refused[0][1] if refused else None
        for part in _parts(sendable):
            if waiting:
                waiting += part  # the cluster has enough for now
                continue
            again, more, told = self._attempt_part(part)
            waiting += again
            refused += more
            error = told or error
        return waiting, refused, error

    def _attempt_part(
        self, documents: Sequence[Document]
    ) -> tuple[list[Document], list[tuple[Document, DeliveryError]], DeliveryError | None]:
        try:
            answer = self._send(documents)
        except (requests.RequestException, EndpointUnknown) as error:
            return [*documents], [], DeliveryError("OS.ServiceException", str(error))
        if answer.status_code in _TEMPORARY:
            return [*documents], [], _of_answer(answer)
        if not answer.ok:
            return [], [(d, _of_answer(answer)) for d in documents], _of_answer(answer)
        (waiting, last), refused = _read_items(documents, answer.json())
        return waiting, refused, last or (refused[-1][1] if refused else None)

    def _send(self, documents: Sequence[Document]) -> requests.Response:
        lines: list[bytes] = []
        for document in documents:
            action: dict[str, Any] = {"_index": document.index_name}
            if self._names_documents:
                action["_id"] = document.document_id
            if type_name := self._content.get("TypeName"):
                action["_type"] = type_name
            lines.append(orjson.dumps({"index": action}))
            lines.append(document.record.data.replace(b"\n", b" "))
        return requests.post(
            f"{self._endpoint().rstrip('/')}/_bulk",
            data=b"\n".join(lines) + b"\n",
            headers={"Content-Type": "application/x-ndjson"},
            timeout=_TIMEOUT_SECONDS,
        )

    def _failure(
        self, document: Document, error: DeliveryError, delivery: Delivery, now: float
    ) -> FailedRecord:
        line = error_record.document_failed(
            document.record,
            error_code=error.code,
            message=error.message,
            attempts=delivery.attempts,
            ended_at=now,
            document_id=document.document_id,
            index_name=document.index_name,
            type_name=self._content.get("TypeName", ""),
        )
        return FailedRecord(self._error_output_type, line)


def _parts(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """What one bulk call takes: a buffer may hold more than a server accepts at once."""
    part: list[Document] = []
    size = 0
    for document in documents:
        if part and size + len(document.record.data) > _BULK_BYTES:
            yield part
            part, size = [], 0
        part.append(document)
        size += len(document.record.data)
    if part:
        yield part


def _no_document(data: bytes) -> DeliveryError | None:
    """Why a record cannot be a document: it has to be one JSON object."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return DeliveryError("400", f"The record is not valid JSON: {error}")
    if not isinstance(found, dict):
        return DeliveryError("400", "The record is not a JSON object.")
    return None


def _of_answer(answer: requests.Response) -> DeliveryError:
    return DeliveryError(str(answer.status_code), answer.text[:1000])


def _read_items(
    documents: Sequence[Document], answer: Mapping[str, Any]
) -> tuple[tuple[list[Document], DeliveryError | None], list[tuple[Document, DeliveryError]]]:
    """What the bulk answer says of each document."""
    waiting: list[Document] = []
    last: DeliveryError | None = None
    refused: list[tuple[Document, DeliveryError]] = []
    for document, item in zip(documents, answer["items"], strict=True):
        result = item["index"]
        if result["status"] < 300:
            continue
        error = DeliveryError(str(result["status"]), json.dumps(result.get("error", "")))
        if result["status"] in _TEMPORARY:
            waiting.append(document)
            last = error
        else:
            refused.append((document, error))
    return (waiting, last), refused
