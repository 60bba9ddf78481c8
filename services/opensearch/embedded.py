"""The server that belongs to an engine: starts with it, starts again when it dies, ends with it."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.opensearch.cluster import Cluster
from services.opensearch.distribution import VERSION, is_installed
from services.opensearch.errors import SearchFailed
from services.opensearch.leftover import forget, remember
from services.opensearch.server import Server, prepare

LOG = logging.getLogger(__name__)

START_SECONDS = 240.0
_STOP_SECONDS = 4.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


@dataclass(frozen=True)
class State:
    """`name` is starting, running, failed or stopped; `reason` tells why it failed."""

    name: str
    reason: str = ""
    starts: int = 0


class EmbeddedOpenSearch:
    """`tied` makes a command of one whose program dies with this process."""

    def __init__(self, server: Server, tied: Callable[[Sequence[str]], list[str]]) -> None:
        self._server = server
        self._tied = tied
        self._cluster = Cluster(f"http://{server.host}:{server.port}")
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._state = State("starting")
        self._thread = threading.Thread(target=self._run, name="opensearch", daemon=True)

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def look(self) -> dict[str, Any]:
        """How it does; `status` is the cluster's colour while it runs."""
        state, status = self._state, ""
        if state.name == "running":
            try:
                status = self._cluster.status()
            except SearchFailed as error:
                state = State("failed", str(error), state.starts)
        return {
            "state": state.name,
            "status": status,
            "reason": state.reason,
            "starts": state.starts,
            "endpoint_url": self._cluster.http.address,
            "version": VERSION,
            "pid": self._process.pid if self._process else None,
        }

    def stop(self) -> None:
        """What was acknowledged is in its log on disk: it need not be asked kindly for long."""
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        forget(self._server.data)
        self._state = State("stopped")

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            ended = self._run_once()
            if self._stopping.wait(pause):
                return
            LOG.error("OpenSearch ended: %s", ended)
            was_running = self._state.name == "running"
            self._state = State("failed", ended, self._state.starts)
            pause = _FIRST_PAUSE_SECONDS if was_running else min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _run_once(self) -> str:
        """From a start to the end; why it ended."""
        if not is_installed(self._server.home):
            return f"OpenSearch is not in {self._server.home}: run riacho search install."
        self._state = State("starting", starts=self._state.starts + 1)
        prepare(self._server)
        log = self._server.data / "logs" / "server.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._tied(self._server.command()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._server.data,
            )
        remember(self._server.data, self._process.pid)
        threading.Thread(target=self._make_ready, args=(self._process,), daemon=True).start()
        code = self._process.wait()
        return f"its process ended with code {code}; see {log}"

    def _make_ready(self, process: subprocess.Popen[bytes]) -> None:
        try:
            self._cluster.http.wait_until(
                lambda: process.poll() is not None or self._cluster.status() != "red",
                START_SECONDS,
            )
            if process.poll() is None:
                self._cluster.put_templates()
                self._state = State("running", starts=self._state.starts)
        except SearchFailed as error:
            self._state = State("failed", str(error), self._state.starts)
