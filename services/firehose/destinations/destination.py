"""What a destination is to a delivery stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from services.firehose.buffers import Delivery


class StreamIdentity(NamedTuple):
    """Which delivery stream it is."""

    name: str
    arn: str
    region: str
    account_id: str


class FailedRecord(NamedTuple):
    """A line for the error output of that type (`processing-failed` …)."""

    error_output_type: str
    line: bytes
    #: Bytes of the record itself.
    size: int = 0


class DeliveryError(NamedTuple):
    """What went wrong, as the error log shows it."""

    code: str
    message: str


@dataclass(frozen=True)
class Delivered:
    """The delivery is over: what arrived, and what never will."""

    records: int
    size: int
    failed: Sequence[FailedRecord] = ()
    error: DeliveryError | None = None


@dataclass(frozen=True)
class TryAgain:
    """Nothing is decided for what is `left_over`; the next attempt gets it back."""

    error: DeliveryError
    left_over: Any = field(default=None)


type Outcome = Delivered | TryAgain


class Destination(Protocol):
    """One place that buffers are delivered to. Its methods are called from several threads.

    A destination keeps nothing: after a kill the same delivery comes again, with the same
    `target` and the same records in the same order, so an attempt that got through unnoticed must
    be overwritten by its repetition wherever the destination allows it.
    """

    def target(self, buffer: str, oldest_arrival: float) -> dict[str, Any]:
        """Decided once, when the buffer closes: an object's key, a request's id. JSON values."""

    def deliver(self, delivery: Delivery, contents: Iterable[bytes], now: float) -> Outcome:
        """One attempt; `contents` are packed groups of records, read as they are taken.
        Blocks; raises only on defects."""
