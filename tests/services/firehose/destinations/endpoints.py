"""Servers that speak the protocol of a destination: what they were sent, what they shall answer."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass
class Endpoint:
    """`answer` decides status and content of each request."""

    url: str
    answer: Callable[[Request], tuple[int, Any]]
    requests: list[Request] = field(default_factory=list)


@contextlib.contextmanager
def endpoint(answer: Callable[[Request], tuple[int, Any]]) -> Iterator[Endpoint]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            served.requests.append(request)
            status, content = served.answer(request)
            answered = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Endpoint(f"http://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def indexed(request: Request, statuses: Callable[[Any], int] = lambda document: 201) -> Any:
    """The answer of OpenSearch's bulk API; `statuses` decides document by document."""
    lines = [json.loads(line) for line in request.body.splitlines()]
    items = []
    for document in lines[1::2]:
        status = statuses(document)
        item: dict[str, Any] = {"status": status}
        if status >= 300:
            item["error"] = {"type": "mapper_parsing_exception", "reason": "no"}
        items.append({"index": item})
    return {"errors": any(i["index"]["status"] >= 300 for i in items), "items": items}


def acknowledged(request: Request) -> tuple[int, Any]:
    """What an HTTP endpoint has to answer."""
    return 200, {"requestId": request.content["requestId"], "timestamp": 1}
