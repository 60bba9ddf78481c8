"""Charts as pure functions: rows in, an Altair chart out. Colours follow the page's theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import altair as alt
import pandas as pd

from dashboards.facts.metrics import Point
from dashboards.facts.streams import ShardBar

#: What Streamlit draws; Altair's own types do not survive its chained calls.
Drawing = Any

HEIGHT = 240
#: What a legend below takes from the chart.
LEGEND_HEIGHT = 80
EVERY_LABEL = alt.Axis(labelOverlap=False, labelLimit=140)
LEGEND_BELOW = alt.Legend(orient="bottom", columns=1, labelLimit=0)
#: More slices than this make a pie unreadable; the rest is one slice.
SLICES = 8
#: Vega refuses more rows than 5,000 unless told otherwise, for the browser's sake.
POINTS_DRAWN = 5000


def series(named: Mapping[str, Sequence[Point]], unit: str) -> Drawing:
    """Lines over time, one per name."""
    rows = [
        {"at": point.at, "value": point.value, "series": name}
        for name, points in named.items()
        for point in points
    ]
    frame = pd.DataFrame(rows, columns=["at", "value", "series"])
    return (
        alt.Chart(frame)
        .mark_line(point=True)
        .encode(
            x=alt.X("at:T", title=None, axis=alt.Axis(format="%H:%M", tickCount=8)),
            y=alt.Y("value:Q", title=unit),
            color=alt.Color("series:N", title=None, legend=LEGEND_BELOW),
            tooltip=["series", "at:T", "value"],
        )
        .properties(height=HEIGHT + LEGEND_HEIGHT)
    )


def with_threshold(chart: Drawing, threshold: float) -> Drawing:
    """A metric's graph with the alarm's threshold as a dashed line."""
    line = (
        alt.Chart(pd.DataFrame({"threshold": [threshold]}))
        .mark_rule(strokeDash=[6, 4], color="#c62828")
        .encode(y="threshold:Q", tooltip="threshold")
    )
    return alt.layer(chart, line)


def shards(bars: Sequence[ShardBar], states: tuple[str, str]) -> Drawing:
    """Shards as bars over the hash key space; children stand below their parents.

    `states` are the words for open and closed."""
    frame = pd.DataFrame(
        [asdict(bar) | {"state": states[0] if bar.is_open else states[1]} for bar in bars]
    )
    frame["name"] = [bar.shard_id.removeprefix("shardId-").lstrip("0") or "0" for bar in bars]
    frame["after"] = [", ".join(bar.parents) for bar in bars]
    base = alt.Chart(frame).encode(
        x=alt.X("start:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        x2="end:Q",
        y=alt.Y("generation:O", title=None, axis=None),
        tooltip=["shard_id", "state", "after", "start", "end"],
    )
    colour = alt.Color(
        "state:N",
        title=None,
        scale=alt.Scale(domain=list(states), range=["#1565c0", "#9ca3af"]),
        legend=alt.Legend(orient="bottom"),
    )
    boxes = base.mark_bar(stroke="white", cornerRadius=4).encode(color=colour)
    middle = alt.datum.start + (alt.datum.end - alt.datum.start) / 2
    names = (
        alt.Chart(frame)
        .transform_calculate(middle=middle)
        .mark_text(color="white", fontSize=11)
        .encode(x="middle:Q", y="generation:O", text="name")
    )
    rows = int(frame["generation"].max()) + 1
    return alt.layer(boxes, names).properties(height=110 + 46 * rows)


def bars(frame: pd.DataFrame, x: str, y: str, colour: str | None = None) -> Drawing:
    """Bars, the largest first unless the axis has an order of its own."""
    is_ordered = pd.api.types.is_numeric_dtype(frame[x]) or _is_time(frame[x])
    encoding: dict[str, Any] = {
        "x": alt.X(_field(frame, x, ordinal=True), title=x, sort="x" if is_ordered else "-y"),
        "y": alt.Y(_field(frame, y), title=y),
        "tooltip": [_field(frame, name) for name in frame.columns[:6]],
    }
    if colour:
        encoding["color"] = alt.Color(_field(frame, colour, ordinal=True), title=colour)
    return _drawn(frame).mark_bar().encode(**encoding).properties(height=HEIGHT)


def lines(frame: pd.DataFrame, x: str, y: str, colour: str | None = None) -> Drawing:
    """A line over time or numbers."""
    encoding: dict[str, Any] = {
        "x": alt.X(_field(frame, x), title=x),
        "y": alt.Y(_field(frame, y), title=y),
        "tooltip": [_field(frame, name) for name in frame.columns[:6]],
    }
    if colour:
        encoding["color"] = alt.Color(_field(frame, colour, ordinal=True), title=colour)
    return _drawn(frame).mark_line(point=True).encode(**encoding).properties(height=HEIGHT)


def pie(frame: pd.DataFrame, label: str, value: str) -> Drawing:
    """Shares of a whole; beyond eight the small ones are one slice."""
    ordered = frame.sort_values(value, ascending=False)
    if len(ordered) > SLICES:
        rest = pd.DataFrame({label: ["…"], value: [ordered[value].iloc[SLICES - 1 :].sum()]})
        ordered = pd.concat([ordered.head(SLICES - 1)[[label, value]].astype({label: str}), rest])
    return (
        alt.Chart(_plain(ordered))
        .mark_arc(innerRadius=50)
        .encode(
            theta=alt.Theta(_escaped(value) + ":Q", stack=True),
            color=alt.Color(_escaped(label) + ":N", title=label, sort=None),
            order=alt.Order(_escaped(value) + ":Q", sort="descending"),
            tooltip=[_escaped(label) + ":N", _escaped(value) + ":Q"],
        )
        .properties(height=HEIGHT)
    )


def heat_map(frame: pd.DataFrame, x: str, y: str, value: str) -> Drawing:
    """Two kinds against each other, the value as a shade."""
    return (
        _drawn(frame)
        .mark_rect()
        .encode(
            x=alt.X(_field(frame, x, ordinal=True), title=x, axis=EVERY_LABEL),
            y=alt.Y(_field(frame, y, ordinal=True), title=y, axis=EVERY_LABEL),
            color=alt.Color(_field(frame, value), title=value, scale=alt.Scale(scheme="blues")),
            tooltip=[_field(frame, name) for name in (x, y, value)],
        )
        .properties(height=max(HEIGHT, 26 * frame[y].nunique() + 120))
    )


def _drawn(frame: pd.DataFrame) -> Any:
    return alt.Chart(_plain(frame.head(POINTS_DRAWN)))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Altair takes no nullable integers and no mixed objects."""
    plain = frame.copy()
    for name in plain.columns:
        if str(plain[name].dtype) == "Int64":
            plain[name] = plain[name].astype("float64")
        elif plain[name].dtype == object:
            plain[name] = plain[name].map(lambda value: None if value is None else str(value))
    return plain


def _field(frame: pd.DataFrame, name: str, ordinal: bool = False) -> str:
    if _is_time(frame[name]):
        return _escaped(name) + (":O" if ordinal and len(frame) < 60 else ":T")
    if pd.api.types.is_numeric_dtype(frame[name]):
        return _escaped(name) + (":O" if ordinal else ":Q")
    return _escaped(name) + ":N"


def _escaped(name: str) -> str:
    """A column's name as Vega reads it: dots, brackets and colons mean something there."""
    return "".join(f"\\{letter}" if letter in r"\.[]:'\"" else letter for letter in name)


def _is_time(column: pd.Series) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(column))
