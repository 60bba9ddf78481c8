"""AWS Lambda's quotas, and the errors that going over them brings.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass

#: A synchronous request. AWS says 6 MB and means 6 MiB.
MAXIMUM_REQUEST_BYTES = 6_291_456
#: A synchronous response: 6 MiB and room for the envelope.
MAXIMUM_RESPONSE_BYTES = 6_291_556
#: An event of an asynchronous invocation. It was 256 KB until October 2025.
MAXIMUM_EVENT_BYTES = 1_048_576
INIT_SECONDS = 10.0
#: Processes and threads of one execution environment, and its file descriptors.
MAXIMUM_PROCESSES = 1024
MAXIMUM_DESCRIPTORS = 1024


@dataclass(frozen=True)
class Refusal:
    """An AWS error: its code, its message, its HTTP status."""

    code: str
    message: str
    status: int = 400


def refuse_payload(payload: bytes, *, is_event: bool) -> Refusal | None:
    """What is wrong with the payload of an invocation, or None."""
    limit = MAXIMUM_EVENT_BYTES if is_event else MAXIMUM_REQUEST_BYTES
    if len(payload) > limit:
        return Refusal(
            "RequestEntityTooLargeException",
            f"{len(payload)} byte payload is too large for the "
            f"{'Event' if is_event else 'RequestResponse'} invocation type (limit {limit} bytes)",
            413,
        )
    if payload and (reason := _not_json(payload)):
        return Refusal(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {reason}",
        )
    return None


def _not_json(payload: bytes) -> str:
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""
