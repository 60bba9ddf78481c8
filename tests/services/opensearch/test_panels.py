"""What a panel asks, and how its answer is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.opensearch.dashboards import saved_objects
from services.opensearch.panels import PanelQuery, TimeRange, panel_queries

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def query(object_id: str, times: TimeRange | None = None) -> PanelQuery:
    (found,) = [q for q in panel_queries(saved_objects(), times) if q.object_id == object_id]
    return found


def test_a_pie_is_a_count_of_each_of_the_most_frequent_values() -> None:
    asked = query("ecommerce-devices")
    terms = {"field": "device", "size": 10, "order": {"_count": "desc"}}
    assert asked.body["aggs"] == {"2": {"terms": terms}}
    assert asked.index_pattern == "ecommerce*"


def test_a_heat_map_has_buckets_within_buckets() -> None:
    outer = query("ecommerce-heat-map").body["aggs"]["2"]
    assert outer["terms"]["field"] == "url"
    assert outer["aggs"]["3"]["terms"]["field"] == "trafficfrom"


def test_a_metric_that_is_no_count_is_asked_in_every_bucket() -> None:
    times = TimeRange(NOON, NOON + timedelta(hours=1))
    asked = query("ecommerce-visitors-over-time", times).body["aggs"]["2"]
    assert asked["aggs"] == {"1": {"cardinality": {"field": "custid"}}}
    assert asked["date_histogram"]["fixed_interval"] == "1m"


def test_a_time_range_and_the_panel_s_own_query_are_filters() -> None:
    times = TimeRange(NOON, NOON + timedelta(hours=1))
    filters = query("streaming-media-errors-by-region", times).body["query"]["bool"]["filter"]
    limits = {"gte": "2026-01-01T12:00:00+00:00", "lt": "2026-01-01T13:00:00+00:00"}
    assert filters == [
        {"range": {"timestamp": limits}},
        {"query_string": {"query": "_exists_:error_code"}},
    ]


@pytest.mark.parametrize(
    ("length", "interval"),
    [
        (timedelta(minutes=1), "1s"),
        (timedelta(minutes=15), "10s"),
        (timedelta(hours=24), "30m"),
        (timedelta(days=7), "3h"),
        (timedelta(days=365), "7d"),
        (timedelta(days=365 * 500), "365d"),
    ],
)
def test_pieces_of_time_are_round_and_not_too_many(length: timedelta, interval: str) -> None:
    assert TimeRange(NOON, NOON + length).interval == interval


def answer(total: int, **aggregations: Any) -> dict[str, Any]:
    return {"hits": {"total": {"value": total}}, "aggregations": aggregations}


def test_rows_have_the_keys_from_the_outside_in() -> None:
    inner = {"buckets": [{"key": "Alexa", "doc_count": 2}, {"key": "twitter.com", "doc_count": 1}]}
    outer = {"buckets": [{"key": "beer_cart", "doc_count": 3, "3": inner}]}
    assert query("ecommerce-heat-map").rows(answer(3, **{"2": outer})) == [
        (("beer_cart", "Alexa"), 2),
        (("beer_cart", "twitter.com"), 1),
    ]


def test_a_metric_without_buckets_is_one_row() -> None:
    assert query("ecommerce-events").rows(answer(7)) == [((), 7)]
    found = answer(7, **{"1": {"value": 3}})
    assert query("ecommerce-visitors").rows(found) == [((), 3)]


def test_without_any_index_nothing_is_shown() -> None:
    nothing = {"hits": {"total": {"value": 0}}}
    assert query("ecommerce-visitors").rows(nothing) == [((), 0)]
    assert query("ecommerce-heat-map").rows(nothing) == []
