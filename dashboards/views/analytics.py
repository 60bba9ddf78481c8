"""The labs' charts over a table, computed with Athena."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from dashboards.analyses import Analysis, analyses_of, sql_of
from dashboards.aws import Aws
from dashboards.chart_choice import draw
from dashboards.facts import athena, lake
from dashboards.refreshing import told
from dashboards.views.lake import shared_tables
from dashboards.words import Say

#: A chart's numbers stay good for a while: queries read the whole table.
COMPUTED_SECONDS = 30
LONGEST_SECONDS = 60.0


class QueryEnded(Exception):
    """The query did not succeed; the message is Athena's."""


@st.cache_data(ttl=COMPUTED_SECONDS, show_spinner=False)
def computed(_aws: Aws, sql: str, database: str) -> pd.DataFrame:
    """One query's frame, shared by all sessions. Raises QueryEnded."""
    client = _aws.client("athena")
    query_id = athena.start_query(client, _aws.client("s3"), sql, database)
    deadline = time.monotonic() + LONGEST_SECONDS
    while not (found := athena.look(client, query_id)).has_ended:
        if time.monotonic() > deadline:
            client.stop_query_execution(QueryExecutionId=query_id)
            raise QueryEnded(f"{LONGEST_SECONDS:.0f} s")
        time.sleep(0.1)
    if found.state != "SUCCEEDED":
        raise QueryEnded(found.reason or found.state)
    return athena.fetch(client, query_id)[0]


def render(aws: Aws, say: Say) -> None:
    st.title(say("analytics"))
    st.caption(say("analytics_help"))
    with told(say):
        tables = {f"{t['DatabaseName']}.{t['Name']}": t for t in shared_tables(aws)}
        if not tables:
            st.info(say("no_tables"))
            return
        able = {name: analyses_of(_columns(table)) for name, table in tables.items()}
        names = sorted(tables, key=lambda name: -len(able[name]))
        name = st.selectbox(say("table"), names)
        if not able[name]:
            st.info(say("no_charts"))
        places = st.columns(2)
        for position, analysis in enumerate(able[name]):
            table = tables[name]
            with places[position % 2]:
                _chart(aws, say, analysis, table["DatabaseName"], table["Name"])


def _chart(aws: Aws, say: Say, analysis: Analysis, database: str, table: str) -> None:
    st.subheader(say(analysis.key))
    sql = sql_of(analysis, database, table)
    try:
        with told(say):
            with st.spinner(say("running")):
                frame = computed(aws, sql, database)
            st.altair_chart(draw(frame, analysis.choice), width="stretch")
    except QueryEnded as ended:
        st.error(str(ended))
    with st.popover("SQL"):
        st.code(sql, language="sql")


def _columns(table: dict[str, object]) -> set[str]:
    return {row["column"] for row in lake.column_rows(table)}
