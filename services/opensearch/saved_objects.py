"""Write `saved_objects.ndjson`: what OpenSearch Dashboards shows of the labs' indexes.

    python -m services.opensearch.saved_objects > services/opensearch/saved_objects.ndjson

The file is what is imported and kept; panels are easier to read and to change here. Dashboards
keeps a panel's description as JSON within JSON, under Kibana's old names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

type Json = dict[str, Any]

_INDEX_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
_COLUMNS = 48


@dataclass(frozen=True)
class IndexPattern:
    """The indexes of a lab, the name of their time, and when their events happened."""

    name: str
    time_field: str
    time_from: str
    time_to: str

    @property
    def object_id(self) -> str:
        return f"{self.name}-pattern"

    def saved(self) -> Json:
        # Without "fields" Dashboards reads them from the mappings.
        attributes = {"title": f"{self.name}*", "timeFieldName": self.time_field}
        return {
            "id": self.object_id,
            "type": "index-pattern",
            "attributes": attributes,
            "references": [],
            "migrationVersion": {"index-pattern": "7.6.0"},
        }


#: The generator's first day; simulators that play now; the sample of access logs.
ECOMMERCE = IndexPattern(
    "ecommerce", "trans_timestamp", "2026-01-01T09:00:00.000Z", "2026-01-02T09:00:00.000Z"
)
STREAMING_MEDIA = IndexPattern("streaming-media", "timestamp", "now-1h", "now")
WEBLOGS = IndexPattern(
    "weblogs", "@timestamp", "2015-05-17T00:00:00.000Z", "2015-05-22T00:00:00.000Z"
)

COUNT: Json = {"id": "1", "enabled": True, "type": "count", "schema": "metric", "params": {}}


def unique(field: str, label: str, number: str = "1") -> Json:
    """How many different values."""
    params = {"field": field, "customLabel": label}
    return {
        "id": number,
        "enabled": True,
        "type": "cardinality",
        "schema": "metric",
        "params": params,
    }


def total(field: str, label: str) -> Json:
    params = {"field": field, "customLabel": label}
    return {"id": "1", "enabled": True, "type": "sum", "schema": "metric", "params": params}


def terms(number: str, schema: str, field: str, size: int = 10, label: str = "") -> Json:
    """A bucket for each of the most frequent values."""
    params = {
        "field": field,
        "size": size,
        "order": "desc",
        "orderBy": "1",
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
        **({"customLabel": label} if label else {}),
    }
    return {"id": number, "enabled": True, "type": "terms", "schema": schema, "params": params}


def over_time(pattern: IndexPattern) -> Json:
    """A bucket for each piece of time, as wide as the range that is looked at wants it."""
    params = {
        "field": pattern.time_field,
        "useNormalizedOpenSearchInterval": True,
        "scaleMetricValues": False,
        "interval": "auto",
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
    }
    return {
        "id": "2",
        "enabled": True,
        "type": "date_histogram",
        "schema": "segment",
        "params": params,
    }


@dataclass(frozen=True)
class Panel:
    """One visualization. `aggregations`: the metric first, then buckets from the outside in;
    `query` is Lucene's."""

    object_id: str
    title: str
    kind: str
    pattern: IndexPattern
    aggregations: tuple[Json, ...]
    query: str = ""

    def saved(self) -> Json:
        state = {
            "title": self.title,
            "type": self.kind,
            "aggs": list(self.aggregations),
            "params": {"type": self.kind, **PARAMS[self.kind]},
        }
        source = {
            "query": {"query": self.query, "language": "lucene"},
            "filter": [],
            "indexRefName": _INDEX_REFERENCE,
        }
        reference = {
            "name": _INDEX_REFERENCE,
            "type": "index-pattern",
            "id": self.pattern.object_id,
        }
        return _visualization(self.object_id, self.title, state, source, [reference])


def _visualization(
    object_id: str, title: str, state: Json, source: Json, references: Sequence[Json]
) -> Json:
    attributes = {
        "title": title,
        "description": "",
        "version": 1,
        "uiStateJSON": "{}",
        "visState": _text(state),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }
    return {
        "id": object_id,
        "type": "visualization",
        "attributes": attributes,
        "references": list(references),
        "migrationVersion": {"visualization": "7.10.0"},
    }


def _text(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def _axes(kind: str) -> Json:
    """What every chart with axes needs; `kind` is line, area or histogram."""
    return {
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "bottom",
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": True, "truncate": 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
                "title": {"text": ""},
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": kind,
                "mode": "stacked" if kind == "histogram" else "normal",
                "data": {"label": "", "id": "1"},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": True,
            }
        ],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False},
    }


#: How each kind of panel is drawn.
PARAMS: dict[str, Json] = {
    "pie": {
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "isDonut": False,
        "labels": {"show": True, "values": True, "last_level": True, "truncate": 100},
    },
    "heatmap": {
        "addTooltip": True,
        "addLegend": True,
        "enableHover": False,
        "legendPosition": "right",
        "times": [],
        "colorsNumber": 6,
        "colorSchema": "Greens",
        "setColorRange": False,
        "colorsRange": [],
        "invertColors": False,
        "percentageMode": False,
        "valueAxes": [
            {
                "show": False,
                "id": "ValueAxis-1",
                "type": "value",
                "scale": {"type": "linear", "defaultYExtents": False},
                "labels": {"show": True, "rotate": 0, "overwriteColor": False, "color": "black"},
            }
        ],
    },
    "line": _axes("line"),
    "histogram": _axes("histogram"),
    "metric": {
        "addTooltip": True,
        "addLegend": False,
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {
                "bgFill": "#000",
                "bgColor": False,
                "labelColor": False,
                "subText": "",
                "fontSize": 48,
            },
        },
    },
    "table": {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
    },
}

PANELS = (
    Panel("ecommerce-events", "Clicks", "metric", ECOMMERCE, (COUNT,)),
    Panel(
        "ecommerce-visitors",
        "Unique visitors",
        "metric",
        ECOMMERCE,
        (unique("custid", "Visitors"),),
    ),
    Panel(
        "ecommerce-devices",
        "Clicks by device",
        "pie",
        ECOMMERCE,
        (COUNT, terms("2", "segment", "device")),
    ),
    Panel(
        "ecommerce-heat-map",
        "Pages by source of traffic",
        "heatmap",
        ECOMMERCE,
        (COUNT, terms("2", "segment", "url"), terms("3", "group", "trafficfrom")),
    ),
    Panel(
        "ecommerce-visitors-over-time",
        "Unique visitors over time",
        "line",
        ECOMMERCE,
        (unique("custid", "Visitors"), over_time(ECOMMERCE)),
    ),
    Panel(
        "ecommerce-funnel",
        "From window to checkout",
        "histogram",
        ECOMMERCE,
        (COUNT, terms("2", "segment", "url"), terms("3", "group", "device")),
    ),
    Panel(
        "streaming-media-errors-by-region",
        "Errors by region",
        "heatmap",
        STREAMING_MEDIA,
        (COUNT, terms("2", "segment", "region"), terms("3", "group", "error_code")),
        "_exists_:error_code",
    ),
    Panel(
        "streaming-media-errors-over-time",
        "Errors over time",
        "line",
        STREAMING_MEDIA,
        (COUNT, over_time(STREAMING_MEDIA), terms("3", "group", "region")),
        "_exists_:error_code",
    ),
    Panel(
        "streaming-media-devices",
        "Requests by device",
        "histogram",
        STREAMING_MEDIA,
        (COUNT, terms("2", "segment", "device")),
    ),
    Panel("weblogs-requests", "Requests", "metric", WEBLOGS, (COUNT,)),
    Panel("weblogs-hosts", "Unique hosts", "metric", WEBLOGS, (unique("host", "Hosts"),)),
    Panel("weblogs-bytes", "Bytes sent", "metric", WEBLOGS, (total("bytes", "Bytes"),)),
    Panel(
        "weblogs-responses",
        "Requests by response",
        "pie",
        WEBLOGS,
        (COUNT, terms("2", "segment", "response")),
    ),
    Panel(
        "weblogs-over-time",
        "Requests over time",
        "histogram",
        WEBLOGS,
        (COUNT, over_time(WEBLOGS), terms("3", "group", "response", 5)),
    ),
    Panel(
        "weblogs-pages",
        "Most wanted pages",
        "table",
        WEBLOGS,
        (COUNT, terms("2", "bucket", "url", 20, "Page")),
    ),
    Panel(
        "weblogs-missing-pages",
        "Pages that were not found",
        "table",
        WEBLOGS,
        (COUNT, terms("2", "bucket", "url", 20, "Page")),
        "response:404",
    ),
)


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels, each row with its height, on a grid 48 columns wide."""

    object_id: str
    title: str
    time_from: str
    time_to: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def saved(self) -> Json:
        panels: list[Json] = []
        references: list[Json] = []
        top = 0
        for height, row in self.rows:
            width = _COLUMNS // len(row)
            for place, object_id in enumerate(row):
                name = f"panel_{len(panels)}"
                number = str(len(panels) + 1)
                grid = {"x": place * width, "y": top, "w": width, "h": height, "i": number}
                panels.append(
                    {
                        "version": "3.0.0",
                        "panelIndex": number,
                        "embeddableConfig": {},
                        "panelRefName": name,
                        "gridData": grid,
                    }
                )
                references.append({"name": name, "type": "visualization", "id": object_id})
            top += height
        attributes = {
            "title": self.title,
            "description": "",
            "hits": 0,
            "version": 1,
            "panelsJSON": _text(panels),
            "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
            "timeRestore": True,
            "timeFrom": self.time_from,
            "timeTo": self.time_to,
            "refreshInterval": {"pause": False, "value": 5000},
            "kibanaSavedObjectMeta": {
                "searchSourceJSON": _text(
                    {"query": {"query": "", "language": "lucene"}, "filter": []}
                )
            },
        }
        return {
            "id": self.object_id,
            "type": "dashboard",
            "attributes": attributes,
            "references": references,
            "migrationVersion": {"dashboard": "7.9.3"},
        }


#: What the landing dashboard says.
WELCOME_ID = "riacho-welcome"
WELCOME = """\
## Riacho

* [Clickstream of the beer shop](#/view/riacho-ecommerce)
* [Errors of the streaming service](#/view/riacho-streaming-media)
* [Apache access logs](#/view/riacho-weblogs)

A panel is empty when nothing was sent to its indexes, or when it happened outside the time range
above: each of the three opens with the range of its own data."""

BOARDS = (
    Board(
        "riacho",
        "Riacho",
        # Everything, whenever it happened.
        "2010-01-01T00:00:00.000Z",
        "now",
        (
            (
                8,
                (WELCOME_ID, "ecommerce-events", "streaming-media-devices", "weblogs-requests"),
            ),
            (15, ("ecommerce-devices", "ecommerce-heat-map")),
            (15, ("streaming-media-errors-by-region", "weblogs-responses")),
        ),
    ),
    Board(
        "riacho-ecommerce",
        "Clickstream of the beer shop",
        ECOMMERCE.time_from,
        ECOMMERCE.time_to,
        (
            (8, ("ecommerce-events", "ecommerce-visitors")),
            (15, ("ecommerce-devices", "ecommerce-heat-map")),
            (15, ("ecommerce-visitors-over-time", "ecommerce-funnel")),
        ),
    ),
    Board(
        "riacho-streaming-media",
        "Errors of the streaming service",
        STREAMING_MEDIA.time_from,
        STREAMING_MEDIA.time_to,
        (
            (15, ("streaming-media-errors-by-region", "streaming-media-devices")),
            (15, ("streaming-media-errors-over-time",)),
        ),
    ),
    Board(
        "riacho-weblogs",
        "Apache access logs",
        WEBLOGS.time_from,
        WEBLOGS.time_to,
        (
            (8, ("weblogs-requests", "weblogs-hosts", "weblogs-bytes")),
            (15, ("weblogs-over-time", "weblogs-responses")),
            (15, ("weblogs-pages", "weblogs-missing-pages")),
        ),
    ),
)


def _welcome() -> Json:
    params = {"fontSize": 12, "openLinksInNewTab": False, "markdown": WELCOME}
    state = {"title": "Riacho", "type": "markdown", "params": params, "aggs": []}
    source = {"query": {"query": "", "language": "lucene"}, "filter": []}
    return _visualization(WELCOME_ID, "Riacho", state, source, [])


def everything() -> list[Json]:
    """All saved objects, each after those it refers to."""
    patterns = [pattern.saved() for pattern in (ECOMMERCE, STREAMING_MEDIA, WEBLOGS)]
    panels = [panel.saved() for panel in PANELS]
    return [*patterns, _welcome(), *panels, *(board.saved() for board in BOARDS)]


def ndjson() -> str:
    """As it stands in the file."""
    return "".join(f"{_text(found)}\n" for found in everything())


if __name__ == "__main__":
    print(ndjson(), end="")
