"""Requests to an HTTP endpoint that speaks Firehose's delivery protocol.

https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
"""

from __future__ import annotations

import base64
import gzip
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

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
from services.firehose.record import unpack

_TIMEOUT_SECONDS = 180


class HttpEndpointDestination:
    """A repeated delivery has the request id it had before: the endpoint can tell."""

    def __init__(
        self,
        stream: StreamIdentity,
        configuration: Configuration,
    ) -> None:
        self._stream = stream
        self._content = configuration.content
        self._retry_seconds = configuration.retry_seconds
        self._error_output_type = configuration.kind.error_output_type

    def target(self, buffer: str, oldest_arrival: float) -> dict[str, Any]:
        return {"request_id": str(uuid.uuid4())}

    def deliver(self, delivery: Delivery, contents: Iterable[bytes], now: float) -> Outcome:
        records = [record for content in contents for record in unpack(content)]
        request_id = delivery.target["request_id"]
        error = self._attempt(request_id, [record.data for record in records], now)
        if error is None:
            return Delivered(len(records), sum(len(record.data) for record in records))
        if delivery.tried_for(now) < self._retry_seconds:
            return TryAgain(error)
        failed = [
            FailedRecord(
                self._error_output_type,
                error_record.endpoint_failed(
                    record,
                    error_code=error.code,
                    message=error.message,
                    attempts=delivery.attempts,
                    ended_at=now,
                ),
            )
            for record in records
        ]
        return Delivered(0, 0, failed, error)

    def _attempt(
        self, request_id: str, contents: Sequence[bytes], now: float
    ) -> DeliveryError | None:
        """None when the endpoint acknowledged the request."""
        body = orjson.dumps(
            {
                "requestId": request_id,
                "timestamp": int(now * 1000),
                "records": [{"data": base64.b64encode(content).decode()} for content in contents],
            }
        )
        headers = self._headers(request_id)
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.compress(body)
        endpoint = self._content["EndpointConfiguration"]
        try:
            answer = requests.post(
                endpoint["Url"], data=body, headers=headers, timeout=_TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            return DeliveryError("HttpEndpoint.ConnectionFailed", str(error))
        return _read(answer, request_id)

    def _headers(self, request_id: str) -> dict[str, str]:
        request = self._content["RequestConfiguration"]
        headers = {
            "Content-Type": "application/json",
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Request-Id": request_id,
            "X-Amz-Firehose-Source-Arn": self._stream.arn,
        }
        if key := self._content["EndpointConfiguration"].get("AccessKey"):
            headers["X-Amz-Firehose-Access-Key"] = key
        if attributes := request.get("CommonAttributes"):
            named = {a["AttributeName"]: a["AttributeValue"] for a in attributes}
            headers["X-Amz-Firehose-Common-Attributes"] = orjson.dumps(
                {"commonAttributes": named}
            ).decode()
        if request["ContentEncoding"] == "GZIP":
            headers["Content-Encoding"] = "gzip"
        return headers


def _read(answer: requests.Response, request_id: str) -> DeliveryError | None:
    """AWS wants status 200 and the request's id in the answer."""
    if answer.status_code != 200:
        return DeliveryError(
            "HttpEndpoint.DestinationException",
            f"The endpoint answered {answer.status_code}: {answer.text[:1000]}",
        )
    try:
        acknowledged = answer.json().get("requestId")
    except (requests.JSONDecodeError, AttributeError):
        acknowledged = None
    if acknowledged != request_id:
        return DeliveryError(
            "HttpEndpoint.InvalidResponse",
            "The response received from the endpoint is invalid: it must be a JSON object with "
            f"requestId {request_id}.",
        )
    return None
