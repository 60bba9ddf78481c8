"""One stream: shards, traffic, newest records, leases, and buttons to change it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.aws import Aws
from dashboards.facts import streams
from dashboards.facts.metrics import Metric, Point, kinesis_metric, read_metrics
from dashboards.refreshing import LIVE, SHARED, told
from dashboards.words import Say

#: Shards whose newest records are read: one call a shard, so not of hundreds.
SHARDS_READ = 16


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_shards(_aws: Aws, stream_name: str) -> list[dict[str, Any]]:
    return streams.read_shards(_aws.client("kinesis"), stream_name)


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_tail(_aws: Aws, stream_name: str) -> list[streams.TailRecord]:
    bars = streams.shard_bars(shared_shards(_aws, stream_name))
    open_ids = [bar.shard_id for bar in bars if bar.is_open][:SHARDS_READ]
    return streams.read_tail(_aws.client("kinesis"), stream_name, open_ids, time.time())


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_traffic(_aws: Aws, stream_name: str) -> dict[Metric, list[Point]]:
    wanted = [
        kinesis_metric("IncomingRecords", stream_name),
        kinesis_metric("GetRecords.Records", stream_name),
        kinesis_metric("WriteProvisionedThroughputExceeded", stream_name),
        kinesis_metric("GetRecords.IteratorAgeMilliseconds", stream_name, "Maximum"),
    ]
    return read_metrics(_aws.client("cloudwatch"), wanted, time.time())


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_leases(_aws: Aws) -> list[streams.LeaseFacts]:
    return streams.read_leases(_aws.client("dynamodb"))


# A drawing takes longer than all that is read for it: a class shares these, too.
@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_shard_map(_aws: Aws, name: str, open_: str, closed: str) -> dict[str, Any]:
    bars = streams.shard_bars(shared_shards(_aws, name))
    drawing: dict[str, Any] = charts.shards(bars, (open_, closed)).to_dict()
    return drawing


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_graph(_aws: Aws, name: str, unit: str) -> dict[str, Any] | None:
    """The traffic's sums; None without any."""
    named = {
        metric.name: points
        for metric, points in shared_traffic(_aws, name).items()
        if points and metric.statistic == "Sum"
    }
    return charts.series(named, unit).to_dict() if named else None


def render(aws: Aws, say: Say) -> None:
    st.title(say("stream"))
    with told(say):
        names = streams.stream_names(aws.client("kinesis"))
        if not names:
            st.info(say("no_streams"))
            return
        asked = st.query_params.get("stream")
        if asked is not None and asked not in names:
            st.warning(say("unknown_stream", name=asked))
        index = names.index(asked) if asked in names else 0
        name = st.selectbox(say("stream"), names, index=index)
        st.query_params["stream"] = name
        _live(aws, say, name)
        _change(aws, say, name)


def _live(aws: Aws, say: Say, name: str) -> None:
    @st.fragment(run_every=LIVE)
    def live() -> None:
        with told(say):
            _numbers(aws, say, name)
            left, right = st.columns(2)
            with left:
                _shards(aws, say, name)
            with right:
                _traffic(aws, say, name)
            _tail(aws, say, name)
            _leases(aws, say)

    live()


def _numbers(aws: Aws, say: Say, name: str) -> None:
    kinesis = aws.client("kinesis")
    facts = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    closed = len(shared_shards(aws, name)) - facts["OpenShardCount"]
    mode = facts.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    numbers = (
        (say("open_shards"), facts["OpenShardCount"]),
        (say("closed_shards"), max(0, closed)),
        (say("retention"), say("hours", count=facts["RetentionPeriodHours"])),
        (say("mode"), mode.replace("_", " ").capitalize()),
    )
    for column, (label, value) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(label, value)


def _shards(aws: Aws, say: Say, name: str) -> None:
    st.subheader(say("shard_map"), help=say("shard_map_help"))
    st.vega_lite_chart(shared_shard_map(aws, name, say("open"), say("closed")), width="stretch")


def _traffic(aws: Aws, say: Say, name: str) -> None:
    st.subheader(say("traffic"))
    traffic = shared_traffic(aws, name)
    if graph := shared_graph(aws, name, say("per_minute")):
        st.vega_lite_chart(graph, width="stretch")
    else:
        st.info(say("no_traffic"))
    refused = traffic[kinesis_metric("WriteProvisionedThroughputExceeded", name)]
    ages = traffic[kinesis_metric("GetRecords.IteratorAgeMilliseconds", name, "Maximum")]
    left, right = st.columns(2)
    left.metric(say("throttled"), f"{sum(point.value for point in refused):,.0f}")
    right.metric(say("iterator_age"), f"{ages[-1].value / 1000:,.1f}" if ages else "–")


def _tail(aws: Aws, say: Say, name: str) -> None:
    st.subheader(say("tail"))
    records = shared_tail(aws, name)
    if records:
        rows = pd.DataFrame([asdict(record) for record in records])
        st.dataframe(rows, hide_index=True, height=260, width="stretch")
    else:
        st.caption(say("tail_empty"))


def _leases(aws: Aws, say: Say) -> None:
    st.subheader(say("leases"))
    leases = shared_leases(aws)
    if leases:
        rows = pd.DataFrame([asdict(lease) for lease in leases])
        rows["owner"] = [owner or say("nobody") for owner in rows["owner"]]
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.caption(say("no_leases"))


def _change(aws: Aws, say: Say, name: str) -> None:
    kinesis = aws.client("kinesis")
    with st.expander(say("change")):
        shards = shared_shards(aws, name)
        bars = streams.shard_bars(shards)
        one, two, three = st.columns(3)
        with one, st.form("split"):
            chosen = st.selectbox(say("shard"), [bar.shard_id for bar in bars if bar.is_open])
            if st.form_submit_button(say("split")) and chosen:
                with told(say):
                    middle = streams.middle_hash_key(shards, chosen)
                    kinesis.split_shard(
                        StreamName=name, ShardToSplit=chosen, NewStartingHashKey=middle
                    )
                    st.success(say("asked"))
        with two, st.form("merge"):
            pairs = streams.adjacent_pairs(bars)
            pair = st.selectbox(say("shard_pair"), pairs, format_func=" + ".join)
            if st.form_submit_button(say("merge")) and pair:
                with told(say):
                    kinesis.merge_shards(
                        StreamName=name, ShardToMerge=pair[0], AdjacentShardToMerge=pair[1]
                    )
                    st.success(say("asked"))
        with three, st.form("put"):
            key = st.text_input(say("partition_key"), "test")
            data = st.text_input(say("data"), '{"hello": "stream"}')
            if st.form_submit_button(say("put")):
                with told(say):
                    put = kinesis.put_record(StreamName=name, PartitionKey=key, Data=data.encode())
                    done = {"sequence": put["SequenceNumber"], "shard": put["ShardId"]}
                    st.success(say("put_done", **done))
