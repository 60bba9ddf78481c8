"""A shard from its position to its end, over a source in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import pytest

from services.awslambda.event_source_mapping.filtering import Filters
from services.awslambda.event_source_mapping.lane import Invoked
from services.awslambda.event_source_mapping.positions import SHARD_END, Positions
from services.awslambda.event_source_mapping.retrying import Discarded
from services.awslambda.event_source_mapping.shard_order import SourceShard
from services.awslambda.event_source_mapping.shard_poller import LaneFailed, ShardPoller
from services.awslambda.event_source_mapping.source import Read
from services.awslambda.event_source_mapping.stream_record import StreamRecord
from tests.services.awslambda.event_source_mapping.records import mapping, records

SHARD = "shardId-000000000000"


class EndedShard:
    """A StreamSource whose one shard has ended: a single reading brings all of it."""

    def __init__(self, content: Sequence[StreamRecord]) -> None:
        self._content = tuple(content)

    def shards(self) -> list[SourceShard]:
        return [SourceShard(SHARD)]

    def iterator(self, shard_id: str, after: str | None) -> str:
        return "the only one"

    def read(self, iterator: str, limit: int) -> Read:
        return Read(self._content, None)

    def activity(self) -> int:
        return 0

    def wait(self, seen: int, seconds: float) -> None:
        raise AssertionError("nothing to wait for in a shard that has ended")

    def wake(self) -> None:
        pass


class Function:
    """Surroundings with a function that remembers what it got, and fails where told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.seen: list[int] = []
        self._failure = failure

    def now(self) -> float:
        return 1000.0

    def invoke(self, payload: bytes) -> Invoked:
        if self._failure is not None:
            raise self._failure
        self.seen += [event["n"] for event in json.loads(payload)["Records"]]
        return Invoked("r-1", b"null", False)

    def tell_age(self, seconds: float) -> None:
        pass

    def give_up(self, shard_id: str, discarded: Discarded) -> None:
        raise AssertionError("nothing is given up here")

    def tell(self, result: str) -> None:
        pass


def poller(function: Function, positions: Positions, **settings: object) -> ShardPoller:
    filters = Filters((), lambda pattern, event: True)
    source = EndedShard(records(7))
    wanted = mapping(batch_size=3, **settings)
    return ShardPoller(SHARD, wanted, source, filters, positions, function, threading.Event())


def test_records_of_a_shard_that_has_ended_are_handed_over_before_it_is_done() -> None:
    # The lane's thread may come to look at any moment between the records and the end: after a
    # kill -9 of the engine a whole shard is read at once, and its mapping must not stand still.
    for _ in range(200):
        function, positions = Function(), Positions(None)
        assert poller(function, positions).run() is True
        assert function.seen == list(range(7))
        assert positions.sequence_number(SHARD) == SHARD_END


def test_an_open_window_is_closed_with_its_shard() -> None:
    for _ in range(50):
        function, positions = Function(), Positions(None)
        assert poller(function, positions, tumbling_window_in_seconds=60).run() is True
        assert function.seen == list(range(7))
        assert positions.window(SHARD) is None


def test_a_shard_whose_records_could_not_be_dealt_with_is_not_done() -> None:
    positions = Positions(None)
    with pytest.raises(LaneFailed):
        poller(Function(RuntimeError("unforeseen")), positions).run()
    assert positions.sequence_number(SHARD) is None
