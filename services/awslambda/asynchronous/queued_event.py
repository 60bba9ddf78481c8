"""One event that Lambda has accepted (202) and must run at least once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class QueuedEvent:
    """`function_arn` names a version (`…:$LATEST`), `invoked_arn` what the caller named.

    Times are seconds since 1970 on the engine's clock. `retries` counts the function's errors,
    `throttles` how often in a row it could not be run; `due_at` is when to try next.
    """

    request_id: str
    function_arn: str
    invoked_arn: str
    payload: bytes
    invoked_at: float
    client_context: str = ""
    trace_header: str = ""
    retries: int = 0
    throttles: int = 0
    due_at: float = 0.0
