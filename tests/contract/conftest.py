"""Contract suites: written once, run against every engine (`--contract-engine`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.engines import ContractEngine, riacho_engine, running_engine


@pytest.fixture(scope="session")
def contract_engine(request: pytest.FixtureRequest) -> Iterator[ContractEngine]:
    """The engine that `--contract-engine` names; ours is the one the other tests use, too."""
    name = str(request.config.getoption("--contract-engine"))
    if name == "riacho":
        yield riacho_engine(request.getfixturevalue("engine").endpoint_url)
        return
    with running_engine(name) as engine:
        yield engine


@pytest.fixture
def refused() -> Callable[..., dict[str, str]]:
    """Calls and expects an error; its `Code` and `Message`."""

    def call(operation: Callable[..., Any], **request: Any) -> dict[str, str]:
        with pytest.raises(ClientError) as raised:
            operation(**request)
        return dict(raised.value.response["Error"])

    return call


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`@pytest.mark.known_gap(reason)` is a strict xfail for our own engine alone."""
    if config.getoption("--contract-engine") != "riacho":
        return
    for item in items:
        for marker in item.iter_markers("known_gap"):
            item.add_marker(pytest.mark.xfail(strict=True, reason=str(marker.args[0])))
