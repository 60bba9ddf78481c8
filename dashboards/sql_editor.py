"""The console's editor: colours, line numbers, and completion of what the catalog holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st

from dashboards.facts.lake import column_rows

ACE_FILES = (
    "ace.js",
    "ext-language_tools.js",
    "mode-sql.js",
    "theme-github_light_default.js",
    "theme-github_dark.js",
)
HTML = '<div class="sql-editor"></div>'
CSS = """.sql-editor {border: 1px solid var(--st-border-color); border-radius: .5rem}
.sql-editor.ace_editor {line-height: 20px}"""
#: What AWS calls a function is not known to the editor's own list of SQL words.
FUNCTIONS = """
approx_distinct approx_percentile array_agg arbitrary cardinality coalesce concat count_if
current_date current_timestamp date_diff date_format date_parse date_trunc element_at
from_iso8601_timestamp from_unixtime if json_extract json_extract_scalar max_by min_by
regexp_extract regexp_like regexp_replace split split_part strpos substr to_unixtime transform
try try_cast unnest
""".split()  # noqa: SIM905


def completions(tables: Sequence[dict[str, Any]], database: str) -> list[dict[str, Any]]:
    """What may be completed: tables and columns of the database, tables of the others by their
    whole name, Athena's functions. In the shape of the Ace editor. Pure."""
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        is_near = table["DatabaseName"] == database
        name = table["Name"] if is_near else f"{table['DatabaseName']}.{table['Name']}"
        found.setdefault(name, _completion(name, "table", 1000 if is_near else 200))
        if is_near:
            for row in column_rows(table):
                found.setdefault(row["column"], _completion(row["column"], row["type"], 900))
    for name in FUNCTIONS:
        found.setdefault(name, _completion(name, "function", 100))
    return list(found.values())


def _completion(name: str, meta: str, score: int) -> dict[str, Any]:
    return {"caption": name, "value": name, "meta": meta, "score": score}


@cache
def _javascript() -> str:
    """Ace's files, as the package `django-ace` brings them, and how the page uses them."""
    spec = find_spec("django_ace")  # found, not imported: its Python is for another framework
    if spec is None or not spec.origin:
        raise ModuleNotFoundError("django-ace is not installed here: run ./scripts/install.")
    folder = Path(spec.origin).parent / "static" / "django_ace" / "ace"
    sources = [(folder / name).read_text() for name in ACE_FILES]
    ours = Path(__file__).with_suffix(".js").read_text()
    return f"const SOURCES = {json.dumps(sources)};\n{ours}"


def _nothing() -> None:
    """Streamlit returns only the values that have a callback."""


def sql_editor(
    text: str, given: int, tables: Sequence[dict[str, Any]], database: str, label: str
) -> tuple[str, bool]:
    """The editor; what stands in it, and whether Ctrl+Enter was pressed just now.

    `text` is put into it whenever `given` is another number than before. What is typed comes back
    a quarter of a second after the last key, and at once when the editor is left: a button beside
    it sees all that was written."""
    editor = st.components.v2.component(
        "sql_editor", html=HTML, css=CSS, js=_javascript(), isolate_styles=False
    )
    answer = editor(
        data={
            "text": text,
            "given": given,
            "label": label,
            "is_dark": st.context.theme.type == "dark",
            "completions": completions(tables, database),
        },
        key="sql_editor",
        on_text_change=_nothing,
        on_run_change=_nothing,
    )
    run = answer.get("run")
    written = run if run is not None else answer.get("text")
    return (text if written is None else str(written)), run is not None
