"""The server that a killed engine left behind: its data folder names it, the next engine ends it.

The kernel kills the server when its engine dies, but a Java process of half a gigabyte is not gone
at once: whoever starts an engine again the same moment would find the port taken.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from services.localstack.ports import why_taken
from services.localstack.processes import ProcessId, descendants, send_signal, snapshot

END_SECONDS = 10.0


def remember(data: Path, pid: int) -> None:
    """This process is the server of that folder."""
    found = [process for process in snapshot() if process.pid == pid]
    _file(data).write_text(json.dumps(found))


def forget(data: Path) -> None:
    """The server of that folder ended as it should."""
    _file(data).unlink(missing_ok=True)


def end_leftover(data: Path, port: int, seconds: float = END_SECONDS) -> bool:
    """Kill the server that a former engine left, with what it started, and wait until it is gone
    and its port is free, at most `seconds`.

    Only for whoever holds the lock of the data folder: then no engine uses the server any more,
    and what it acknowledged is in its log on disk. True when there was one.
    """
    left = _remembered(data)
    if left is None:
        return False
    family = {left, *descendants(left.pid)} if left in snapshot() else set()
    for process in family:
        send_signal(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    # A process that counts as ended may have threads that hold its port a moment longer.
    while family & snapshot().keys() or why_taken(port):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    forget(data)
    return True


def _remembered(data: Path) -> ProcessId | None:
    try:
        return next((ProcessId(*each) for each in json.loads(_file(data).read_text())), None)
    except (OSError, ValueError, TypeError):
        return None


def _file(data: Path) -> Path:
    return data / "server.json"
