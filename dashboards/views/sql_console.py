"""SQL through Athena: write, run, cancel, see as table or chart, keep."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboards.aws import Aws
from dashboards.chart_choice import choices, draw
from dashboards.facts import athena, lake
from dashboards.refreshing import told
from dashboards.sql_editor import sql_editor
from dashboards.views.lake import shared_tables
from dashboards.words import Say

EXAMPLE = "SELECT 1 AS hello"
#: A browser draws no 500 columns in a useful time.
COLUMNS_SHOWN = 100


def render(aws: Aws, say: Say) -> None:
    st.title(say("sql"))
    st.session_state.setdefault("sql_text", EXAMPLE)
    st.session_state.setdefault("sql_given", 0)
    # A run may be cut off by the next one at every look into the session, not between two of
    # Python's own statements: what must stay together is kept in one dictionary.
    kept: dict[str, Any] = st.session_state.setdefault("sql_run", {})
    with told(say):
        _editor(aws, say, kept)
        _result(aws, say, kept)
        _kept(aws, say)


def _editor(aws: Aws, say: Say, kept: dict[str, Any]) -> None:
    databases = _databases(aws)
    left, right = st.columns([1, 3])
    with left:
        database = st.selectbox(say("database"), databases or ["default"])
        tables = shared_tables(aws)
        _columns(say, tables, database)
    with right:
        # What another part chose goes into the editor once; what is typed then stays.
        if "sql_next" in st.session_state:
            st.session_state["sql_text"] = st.session_state.pop("sql_next")
            st.session_state["sql_given"] += 1
        sql, is_submitted = sql_editor(
            st.session_state["sql_text"],
            st.session_state["sql_given"],
            tables,
            database,
            say("query"),
        )
        # Should the browser make the editor anew, it opens with what was written last.
        st.session_state["sql_text"] = sql
        run, save, name = st.columns([1, 1, 2], vertical_alignment="bottom")
        title = name.text_input(say("name"), key="sql_name", placeholder="top pages")
        if run.button(say("run"), type="primary", width="stretch") or is_submitted:
            _start(aws, say, kept, sql, database)
        if save.button(say("save"), disabled=not title, width="stretch"):
            aws.client("athena").create_named_query(Name=title, Database=database, QueryString=sql)


def _start(aws: Aws, say: Say, kept: dict[str, Any], sql: str, database: str) -> None:
    if not sql.strip():
        st.warning(say("no_statement"))
        return
    kept.clear()
    kept["id"] = athena.start_query(aws.client("athena"), aws.client("s3"), sql, database)


def _result(aws: Aws, say: Say, kept: dict[str, Any]) -> None:
    if "frame" in kept:
        _show(say, *kept["frame"])
        return
    if "id" not in kept:
        return

    @st.fragment(run_every="0.5s")
    def wait() -> None:
        with told(say):
            found = athena.look(aws.client("athena"), kept["id"])
            if found.has_ended:
                kept["frame"] = _fetched(aws, found)
                st.rerun()
            st.info(say("running"))
            if st.button(say("cancel")):
                aws.client("athena").stop_query_execution(QueryExecutionId=kept["id"])

    wait()


def _fetched(aws: Aws, found: athena.Execution) -> tuple[athena.Execution, Any, bool]:
    if found.state != "SUCCEEDED":
        return found, None, False
    frame, is_cut = athena.fetch(
        aws.client("athena"), found.query_execution_id, found.statement_type == "DML"
    )
    return found, frame, is_cut


def _show(say: Say, found: athena.Execution, frame: pd.DataFrame | None, is_cut: bool) -> None:
    if frame is None:
        st.error(found.reason or found.state)
        return
    facts = {
        "rows": f"{len(frame):,}",
        "millis": found.millis,
        "scanned": _size(found.scanned_bytes),
    }
    st.caption(say("result_facts", **facts))
    if is_cut:
        st.caption(say("result_cut", count=f"{athena.ROWS_FETCHED:,}"))
    possible = choices(frame)
    names = [say("as_table"), *(f"{say(c.kind)}: {c.x} × {c.y}" for c in possible)]
    for tab, choice in zip(st.tabs(names), [None, *possible], strict=True):
        with tab:
            if choice is None:
                _table(say, frame)
            else:
                st.altair_chart(draw(frame, choice), width="stretch")


def _table(say: Say, frame: pd.DataFrame) -> None:
    if len(frame.columns) > COLUMNS_SHOWN:
        st.caption(say("columns_cut", count=len(frame.columns), shown=COLUMNS_SHOWN))
    st.dataframe(frame.iloc[:, :COLUMNS_SHOWN], hide_index=True, width="stretch")
    st.download_button(say("download"), lambda: frame.to_csv(index=False), "result.csv", "text/csv")


def _kept(aws: Aws, say: Say) -> None:
    saved, history = st.columns(2)
    with saved.expander(say("saved")):
        kept = athena.saved_queries(aws.client("athena"))
        if not kept:
            st.caption(say("none_saved"))
        for query in kept:
            _usable(say, query["NamedQueryId"], query["Name"], query["QueryString"])
    with history.expander(say("history")):
        for found in athena.history(aws.client("athena")):
            title = f"{found.state} · {found.millis} ms · {_size(found.scanned_bytes)}"
            _usable(say, found.query_execution_id, title, found.query)


def _usable(say: Say, key: str, title: str, sql: str) -> None:
    st.caption(title)
    st.code(sql, language="sql")
    if st.button(say("use"), key=f"use:{key}"):
        st.session_state["sql_next"] = sql
        st.rerun()


def _databases(aws: Aws) -> list[str]:
    pages = aws.client("glue").get_paginator("get_databases").paginate()
    return [database["Name"] for page in pages for database in page["DatabaseList"]]


def _columns(say: Say, tables: list[dict[str, Any]], database: str) -> None:
    """The tables and columns that a statement may name."""
    for table in tables:
        if table["DatabaseName"] == database:
            with st.expander(table["Name"]):
                st.dataframe(
                    pd.DataFrame(lake.column_rows(table)), hide_index=True, width="stretch"
                )


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GB"
