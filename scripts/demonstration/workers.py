"""The demo's consumer processes: started, listened to, killed, stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from scripts.demonstration.picture import WorkerFacts

STOP_SECONDS = 15.0


class Worker:
    """One `riacho consume` in a process of its own; `facts` follow what it prints."""

    def __init__(self, facts: WorkerFacts, options: list[str], log: Path) -> None:
        self.facts = facts
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scripts.command_line.main", "consume"),
                *("--worker-id", facts.worker_id, "--json", *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL: no goodbye, no checkpoint."""
        self._process.kill()
        self._end("killed")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not end. May be called twice."""
        if not self.has_ended:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._end("stopped")

    def _end(self, state: str) -> None:
        self._process.wait()
        self._listener.join()
        self._log.close()
        if self.facts.state != "killed":
            self.facts.state = state
        self.facts.shards = ()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                progress = json.loads(line)
                self.facts.state = "running"
                self.facts.shards = tuple(progress["leases_held"])
                self.facts.records = progress["records_processed"]
