"""A Docker daemon: the one that runs, or one of our own that leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.containers.tools import ContainersUnavailable, run, succeeds

START_SECONDS = 60.0
STOP_SECONDS = 60.0
BRIDGE = "docker0"


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """Inside, `docker` talks to a daemon. `folder` is for one of our own: images, logs, socket.

    Raises ContainersUnavailable with the reason when none can run here.
    """
    if succeeds(["docker", "info"]):
        yield
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise ContainersUnavailable(
            "No Docker daemon answers, and starting one needs root and the package docker.io."
        )
    before, bridge_was_there = os.environ.get("DOCKER_HOST"), _has_bridge()
    process = _start(folder)
    os.environ["DOCKER_HOST"] = _socket(folder)
    try:
        _wait_until_it_answers(process, folder)
        yield
    finally:
        _stop(process, folder)
        if not bridge_was_there and _has_bridge():
            succeeds(["ip", "link", "delete", BRIDGE])
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before


def _socket(folder: Path) -> str:
    return f"unix://{folder}/docker.sock"


def _has_bridge() -> bool:
    return Path(f"/sys/class/net/{BRIDGE}").exists()


def _start(folder: Path) -> subprocess.Popen[bytes]:
    folders = {name: folder / name for name in ("data-root", "exec-root")}
    options = [f"--{name}={path}" for name, path in folders.items()]
    with (folder / "dockerd.log").open("ab") as log:
        return subprocess.Popen(
            ["dockerd", *options, f"--pidfile={folder}/dockerd.pid", f"--host={_socket(folder)}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours: containers are removed before it ends
        )


def _wait_until_it_answers(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not succeeds(["docker", "info"]):
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "dockerd.log").read_text(errors="replace").splitlines()
            raise ContainersUnavailable(f"dockerd does not run here: {' '.join(log[-2:])[-500:]}")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    """It stops its containers and its containerd before it ends."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        mounted = line.split()[1]
        if mounted.startswith(f"{folder}/"):
            succeeds(["umount", "--lazy", mounted])


def install_plugins(packages: Path, folder: Path) -> None:
    """Compose and Buildx from their Debian packages, in a configuration of our own."""
    if succeeds(["docker", "compose", "version"]) and succeeds(["docker", "buildx", "version"]):
        return
    plugins = folder / "docker-config" / "cli-plugins"
    plugins.mkdir(parents=True)
    for package in packages.glob("*.deb"):
        run(["dpkg-deb", "--extract", package, folder / "unpacked"])
    for plugin in (folder / "unpacked" / "usr" / "libexec" / "docker" / "cli-plugins").iterdir():
        shutil.copy(plugin, plugins)
    os.environ["DOCKER_CONFIG"] = str(plugins.parent)
