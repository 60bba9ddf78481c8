"""An OpenSearch cluster: whether it is well, our templates in it, and what a search finds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.opensearch.http_client import HttpClient

FOLDER = Path(__file__).parent


def pipelines() -> dict[str, dict[str, Any]]:
    """Ingest pipelines by their names."""
    return _read("pipelines")


def templates() -> dict[str, dict[str, Any]]:
    """Index templates by their names; each index of a lab begins with its template's name."""
    return _read("templates")


def _read(folder: str) -> dict[str, dict[str, Any]]:
    return {f.stem: json.loads(f.read_text()) for f in sorted((FOLDER / folder).glob("*.json"))}


class Cluster:
    """Every method raises SearchUnreachable and SearchRefused."""

    def __init__(self, address: str) -> None:
        self.http = HttpClient(address)

    def info(self) -> dict[str, Any]:
        """Its name and version."""
        told: dict[str, Any] = self.http.call("GET", "/")
        return told

    def status(self) -> str:
        """`green`, `yellow` or `red`."""
        status: str = self.http.call("GET", "/_cluster/health")["status"]
        return status

    def wait(self, seconds: float) -> None:
        """Until it can be written to."""
        self.http.wait_until(lambda: self.status() in ("green", "yellow"), seconds)

    def put_templates(self) -> list[str]:
        """Pipelines and index templates, whether or not they are there; their names."""
        for name, pipeline in pipelines().items():
            self.http.call("PUT", f"/_ingest/pipeline/{name}", pipeline)
        for name, template in templates().items():
            self.http.call("PUT", f"/_index_template/{name}", template)
        return list(templates())

    def search(self, index_pattern: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What is found in the indexes of that pattern; none there is no error."""
        path = f"/{index_pattern}/_search?ignore_unavailable=true&allow_no_indices=true"
        found: dict[str, Any] = self.http.call("POST", path, body)
        return found

    def refresh(self, index_pattern: str) -> None:
        """Make what was written visible to searches."""
        self.http.call("POST", f"/{index_pattern}/_refresh?ignore_unavailable=true")
