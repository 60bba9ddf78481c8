"""Whatever is done to a stream, no record is lost, doubled or out of its key's order."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.clock import FixedClock
from services.kinesis.kinesis import Kinesis
from services.kinesis.shard import even_ranges, plan_uniform_scaling
from services.kinesis.storage import MemoryStorage
from tests.services.kinesis.conftest import Caller

KEYS = st.sampled_from([f"key-{i}" for i in range(12)])


class AStream(RuleBasedStateMachine):
    """Puts, splits, merges, scales, restarts and reads in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FixedClock()
        self.storage = MemoryStorage()
        self.call = Caller(Kinesis(self.clock, self.storage))
        self.call("CreateStream", StreamName="s", ShardCount=2)
        self.put: defaultdict[str, list[int]] = defaultdict(list)
        self.count = 0

    def open_shards(self) -> list[dict[str, Any]]:
        shards = self.call("ListShards", StreamName="s", ShardFilter={"Type": "AT_LATEST"})
        return sorted(
            shards["Shards"], key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"])
        )

    @rule(keys=st.lists(KEYS, min_size=1, max_size=8), seconds=st.sampled_from([0, 0.0004, 7]))
    def put_records(self, keys: list[str], seconds: float) -> None:
        self.clock.advance(seconds)
        records = []
        for key in keys:
            self.count += 1
            self.put[key].append(self.count)
            records.append({"Data": str(self.count).encode(), "PartitionKey": key})
        answer = self.call("PutRecords", StreamName="s", Records=records)
        assert answer["FailedRecordCount"] == 0

    @rule(position=st.integers(0, 100), share=st.integers(1, 9))
    @precondition(lambda self: len(self.open_shards()) < 12)
    def split(self, position: int, share: int) -> None:
        shards = self.open_shards()
        shard = shards[position % len(shards)]
        start = int(shard["HashKeyRange"]["StartingHashKey"])
        end = int(shard["HashKeyRange"]["EndingHashKey"])
        at = start + (end - start) * share // 10
        self.call(
            "SplitShard",
            StreamName="s",
            ShardToSplit=shard["ShardId"],
            NewStartingHashKey=str(at),
        )

    @rule(position=st.integers(0, 100), turned=st.booleans())
    @precondition(lambda self: len(self.open_shards()) > 1)
    def merge(self, position: int, turned: bool) -> None:
        shards = self.open_shards()
        position %= len(shards) - 1
        pair = [shard["ShardId"] for shard in shards[position : position + 2]]
        if turned:
            pair.reverse()
        self.call("MergeShards", StreamName="s", ShardToMerge=pair[0], AdjacentShardToMerge=pair[1])

    @rule(factor=st.sampled_from([0.5, 0.7, 1, 1.5, 2]))
    @precondition(lambda self: len(self.open_shards()) < 12)
    def update_shard_count(self, factor: float) -> None:
        # Ten a day are allowed: a day later there may be ten more, and records must survive it.
        [live] = self.call.kinesis.streams.values()
        live.state.scalings.clear()
        current = len(self.open_shards())
        target = max(1, -int(-current * factor // 1))
        self.call(
            "UpdateShardCount",
            StreamName="s",
            TargetShardCount=target,
            ScalingType="UNIFORM_SCALING",
        )
        assert len(self.open_shards()) == target

    @rule()
    def restart(self) -> None:
        self.call = Caller(Kinesis(self.clock, self.storage))

    @rule(limit=st.integers(1, 5))
    def read_parents_before_children(self, limit: int) -> None:
        shards = {shard["ShardId"]: shard for shard in self.call.shards("s")}
        read: defaultdict[str, list[int]] = defaultdict(list)
        done: set[str] = set()

        def visit(shard_id: str) -> None:
            if shard_id in done:
                return
            done.add(shard_id)
            for name in ("ParentShardId", "AdjacentParentShardId"):
                if name in shards[shard_id]:
                    visit(shards[shard_id][name])
            numbers = []
            for record in self.call.read("s", shard_id, Limit=limit):
                read[record["PartitionKey"]].append(int(record["Data"]))
                numbers.append(int(record["SequenceNumber"]))
            assert numbers == sorted(set(numbers))

        for shard_id in shards:
            visit(shard_id)
        assert read == self.put

    @invariant()
    def open_shards_cover_every_hash_key_once(self) -> None:
        position = 0
        for shard in self.open_shards():
            assert int(shard["HashKeyRange"]["StartingHashKey"]) == position
            position = int(shard["HashKeyRange"]["EndingHashKey"]) + 1
        assert position == 2**128

    @invariant()
    def the_trim_horizon_covers_every_hash_key_once(self) -> None:
        answer = self.call("ListShards", StreamName="s", ShardFilter={"Type": "AT_TRIM_HORIZON"})
        ranges = sorted(
            (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
            for s in answer["Shards"]
        )
        assert ranges[0][0] == 0
        assert ranges[-1][1] == 2**128 - 1
        assert all(a[1] + 1 == b[0] for a, b in pairwise(ranges))


TestConservation = AStream.TestCase
TestConservation.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_the_plan_of_a_scaling_uses_no_more_steps_than_it_needs() -> None:
    assert len(plan_uniform_scaling(even_ranges(4), 8)) == 4
    assert len(plan_uniform_scaling(even_ranges(4), 2)) == 2
    assert len(plan_uniform_scaling(even_ranges(3), 3)) == 0
