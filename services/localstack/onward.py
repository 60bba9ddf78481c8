"""Hand a request on to an HTTP server of this machine, from the event loop, without a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from services.localstack.front_answers import parse_head

MAX_CONNECTIONS = 64


class OnwardAnswer(NamedTuple):
    """What the server said; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


#: Called once, on the event loop; None when the server cannot be reached or left.
Told = Callable[[OnwardAnswer | None], None]


class Onward:
    """Kept connections to one server; call `send` on the event loop only.

    Not for servers that answer in chunks: an answer without Content-Length counts as a failure.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[OnwardConnection] = []
        self._connections = 0
        self._waiting: deque[tuple[bytes, Told]] = deque()

    def send(self, request: bytes, told: Told) -> None:
        """Send one whole HTTP/1.1 request."""
        if self._idle:
            self._idle.pop().send(request, told)
        elif self._connections < MAX_CONNECTIONS:
            self._connections += 1
            reactor.connectTCP(self._host, self._port, _Connecting(self, request, told), timeout=5)
        else:
            self._waiting.append((request, told))

    def became_idle(self, connection: OnwardConnection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def was_lost(self, connection: OnwardConnection | None) -> None:
        self._connections -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self.send(*self._waiting.popleft())


class _Connecting(ClientFactory):
    noisy = False

    def __init__(self, onward: Onward, request: bytes, told: Told) -> None:
        self._onward, self._request, self._told = onward, request, told

    def buildProtocol(self, addr: object) -> OnwardConnection:  # noqa: N802
        return OnwardConnection(self._onward, self._request, self._told)

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:  # noqa: N802
        self._onward.was_lost(None)
        self._told(None)


class OnwardConnection(Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, onward: Onward, request: bytes, told: Told) -> None:
        self._onward = onward
        self._first: bytes | None = request
        self._told: Told | None = told
        self._received = bytearray()

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.setTcpNoDelay(True)
        first, self._first = self._first, None
        self.transport.write(first)

    def send(self, request: bytes, told: Told) -> None:
        self._told = told
        self.transport.write(request)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        headers = parse_head(head)
        if headers is None or "content-length" not in headers:
            self.transport.abortConnection()
            return
        whole = end + 4 + int(headers["content-length"])
        if len(self._received) < whole:
            return
        answer = OnwardAnswer(int(head[9:12]), headers, bytes(self._received[end + 4 : whole]))
        self._received.clear()
        told, self._told = self._told, None
        if told is not None:
            told(answer)
        self._onward.became_idle(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self._onward.was_lost(self)
        told, self._told = self._told, None
        if told is not None:
            told(None)
