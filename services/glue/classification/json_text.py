"""JSON: one value a line, one after another, indented, or inside an array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from services.glue.classification.column_types import Column, Struct, json_type, merge_all
from services.glue.classification.found import OPENX_JSON, Found, TableFormat

BETWEEN_VALUES = re.compile(r"[\s,]*")
STEP = re.compile(r"\.([\w@-]+)|\[(\*|\d+|'[^']*')\]")


def classify_json(text: str, is_cut: bool, json_path: str | None = None) -> Found | None:
    """Columns of the objects, or None when the text is not JSON.

    A top-level array without a path becomes one column `array`, as Glue makes of it."""
    values = _values(text, is_cut)
    if not values:
        return None
    if json_path:
        rows = [row for value in values for row in select_path(value, json_path)]
        parameters = {"jsonPath": json_path}
    else:
        rows = [{"array": value} if isinstance(value, list) else value for value in values]
        parameters = {}
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    return _found(rows, parameters, len(text.encode()))


def select_path(value: Any, json_path: str) -> Iterator[Any]:
    """What a classifier's path selects: `$`, `.name`, `[*]`, `[0]`."""
    steps = [name or step.strip("'") for name, step in STEP.findall(json_path)]
    selected = [value]
    for step in steps:
        selected = [found for item in selected for found in _step(item, step)]
    for item in selected:
        if isinstance(item, list):
            yield from item
        else:
            yield item


def _step(item: Any, step: str) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values()) if step == "*" else [item[step]] if step in item else []
    if isinstance(item, list):
        if step == "*":
            return item
        return [item[int(step)]] if step.isdigit() and int(step) < len(item) else []
    return []


def _values(text: str, is_cut: bool) -> list[Any]:
    """Every whole value; none at all when something else than JSON stands between them."""
    decoder = json.JSONDecoder(strict=False)
    values: list[Any] = []
    text, at = text.strip(), 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return values if is_cut and values else _inside_cut_array(text) if is_cut else []
        if not isinstance(value, dict | list):
            return []
        values.append(value)
        at = BETWEEN_VALUES.match(text, at).end()  # type: ignore[union-attr]
    return values


def _inside_cut_array(text: str) -> list[Any]:
    """The whole items of a long top-level array whose end was not read."""
    if not text.startswith("["):
        return []
    items = _values(text[1:], True)
    return [items] if items else []


def _found(rows: list[dict[str, Any]], parameters: dict[str, str], size: int) -> Found:
    merged = merge_all(json_type(row) for row in rows)
    fields = merged.fields if isinstance(merged, Struct) else ()
    paths = ",".join(sorted(name for name, _ in fields))
    columns: dict[str, Column] = {}
    for name, kind in fields:
        # Hive knows no case: keys that differ in case alone are one column.
        lower = name.lower()
        seen = columns[lower].type if lower in columns else None
        columns[lower] = Column(lower, merge_all((seen, kind)))
    return Found(
        "json",
        tuple(columns.values()),
        TableFormat(OPENX_JSON, parameters={"paths": paths}),
        parameters,
        records=len(rows),
        record_bytes=size,
    )
