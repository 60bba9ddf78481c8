"""Which program runs a Lambda runtime on this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path


class RuntimeMissing(Exception):
    """This machine has no program for a runtime; the message says which and the way out."""


#: Where tools that manage versions keep interpreters, below the user's home.
_PYTHON_FOLDERS = (
    ".pyenv/versions/{version}*/bin",
    ".local/share/uv/python/cpython-{version}*/bin",
    ".asdf/installs/python/{version}*/bin",
)
_SYSTEM_PYTHON_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin")


@cache
def python(version: str) -> Path:
    """An interpreter of `version` (`3.12`) that really runs. Raises RuntimeMissing.

    Names are not enough: `python3.12` on the PATH may be a shim that only says it is not there.
    """
    for candidate in _python_candidates(version):
        if (found := _python_that_runs(candidate, version)) is not None:
            return found
    raise RuntimeMissing(
        f"No Python {version} runs on this machine: install it, or choose another runtime "
        f"(python{sys.version_info.major}.{sys.version_info.minor} is always there)."
    )


def _python_candidates(version: str) -> Iterator[str]:
    # The engine's own is outside every virtual environment of the function's.
    yield getattr(sys, "_base_executable", sys.executable)
    name = f"python{version}"
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield f"{folder}/{name}"
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    for pattern in _PYTHON_FOLDERS:
        yield from (str(folder / name) for folder in home.glob(pattern.format(version=version)))
    yield from (f"{folder}/{name}" for folder in _SYSTEM_PYTHON_FOLDERS)


_TELL_PYTHON = "import sys; print('%d.%d' % sys.version_info[:2], sys._base_executable)"


def _python_that_runs(candidate: str, version: str) -> Path | None:
    if not os.access(candidate, os.X_OK):
        return None
    answer = _run(candidate, "-I", "-S", "-c", _TELL_PYTHON)
    told, _, executable = answer.partition(" ")
    return Path(executable) if told == version else None


@cache
def node() -> Path:
    """A Node that really runs. Raises RuntimeMissing."""
    found = shutil.which("node")
    if found and _run(found, "--version").startswith("v"):
        return Path(found)
    raise RuntimeMissing(
        "No Node runs on this machine: install Node 18 or newer and see that `node` is on the PATH."
    )


def _run(*command: str) -> str:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
