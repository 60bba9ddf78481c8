"""The Lambda Runtime API, version 2018-06-01, for one execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: the runtime asks for the next
invocation and waits, then posts its response or its error.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from services.awslambda.limits import MAXIMUM_RESPONSE_BYTES

_PREFIX = "/2018-06-01/runtime"
_NEXT = re.compile(rf"{_PREFIX}/invocation/next/?")
_RESPONSE = re.compile(rf"{_PREFIX}/invocation/([^/]+)/response/?")
_ERROR = re.compile(rf"{_PREFIX}/invocation/([^/]+)/error/?")
_EXTENSION = re.compile(r"/20\d\d-\d\d-\d\d/(extension|logs|telemetry)\b.*")
_INIT_ERROR = re.compile(rf"{_PREFIX}/init/error/?")


@dataclass(frozen=True, kw_only=True)
class Work:
    """One invocation as the runtime receives it. `deadline` is in seconds since 1970."""

    request_id: str
    payload: bytes
    invoked_function_arn: str
    deadline: float
    trace_id: str = ""
    client_context: str = ""

    def headers(self) -> dict[str, str]:
        """The headers of `/invocation/next`; empty ones are left out, as on AWS."""
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Invoked-Function-Arn": self.invoked_function_arn,
            "Lambda-Runtime-Trace-Id": self.trace_id,
            "Lambda-Runtime-Client-Context": self.client_context,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
        }
        return {name: value for name, value in headers.items() if value}


@dataclass(frozen=True)
class Event:
    """What the runtime said: `ready`, `response`, `error`, `init_error`, `too_large`; or `exit`."""

    kind: str
    request_id: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0


@dataclass(frozen=True)
class Answer:
    """What a request of the runtime is answered with."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def post(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[Event | None, Answer]:
    """What a POST of the runtime means, and its answer. Pure."""
    if match := _RESPONSE.fullmatch(path):
        if len(body) > MAXIMUM_RESPONSE_BYTES:
            return Event("too_large", match[1], str(len(body)).encode()), _refusal(
                413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size."
            )
        return Event("response", match[1], body, headers), _accepted()
    if match := _ERROR.fullmatch(path):
        return Event("error", match[1], body, headers), _accepted()
    if _INIT_ERROR.fullmatch(path):
        return Event("init_error", "", body, headers), _accepted()
    return None, not_found(path)


def not_found(path: str) -> Answer:
    """For whatever else a runtime asks; extensions get the way out."""
    if _EXTENSION.fullmatch(path):
        message = (
            "This engine runs no Lambda extensions: there is neither an Extensions API nor a "
            "Telemetry API. Leave the extension's layer out here."
        )
        return _refusal(501, "Extension.NotSupported", message)
    return _refusal(404, "NotFound", f"The Runtime API has no {path}.")


def _accepted() -> Answer:
    return _json(202, {"status": "OK"})


def _refusal(status: int, error_type: str, message: str) -> Answer:
    return _json(status, {"errorMessage": message, "errorType": error_type})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class RuntimeApi:
    """Listens on a port of its own on 127.0.0.1; everything it hears goes to `events`.

    `on_idle` runs when the runtime waits and there is no work, `on_work` right before waiting
    work is handed over; both under one lock, so that they never cross.
    """

    def __init__(self, on_idle: Callable[[], None], on_work: Callable[[], None]) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._on_idle = on_idle
        self._on_work = on_work
        self._changed = threading.Condition()
        self._work: Work | None = None
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="lambda-runtime-api", daemon=True).start()

    def offer(self, work: Work) -> None:
        """Give the runtime its next invocation."""
        with self._changed:
            self._work = work
            self._on_work()
            self._changed.notify_all()

    def next_work(self) -> Work | None:
        """Block until there is work; None once closed."""
        with self._changed:
            self.events.put(Event("ready"))
            if self._work is None and not self._is_closed:
                self._on_idle()
            self._changed.wait_for(lambda: self._work is not None or self._is_closed)
            work, self._work = self._work, None
            return None if self._is_closed else work

    def next_event(self, deadline: float) -> Event:
        """What the runtime says next; `timeout` once `time.monotonic()` reaches the deadline."""
        try:
            return self.events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return Event("timeout")

    def close(self) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        # An accept that is under way does not notice that its socket is closed; a guest wakes it.
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), timeout=1).close()

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    connection, peer = self._listener.accept()
                except OSError:
                    return
                if self._is_closed:
                    connection.close()
                    return
                threading.Thread(
                    target=self._serve, args=(connection, peer), name="lambda-runtime", daemon=True
                ).start()

    def _serve(self, connection: socket.socket, peer: Any) -> None:
        # A function's process may be killed at any byte.
        with connection, contextlib.suppress(OSError):
            _Connection(connection, peer, self)


class _Connection(BaseHTTPRequestHandler):
    """One kept-alive connection of the runtime."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def __init__(self, connection: socket.socket, peer: Any, api: RuntimeApi) -> None:
        self._api = api
        super().__init__(connection, peer, None)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the engine's log is not the function's."""

    def do_GET(self) -> None:
        if not _NEXT.fullmatch(self.path):
            self._answer(not_found(self.path))
        elif (work := self._api.next_work()) is None:
            self.close_connection = True
        else:
            self._answer(Answer(200, work.payload, work.headers()))

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        event, answer = post(self.path, self._body(), headers)
        if event is None or event.kind == "too_large":
            self._answer(answer)
        if event is not None:
            self._api.events.put(event)
            if event.kind != "too_large":
                self._answer(answer)

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        chunk = self.rfile.read(int(self.rfile.readline().split(b";")[0], 16))
        self.rfile.readline()
        return chunk

    def _answer(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
