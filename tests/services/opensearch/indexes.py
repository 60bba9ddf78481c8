"""Reading and clearing the indexes of a real OpenSearch."""

from __future__ import annotations

from typing import Any

from services.opensearch.cluster import Cluster
from services.opensearch.dashboards import saved_objects
from services.opensearch.errors import SearchRefused
from services.opensearch.panels import TimeRange, panel_queries

PATTERNS = "ecommerce*,streaming-media*,weblogs*,test-*"


class Indexes:
    """What is in the indexes of the labs; `refresh` makes what was just written count."""

    def __init__(self, url: str) -> None:
        self.cluster = Cluster(url)

    def call(self, method: str, path: str, content: Any = None) -> Any:
        return self.cluster.http.call(method, path, content)

    def count(self, pattern: str) -> int:
        try:
            self.cluster.refresh(pattern)
            found = self.cluster.search(pattern, {"size": 0, "track_total_hits": True})
        except SearchRefused:
            # The server may be on its way up again, or the shard of an index of this moment.
            return 0
        total: int = found["hits"]["total"]["value"]
        return total

    def documents(self, pattern: str) -> list[dict[str, Any]]:
        self.cluster.refresh(pattern)
        found: list[dict[str, Any]]
        found = self.cluster.search(pattern, {"size": 10_000})["hits"]["hits"]
        return found

    def names(self, pattern: str) -> set[str]:
        return set(self.call("GET", f"/{pattern}/_alias?ignore_unavailable=true"))

    def panel(self, object_id: str, times: TimeRange | None = None) -> dict[tuple[Any, ...], float]:
        """What a panel shows, by the keys of its buckets."""
        self.cluster.refresh(PATTERNS)
        (query,) = [q for q in panel_queries(saved_objects(), times) if q.object_id == object_id]
        answer = self.cluster.search(query.index_pattern, query.body)
        return {keys: value for keys, value in query.rows(answer) if value}

    def turn_away(self, index: str, yes: bool) -> None:
        """Answer writes with 429, as a node does whose disk is nearly full."""
        block = {"index.blocks.read_only_allow_delete": True if yes else None}
        self.call("PUT", f"/{index}/_settings", block)

    def delete(self) -> None:
        for name in self.names(PATTERNS):
            self.call("DELETE", f"/{name}")
