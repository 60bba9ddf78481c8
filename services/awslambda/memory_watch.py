"""Ends whatever uses more memory than its function has, or too many processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from services.awslambda.launcher_process import descendants
from services.awslambda.limits import MAXIMUM_PROCESSES

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MIB = 2**20
_LOOK_SECONDS = 0.02
#: The children of a process cost a walk through /proc: look at them every so many times.
_LOOKS_PER_FAMILY = 10


def resident_bytes(pid: int) -> int:
    """What a process holds in memory now; 0 where that cannot be read."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def peak_megabytes(pid: int) -> int:
    """The most a process ever held in memory, in MiB; 0 where that cannot be read."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmHWM:"):
                return -(-int(line.split()[1]) // 1024)
    return 0


class MemoryWatch:
    """Looks at the processes of running invocations fifty times a second; sleeps otherwise.

    Control groups would do this exactly, but need rights that an engine on a laptop lacks.
    """

    def __init__(self) -> None:
        self._watched: dict[int, tuple[int, Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._any = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, pid: int, limit_in_mb: int, on_excess: Callable[[], None]) -> None:
        """Watch `pid` and its descendants until `remove`; `on_excess` may be called once."""
        with self._lock:
            self._watched[pid] = (limit_in_mb * _MIB, on_excess)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lambda-memory-watch", daemon=True
                )
                self._thread.start()
        self._any.set()

    def remove(self, pid: int) -> None:
        with self._lock:
            self._watched.pop(pid, None)
            if not self._watched:
                self._any.clear()

    def _run(self) -> None:
        looks = 0
        while True:
            self._any.wait()
            time.sleep(_LOOK_SECONDS)
            looks += 1
            with self._lock:
                watched = list(self._watched.items())
            for pid, (limit, on_excess) in watched:
                if self._is_over(pid, limit, looks % _LOOKS_PER_FAMILY == 0):
                    self.remove(pid)
                    on_excess()

    def _is_over(self, pid: int, limit: int, whole_family: bool) -> bool:
        if not whole_family:
            return resident_bytes(pid) > limit
        family = {pid} | descendants(pid)
        if len(family) > MAXIMUM_PROCESSES:
            return True
        return sum(resident_bytes(each) for each in family) > limit
