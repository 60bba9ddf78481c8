"""One request as Twisted sees it (HTTP/1.1 or HTTP/2): guarded, answered here or by LocalStack."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from rolo.serving.twisted import TwistedRequestAdapter
from twisted.internet import reactor

from services.localstack.data_calls import (
    DataAnswer,
    DataCall,
    LaterAnswer,
    StreamingAnswer,
    data_calls,
    path_calls,
)
from services.localstack.front_answers import (
    answer_call,
    error_answer,
    no_room_answer,
    refusal,
    with_request_id,
)
from services.settings import Settings

LOG = logging.getLogger(__name__)

ADMIN_PATH = "/_riacho/"


class RequestPieces:
    """The body of one streaming answer, written from any thread, sent by the event loop."""

    def __init__(self, request: FrontRequest) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._unsent_bytes = 0
        self._is_open = True
        self._calls: list[Callable[[], None]] = []
        request.notifyFinish().addBoth(lambda _: self._ended())

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def unsent_bytes(self) -> int:
        return self._unsent_bytes

    def write(self, piece: bytes) -> None:
        if self._is_open:
            with self._lock:
                self._unsent_bytes += len(piece)
            reactor.callFromThread(self._write, piece)

    def close(self) -> None:
        reactor.callFromThread(self._close)

    def when_closed(self, call: Callable[[], None]) -> None:
        with self._lock:
            if self._is_open:
                self._calls.append(call)
                return
        reactor.callFromThread(call)

    def _write(self, piece: bytes) -> None:
        with self._lock:
            self._unsent_bytes -= len(piece)
        if self._is_open:
            self._request.write(piece)

    def _close(self) -> None:
        if self._is_open:
            self._request.finish()

    def _ended(self) -> None:
        with self._lock:
            self._is_open = False
            calls, self._calls = self._calls, []
        for call in calls:
            call()


class FrontRequest(TwistedRequestAdapter):
    """One request, once its body has arrived."""

    #: Set by a channel that has already asked the data call: its answer, None to go on.
    answered: tuple[StreamingAnswer | None] | None = None
    #: Why its body could not be taken: the disk is full.
    lost_body: OSError | None = None

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        # Twisted writes bodies over 100 kB to a temporary file; a batch of records is larger.
        if self.requestHeaders.hasHeader(b"x-amz-target"):
            self.content = io.BytesIO()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        if self.lost_body is None:
            try:
                super().handleContentChunk(data)
            except OSError as error:
                self._lose_body(error)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        try:
            self.content.flush()  # what is left of the last chunk
        except OSError as error:
            self._lose_body(error)
        super().requestReceived(command, path, version)

    def _lose_body(self, error: OSError) -> None:
        self.lost_body, self.content = error, io.BytesIO()

    def process(self) -> None:
        if self.lost_body is not None:
            LOG.error("The body of %s could not be written: %s", self.uri, self.lost_body)
            self._send(no_room_answer(self._headers()))
            return
        answer = self.answered[0] if self.answered else self._answer()
        if answer is None:
            super().process()
        elif isinstance(answer, LaterAnswer):
            answer.start(lambda known: reactor.callFromThread(self._send_later, known))
        else:
            self._send(answer)

    def _answer(self) -> DataAnswer | StreamingAnswer | LaterAnswer | None:
        settings: Settings = self.channel.site.settings
        headers = self._headers()
        if (refused := refusal(headers, settings, self.uri.decode("latin-1"))) is not None:
            return refused
        target, path = headers.get("x-amz-target"), self.path.decode("latin-1")
        if path.startswith(ADMIN_PATH):
            target = path.removeprefix(ADMIN_PATH)
            if target not in data_calls:
                return error_answer(404, "ResourceNotFoundException", f"There is no {path}.")
        call = data_calls.get(target) if target is not None else self._path_call(path)
        if call is None:
            return None
        body = self.content.read()
        self.content.seek(0)
        return answer_call(call, self.method.decode(), target or path, headers, body, settings)

    def _path_call(self, path: str) -> DataCall | None:
        if b"?" in self.uri:
            return None
        return next((call for pattern, call in path_calls if pattern.fullmatch(path)), None)

    def _headers(self) -> Mapping[str, str]:
        return {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in self.requestHeaders.getAllRawHeaders()
        }

    def _send_later(self, answer: DataAnswer) -> None:
        if not self._disconnected:
            self._send(answer)

    def _send(self, answer: DataAnswer | StreamingAnswer) -> None:
        self.setResponseCode(answer.status)
        for name, value in with_request_id(answer.headers).items():
            self.responseHeaders.rememberHeaderCasing(name.encode())
            self.responseHeaders.setRawHeaders(name.encode(), [value.encode("latin-1")])
        if isinstance(answer, DataAnswer):
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
            self.write(answer.body)
            self.finish()
        else:
            self.write(b"")
            answer.start(RequestPieces(self))

    def __eq__(self, other: Any) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
