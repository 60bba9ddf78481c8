"""Data calls that only tests need, imported into an engine through `RIACHO_EXTRA_MODULES`."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.localstack.data_calls import (
    DataAnswer,
    DataRequest,
    LaterAnswer,
    Pieces,
    StreamingAnswer,
    data_calls,
)
from services.localstack.running import running


def echo(request: DataRequest) -> DataAnswer:
    """Says what arrived."""
    said = f"{request.account_id} {request.region} {len(request.body)}".encode()
    return DataAnswer(200, {"Content-Type": "text/plain"}, said)


def fail(request: DataRequest) -> DataAnswer:
    raise LookupError("a fault of ours")


def pass_on(request: DataRequest) -> None:
    """Leaves the request to LocalStack."""
    return


def count(request: DataRequest) -> StreamingAnswer:
    """Three pieces from a thread."""

    def write(pieces: Pieces) -> None:
        for number in range(3):
            pieces.write(b"%d\n" % number)
        pieces.close()

    def start(pieces: Pieces) -> None:
        threading.Thread(target=write, args=(pieces,), daemon=True).start()

    return StreamingAnswer(200, {"Content-Type": "text/plain"}, start)


closed = threading.Event()


def wait_for_close(request: DataRequest) -> StreamingAnswer:
    """One piece, then nothing until the client goes away."""

    def start(pieces: Pieces) -> None:
        pieces.when_closed(closed.set)
        pieces.write(b"open\n")

    return StreamingAnswer(200, {}, start)


def was_closed(request: DataRequest) -> DataAnswer:
    return DataAnswer(200, {}, str(closed.is_set()).encode())


data_calls["Tests.Echo"] = echo
data_calls["Tests.Fail"] = fail
data_calls["Tests.Count"] = count
data_calls["Tests.WaitForClose"] = wait_for_close
data_calls["Tests.WasClosed"] = was_closed
data_calls["AWSSecurityTokenServiceV20110615.GetCallerIdentity"] = pass_on


def answer_later(request: DataRequest) -> LaterAnswer:
    """Answers from a thread."""

    def start(answered: Callable[[DataAnswer], None]) -> None:
        known = DataAnswer(200, {}, b"later")
        threading.Thread(target=answered, args=(known,), daemon=True).start()

    return LaterAnswer(start)


data_calls["Tests.Later"] = answer_later
running().when_stopping((running().settings.data_dir / "stopped").touch)
