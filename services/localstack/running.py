"""What the engine's process shares: its settings, its clock, and one core per service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from services.clock import MovableClock
from services.settings import Settings, from_environment

LOG = logging.getLogger(__name__)


class Running:
    """The engine from inside: whoever needs another service's core asks here."""

    def __init__(self, settings: Settings, clock: MovableClock) -> None:
        self.settings = settings
        self.clock = clock
        self._cores: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._when_stopping: list[Callable[[], None]] = []

    def core[T](self, name: str, make: Callable[[Running], T]) -> T:
        """The one core called `name`, made at first use: `kinesis` holds the streams."""
        with self._lock:
            if name not in self._cores:
                self._cores[name] = make(self)
            core: T = self._cores[name]
            return core

    def when_stopping(self, call: Callable[[], None]) -> None:
        """`call` runs once when the engine stops in an orderly way; it has a second or two."""
        self._when_stopping.append(call)

    def stop(self) -> None:
        """Run what was registered, last first; an error in one does not stop the others."""
        while self._when_stopping:
            call = self._when_stopping.pop()
            try:
                call()
            except Exception:
                LOG.exception("Stopping failed in %s", call)


@cache
def running() -> Running:
    """The engine this process is; its settings come from `RIACHO_*` variables."""
    return Running(from_environment(), MovableClock())
