"""Alarms with their graphs, the inbox of topics, dead letters."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.aws import Aws
from dashboards.facts import mailbox, messages
from dashboards.facts.metrics import Metric, Point, read_metrics
from dashboards.refreshing import LIVE, SHARED, told
from dashboards.words import Say

STATE_COLOURS = {"OK": "green", "ALARM": "red", "INSUFFICIENT_DATA": "gray"}


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_alarms(_aws: Aws) -> list[dict[str, Any]]:
    return messages.read_alarms(_aws.client("cloudwatch"))


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_graphs(_aws: Aws) -> dict[str, dict[str, Any]]:
    """Each alarm's metric drawn with its threshold, by the alarm's name."""
    watched = {
        alarm["AlarmName"]: (alarm, metric)
        for alarm in shared_alarms(_aws)
        if (metric := messages.metric_of(alarm))
    }
    metrics = [metric for _, metric in watched.values()]
    points = read_metrics(_aws.client("cloudwatch"), metrics, time.time())
    return {
        name: drawn(alarm, metric, points[metric])
        for name, (alarm, metric) in watched.items()
        if points.get(metric)
    }


def drawn(alarm: dict[str, Any], metric: Metric, points: list[Point]) -> dict[str, Any]:
    graph = charts.series({metric.name: points}, metric.statistic)
    if "Threshold" in alarm:
        graph = charts.with_threshold(graph, alarm["Threshold"])
    drawing: dict[str, Any] = graph.to_dict()
    return drawing


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_letters(_aws: Aws) -> tuple[list[mailbox.Unconfirmed], list[mailbox.Letter]]:
    sns = _aws.client("sns")
    return mailbox.unconfirmed(sns), mailbox.read_letters(sns)


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_inbox(_aws: Aws) -> list[messages.Message]:
    return messages.read_inbox(_aws.client("sqs"))


def render(aws: Aws, say: Say) -> None:
    st.title(say("alarms"))

    @st.fragment(run_every=LIVE)
    def live() -> None:
        with told(say):
            _alarms(aws, say)
            left, right = st.columns(2)
            with left:
                _inbox(aws, say)
                _letters(aws, say)
            with right:
                _dead_letters(aws, say)

    live()


def _alarms(aws: Aws, say: Say) -> None:
    alarms, graphs = shared_alarms(aws), shared_graphs(aws)
    if not alarms:
        st.info(say("no_alarms"))
    for alarm in alarms:
        state = alarm["StateValue"]
        st.markdown(f"**{alarm['AlarmName']}** :{STATE_COLOURS.get(state, 'gray')}-badge[{state}]")
        st.caption(alarm.get("StateReason", ""))
        metric = messages.metric_of(alarm)
        if metric is None:
            continue
        if graph := graphs.get(alarm["AlarmName"]):
            st.vega_lite_chart(graph, width="stretch")
        else:
            st.caption(say("no_points"))


def _inbox(aws: Aws, say: Say) -> None:
    sns, sqs = aws.client("sns"), aws.client("sqs")
    st.subheader(say("inbox"), help=say("inbox_help"))
    topics, heard = messages.topic_arns(sns), messages.inbox_topics(sns)
    if not topics:
        st.caption(say("no_topics"))
    for arn in topics:
        topic = arn.rpartition(":")[2]
        place = st.empty()
        if arn not in heard and place.button(say("listen", topic=topic), key=f"listen:{arn}"):
            messages.open_inbox(sns, sqs, arn)
            heard.append(arn)
            place.empty()
    if heard:
        st.caption(say("listening", topics=", ".join(arn.rpartition(":")[2] for arn in heard)))
        _message_table(say, shared_inbox(aws))


def _letters(aws: Aws, say: Say) -> None:
    sns = aws.client("sns")
    if not mailbox.has_mailbox(sns):
        return
    st.subheader(say("letters"), help=say("letters_help"))
    waiting, letters = shared_letters(aws)
    for found in waiting:
        topic = found.topic_arn.rpartition(":")[2]
        place = st.empty()
        key = f"confirm:{found.topic_arn}:{found.protocol}:{found.endpoint}"
        if place.button(say("confirm", endpoint=found.endpoint, topic=topic), key=key):
            mailbox.confirm(sns, found)
            place.empty()
    if letters:
        rows = pd.DataFrame([asdict(letter) for letter in letters])
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.caption(say("no_letters"))


def _dead_letters(aws: Aws, say: Say) -> None:
    st.subheader(say("dead_letters"))
    pages = aws.client("lambda").get_paginator("list_event_source_mappings").paginate()
    mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    queues = messages.dead_letters(aws.client("sqs"), mappings)
    if not queues:
        st.caption(say("no_dead_letters"))
    for queue in queues:
        st.markdown(f"**{queue.name}** · {say('waiting', count=queue.waiting)}")
        if queue.waiting and st.toggle(say("show_messages"), key=f"peek:{queue.url}"):
            _message_table(say, messages.peek(aws.client("sqs"), queue.url))


def _message_table(say: Say, found: list[messages.Message]) -> None:
    if found:
        rows = pd.DataFrame([asdict(item) for item in found]).drop(columns="message_id")
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.caption(say("no_messages"))
