"""How the engine starts helper programs, so that none outlives it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

TIED = Path(__file__).with_name("tied.py")


def tied_command(command: Sequence[str], *, without_fsync: bool = False) -> list[str]:
    """The command, wrapped so that the program dies when this process dies, even by kill -9.

    Start it directly from here (`subprocess.Popen(tied_command(...))`), in a thread that lives
    as long as the program should: on Linux the end of the starting thread counts too.
    `without_fsync` lets a database that syncs each write leave that to the kernel (on Linux):
    its data still survives kill -9, not a power cut.
    """
    options = ["--without-fsync"] if without_fsync else []
    return [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *options, *command]
