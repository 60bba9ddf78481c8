"""docs/kcl.md names everything there is to set, to choose and to watch."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from consumers.kcl.metrics import METRICS
from consumers.kcl.settings import SchedulerSettings
from consumers.processors.registry import PROCESSORS

DOCS = (Path(__file__).parents[2] / "docs" / "kcl.md").read_text()


@pytest.mark.parametrize("name", [field.name for field in fields(SchedulerSettings)])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS


@pytest.mark.parametrize("name", PROCESSORS)
def test_every_processor_is_documented_with_what_it_requires(name: str) -> None:
    (line,) = (line for line in DOCS.splitlines() if line.startswith(f"| `{name}:"))
    assert all(f"{option}=" in line for option in PROCESSORS[name].required)


@pytest.mark.parametrize("operation", METRICS)
def test_every_operation_with_metrics_is_documented(operation: str) -> None:
    assert f"`{operation}`" in DOCS
