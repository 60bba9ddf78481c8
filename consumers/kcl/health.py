"""Whether a worker is well, as a dictionary and as an HTTP endpoint on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: A health report: `status` is `healthy`, or `unhealthy` with `problems`, sentences.
Report = dict[str, Any]


class HealthEndpoint:
    """Answers any GET: 200 with the report while the worker is healthy, else 503.

    Bound to 127.0.0.1 unless told otherwise; `port` 0 takes a free one.
    """

    def __init__(
        self, report: Callable[[], Report], port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self._server = ThreadingHTTPServer((host, port), _answering(report))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="kcl-health", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _answering(report: Callable[[], Report]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = report()
            body = json.dumps(told, indent=2).encode() + b"\n"
            self.send_response(200 if told["status"] == "healthy" else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """A probe every few seconds is no news."""

    return Answer
