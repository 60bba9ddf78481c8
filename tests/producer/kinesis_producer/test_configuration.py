from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from producer.kinesis_producer import Configuration


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("collection_max_count", 501, "is 501; it must be a whole number from 1 to 500"),
        ("collection_max_size", 5, "from 52224 to 10485760"),
        ("aggregation_max_size", 63, "from 64 to 10485760"),
        ("record_max_buffered_time", -1, "is -1"),
        ("max_connections", None, "is None"),
        ("max_connections", True, "is True"),
        ("rate_limit", 0, "is 0"),
        ("record_ttl", 99, "is 99; it must be a whole number from 100"),
        ("metrics_level", "all", "must be one of: none, summary, detailed"),
        ("metrics_granularity", "", "must be one of: global, stream, shard"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_rule(setting: str, value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"{setting} .*{text}"):
        Configuration(**{setting: value})


def test_the_defaults_are_the_kpls() -> None:
    values = dataclasses.asdict(Configuration())
    assert values["aggregation_max_size"] == 51_200
    assert values["collection_max_size"] == 5_242_880
    assert values["record_max_buffered_time"] == 100
    assert values["record_ttl"] == 30_000
    assert values["rate_limit"] == 150


def test_pace_and_time_to_live_can_be_switched_off() -> None:
    assert Configuration(rate_limit=None, record_ttl=None).rate_limit is None
