"""Events for the tests of asynchronous invocations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.awslambda.asynchronous.queued_event import QueuedEvent

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"


def event(request_id: str = "r-1", **changes: Any) -> QueuedEvent:
    first = QueuedEvent(
        request_id=request_id,
        function_arn=FUNCTION,
        invoked_arn=FUNCTION.removesuffix(":$LATEST"),
        payload=b'{"n": 1}',
        invoked_at=1000.0,
        due_at=1000.0,
    )
    return replace(first, **changes)
