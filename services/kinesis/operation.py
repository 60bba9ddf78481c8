"""The shape of an operation, and what most operations ask of a stream first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from services.kinesis.errors import resource_in_use, stream_not_found
from services.kinesis.stream import ACTIVE

if TYPE_CHECKING:
    from services.kinesis.arn import Caller
    from services.kinesis.kinesis import Kinesis
    from services.kinesis.live_stream import LiveStream

type Request = dict[str, Any]
type Answer = dict[str, Any]
type Operation = Callable[["Kinesis", "Caller", Request], Answer]


def require_created_at(live: LiveStream, request: Request) -> None:
    """Raises ResourceNotFoundException when the caller means an earlier stream of this name."""
    wanted = request.get("StreamCreationTimestamp")
    # Clients send whole seconds as well as what they were answered.
    if wanted is not None and int(wanted) != int(live.state.created_at):
        raise stream_not_found(live.state.name, live.state.account_id)


def require_active(live: LiveStream, now: float) -> None:
    """Raises ResourceInUseException while the stream is changing."""
    status = live.state.status(now)
    if status != ACTIVE:
        raise resource_in_use(
            f"Stream {live.state.name} under account {live.state.account_id} not ACTIVE, "
            f"instead in state {status}"
        )
