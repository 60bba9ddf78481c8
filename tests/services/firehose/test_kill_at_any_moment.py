"""A delivery stream's data killed at any moment: nothing is lost, no object comes twice."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.firehose.buffering import BufferingHints
from services.firehose.record import Record, plain_data, unpack
from services.firehose.stream_data import StreamData

HINTS = BufferingHints(size_in_mbs=1, interval_in_seconds=10)


class Kills(RuleBasedStateMachine):
    """Puts, processes, delivers and kills in any order. The bucket is a dictionary: writing a key
    again replaces its object, as in S3."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="riacho-kills-"))
        self.now = 1000.0
        self.bucket: dict[str, bytes] = {}
        self.acknowledged: list[int] = []
        self.position = 0
        self.data = StreamData(self.folder, self.now)

    def teardown(self) -> None:
        self.data.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def _contents(self, count: int) -> list[bytes]:
        first = len(self.acknowledged)
        return [b"%d," % n for n in range(first, first + count)]

    @rule(count=st.integers(min_value=1, max_value=5), into=st.sampled_from(["in", "out"]))
    def put(self, count: int, into: str) -> None:
        name = "incoming" if into == "in" else "destination"
        self.data.put(self._contents(count), [name], self.now)
        self.acknowledged.extend(range(len(self.acknowledged), len(self.acknowledged) + count))

    @rule(count=st.integers(min_value=1, max_value=5))
    def read_from_a_stream(self, count: int) -> None:
        records = [Record(content, self.now) for content in self._contents(count)]
        self.position += count
        positions = {"shard": str(self.position)}
        self.data.accept([(records, ["incoming"])], positions, self.now)
        self.acknowledged.extend(range(len(self.acknowledged), len(self.acknowledged) + count))

    @rule(is_killed=st.booleans())
    def process(self, is_killed: bool) -> None:
        groups = self.data.incoming(HINTS, self.now, at_once=True)
        if not groups:
            return
        records = [r for content in self.data.contents(groups) for r in unpack(content)]
        if is_killed:
            self.kill()
            return
        odd = [record for record in records if int(record.data[:-1]) % 2]
        even = [record for record in records if not int(record.data[:-1]) % 2]
        buffers = {"destination:odd": odd, "destination:even": even}
        self.data.processed(groups, {k: v for k, v in buffers.items() if v}, self.now)

    @rule(seconds=st.integers(min_value=0, max_value=20))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(is_killed=st.booleans(), reaches_the_bucket=st.booleans())
    def deliver(self, is_killed: bool, reaches_the_bucket: bool) -> None:
        self.data.close_due(self.now, lambda _: HINTS, self._target)
        for delivery in self.data.start_ready(self.now):
            if reaches_the_bucket:
                parts = map(plain_data, self.data.contents(delivery.groups))
                self.bucket[delivery.target["key"]] = b"".join(parts)
            if is_killed:
                self.kill()
                return
            if reaches_the_bucket:
                self.data.delivered(delivery, [], self.now)
            else:
                self.data.postpone(delivery, None, self.now)

    def _target(self, buffer: str, oldest_arrival: float) -> dict[str, Any]:
        self.keys = getattr(self, "keys", 0) + 1
        return {"key": f"{buffer}/{self.keys}"}

    @rule()
    def kill(self) -> None:
        # Nothing is closed or flushed; the clock may even be behind afterwards.
        self.now -= 5
        self.data = StreamData(self.folder, self.now)

    @invariant()
    def positions_are_those_of_the_records_kept(self) -> None:
        expected = {"shard": str(self.position)} if self.position else {}
        assert self.data.positions == expected

    @invariant()
    def nothing_is_in_the_bucket_twice(self) -> None:
        delivered = self._delivered()
        assert len(delivered) == len(set(delivered))

    @precondition(lambda self: self.acknowledged)
    @rule()
    def in_the_end_everything_is_there(self) -> None:
        for _ in range(4):
            self.process(False)
            self.now += 200
            self.deliver(False, True)
        assert sorted(self._delivered()) == self.acknowledged
        assert self.data.is_empty()

    def _delivered(self) -> list[int]:
        return [int(n) for body in self.bucket.values() for n in body.split(b",") if n]


TestKills = Kills.TestCase
TestKills.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
