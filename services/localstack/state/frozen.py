"""A running engine that stands still for a moment, so that its data folder can be copied.

What is on disk at any moment is what would be there after `kill -9`, and an engine that starts on
it has everything that was acknowledged: a copy of a folder that nobody writes to has it too.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distributions

from services.localstack.environment import ENGINE_FOLDER
from services.localstack.processes import descendants, send_signal

#: What services keep in memory is written this long after a change, at the latest.
SETTLE_SECONDS = 0.3


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The engine's process and its helpers are stopped within; calls to it wait meanwhile."""
    time.sleep(SETTLE_SECONDS)
    stopped = [pid]
    send_signal(pid, signal.SIGSTOP)
    try:
        for helper in descendants(pid):
            stopped.append(helper.pid)
            send_signal(helper.pid, signal.SIGSTOP)
        yield
    finally:
        for each in reversed(stopped):
            send_signal(each, signal.SIGCONT)


def engine_versions() -> dict[str, str]:
    """The packages whose objects are in state files, as the engine's environment has them."""
    folders = [str(path) for path in ENGINE_FOLDER.glob("venv/lib/python*/site-packages")]
    found = {}
    for name in ("localstack-core", "moto-ext"):
        try:
            found[name] = next(iter(distributions(name=name, path=folders))).version
        except (StopIteration, PackageNotFoundError):
            continue  # no engine is installed here
    return found
