"""DuckDB's and sqlglot's errors in Athena's words; no local path ever shows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.athena.errors import (
    DataRefused,
    QueryCancelled,
    QueryFailed,
    SqlNotSupported,
)
from services.athena.execution_engine import QueryContext


def position(node: Any) -> tuple[int | None, int | None]:
    """Line and column (from 1) of the leftmost identifier or function name below a node."""
    best: tuple[int, int, int] | None = None
    for found in node.walk():
        meta = found.meta
        if "line" in meta and (best is None or meta["start"] < best[0]):
            width = meta["end"] - meta["start"]
            best = (meta["start"], meta["line"], meta["col"] - width)
    return (best[1], best[2]) if best else (None, None)


_MARKED = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
#: DuckDB's text → name and text of Trino's error.
_RULES: list[tuple[str, str, str]] = [
    (r"Division by zero|DIVISION_BY_ZERO", "DIVISION_BY_ZERO", "Division by zero"),
    (r"Malformed JSON.*?(in line \d+)?", "HIVE_CURSOR_ERROR", "Row is not a valid JSON Object"),
    (
        r"Could not convert string [\"'](.*?)[\"'] to (\w+)",
        "INVALID_CAST_ARGUMENT",
        "Cannot cast '{0}' to {1}",
    ),
    (
        r"Overflow in (addition|subtraction|multiplication) of (\w+) \((.*?)\)",
        "NUMERIC_VALUE_OUT_OF_RANGE",
        "{1} {0} overflow: {2}",
    ),
    (
        r"Window \w+ (?:PRECEDING|FOLLOWING) expression cannot be (?:negative|NULL)",
        "INVALID_WINDOW_FRAME",
        "Window frame offset value must not be negative or null",
    ),
    (r"Out of Memory", "EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exceeded per-node memory limit"),
    (
        r"More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS",
        "Scalar sub-query has returned multiple rows",
    ),
    (
        r"(?:does not have a column|column) named \"?(\w+)\"?|column \"(\w+)\" not found",
        "COLUMN_NOT_FOUND",
        "Column '{0}' cannot be resolved",
    ),
]


_TYPES = {"INT8": "tinyint", "INT16": "smallint", "INT32": "integer", "INT64": "bigint"}


@contextlib.contextmanager
def translated(cache: Path, context: QueryContext) -> Iterator[None]:
    """Raise QueryFailed or QueryCancelled instead of DuckDB's errors."""
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        context.check()
        raise QueryCancelled() from None
    except (duckdb.Error, OSError, ValueError) as error:
        # PyArrow's reader turns what DuckDB raises after the first rows into an error of its own.
        context.check()
        if "INTERRUPT" in str(error):
            raise QueryCancelled() from None
        raise _translate(str(error), cache) from error


def _translate(text: str, cache: Path) -> QueryFailed:
    if found := _MARKED.search(text):
        name, _, rest = found[1].partition(": ")
        return QueryFailed(f"{name}: {rest}", error_type=1001)
    text = _without_paths(text, cache)
    if found := re.search(
        r"((?:HIVE|INVALID|NUMERIC|DIVISION|SYNTAX|NOT|EXCEEDED|GENERIC_USER)_[A-Z_]+): (.*)", text
    ):
        return QueryFailed(found[0].split("\n")[0])
    if "Malformed JSON" in text:
        where = re.search(
            r'in file "(.*?)", at byte \d+ in (?:line|record/value) (\d+): (.*)', text
        )
        place = f" {where[1]} line {where[2]}: {where[3].splitlines()[0]}" if where else ""
        return DataRefused(
            "HIVE_CURSOR_ERROR", f"Row is not a valid JSON Object - JSONException:{place}"
        )
    if "JSON transform error" in text:
        value = re.search(
            r"Failed to cast value to numerical: (\S+)|Could not convert string '(.*?)'", text
        )
        shown = value and (value[1] or value[2])
        return DataRefused(
            "HIVE_BAD_DATA",
            f"Error Parsing a column in the table: For input string: {shown or text.splitlines()[0]}",
        )
    for pattern, name, shape in _RULES:
        if found := re.search(pattern, text):
            words = [_TYPES.get(g, g) for g in found.groups() if g is not None] + ["", "", ""]
            return QueryFailed(f"{name}: {shape.format(*words)}")
    first = re.sub(r"\s+", " ", text.split("LINE ")[0]).strip()
    if text.startswith(("Binder Error", "Parser Error", "Not implemented")):
        return SqlNotSupported(first)
    return QueryFailed(f"GENERIC_INTERNAL_ERROR: {first}", error_category=1)


def _without_paths(text: str, cache: Path) -> str:
    import urllib.parse

    def uri(found: re.Match[str]) -> str:
        bucket, _, rest = found[1].partition("/k/")
        key = urllib.parse.unquote(rest.split("/e/")[0].replace("/", ""))
        return f"s3://{bucket}/{key}"

    return re.sub(re.escape(str(cache)) + r"/([^\"'\s]+)", uri, text)
