"""Which charts a result can be drawn as, from its columns alone. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

import pandas as pd

from dashboards import charts

Kind = Literal["bar", "line", "pie", "heat map"]
#: A label column with more values than this is no axis of bars.
LABELS_AT_MOST = 60


class Choice(NamedTuple):
    """A kind of chart and its columns: across, up, and what separates."""

    kind: Kind
    x: str
    y: str
    colour: str | None = None


def choices(frame: pd.DataFrame) -> list[Choice]:
    """The charts that make sense, the best first; none for a result that is only a table."""
    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    times = [name for name in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[name])]
    labels = [name for name in frame.columns if name not in numbers and name not in times]
    labels = [name for name in labels if frame[name].map(str).nunique() <= LABELS_AT_MOST]
    if frame.empty or not numbers:
        return []
    value = numbers[-1]
    found: list[Choice] = []
    if times:
        colour = labels[0] if labels else None
        found += [Choice("line", times[0], value, colour), Choice("bar", times[0], value, colour)]
    if len(labels) >= 2:
        found += [Choice("heat map", labels[0], labels[1], value)]
        found += [Choice("bar", labels[0], value, labels[1])]
    elif labels:
        found += [Choice("bar", labels[0], value)]
        if (frame[value].fillna(0) >= 0).all() and frame[labels[0]].is_unique:
            found += [Choice("pie", labels[0], value)]
    if len(numbers) >= 2 and not times:
        found += [Choice("line", numbers[0], value, labels[0] if labels else None)]
        if not labels:
            found += [Choice("bar", numbers[0], value)]
    if len(numbers) >= 3 and not labels and not times:
        found += [Choice("heat map", numbers[0], numbers[1], value)]
    return list(dict.fromkeys(found))


def draw(frame: pd.DataFrame, choice: Choice) -> charts.Drawing:
    """The chart of a choice."""
    if choice.kind == "pie":
        return charts.pie(frame, choice.x, choice.y)
    if choice.kind == "heat map":
        return charts.heat_map(frame, choice.x, choice.y, choice.colour or choice.y)
    if choice.kind == "line":
        return charts.lines(frame, choice.x, choice.y, choice.colour)
    return charts.bars(frame, choice.x, choice.y, choice.colour)
