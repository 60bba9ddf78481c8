"""One Compose project for all tests of this folder; `python -m scripts.containers` runs them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.containers.composed import Composed

REQUIRED = os.environ.get("RIACHO_CONTAINER_TESTS") == "required"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Composed:
    """The project, not started."""
    if not REQUIRED:
        pytest.skip("needs Docker and built images: python -m scripts.containers runs it")
    folder = tmp_path_factory.mktemp("compose")
    name = f"riacho-test-{uuid.uuid4().hex[:8]}"
    # Faster than a classroom, so that there is load; objects of the lake every two seconds.
    overrides = {"RIACHO_RATE": "200", "RIACHO_MAX_AGE_SECONDS": "2", "COMPOSE_PROFILES": ""}
    return Composed(name, folder, overrides)


@pytest.fixture(scope="session")
def resolved(project: Composed) -> dict[str, Any]:
    """The file as Compose reads it, every profile included."""
    text = project.compose("--profile", "*", "config", "--format", "json")
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.fixture(scope="session")
def compose(project: Composed) -> Iterator[Composed]:
    """Everything up and healthy; afterwards nothing of it is left."""
    try:
        project.up()
        yield project
    finally:
        project.compose(
            *("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5"),
            seconds=300,
        )
    assert project.leftovers() == []
