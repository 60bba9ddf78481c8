"""Gathers what many calls have to tell, and sends it together a moment later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: When sending takes long because much goes on, things gather longer, so that it never
#: takes more than a tenth of the time.
_LONGEST_GATHER_SECONDS = 2.0
_GATHER_PER_SENDING = 9.0


class Gathering[Gathered]:
    """One thread for all that is told, started when first needed; it sleeps while nothing comes.

    `empty` makes an empty collection, `add` changes the one there is, `send` gets it after about
    `seconds`. What `send` raises is logged, and what it was to send is lost.
    """

    def __init__(
        self,
        name: str,
        empty: Callable[[], Gathered],
        send: Callable[[Gathered], None],
        *,
        seconds: float,
    ) -> None:
        self._name = name
        self._empty = empty
        self._send = send
        self._seconds = seconds
        self._gathered = empty()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, change: Callable[[Gathered], object]) -> None:
        """`change` adds to what is gathered; it runs under a lock and must be quick."""
        with self._changed:
            change(self._gathered)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        pause, seconds = threading.Event(), self._seconds
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._gathered))
            pause.wait(seconds)
            began = time.monotonic()
            self.send_now()
            wanted = (time.monotonic() - began) * _GATHER_PER_SENDING
            seconds = max(self._seconds, min(_LONGEST_GATHER_SECONDS, wanted))

    def send_now(self) -> None:
        """Send what there is, in this thread."""
        with self._changed:
            gathered, self._gathered = self._gathered, self._empty()
        try:
            if gathered:
                self._send(gathered)
        except Exception:
            LOG.exception("The %s could not send what it gathered", self._name)
