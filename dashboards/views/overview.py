"""The picture of the data flow, live."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import streamlit as st

from dashboards.aws import Aws
from dashboards.facts.flow import Flow, as_dot, read_flow
from dashboards.refreshing import LIVE, SHARED, told
from dashboards.words import Say


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_flow(_aws: Aws) -> Flow:
    """One reading for all sessions."""
    return read_flow(_aws, time.time())


def render(aws: Aws, say: Say) -> None:
    st.title(say("overview"))

    @st.fragment(run_every=LIVE)
    def live() -> None:
        with told(say):
            show(shared_flow(aws), say)

    live()


def show(flow: Flow, say: Say) -> None:
    """Numbers on top, the picture below."""
    counted = {
        kind: sum(node.kind == kind for node in flow.nodes)
        for kind in ("stream", "delivery stream", "function", "table")
    }
    in_alarm = [node for node in flow.nodes if node.kind == "alarm" and not node.is_ready]
    numbers: tuple[tuple[str, int | str], ...] = (
        ("streams", counted["stream"]),
        ("records_per_second", f"{sum(flow.rates.values()):,.1f}"),
        ("delivery_streams", counted["delivery stream"]),
        ("functions", counted["function"]),
        ("tables", counted["table"]),
        ("in_alarm", len(in_alarm)),
    )
    for column, (key, value) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(say(key), value)
    if flow.nodes:
        st.graphviz_chart(as_dot(flow), width="stretch")
        st.caption(say("flow_help"))
    else:
        st.info(say("nothing_flows"))
    if flow.problems:
        st.warning(say("not_readable", problems="; ".join(flow.problems)))
    st.caption(say("updated", time=f"{datetime.now(UTC):%H:%M:%S}"))
