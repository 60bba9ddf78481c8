"""Calls that our HTTP front answers straight from a core, without LocalStack's request chain.

A service registers its calls when its module is imported by `services.localstack.provider`; the
front looks each request up by its `X-Amz-Target` header, or by its path below `/_riacho/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol


class DataRequest(NamedTuple):
    """One request. `headers` has lower-case names; `target` is `Kinesis_20131202.PutRecords` or
    the path below `/_riacho/`; region and account come from the credential scope."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    region: str
    account_id: str


class DataAnswer(NamedTuple):
    """What goes back, complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Pieces(Protocol):
    """Where the body of a `StreamingAnswer` goes. Every method may be called from any thread,
    never blocks, and does nothing once the answer has ended."""

    def write(self, piece: bytes) -> None:
        """Send one piece now (a chunk of HTTP/1.1, a DATA frame of HTTP/2)."""

    def close(self) -> None:
        """End the answer."""

    @property
    def is_open(self) -> bool:
        """False once the answer was closed or the client went away."""

    @property
    def unsent_bytes(self) -> int:
        """How much the client has not taken yet: who writes much looks here first."""

    def when_closed(self, call: Callable[[], None]) -> None:
        """`call` runs once, on the event loop, when the answer has ended for either reason."""


class StreamingAnswer(NamedTuple):
    """What goes back piece by piece: the head at once, then whatever is written to `Pieces`.

    `start` runs on the event loop after the head was sent. It must return at once: keep the
    `Pieces` and write to it later, from a thread or when records arrive.
    """

    status: int
    headers: Mapping[str, str]
    start: Callable[[Pieces], None]


class LaterAnswer(NamedTuple):
    """What goes back when it is known: for calls that wait for something without a thread.

    `start` runs on the event loop and returns at once. It calls what it is given, once, from any
    thread; the connection's next request waits until then.
    """

    start: Callable[[Callable[[DataAnswer], None]], None]


#: Returns None to let LocalStack's chain answer instead. Runs on the front's event loop: it may
#: take a few milliseconds, and never waits. A raised error becomes AWS's InternalFailure (500).
DataCall = Callable[[DataRequest], DataAnswer | StreamingAnswer | LaterAnswer | None]

data_calls: dict[str, DataCall] = {}

#: For services whose operations are paths: asked in turn for requests without a target and
#: without a query, with the path as `target`.
path_calls: list[tuple[re.Pattern[str], DataCall]] = []
