"""What Docker lacks for `docker compose up`: its versions, memory, disk, ports, `.env`, volumes."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.command_line.finding import GOOD, WARNING, Finding, printed
from services.localstack.data_folder import FORMAT
from services.localstack.environment import ROOT
from services.localstack.ports import why_taken

OLDEST_DOCKER, OLDEST_COMPOSE = (20, 10), (2, 20)
GIB = 2**30
#: The limits of the default set; a laptop of 8 GB has about as much free.
NEEDED_MEMORY = 4 * GIB
NEEDED_DISK = 6_000_000_000
ARCHITECTURES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "ARM", "arm64": "ARM"}
#: Variable of `.env` → its default, and who listens there.
PORTS = {
    "RIACHO_PORT": (4566, "the engine"),
    "RIACHO_DASHBOARD_PORT": (8501, "the dashboard"),
    "RIACHO_SEARCH_PORT": (9200, "OpenSearch"),
    "RIACHO_SEARCH_DASHBOARDS_PORT": (5601, "OpenSearch Dashboards"),
}
PROJECT = "riacho"
LABEL = "riacho.format"


# Decisions: pure


def version_of(text: str) -> tuple[int, ...]:
    """`v2.26.1-4` is (2, 26, 1)."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(map(int, found[1].split("."))) if found else ()


def judge_docker(client: str | None, server: str | None, compose: str | None) -> Finding:
    """Versions, None for what is not there. Docker is never needed by the embedded engine."""
    if client is None:
        return Finding("Docker", WARNING, "none", "Needed only for docker compose up.")
    if server is None:
        return Finding(
            "Docker", WARNING, f"client {client}", "Start the Docker daemon for Compose."
        )
    if compose is None:
        return Finding("Docker", WARNING, server, "Install the plug-in docker compose, version 2.")
    found = f"{server}, compose {compose}"
    for name, version, oldest in (
        ("Docker", server, OLDEST_DOCKER),
        ("Compose", compose, OLDEST_COMPOSE),
    ):
        if version_of(version) < oldest:
            wanted = ".".join(map(str, oldest))
            return Finding("Docker", WARNING, found, f"Update {name}: {wanted} or newer is needed.")
    return Finding("Docker", GOOD, found)


def judge_memory(total: int) -> Finding:
    """`total` bytes of memory that containers may use together."""
    found = f"{total / GIB:.1f} GiB for containers"
    if total < NEEDED_MEMORY:
        return Finding(
            "Docker's memory",
            WARNING,
            found,
            "The classroom may take 4 GiB: give Docker more, or empty COMPOSE_PROFILES in .env.",
        )
    return Finding("Docker's memory", GOOD, found)


def judge_disk(free: int, folder: str) -> Finding:
    """`free` bytes where Docker keeps images and volumes."""
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < NEEDED_DISK:
        return Finding(
            "Docker's disk", WARNING, found, "Images take 6 GB: make room (docker system prune)."
        )
    return Finding("Docker's disk", GOOD, found)


def judge_architecture(architecture: str) -> Finding:
    """What Docker's machine is."""
    if architecture not in ARCHITECTURES:
        return Finding(
            "Docker's machine", WARNING, architecture, "The images are made for x86-64 and ARM."
        )
    return Finding("Docker's machine", GOOD, f"{ARCHITECTURES[architecture]} ({architecture})")


def judge_env(exists: bool) -> Finding:
    """Whether `.env` lies beside the Compose file."""
    if not exists:
        return Finding(
            ".env", WARNING, "missing", "Defaults hold and Dashboards stays off: git restore .env."
        )
    return Finding(".env", GOOD, "there")


def judge_ports(taken: Mapping[str, int], running: bool) -> Finding:
    """`taken` variable → port that somebody listens on; `running`: our own project does."""
    if running:
        return Finding("Compose's ports", GOOD, "its containers run")
    if taken:
        found = ", ".join(f"{port} ({PORTS[name][1]})" for name, port in taken.items())
        return Finding(
            "Compose's ports",
            WARNING,
            f"taken: {found}",
            f"Stop what listens there, or change {' and '.join(taken)} in .env.",
        )
    return Finding("Compose's ports", GOOD, "free")


def judge_volumes(formats: Mapping[str, str]) -> Finding:
    """`formats` volume → the format it was made for, empty when it does not say."""
    stale = {name: found for name, found in formats.items() if found != FORMAT}
    if stale:
        names = ", ".join(f"{name} (format {found or '?'})" for name, found in stale.items())
        return Finding(
            "Compose's volumes",
            WARNING,
            f"of another version: {names}",
            f"This version reads format {FORMAT}: docker compose down --volumes forgets them.",
        )
    return Finding("Compose's volumes", GOOD, f"{len(formats)} there" if formats else "none yet")


# Looking


def findings() -> list[Finding]:
    """Docker first; what it has and holds only where it answers."""
    program = shutil.which("docker")
    if program is None:
        return [judge_docker(None, None, None)]
    client = (printed(program, "--version") or "").removeprefix("Docker version ").split(",")[0]
    info = _json(printed(program, "info", "--format", "{{json .}}"))
    server = info.get("ServerVersion") or None
    compose = printed(program, "compose", "version", "--short")
    docker = judge_docker(client or "of unknown version", server, compose)
    if server is None:
        return [docker]
    running = bool(printed(program, "ps", "-q", "--filter", _of_project("com.docker.compose.")))
    return [
        docker,
        judge_memory(int(info["MemTotal"])),
        *_disk(str(info.get("DockerRootDir", ""))),
        judge_architecture(str(info["Architecture"])),
        judge_env((ROOT / ".env").exists()),
        judge_ports(_taken(settings_of(ROOT / ".env")), running),
        judge_volumes(_formats(program)),
    ]


def settings_of(file: Path) -> dict[str, str]:
    """`.env`, with this shell's variables before it, as Compose reads both."""
    lines = file.read_text().splitlines() if file.exists() else []
    written = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    return written | {name: os.environ[name] for name in PORTS if name in os.environ}


def _disk(folder: str) -> list[Finding]:
    """Nothing where Docker runs in a machine of its own."""
    if not os.path.isdir(folder):
        return []
    return [judge_disk(shutil.disk_usage(folder).free, folder)]


def _taken(written: Mapping[str, str]) -> dict[str, int]:
    ports = {name: int(written.get(name) or default) for name, (default, _) in PORTS.items()}
    return {name: port for name, port in ports.items() if why_taken(port)}


def _formats(program: str) -> dict[str, str]:
    names = printed(program, "volume", "ls", "-q", "--filter", _of_project("com.docker.compose."))
    formats = {}
    for name in (names or "").split():
        labels = _json(printed(program, "volume", "inspect", "-f", "{{json .Labels}}", name))
        formats[name] = str(labels.get(LABEL, ""))
    return formats


def _of_project(prefix: str) -> str:
    return f"label={prefix}project={PROJECT}"


def _json(text: str | None) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text or "{}") or {}
    return read
