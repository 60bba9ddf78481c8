"""Our saved objects in an OpenSearch Dashboards: imported over what is there, checked by id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.opensearch.errors import SearchRefused
from services.opensearch.http_client import HttpClient

#: Index patterns, panels and dashboards, one JSON object a line; written by `saved_objects`.
SAVED_OBJECTS = Path(__file__).with_name("saved_objects.ndjson")
#: Every dashboard's address is /app/dashboards#/view/<id>; this one leads to the others.
LANDING = "riacho"


def saved_objects() -> list[dict[str, Any]]:
    """What stands in the file."""
    return [json.loads(line) for line in SAVED_OBJECTS.read_text().splitlines()]


class Dashboards:
    """Every method raises SearchUnreachable and SearchRefused."""

    def __init__(self, address: str) -> None:
        # Dashboards refuses whoever does not send this header: a web page's form cannot.
        self.http = HttpClient(address, {"osd-xsrf": "true"})

    def wait(self, seconds: float) -> None:
        """Until it can be used."""

        def is_up() -> bool:
            state = self.http.call("GET", "/api/status")["status"]["overall"]["state"]
            return bool(state in ("green", "yellow"))

        self.http.wait_until(is_up, seconds)

    def import_saved_objects(self) -> int:
        """Put ours in place of those with the same ids; how many there are."""
        content = SAVED_OBJECTS.read_bytes()
        files = {"file": ("saved_objects.ndjson", content, "application/ndjson")}
        path = "/api/saved_objects/_import?overwrite=true"
        answer = self.http.call("POST", path, files=files)
        if not answer.get("success"):
            raise SearchRefused(
                f"{self.http.address} did not take the saved objects: "
                f"{json.dumps(answer.get('errors'))[:500]}"
            )
        return int(answer["successCount"])

    def make_landing(self) -> None:
        """Open with our dashboard, where nobody chose another page."""
        changes = {"defaultRoute": f"/app/dashboards#/view/{LANDING}"}
        self.http.call("POST", "/api/opensearch-dashboards/settings", {"changes": changes})
