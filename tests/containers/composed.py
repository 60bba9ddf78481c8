"""A running Compose project, seen and hurt from outside."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from scripts.reconcile.proof import Proof, prove
from services.localstack.environment import ROOT
from services.localstack.ports import free_port
from tests.waiting import wait_until

SECONDS = 120


@dataclasses.dataclass
class Composed:
    """One project of the real file, on free ports. `overrides` are variables of `.env`."""

    name: str
    folder: Path
    overrides: dict[str, str]

    def __post_init__(self) -> None:
        self.port, self.dashboard_port, self.search_port = (free_port() for _ in range(3))
        self.environment = {
            **os.environ,
            **self.overrides,
            "RIACHO_PORT": str(self.port),
            "RIACHO_DASHBOARD_PORT": str(self.dashboard_port),
            "RIACHO_SEARCH_PORT": str(self.search_port),
        }

    def compose(self, *arguments: str, seconds: float = SECONDS, check: bool = True) -> str:
        """What `docker compose ARGUMENT…` prints; its words are in the failure."""
        command = ["docker", "compose", "--project-directory", str(ROOT), "--project-name"]
        answer = subprocess.run(
            [*command, self.name, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=seconds,
        )
        if check:
            assert answer.returncode == 0, f"{arguments}: {answer.stdout}{answer.stderr}"
        return answer.stdout

    def up(self, *arguments: str) -> None:
        """Everything healthy, or a failure with the logs."""
        try:
            self.compose("up", "--detach", "--wait", "--no-build", *arguments, seconds=300)
        except AssertionError as error:
            logs = self.compose("logs", "--tail", "30", check=False)
            raise AssertionError(f"{error}\n{logs}") from None

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that exist."""
        return self.compose("ps", "--all", "--quiet", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(_docker("inspect", container))[0]
        return facts

    def run_health_check(self, service: str) -> tuple[int, str]:
        """The service's own check, run now: its exit code and its words."""
        container = self.containers(service)[0]
        test = self.inspect(container)["Config"]["Healthcheck"]["Test"][1:]
        answer = subprocess.run(
            ["docker", "exec", container, *test], capture_output=True, text=True, timeout=SECONDS
        )
        return answer.returncode, answer.stdout + answer.stderr

    def crash(self, service: str) -> str:
        """SIGKILL every process of one container from inside, as a crash: Docker sees its end."""
        container = self.containers(service)[0]
        subprocess.run(
            ["docker", "exec", container, "sh", "-c", "kill -9 -1"],
            capture_output=True,
            timeout=SECONDS,
        )
        return container

    def signal_processes(self, service: str, signal: str, pattern: str) -> None:
        """A signal to the processes of a service whose command line holds `pattern`."""
        script = (
            f"for p in /proc/[0-9]*; do grep -qa '{pattern}' $p/cmdline 2>/dev/null && "
            f'[ "${{p#/proc/}}" != 1 ] && [ "${{p#/proc/}}" != $$ ] && '
            f"kill -{signal} ${{p#/proc/}}; done; true"
        )
        self.compose("exec", "--no-TTY", service, "sh", "-c", script)

    def restarts(self, container: str) -> int:
        return int(self.inspect(container)["RestartCount"])

    def is_healthy(self, service: str) -> bool:
        states = [self.inspect(c)["State"] for c in self.containers(service)]
        return bool(states) and all(
            s["Running"] and s["Health"]["Status"] == "healthy" for s in states
        )

    def crashes_and_restarts(self, service: str) -> None:
        """Until Docker itself has started the container again."""
        container = self.crash(service)
        wait_until(lambda: self.restarts(container) > 0, SECONDS, every=0.5)

    def all_healthy(self, services: Sequence[str]) -> None:
        for service in services:
            wait_until(lambda s=service: self.is_healthy(s), 2 * SECONDS, every=0.5)

    def client(self, service: str) -> Any:
        """A boto3 client on this machine, through the published port."""
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "max_attempts": 4}),
        )

    def items(self) -> int:
        table = self.client("dynamodb").describe_table(TableName="orders")["Table"]
        return int(table["ItemCount"])

    def ledger(self, service: str = "producer") -> Path:
        """A copy of a producer's ledger, as it is now."""
        copy = self.folder / f"{service}.ledger"
        inside = f"{self.containers(service)[0]}:/var/lib/riacho/ledgers/{service}.ledger"
        _docker("cp", inside, str(copy))
        return copy

    def search(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What OpenSearch answers, through its published port.

        An index that was made this moment says 503 until its shard has started."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.search_port}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        found: dict[str, Any] = {}

        def answers() -> bool:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    found.update(json.load(answer))
                    return True
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                return False

        wait_until(answers, 60)
        return found

    def documents(self) -> list[str]:
        """The event ids in the index of the clickstream, doubled ones twice."""
        query = {"size": 10_000, "_source": ["event_id"]}
        hits = self.search("ecommerce*/_search", query)["hits"]["hits"]
        return [hit["_source"]["event_id"] for hit in hits]

    def proof(self) -> Proof:
        return prove(
            self.ledger(),
            s3=self.client("s3"),
            bucket="riacho-lake",
            dynamodb=self.client("dynamodb"),
            table_name="orders",
        )

    def leftovers(self) -> list[str]:
        """Containers, networks and volumes of the project."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds = (
            ("ps", "--all", "--quiet"),
            ("network", "ls", "--quiet"),
            ("volume", "ls", "--quiet"),
        )
        return [x for kind in kinds for x in _docker(*kind, "--filter", label).split()]


def _docker(*arguments: str) -> str:
    answer = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=SECONDS)
    assert answer.returncode == 0, f"{arguments}: {answer.stderr}"
    return answer.stdout
