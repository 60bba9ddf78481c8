"""Run `riacho` as a user does: a process, its output, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def riacho(
    *arguments: str, folder: Path | None = None, seconds: float = 120, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """`riacho ARGUMENT…` in `folder`, without any engine or AWS setting of this machine.

    `typed` is its standard input.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RIACHO_"))}
    return subprocess.run(
        [sys.executable, "-m", "scripts.command_line.main", *arguments],
        cwd=folder,
        env=environment | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=seconds,
        input=typed,
    )
