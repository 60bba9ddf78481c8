"""How an engine is doing, seen from outside."""

from __future__ import annotations

import json
import os
import stat
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.localstack.data_folder import Identity
from services.localstack.engine import admin
from services.localstack.processes import descendants, resident_bytes
from services.localstack.state.archive import FOLDER_FORMAT, state_files


@dataclass(frozen=True)
class ProcessMemory:
    """One process of the engine and its resident memory."""

    pid: int
    name: str
    rss_bytes: int


@dataclass(frozen=True)
class Look:
    """What `riacho status` tells."""

    running: bool
    answers: bool
    endpoint_url: str
    pid: int
    running_seconds: float
    data_dir: str
    data_bytes: int
    #: What a restart brings back; `changed_at` is epoch seconds, 0 when there is nothing.
    state_bytes: int
    state_changed_at: float
    ahead_seconds: float
    services: tuple[str, ...]
    processes: tuple[ProcessMemory, ...]
    #: `state` off, starting, running, failed; see `EmbeddedOpenSearch.look`.
    search: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def look(identity: Identity, data_dir: Path) -> Look:
    """Ask the engine and its machine; an engine that does not answer is not an error."""
    try:
        clock = admin(identity.endpoint_url, "clock")
    except OSError:
        clock = {}
    state = [
        found
        for file in state_files(data_dir)
        if file.name != FOLDER_FORMAT and (found := _stat(file))
    ]
    return Look(
        running=True,
        answers=bool(clock),
        endpoint_url=identity.endpoint_url,
        pid=identity.pid,
        running_seconds=time.time() - identity.since,
        data_dir=str(data_dir),
        data_bytes=sum(f.st_size for each in data_dir.rglob("*") if (f := _stat(each))),
        state_bytes=sum(found.st_size for found in state),
        state_changed_at=max((found.st_mtime for found in state), default=0.0),
        ahead_seconds=clock.get("ahead_seconds", 0.0),
        services=_services(identity) if clock else (),
        processes=_memory(identity.pid),
        search=_search(identity) if clock else {"state": "off"},
    )


def _search(identity: Identity) -> dict[str, Any]:
    try:
        return admin(identity.endpoint_url, "search")
    except OSError as error:
        return {"state": "off", "reason": str(error)}


def _stat(file: Path) -> os.stat_result | None:
    """Of a file that may be gone by now; None for it and for anything but a file."""
    try:
        found = file.lstat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _services(identity: Identity) -> tuple[str, ...]:
    """Those in use; none when LocalStack itself is too busy to tell."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{identity.endpoint_url}/_localstack/health", timeout=10) as answer:
            states = json.loads(answer.read())["services"]
    except OSError:
        return ()
    return tuple(sorted(name for name, state in states.items() if state == "running"))


def _memory(pid: int) -> tuple[ProcessMemory, ...]:
    pids = [pid, *(child.pid for child in descendants(pid))]
    measured = resident_bytes(pids)
    return tuple(ProcessMemory(p, *measured[p]) for p in pids if p in measured)
