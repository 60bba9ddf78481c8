"""What a panel asks of OpenSearch and what it shows, from its saved object. Pure.

OpenSearch Dashboards does the same in the browser: buckets from the outside in, and the metric in
each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

type Json = Mapping[str, Any]

#: Dashboards aims at as many pieces of time at most.
_MOST_PIECES = 100
_INTERVALS = (
    *(("1s", 1), ("5s", 5), ("10s", 10), ("30s", 30)),
    *(("1m", 60), ("5m", 300), ("10m", 600), ("30m", 1800)),
    *(("1h", 3600), ("3h", 10_800), ("12h", 43_200), ("1d", 86_400), ("7d", 604_800)),
    *(("30d", 2_592_000), ("365d", 31_536_000)),
)


@dataclass(frozen=True)
class TimeRange:
    """From (included) to (not included); both with a time zone."""

    time_from: datetime
    time_to: datetime

    @property
    def interval(self) -> str:
        """The finest round interval that does not make too many pieces."""
        seconds = (self.time_to - self.time_from) / timedelta(seconds=1)
        fitting = (name for name, width in _INTERVALS if seconds <= width * _MOST_PIECES)
        return next(fitting, _INTERVALS[-1][0])


@dataclass(frozen=True)
class PanelQuery:
    """A panel as a search: in which indexes, what, and how to read the answer."""

    object_id: str
    title: str
    index_pattern: str
    body: dict[str, Any]
    #: Aggregation ids from the outside in, and the metric's.
    buckets: tuple[str, ...]
    metric: str

    def rows(self, answer: Json) -> list[tuple[tuple[Any, ...], float]]:
        """(the buckets' keys, the metric) for each innermost bucket, in the answer's order."""
        total = answer["hits"]["total"]["value"]
        top = {**answer.get("aggregations", {}), "doc_count": total}
        return list(self._rows(top, self.buckets, ()))

    def _rows(
        self, bucket: Json, left: Sequence[str], keys: tuple[Any, ...]
    ) -> Iterator[tuple[tuple[Any, ...], float]]:
        if not left:
            # Without any index there is no aggregation in the answer either.
            is_count = self.metric == "count"
            yield keys, bucket["doc_count"] if is_count else bucket.get(self.metric, _NONE)["value"]
            return
        for inner in bucket.get(left[0], _NO_BUCKETS)["buckets"]:
            key = inner.get("key_as_string", inner["key"])
            yield from self._rows(inner, left[1:], (*keys, key))


_NONE: Json = {"value": 0}
_NO_BUCKETS: Json = {"buckets": ()}


def panel_queries(objects: Iterable[Json], times: TimeRange | None = None) -> list[PanelQuery]:
    """A query for each visualization that asks something; `times` None looks at everything."""
    listed = list(objects)
    patterns = {o["id"]: o["attributes"] for o in listed if o["type"] == "index-pattern"}
    panels = [o for o in listed if o["type"] == "visualization" and o["references"]]
    return [_query(panel, patterns[panel["references"][0]["id"]], times) for panel in panels]


def _query(panel: Json, pattern: Json, times: TimeRange | None) -> PanelQuery:
    attributes = panel["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    aggregations = json.loads(attributes["visState"])["aggs"]
    metric, *buckets = aggregations
    filters: list[dict[str, Any]] = []
    if times is not None:
        limits = {"gte": times.time_from.isoformat(), "lt": times.time_to.isoformat()}
        filters.append({"range": {pattern["timeFieldName"]: limits}})
    if words := source["query"]["query"]:
        filters.append({"query_string": {"query": words}})
    body: dict[str, Any] = {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": filters}},
        "aggs": _nested(buckets, metric, times),
    }
    counts = metric["type"] == "count"
    return PanelQuery(
        panel["id"],
        attributes["title"],
        pattern["title"],
        body,
        tuple(bucket["id"] for bucket in buckets),
        "count" if counts else metric["id"],
    )


def _nested(buckets: Sequence[Json], metric: Json, times: TimeRange | None) -> dict[str, Any]:
    measured = {} if metric["type"] == "count" else {metric["id"]: _metric(metric)}
    if not buckets:
        return measured
    first, *others = buckets
    asked = {**_BUCKETS[first["type"]](first["params"], metric, times)}
    if inner := measured | _nested(others, metric, times):
        asked["aggs"] = inner
    return {first["id"]: asked}


def _metric(metric: Json) -> dict[str, Any]:
    return {metric["type"]: {"field": metric["params"]["field"]}}


def _terms(params: Json, metric: Json, times: TimeRange | None) -> dict[str, Any]:
    by = "_count" if metric["type"] == "count" else params["orderBy"]
    order = {by: params["order"]}
    return {"terms": {"field": params["field"], "size": params["size"], "order": order}}


def _date_histogram(params: Json, metric: Json, times: TimeRange | None) -> dict[str, Any]:
    wanted = {"field": params["field"], "min_doc_count": params["min_doc_count"]}
    if params["interval"] != "auto":
        return {"date_histogram": {**wanted, "fixed_interval": params["interval"]}}
    if times is None:
        # Nobody knows the range: OpenSearch looks for itself.
        return {"auto_date_histogram": {"field": params["field"], "buckets": _MOST_PIECES}}
    return {"date_histogram": {**wanted, "fixed_interval": times.interval}}


_BUCKETS = {"terms": _terms, "date_histogram": _date_histogram}
