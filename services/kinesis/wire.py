"""Kinesis on the wire: requests and answers as JSON 1.1 or CBOR 1.1."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any, NamedTuple, Protocol

import orjson
import pybase64

from services.kinesis import cbor
from services.kinesis.errors import KinesisError, serialization_error

#: What of a request or an answer is a time; seconds since 1970 in JSON, milliseconds in CBOR.
_TIMES = frozenset(
    {
        "Timestamp",
        "StreamCreationTimestamp",
        "ConsumerCreationTimestamp",
        "ApproximateArrivalTimestamp",
        "StartedAt",
        "EndedAt",
        "EarliestAllowedEndAt",
    }
)


class Codec(Protocol):
    """One of the two encodings. `content_type` is what an answer says it is."""

    content_type: str

    def request(self, operation: str, body: bytes) -> dict[str, Any]:
        """With `Data` as bytes and times in seconds. Raises SerializationException."""

    def answer(self, answer: dict[str, Any]) -> bytes: ...


class JsonCodec:
    """AWS's JSON 1.1: data in base64, times as seconds with a fraction."""

    content_type = "application/x-amz-json-1.1"

    def request(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            request = _object(orjson.loads(body))
        except ValueError:
            raise serialization_error("") from None
        if operation == "PutRecords":
            records = request.get("Records")
            if not _decode_usual_data(records):
                _decode_data(records)
        elif operation == "PutRecord":
            _decode_data([request])
        return request

    def answer(self, answer: dict[str, Any]) -> bytes:
        records = answer.get("Records")
        if records and "Data" in records[0]:
            for record in records:
                record["Data"] = _to_base64(record["Data"])
        return orjson.dumps(answer)


class CborCodec:
    """AWS's CBOR 1.1: data as byte strings, times as whole milliseconds."""

    content_type = "application/x-amz-cbor-1.1"

    def request(self, operation: str, body: bytes) -> dict[str, Any]:
        has_records = operation in {"PutRecords", "PutRecord"}
        try:
            request = cbor.loads(body) if has_records else cbor.loads_without_tags(body)
        except ValueError:
            raise serialization_error("") from None
        return _object(request) if has_records else _object(_scaled(request, 1 / 1000))

    def answer(self, answer: dict[str, Any]) -> bytes:
        return cbor.dumps(_scaled(answer, 1000))


JSON, CBOR = JsonCodec(), CborCodec()


class ErrorAnswer(NamedTuple):
    """An error as it goes back."""

    status: int
    headers: dict[str, str]
    body: bytes


def error_answer(error: KinesisError, codec: Codec) -> ErrorAnswer:
    content = {"__type": error.code}
    if error.message:
        content["message"] = error.message
    headers = {"Content-Type": codec.content_type, "x-amzn-ErrorType": error.code}
    return ErrorAnswer(error.status, headers, codec.answer(content))


def codec_of(content_type: str) -> Codec:
    """By a request's Content-Type; JSON unless it is CBOR."""
    return CBOR if "cbor" in content_type else JSON


def _object(request: Any) -> dict[str, Any]:
    if not isinstance(request, dict):
        raise serialization_error("")
    return request


def _decode_usual_data(records: Any) -> bool:
    """All records at once, when each has a text of base64; False and untouched otherwise."""
    try:
        decoded = [_to_bytes(record["Data"], None, True) for record in records]
    except (TypeError, KeyError, ValueError):
        return False
    for record, data in zip(records, decoded, strict=True):
        record["Data"] = data
    return True


def _decode_data(records: Any) -> None:
    """Base64 to bytes in place. What is not text stays: the service model refuses it."""
    if not isinstance(records, list):
        return
    for record in records:
        if type(record) is dict and type(text := record.get("Data")) is str:
            try:
                record["Data"] = from_base64(text)
            except ValueError as wrong:
                shown = text if len(text) < 100 else f"{text[:100]}…"
                raise serialization_error(
                    f"'{shown}' can not be converted to a Blob: {wrong}"
                ) from None


#: Four times as quick as the standard library's, which took the largest part of a put.
_to_base64 = pybase64.b64encode_as_string
_to_bytes = pybase64.b64decode


def from_base64(text: str) -> bytes:
    """The bytes of strict base64. Raises ValueError with the reason when it is not."""
    try:
        return _to_bytes(text, None, True)
    except ValueError:
        # The standard library says what is wrong, and has the last word.
        return a2b_base64(text, strict_mode=True)


def _scaled(value: Any, factor: float) -> Any:
    """The same with its times multiplied; whole numbers when that makes milliseconds."""
    if isinstance(value, list):
        return [_scaled(item, factor) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _scaled_time(item, factor) if name in _TIMES else _scaled(item, factor)
        for name, item in value.items()
    }


def _scaled_time(value: Any, factor: float) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return round(value * factor) if factor > 1 else value * factor
