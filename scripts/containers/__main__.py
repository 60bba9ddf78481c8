"""Test the containers for real, from a clone alone: `python -m scripts.containers [PYTEST ARGS]`.

Needs root and the packages docker.io, iptables and mmdebstrap where no daemon runs. Where one
runs and images can be pulled, the public images are used.

`--beside COMMAND` as first argument runs a command while the images are made; the containers are
started when it has ended. Its exit code is given, or else that of the containers.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from scripts.containers.base_images import LOCALSTACK, OPENSEARCH, PYTHON, debian_root, provide
from scripts.containers.beside import Stopped, beside
from scripts.containers.daemon import daemon, install_plugins
from scripts.containers.tools import ContainersUnavailable, run, succeeds, timed
from services.localstack.environment import ROOT

NEEDED_BYTES = 8_000_000_000
#: Kept between runs when it is named: what is slow to fetch.
CACHE = "RIACHO_CONTAINER_CACHE"


def main(arguments: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if arguments[:1] != ["--beside"]:
        return test(arguments, lambda: 0)
    with beside(shlex.split(arguments[1])) as ended:
        os.nice(10)  # the command has started: it is what somebody waits for
        code = test(arguments[2:], ended)
        return ended() or code


def test(arguments: list[str], when_images_are_made: Callable[[], object]) -> int:
    """The exit code; 0 as well where no containers can run."""
    with tempfile.TemporaryDirectory(prefix="riacho-containers-", ignore_cleanup_errors=True) as d:
        folder = Path(d)
        cache = Path(os.environ.get(CACHE) or folder / "cache")
        cache.mkdir(parents=True, exist_ok=True)
        try:
            _refuse_full_disk(folder)
            with daemon(folder):
                _make_images(folder, cache)
                when_images_are_made()
                return _test(arguments)
        except ContainersUnavailable as reason:
            if _daemon_answered:
                print(f"The containers could not be tested: {reason}", file=sys.stderr)
                return 1
            print(f"The containers are not tested here: {reason}", file=sys.stderr)
            return 0


_daemon_answered: list[bool] = []


def _make_images(folder: Path, cache: Path) -> None:
    """From here on a daemon runs: whatever fails is a failure."""
    _daemon_answered.append(True)
    if not (succeeds(["docker", "compose", "version"]) and succeeds(["docker", "buildx", "ls"])):
        debian_root(cache)
        install_plugins(cache / "packages", folder)
    with timed("base images"):
        provide([PYTHON, LOCALSTACK, OPENSEARCH], cache)
    with timed("docker compose build"):
        # One service for each of the two images: all others share the second.
        compose = ["docker", "compose", "--project-directory", str(ROOT)]
        run([*compose, "build", "localstack", "provision"], seconds=900)


def _test(arguments: list[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", str(ROOT / "tests" / "containers"), *arguments]
    environment = {**os.environ, "RIACHO_CONTAINER_TESTS": "required"}
    return subprocess.run(pytest, cwd=ROOT, env=environment).returncode


def _refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise ContainersUnavailable(
            f"{folder.parent} has {free / 1e9:.1f} GB free, and images need "
            f"{NEEDED_BYTES / 1e9:.0f} GB."
        )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
