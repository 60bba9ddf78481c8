"""The shape of an operation, and what most operations ask of a stream first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from services.kinesis.errors import resource_in_use
from services.kinesis.stream import ACTIVE

if TYPE_CHECKING:
    from services.kinesis.arn import Caller
    from services.kinesis.kinesis import Kinesis
    from services.kinesis.live_stream import LiveStream

type Request = dict[str, Any]
type Answer = dict[str, Any]
type Operation = Callable[["Kinesis", "Caller", Request], Answer]


def require_active(live: LiveStream, now: float) -> None:
    """Raises ResourceInUseException while the stream is changing."""
    status = live.state.status(now)
    if status != ACTIVE:
        raise resource_in_use(
            f"Stream {live.state.name} under account {live.state.account_id} not ACTIVE, "
            f"instead in state {status}"
        )
