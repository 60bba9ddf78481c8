"""Which engine a contract suite talks to, and how."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from scripts.bench.peers import PEERS
from services.localstack.engine import admin

#: `aws` uses the credentials and the region of whoever runs it.
ENGINES = ("riacho", "localstack", "ministack", "moto", "aws")


@dataclass(frozen=True)
class ContractEngine:
    """One engine under contract: clients, and whether its clock can be moved."""

    name: str
    endpoint_url: str | None
    move_clock: Callable[[float], float] | None = None

    @property
    def patience_seconds(self) -> float:
        """How long a test waits for it: peers answer at once or not at all."""
        return 8.0 if self.name in ("moto", "ministack") else 60.0

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client. Requests are not checked on this side: refusing is what is tested."""
        wanted: dict[str, Any] = {
            "retries": {"total_max_attempts": 1},
            "parameter_validation": False,
            "read_timeout": self.patience_seconds,
        }
        credentials = (
            {}
            if self.endpoint_url is None
            else {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        )
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=None if self.endpoint_url is None else "us-east-1",
            config=Config(**(wanted | config)),
            **credentials,
        )

    def advance_clock(self, seconds: float) -> None:
        """Move the engine's clock; a test that needs it is skipped where that cannot be done."""
        if self.move_clock is None:
            pytest.skip(f"The clock of {self.name} cannot be moved.")
        self.move_clock(seconds)


@contextlib.contextmanager
def running_engine(name: str) -> Iterator[ContractEngine]:
    """Brought up for this run, unless it is AWS."""
    if name == "aws":
        yield ContractEngine("aws", None)
        return
    with PEERS[name]() as peer:
        yield ContractEngine(name, peer.endpoint_url)


def riacho_engine(endpoint_url: str) -> ContractEngine:
    """Ours, already running."""

    def move(seconds: float) -> float:
        return float(admin(endpoint_url, "clock", {"advance_seconds": seconds})["now"])

    return ContractEngine("riacho", endpoint_url, move)
