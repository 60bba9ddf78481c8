"""Whether a producer is well: what it has taken is being answered. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ProducerHealth:
    """For `HealthEndpoint`: unhealthy when records wait and none was answered for a while.

    `added` and `waiting` count records since the start; `monotonic` is seconds.
    """

    def __init__(
        self,
        added: Callable[[], int],
        waiting: Callable[[], int],
        monotonic: Callable[[], float],
        *,
        patience_seconds: float = 10.0,
    ) -> None:
        self._added, self._waiting, self._monotonic = added, waiting, monotonic
        self._patience = patience_seconds
        self._answered, self._answered_at = 0, monotonic()

    def report(self) -> dict[str, Any]:
        """What is true now."""
        now, added, waiting = self._monotonic(), self._added(), self._waiting()
        if not waiting or added - waiting > self._answered:
            self._answered, self._answered_at = added - waiting, now
        silent = now - self._answered_at
        problems = (
            [f"{waiting} records wait, and the stream has answered none for {silent:.0f} s."]
            if silent > self._patience
            else []
        )
        return {
            "status": "unhealthy" if problems else "healthy",
            "problems": problems,
            "records_added": added,
            "records_waiting": waiting,
        }
