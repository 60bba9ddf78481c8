"""Running programs for the containers: one sentence when one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class ContainersUnavailable(RuntimeError):
    """Containers cannot be run here; the message says why, in one sentence."""


def run(
    command: Sequence[str | Path],
    *,
    seconds: float = 600,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What the command prints. Raises ContainersUnavailable with its last words."""
    words = [str(word) for word in command]
    try:
        answer = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ContainersUnavailable(f"{' '.join(words[:3])}: {error}") from None
    if answer.returncode != 0:
        said = [x.strip() for x in (answer.stderr + answer.stdout).splitlines() if x.strip()]
        raise ContainersUnavailable(f"{' '.join(words[:3])}: {' '.join(said[-4:])[-700:]}")
    return answer.stdout


def succeeds(command: Sequence[str | Path], *, seconds: float = 60) -> bool:
    """Whether the command ends well."""
    try:
        run(command, seconds=seconds)
    except ContainersUnavailable:
        return False
    return True


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say afterwards how long it took."""
    began = time.monotonic()
    yield
    print(f"  {what}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
