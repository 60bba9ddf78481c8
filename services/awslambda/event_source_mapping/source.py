"""What a poller needs of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.awslambda.event_source_mapping.shard_order import SourceShard
from services.awslambda.event_source_mapping.stream_record import StreamRecord


class SourceGone(Exception):
    """The stream does not exist; the message says which."""


class IteratorExpired(Exception):
    """The shard iterator is too old: get another one."""


class ReadThrottled(Exception):
    """Over the shard's reading quota: try again in a while."""


@dataclass(frozen=True)
class Read:
    """What one reading brought. `next_iterator` is None after the last record of a shard."""

    records: tuple[StreamRecord, ...]
    next_iterator: str | None


class StreamSource(Protocol):
    """A stream, read shard by shard. Every method but `wait` returns soon, and may raise
    SourceGone; `wake` and `wait` may be called from several threads."""

    def shards(self) -> list[SourceShard]:
        """All shards there are, ended ones too."""

    def iterator(self, shard_id: str, after: str | None) -> str:
        """Where to read on: after that record, or at the mapping's starting position."""

    def read(self, iterator: str, limit: int) -> Read:
        """The next records. Raises IteratorExpired or ReadThrottled."""

    def activity(self) -> int:
        """A number to read before `read`, for `wait`."""

    def wait(self, seen: int, seconds: float) -> None:
        """Block until there may be something new since `activity` was `seen`, or `wake`."""

    def wake(self) -> None:
        """End the waits: whoever waits looks whether it should stop."""
