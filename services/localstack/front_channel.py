"""One HTTP/1.1 connection: data calls take a short way around Twisted's request machinery.

Twisted's line by line parsing costs about as much as a whole `PutRecord`. A request that is
plainly a data call is parsed here in one go; anything else goes to Twisted, byte for byte.
"""

from __future__ import annotations

from typing import Any

from rolo.serving.twisted import HeaderPreservingHTTPChannel
from twisted.internet import reactor
from twisted.web.http import _GenericHTTPChannelProtocol

from services.localstack.data_calls import DataAnswer, LaterAnswer, StreamingAnswer, data_calls
from services.localstack.front_answers import answer_call, parse_head, refusal, whole_answer
from services.localstack.front_request import FrontRequest
from services.settings import Settings

REQUEST_LINE = b"POST / HTTP/1.1\r\n"
MAX_HEAD_BYTES = 16_384
#: AWS takes 10 MiB a PutRecords; base64 and JSON make more of it.
MAX_BODY_BYTES = 32 * 1024 * 1024
#: Headers that need Twisted's care.
UNUSUAL = ("transfer-encoding", "expect", "upgrade")


class FrontChannel(HeaderPreservingHTTPChannel):
    """One HTTP/1.1 connection."""

    requestFactory = FrontRequest  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()
        self._needed_bytes = 0
        self._awaits_answer = False

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if not (self._held or self._awaits_answer or self._is_between_requests()):
            super().dataReceived(data)
            return
        self.resetTimeout()
        self._held += data
        self._take_data_calls()

    def _take_data_calls(self) -> None:
        while self._held and not self._awaits_answer and len(self._held) >= self._needed_bytes:
            if not self._take_data_call():
                return

    def _is_between_requests(self) -> bool:
        return not (self.requests or self._handlingRequest or self._buffer) and bool(
            self.line_mode and not self._waitingForTransport
        )

    def _take_data_call(self) -> bool:
        """Answer what is held, if it is one; False when there is nothing more to do now."""
        held = self._held
        if not held.startswith(REQUEST_LINE[: len(held)]):
            return self._pass_on()
        end = held.find(b"\r\n\r\n")
        if end < 0:
            return self._pass_on() if len(held) > MAX_HEAD_BYTES else False
        headers = parse_head(bytes(held[:end]))
        call = data_calls.get((headers or {}).get("x-amz-target", ""))
        length = (headers or {}).get("content-length", "")
        if headers is None or call is None or not _is_usual(headers, length):
            return self._pass_on()
        whole = end + 4 + int(length)
        if len(held) < whole:
            self._needed_bytes = whole
            return False
        settings: Settings = self.site.settings
        body = bytes(memoryview(held)[end + 4 : whole])  # one copy, not two
        answer = refusal(headers, settings) or answer_call(
            call, "POST", headers["x-amz-target"], headers, body, settings
        )
        if answer is None or isinstance(answer, StreamingAnswer):
            return self._pass_on((answer,))
        del held[:whole]
        self._needed_bytes = 0
        if isinstance(answer, LaterAnswer):
            self._await(answer)
        else:
            self.transport.write(whole_answer(answer))
        return True

    def _await(self, answer: LaterAnswer) -> None:
        self._awaits_answer = True
        self._idle_seconds = self.setTimeout(None)
        answer.start(lambda known: reactor.callFromThread(self._send_later, known))

    def _send_later(self, answer: DataAnswer) -> None:
        if not self._awaits_answer:
            return  # the client has gone
        self._awaits_answer = False
        self.setTimeout(self._idle_seconds)
        self.transport.write(whole_answer(answer))
        self._take_data_calls()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._awaits_answer = False
        super().connectionLost(reason)

    def _pass_on(self, answered: Any = None) -> bool:
        """Give Twisted everything that is held, and what the data call said if it was asked."""
        held, self._held, self._needed_bytes = bytes(self._held), bytearray(), 0
        self._answered = answered
        super().dataReceived(held)
        return False

    _answered: Any = None

    def allContentReceived(self) -> None:  # noqa: N802
        if self._answered is not None:
            self.requests[-1].answered, self._answered = self._answered, None
        super().allContentReceived()


def _is_usual(headers: dict[str, str], length: str) -> bool:
    return (
        length.isascii()
        and length.isdigit()
        and int(length) <= MAX_BODY_BYTES
        and not any(name in headers for name in UNUSUAL)
        and headers.get("connection", "").lower() != "close"
    )


def front_protocol() -> Any:
    """HTTP/1.1 or HTTP/2, as the client's first bytes say."""
    return _GenericHTTPChannelProtocol(FrontChannel())
