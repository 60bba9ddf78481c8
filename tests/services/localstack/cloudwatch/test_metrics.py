"""A metric is told apart from others by all of its dimensions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.localstack.cloudwatch.metric_query import has_all, read, written
from tests.conftest import EngineUnderTest

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="="), min_size=1)


@given(st.dictionaries(WORDS, st.text(st.characters(exclude_categories=("Cc", "Cs")))))
def test_dimensions_are_read_as_they_were_written(dimensions: Mapping[str, str]) -> None:
    pairs = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    assert read(written(pairs)) == sorted(pairs, key=lambda each: each["Name"])


def test_a_filter_asks_for_a_name_or_for_a_name_and_its_value() -> None:
    metric = [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]
    assert has_all(metric, [])
    assert has_all(metric, [{"Name": "B"}])
    assert has_all(metric, [{"Name": "B", "Value": "2"}, {"Name": "A"}])
    assert not has_all(metric, [{"Name": "B", "Value": "1"}])
    assert not has_all([], [{"Name": "B"}])


def named(**dimensions: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


@pytest.fixture
def namespace(engine: EngineUnderTest) -> str:
    """Series that are like one another, a value each and a set of two."""
    name = f"Likeness/{uuid.uuid4().hex}"
    like = {1.0: named(Stream="a_b"), 10.0: named(Stream="a-b"), 100.0: named(Stream="a_b-2")}
    like |= {1000.0: named(Stream="a_b", Shard="0"), 10000.0: named(Stream="A_B"), 5.0: []}
    like |= {7.0: named(Stream="a=b")}
    data: list[dict[str, Any]] = []
    for value, dimensions in like.items():
        common = {"MetricName": "Sum", "Dimensions": dimensions, "Unit": "Count"}
        data.append({**common, "Timestamp": BEGAN, "Value": value})
        statistics = {"SampleCount": 2, "Sum": value, "Minimum": 0, "Maximum": value}
        later = BEGAN + timedelta(seconds=150)
        data.append({**common, "Timestamp": later, "StatisticValues": statistics})
    engine.client("cloudwatch").put_metric_data(Namespace=name, MetricData=data)
    return name


@pytest.mark.parametrize(
    ("dimensions", "value"),
    [
        (named(Stream="a_b"), 1.0),
        (named(Stream="a-b"), 10.0),
        (named(Stream="a_b", Shard="0"), 1000.0),
        (named(Shard="0", Stream="a_b"), 1000.0),
        (named(Stream="a=b"), 7.0),
        ([], 5.0),
        (named(Shard="0"), None),
        (named(Stream="a"), None),
    ],
)
def test_statistics_are_of_one_series(
    engine: EngineUnderTest, namespace: str, dimensions: list[dict[str, str]], value: float | None
) -> None:
    cloudwatch = engine.client("cloudwatch")
    times = {"StartTime": BEGAN, "EndTime": BEGAN + timedelta(minutes=5)}
    metric = {"Namespace": namespace, "MetricName": "Sum", "Dimensions": dimensions}
    points = cloudwatch.get_metric_statistics(
        **metric, **times, Period=60, Statistics=["Sum", "Average", "SampleCount", "Maximum"]
    )["Datapoints"]
    of_each = {
        (point["Timestamp"] - BEGAN).total_seconds(): (
            point["Sum"],
            point["Average"],
            point["SampleCount"],
            point["Maximum"],
        )
        for point in points
    }
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    data = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "a", "MetricStat": stat}], **times)
    sums = data["MetricDataResults"][0]["Values"]
    if value is None:
        assert (of_each, sums) == ({}, [])
    else:
        assert of_each == {0: (value, value, 1, value), 120: (value, value / 2, 2, value)}
        assert sums == [value, value]


def test_list_metrics_tells_those_that_have_the_dimensions(
    engine: EngineUnderTest, namespace: str
) -> None:
    def told(*filters: dict[str, str]) -> list[dict[str, str]]:
        metrics = engine.client("cloudwatch").list_metrics(
            Namespace=namespace, Dimensions=list(filters)
        )["Metrics"]
        return sorted(
            ({each["Name"]: each["Value"] for each in metric["Dimensions"]} for metric in metrics),
            key=str,
        )

    shard = {"Stream": "a_b", "Shard": "0"}
    assert told({"Name": "Stream", "Value": "a_b"}) == sorted([shard, {"Stream": "a_b"}], key=str)
    assert told({"Name": "Shard"}) == [shard]
    assert {"Stream": "a=b"} in told()
