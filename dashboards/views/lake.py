"""The lake: objects, tables and their partitions, crawlers and their runs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboards.aws import Aws
from dashboards.facts import lake
from dashboards.refreshing import LIVE, SHARED, told
from dashboards.words import Say


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_tables(_aws: Aws) -> list[dict[str, Any]]:
    return lake.read_tables(_aws.client("glue"))


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_crawlers(_aws: Aws) -> list[dict[str, Any]]:
    return lake.read_crawlers(_aws.client("glue"))


def render(aws: Aws, say: Say) -> None:
    st.title(say("lake"))
    objects, catalog, crawlers = st.tabs([say("objects"), say("catalog"), say("crawlers")])
    with objects, told(say):
        _objects(aws, say)
    with catalog, told(say):
        _catalog(aws, say)
    with crawlers, told(say):
        _crawlers(aws, say)


def _objects(aws: Aws, say: Say) -> None:
    s3 = aws.client("s3")
    buckets = lake.bucket_names(s3)
    if not buckets:
        st.info(say("no_buckets"))
        return
    bucket = st.selectbox(say("bucket"), buckets)
    place = f"prefix:{bucket}"
    prefix = st.session_state.setdefault(place, "")
    listing = lake.read_listing(s3, bucket, prefix)
    left, right = st.columns([1, 2])
    with left:
        _folders(say, place, prefix, listing)
    with right:
        _object_table(s3, say, bucket, listing)


def _folders(say: Say, place: str, prefix: str, listing: lake.Listing) -> None:
    st.caption(f"`/{prefix}`")
    parent = prefix.rstrip("/").rpartition("/")[0]
    if prefix:
        above = f"{parent}/" if parent else ""
        if st.button(say("up"), key=f"up:{place}", icon=":material/arrow_upward:"):
            st.session_state[place] = above
            st.rerun()
    for folder in listing.folders[:100]:
        name = folder[len(prefix) :]
        if st.button(name, key=f"{place}:{folder}", icon=":material/folder:", width="stretch"):
            st.session_state[place] = folder
            st.rerun()


def _object_table(s3: Any, say: Say, bucket: str, listing: lake.Listing) -> None:
    if not listing.objects:
        if not listing.folders:
            st.caption(say("empty_folder"))
        return
    rows = pd.DataFrame(
        {
            say("key"): [item.key.rpartition("/")[2] for item in listing.objects],
            say("size"): [item.size for item in listing.objects],
            say("changed"): [item.changed for item in listing.objects],
            say("storage_class"): [item.storage_class for item in listing.objects],
        }
    )
    if listing.is_cut:
        st.caption(say("listing_cut", count=lake.LISTED_AT_MOST))
    picked = st.dataframe(
        rows,
        hide_index=True,
        height=240,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
    )
    chosen = picked["selection"]["rows"]
    if not chosen:
        st.caption(say("choose_object"))
        return
    item = listing.objects[chosen[0]]
    preview = lake.read_preview(s3, bucket, item.key, item.size)
    st.caption(f"s3://{bucket}/{item.key}")
    if preview.rows is not None:
        st.dataframe(preview.rows, hide_index=True, width="stretch")
    else:
        st.code(preview.text[:20_000] or " ", language=None)


def _catalog(aws: Aws, say: Say) -> None:
    tables = {f"{t['DatabaseName']}.{t['Name']}": t for t in shared_tables(aws)}
    if not tables:
        st.info(say("no_tables"))
        return
    name = st.selectbox(say("table"), list(tables))
    table = tables[name]
    storage = table.get("StorageDescriptor") or {}
    facts = table.get("Parameters", {})
    shown = [storage.get("Location", ""), facts.get("classification", "")]
    st.caption(" · ".join(text for text in shown if text))
    left, right = st.columns(2)
    left.subheader(say("columns"))
    left.dataframe(pd.DataFrame(lake.column_rows(table)), hide_index=True, width="stretch")
    if table.get("PartitionKeys"):
        right.subheader(say("partitions"))
        keys = [key["Name"] for key in table["PartitionKeys"]]
        found = lake.read_partitions(aws.client("glue"), table["DatabaseName"], table["Name"])
        rows = pd.DataFrame([part["Values"] for part in found], columns=keys)
        right.dataframe(rows, hide_index=True, width="stretch")


def _crawlers(aws: Aws, say: Say) -> None:
    @st.fragment(run_every=LIVE)
    def live() -> None:
        with told(say):
            crawlers = shared_crawlers(aws)
            if not crawlers:
                st.info(say("no_crawlers"))
            for crawler in crawlers:
                _crawler(aws, say, crawler)

    live()


def _crawler(aws: Aws, say: Say, crawler: dict[str, Any]) -> None:
    name = crawler["Name"]
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    schedule = crawler.get("Schedule", {}).get("ScheduleExpression", "")
    left.markdown(f"**{name}** · {crawler['State']} · {crawler.get('DatabaseName', '')} {schedule}")
    is_busy = crawler["State"] != "READY"
    if right.button(say("run_crawler"), key=f"crawl:{name}", disabled=is_busy, width="stretch"):
        aws.client("glue").start_crawler(Name=name)
        shared_crawlers.clear()
    rows = [
        {
            "state": crawl["State"],
            "start": crawl["StartTime"],
            "seconds": (crawl["EndTime"] - crawl["StartTime"]).total_seconds()
            if "EndTime" in crawl
            else None,
            "summary": crawl.get("Summary", ""),
            "error": crawl.get("ErrorMessage", ""),
        }
        for crawl in crawler["Crawls"]
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
