"""How the engine's process ends: with its supervisor, within a deadline, and with its children."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from localstack.runtime import events

from services.localstack.processes import descendants, send_signal
from services.localstack.running import running

#: The file descriptor of a pipe whose other end only the supervisor holds.
LIFELINE = "RIACHO_LIFELINE"
#: LocalStack takes 1 to 20 seconds to stop. What was acknowledged is on disk: do not wait longer.
DEADLINE_SECONDS = 5.0
#: What Python itself needs to end, once LocalStack has stopped.
_AFTERWARDS_SECONDS = 2.0


def arrange_the_end() -> None:
    """Start the watchers; called once, when the server starts to run."""
    if LIFELINE in os.environ:
        lifeline = int(os.environ.pop(LIFELINE))
        os.set_inheritable(lifeline, False)
        _watch(_end_with_supervisor, lifeline)
    _watch(_end_in_time)


def _watch(target: object, *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, name="riacho-ending", daemon=True).start()  # type: ignore[arg-type]


def _end_with_supervisor(lifeline: int) -> None:
    """The pipe ends when the supervisor does, however it died."""
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end_in_time() -> None:
    events.infra_stopping.wait()
    running().stop()  # ours first: LocalStack's services may use up the time
    if events.infra_stopped.wait(DEADLINE_SECONDS):
        # A thread that still answers a request waits for a loop that is over, and Python for it.
        time.sleep(_AFTERWARDS_SECONDS)
    kill_children()
    os._exit(0)


def kill_children() -> None:
    """Every process this one started, and theirs."""
    for child in descendants(os.getpid()):
        send_signal(child.pid, signal.SIGKILL)


def write_identity(file: Path, text: str) -> None:
    """A small file that is whole or not there."""
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(file)
