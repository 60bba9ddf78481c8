from __future__ import annotations

import dataclasses
from pathlib import Path

from producer.datasets import DATASETS
from producer.kinesis_producer import Configuration
from producer.kinesis_producer.metrics import METRICS

DOCS = Path(__file__).parents[3] / "docs"


def test_every_setting_is_documented_with_its_default() -> None:
    page = (DOCS / "producer.md").read_text()
    for setting in dataclasses.fields(Configuration):
        (line,) = (row for row in page.splitlines() if f"`{setting.name}`" in row and "|" in row)
        assert str(setting.default) in line


def test_every_metric_is_documented() -> None:
    page = (DOCS / "producer.md").read_text()
    for name, metric in METRICS.items():
        assert f"| `{name}` | {metric.level} | {metric.unit} | {metric.meaning} |" in page


def test_every_data_set_is_documented_with_its_citation() -> None:
    text = (DOCS / "datasets.md").read_text()
    page = " ".join(text.replace("\n> ", " ").replace("*", "").split())
    for name, make in DATASETS.items():
        assert f"## `{name}`" in page
        assert make().citation in page
