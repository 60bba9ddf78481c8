"""Ends whatever uses more memory or storage than its function has, or too many processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.awslambda.launcher_process import descendants
from services.awslambda.limits import MAXIMUM_PROCESSES

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MIB = 2**20
_LOOK_SECONDS = 0.02
#: The children of a process cost a walk through /proc, its files one through its folder: look at
#: them every so many times.
_LOOKS_PER_FAMILY = 10
MEMORY, STORAGE = "memory", "storage"


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What an environment may hold: in memory, and in the folder for its temporary files."""

    memory_in_mb: int
    storage_in_mb: int
    scratch: Path


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


def stored_bytes(folder: Path) -> int:
    """What a folder and those below it take on the disk; what vanishes meanwhile is left out."""
    found = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(parent, name)).st_blocks * 512
    return found


class UsageWatch:
    """Looks at the processes of running invocations fifty times a second; sleeps otherwise.

    Control groups and quotas would do this exactly, but need rights that an engine on a laptop
    lacks.
    """

    def __init__(self) -> None:
        self._watched: dict[int, tuple[Allowance, Callable[[str], None]]] = {}
        self._lock = threading.Lock()
        self._any = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, pid: int, allowance: Allowance, on_excess: Callable[[str], None]) -> None:
        """Watch `pid` and its descendants until `remove`; `on_excess` may be called once, with
        what there was too much of: MEMORY or STORAGE."""
        with self._lock:
            self._watched[pid] = (allowance, on_excess)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lambda-usage-watch", daemon=True
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
            for pid, (allowance, on_excess) in watched:
                excess = _excess(pid, allowance, looks % _LOOKS_PER_FAMILY == 0)
                if excess:
                    self.remove(pid)
                    on_excess(excess)


def _excess(pid: int, allowance: Allowance, whole_family: bool) -> str:
    memory_bytes = allowance.memory_in_mb * _MIB
    if not whole_family:
        return MEMORY if resident_bytes(pid) > memory_bytes else ""
    family = {pid} | descendants(pid)
    is_over = sum(resident_bytes(each) for each in family) > memory_bytes
    if is_over or len(family) > MAXIMUM_PROCESSES:
        return MEMORY
    return STORAGE if stored_bytes(allowance.scratch) > allowance.storage_in_mb * _MIB else ""
