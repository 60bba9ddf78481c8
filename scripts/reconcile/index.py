"""What an OpenSearch index holds, and what OpenSearch refused of a delivery stream's records."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from typing import Any

import orjson

from scripts.reconcile.measures import REVENUE_COLUMNS, revenue
from scripts.reconcile.reconciliation import Holding
from scripts.reconcile.sinks import Progress, bodies, silent
from services.opensearch.cluster import Cluster

#: What is written to the error output prefix for it.
FAILED = "AmazonOpenSearchService-failed/"
_PAGE = 2_000
_KEPT_OPEN = "1m"


def read_index(cluster: Cluster, index_pattern: str, progress: Progress = silent) -> Holding:
    """Every document of the indexes of that pattern (`orders*` has the rotated ones), by the
    `event_id` that it has; one without counts under its index and document id.

    Raises services.opensearch.errors.SearchFailed.
    """
    holding = Holding(f"index {index_pattern}")
    cluster.refresh(index_pattern)
    for hits in _pages(cluster, index_pattern):
        for hit in hits:
            row = hit["_source"]
            holding.add(str(row.get("event_id", f"{hit['_index']}/{hit['_id']}")), revenue(row))
        progress(len(hits))
    return holding


def _pages(cluster: Cluster, index_pattern: str) -> Iterator[list[dict[str, Any]]]:
    """A scroll: one moment's documents, whatever is written meanwhile.
    https://docs.opensearch.org/latest/search-plugins/searching-data/paginate/#scroll-search"""
    wanted = {
        "size": _PAGE,
        "sort": ["_doc"],
        "_source": ["event_id", *REVENUE_COLUMNS],
    }
    call = cluster.http.call
    page = call("POST", f"/{index_pattern}/_search?scroll={_KEPT_OPEN}", wanted)
    try:
        while hits := page["hits"]["hits"]:
            yield hits
            following = {"scroll": _KEPT_OPEN, "scroll_id": page["_scroll_id"]}
            page = call("POST", "/_search/scroll", following)
    finally:
        call("DELETE", "/_search/scroll", {"scroll_id": [page["_scroll_id"]]})


def read_failed_documents(s3: Any, bucket: str, prefix: str) -> set[str]:
    """Ids of the events that OpenSearch refused and Firehose backed up below the prefix."""
    failed = set()
    for body in bodies(s3, bucket, prefix, FAILED):
        plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        for line in plain.splitlines():
            if (event_id := _event_id(base64.b64decode(orjson.loads(line)["rawData"]))) is not None:
                failed.add(event_id)
    return failed


def _event_id(data: bytes) -> str | None:
    """None for what is no row: no ledger knows it."""
    try:
        row = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return str(row["event_id"]) if isinstance(row, dict) and "event_id" in row else None
