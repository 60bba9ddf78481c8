"""What the engine's process shares: its settings, its clock, and one core per service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from services.clock import MovableClock
from services.settings import Settings, from_environment


class Running:
    """The engine from inside: whoever needs another service's core asks here."""

    def __init__(self, settings: Settings, clock: MovableClock) -> None:
        self.settings = settings
        self.clock = clock
        self._cores: dict[str, Any] = {}
        self._lock = threading.RLock()

    def core[T](self, name: str, make: Callable[[Running], T]) -> T:
        """The one core called `name`, made at first use: `kinesis` holds the streams."""
        with self._lock:
            if name not in self._cores:
                self._cores[name] = make(self)
            core: T = self._cores[name]
            return core


@cache
def running() -> Running:
    """The engine this process is; its settings come from `RIACHO_*` variables."""
    return Running(from_environment(), MovableClock())
