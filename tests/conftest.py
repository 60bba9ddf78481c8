"""The real engine for whoever asks for it: one per pytest process, in memory, on a free port."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import hypothesis
import pytest
from botocore.config import Config

from scripts.opensearch_release import install
from services.localstack.engine import Engine, start
from services.localstack.errors import EngineFailed
from services.opensearch.distribution import default_home
from services.opensearch.errors import SearchFailed
from services.settings import Settings
from tests.contract.engines import ENGINES
from tests.waiting import wait_until

# A loaded machine is slow, not wrong: no example has a deadline.
hypothesis.settings.register_profile("riacho", deadline=None)
hypothesis.settings.load_profile("riacho")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--contract-engine",
        default="riacho",
        choices=ENGINES,
        help="Which engine the suites in tests/contract talk to (installed on demand).",
    )


@dataclasses.dataclass
class EngineUnderTest:
    """What tests see of an engine. `engine` is the process, for tests that kill it."""

    engine: Engine

    @property
    def endpoint_url(self) -> str:
        return self.engine.endpoint_url

    @cached_property
    def _session(self) -> Any:
        return boto3.Session("test", "test", region_name="us-east-1")

    def client(self, service: str, region: str = "us-east-1", **config: Any) -> Any:
        """A boto3 client that retries fast and finds no other credentials on this machine."""
        wanted: dict[str, Any] = {
            "retries": {"mode": "standard", "max_attempts": 2},
            "max_pool_connections": 32,
            "read_timeout": 60,
        }
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            config=Config(**(wanted | config)),
        )

    def advance_clock(self, seconds: float) -> float:
        """Move the engine's clock forward; its new time."""
        return self.engine.advance_clock(seconds)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineUnderTest]:
    """One engine for all tests of this process: name what you create uniquely."""
    folder: Path = tmp_path_factory.mktemp("engine")
    settings = Settings(
        port=0, data_dir=folder, stream_storage="memory", stream_status_seconds=0.02
    )
    with start(settings) as started:
        yield EngineUnderTest(started)


@dataclasses.dataclass
class SearchEngine(EngineUnderTest):
    """An engine with an OpenSearch of its own."""

    opensearch_url: str

    def search_state(self) -> dict[str, Any]:
        return self.engine.admin("search")


@pytest.fixture(scope="session")
def search_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    """One for all tests of this process: it is heavy. Its indexes are on disk, the rest is not."""
    fetch_opensearch()
    settings = Settings(
        port=0,
        data_dir=tmp_path_factory.mktemp("search-engine"),
        stream_storage="memory",
        object_storage="memory",
        dynamodb="light",
        stream_status_seconds=0.02,
        search="on",
        search_port=0,
    )
    with start(settings) as started:
        found = SearchEngine(started, f"http://127.0.0.1:{started.settings.search_port}")
        wait_until(lambda: found.search_state()["state"] == "running", 180, 0.2)
        yield found


def fetch_opensearch() -> None:
    """The server's release is there, or the test is skipped where it cannot be fetched."""
    try:
        install(default_home())
    except (SearchFailed, EngineFailed) as why:
        if "CI" in os.environ:
            raise
        pytest.skip(str(why))
