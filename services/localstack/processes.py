"""Processes by their ids: who descends from whom, who is alive, how to end them all."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class ProcessId(NamedTuple):
    """A pid can be used again by another process; pid and start together cannot."""

    pid: int
    started: str


def snapshot() -> dict[ProcessId, int]:
    """Every process of this machine with its parent's pid (zombies left out)."""
    return _from_proc() if PROC.joinpath("self", "stat").exists() else _from_ps()


def _from_proc() -> dict[ProcessId, int]:
    processes = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = folder.joinpath("stat").read_text(errors="replace")
        except OSError:
            continue  # it ended while we looked
        # The name, in parentheses, may hold spaces: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        state, parent, *rest = stat.rpartition(")")[2].split()
        if state != "Z":
            processes[ProcessId(int(folder.name), rest[17])] = int(parent)
    return processes


def _from_ps() -> dict[ProcessId, int]:
    command = ["ps", "-A", "-o", "pid=,ppid=,stat=,lstart="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    processes = {}
    for line in listed.stdout.splitlines():
        pid, parent, state, started = line.split(None, 3)
        if not state.startswith("Z"):
            processes[ProcessId(int(pid), started)] = int(parent)
    return processes


def descendants(pid: int) -> list[ProcessId]:
    """Children of `pid`, their children, and so on."""
    processes = snapshot()
    found: list[ProcessId] = []
    parents = {pid}
    while born := [p for p, parent in processes.items() if parent in parents and p not in found]:
        found += born
        parents = {p.pid for p in born}
    return found


def end_all(wanted: list[ProcessId], grace_seconds: float = 2.0) -> None:
    """Wait a moment for the processes to end by themselves, then kill those that did not."""
    deadline = time.monotonic() + grace_seconds
    while left := [p for p in wanted if p in snapshot()]:
        if time.monotonic() > deadline:
            for process in left:
                send_signal(process.pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def send_signal(pid: int, number: int) -> bool:
    """False when there is no such process (any more)."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def resident_bytes(pids: list[int]) -> dict[int, tuple[str, int]]:
    """(name, resident memory) of each process that is there."""
    if not PROC.joinpath("self", "statm").exists():
        return _resident_from_ps(pids)
    page = os.sysconf("SC_PAGE_SIZE")
    found = {}
    for pid in pids:
        try:
            name = PROC.joinpath(str(pid), "comm").read_text().strip()
            found[pid] = name, int(PROC.joinpath(str(pid), "statm").read_text().split()[1]) * page
        except OSError:
            continue  # it ended while we looked
    return found


def _resident_from_ps(pids: list[int]) -> dict[int, tuple[str, int]]:
    command = ["ps", "-o", "pid=,rss=,comm=", "-p", ",".join(map(str, pids))]
    listed = subprocess.run(command, capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return {int(pid): (Path(name).name, int(rss) * 1024) for pid, rss, name in rows}
