"""Collects what a function's processes write, so that it can be taken invocation by invocation."""

from __future__ import annotations

import os
import select
import threading

from services.awslambda.log_lines import MAXIMUM_LOG_BYTES


class FunctionOutput:
    """A pipe and what came through it. The reading end closes with the last writer."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._lock = threading.Lock()
        self._taken = bytearray()
        self._is_open = True
        self._thread = threading.Thread(target=self._pump, name="lambda-output", daemon=True)

    def start(self) -> None:
        """Call once the child has its copy of `writing`: this closes ours."""
        os.close(self.writing)
        self._thread.start()

    def take(self) -> bytes:
        """Everything written so far, also what still is in the pipe."""
        self._drain()
        with self._lock:
            taken, self._taken = bytes(self._taken), bytearray()
        return taken

    def _pump(self) -> None:
        # Blocks in poll: an idle function costs nothing.
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while self._drain():
            poll.poll()
        with self._lock:
            self._is_open = False
            os.close(self._reading)

    def _drain(self) -> bool:
        """Read until the pipe is empty; False once its last writer has closed."""
        with self._lock:
            while self._is_open:
                try:
                    piece = os.read(self._reading, 65536)
                except BlockingIOError:
                    return True
                if not piece:
                    return False
                if len(self._taken) < MAXIMUM_LOG_BYTES:
                    self._taken += piece
        return False
