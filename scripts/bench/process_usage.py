"""What a process takes, with all below it or alone, as the kernel tells (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from services.localstack.processes import descendants


def memory_of(pid: int, *, alone: bool = False) -> int:
    """Resident bytes."""
    return sum(
        int(line.split()[1]) * 1024
        for status in _told_of(pid, "status", alone)
        for line in status.splitlines()
        if line.startswith("VmRSS:")
    )


def cpu_of(pid: int, *, alone: bool = False) -> float:
    """Seconds of CPU so far."""
    ticks = 0
    for stat in _told_of(pid, "stat", alone):
        fields = stat.rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _told_of(pid: int, file: str, alone: bool) -> Iterator[str]:
    below = () if alone else descendants(pid)
    for member in (pid, *(each.pid for each in below)):
        try:
            yield Path(f"/proc/{member}/{file}").read_text()
        except OSError:
            continue  # it ended while we looked
