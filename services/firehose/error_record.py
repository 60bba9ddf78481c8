"""Failed records as AWS writes them to the error output: one JSON object a line."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from services.firehose.record import Record


def _attempt(record: Record, attempts: int, ended_at: float) -> dict[str, Any]:
    return {
        "attemptsMade": attempts,
        "arrivalTimestamp": int(record.arrival * 1000),
        "attemptEndingTimestamp": int(ended_at * 1000),
        "rawData": base64.b64encode(record.data).decode(),
    }


def _line(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content) + b"\n"


def processing_failed(
    record: Record,
    *,
    error_code: str,
    message: str,
    attempts: int,
    ended_at: float,
    lambda_arn: str | None = None,
) -> bytes:
    """`processing-failed/`: a transform or a partition key failed."""
    content = _attempt(record, attempts, ended_at)
    content |= {"errorCode": error_code, "errorMessage": message}
    if lambda_arn:
        content["lambdaArn"] = lambda_arn
    return _line(content)


def format_conversion_failed(
    record: Record,
    *,
    error_code: str,
    message: str,
    ended_at: float,
    data_catalog_table: Mapping[str, Any],
) -> bytes:
    """`format-conversion-failed/`: the record does not fit the table's schema."""
    content = _attempt(record, 1, ended_at)
    content |= {
        "lastErrorCode": error_code,
        "lastErrorMessage": message,
        "sequenceNumber": record.source.sequence_number if record.source else None,
        "subSequenceNumber": record.source.sub_sequence_number if record.source else None,
        "dataCatalogTable": dict(data_catalog_table),
    }
    return _line(content)


def document_failed(
    record: Record,
    *,
    error_code: str,
    message: str,
    attempts: int,
    ended_at: float,
    document_id: str,
    index_name: str,
    type_name: str,
) -> bytes:
    """`AmazonOpenSearchService-failed/`: a document that the search service refused."""
    content = _attempt(record, attempts, ended_at)
    content |= {
        "errorCode": error_code,
        "errorMessage": message,
        "esDocumentId": document_id,
        "esIndexName": index_name,
        "esTypeName": type_name,
    }
    return _line(content)


def endpoint_failed(
    record: Record, *, error_code: str, message: str, attempts: int, ended_at: float
) -> bytes:
    """`http-endpoint-failed/`: a request that the endpoint did not acknowledge."""
    content = _attempt(record, attempts, ended_at)
    content |= {"errorCode": error_code, "errorMessage": message}
    return _line(content)
