"""What a doctor says about one thing it looked at, and how it asks a program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

GOOD, WARNING, LACKING = "good", "warning", "lacking"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` is empty when it is good."""

    name: str
    verdict: str
    found: str
    mend: str = ""


def printed(*command: str) -> str | None:
    """What a program prints; None when it fails, is not there, or prints nothing."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
