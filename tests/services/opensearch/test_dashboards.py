"""Importing saved objects, spoken to a server that answers as Dashboards' API is documented."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from services.opensearch.dashboards import SAVED_OBJECTS, Dashboards, saved_objects
from services.opensearch.errors import SearchRefused, SearchUnreachable


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@contextlib.contextmanager
def dashboards_api(
    imported: dict[str, Any], states: list[str] | None = None
) -> Iterator[tuple[str, list[Request]]]:
    """`states`: what the status is at first, one call after the other; then green."""
    requests: list[Request] = []
    left = list(states or [])

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            requests.append(Request(self.command, self.path, headers, body))
            content: Any = {}
            if self.path == "/api/status":
                state = left.pop(0) if left else "green"
                content = {"status": {"overall": {"state": state}}}
            elif self.path.startswith("/api/saved_objects/_import"):
                content = imported
            # The real one refuses every change without this header.
            refused = self.command == "POST" and "osd-xsrf" not in headers
            answered = json.dumps(content).encode()
            self.send_response(400 if refused else 200)
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_file_is_imported_over_what_is_there() -> None:
    count = len(saved_objects())
    with dashboards_api({"success": True, "successCount": count}) as (url, requests):
        dashboards = Dashboards(url)
        assert dashboards.import_saved_objects() == count
        dashboards.make_landing()
        dashboards.http.close()
    sent, landing = requests
    assert sent.path.endswith("?overwrite=true")
    head = f"Content-Type: {sent.headers['content-type']}\r\n\r\n".encode()
    (part,) = message_from_bytes(head + sent.body, policy=HTTP).iter_parts()
    assert part.get_filename() == "saved_objects.ndjson"
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.strip() == SAVED_OBJECTS.read_bytes().strip()
    assert json.loads(landing.body)["changes"]["defaultRoute"] == "/app/dashboards#/view/riacho"


def test_dashboards_that_still_starts_is_waited_for() -> None:
    with dashboards_api({}, ["red", "red"]) as (url, requests):
        dashboards = Dashboards(url)
        dashboards.wait(30)
        dashboards.http.close()
    assert len(requests) == 3


def test_what_dashboards_does_not_take_is_told_in_its_words() -> None:
    errors = [{"id": "x", "error": {"type": "unsupported_type"}}]
    with dashboards_api({"success": False, "errors": errors}) as (url, _):
        dashboards = Dashboards(url)
        with pytest.raises(SearchRefused, match="unsupported_type"):
            dashboards.import_saved_objects()
        dashboards.http.close()


def test_nobody_there_is_one_sentence_with_the_address() -> None:
    with pytest.raises(SearchUnreachable, match=r"http://127\.0\.0\.1:1 was not ready within 0 s"):
        Dashboards("http://127.0.0.1:1").wait(0)
