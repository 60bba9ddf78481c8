"""What the destinations of an asynchronous invocation receive. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from services.awslambda.asynchronous.after_attempt import (
    SUCCESS,
    ZERO_RESERVED_CONCURRENCY,
    Answered,
    Attempt,
)
from services.awslambda.asynchronous.queued_event import QueuedEvent

#: AWS cuts the error message in a dead-letter queue's attribute.
_ERROR_MESSAGE_BYTES = 1024


def invocation_record(
    event: QueuedEvent, attempt: Attempt | None, condition: str, now: float
) -> dict[str, Any]:
    """The record of an event that is over; `attempt` None: it was given up without one."""
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    was_attempted = attempt is not None and condition != ZERO_RESERVED_CONCURRENCY
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": time,
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": event.function_arn,
            "condition": condition,
            "approximateInvokeCount": event.retries + was_attempted,
        },
        "requestPayload": json.loads(event.payload),
    }
    if isinstance(attempt, Answered):
        record["responseContext"] = {
            "statusCode": 200,
            "executedVersion": attempt.executed_version,
        } | ({} if condition == SUCCESS else {"functionError": "Unhandled"})
        record["responsePayload"] = json.loads(attempt.payload or b"null")
    return record


def object_key(event: QueuedEvent, now: float, random_uuid: str) -> str:
    """Where S3 keeps the record of a failure."""
    function_name = event.function_arn.split(":")[6]
    time = datetime.fromtimestamp(now, UTC)
    return f"aws/lambda/async/{function_name}/{time:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{random_uuid}"


def dead_letter_attributes(event: QueuedEvent, attempt: Attempt | None) -> dict[str, Any]:
    """The message attributes that come with an event in a dead-letter queue."""
    message = _error_message(attempt).encode()[:_ERROR_MESSAGE_BYTES].decode(errors="ignore")
    code = "200" if isinstance(attempt, Answered) else "429"
    return {
        "RequestID": {"DataType": "String", "StringValue": event.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": code},
        "ErrorMessage": {"DataType": "String", "StringValue": message or "unknown"},
    }


def _error_message(attempt: Attempt | None) -> str:
    if attempt is None:
        return "The event was older than its maximum age."
    if not isinstance(attempt, Answered):
        return attempt.reason
    try:
        error = json.loads(attempt.payload)
    except ValueError:
        return attempt.payload.decode(errors="replace")
    return str(error.get("errorMessage", "")) if isinstance(error, dict) else str(error)
