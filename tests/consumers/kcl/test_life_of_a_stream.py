"""A stream that is split and merged while it is read: every shard is read, after its parents."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.kcl.extended_sequence_number import (
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    ExtendedSequenceNumber,
)
from consumers.kcl.lease import Lease
from consumers.kcl.lease_cleanup import plan_cleanup
from consumers.kcl.lease_renewer import LeaseRenewer
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import ChildShard, HashKeyRange, StreamIdentifier
from consumers.kcl.shard_sync import find_hole, plan_first_leases, plan_leases
from consumers.kcl.tenure import LeaseTenure
from tests.consumers.kcl.test_shard_sync import ShardTree

STREAM = StreamIdentifier("clicks")
STEPS = ("reshard", "reshard", "put", "put", "put", "read", "read", "crash", "clean up", "audit")


class Life:
    """One lease table over a growing tree of shards; whoever holds a lease reads it at once.

    Records are numbered; a checkpoint of `n` means the first n records of its shard.
    """

    def __init__(
        self,
        chance: random.Random,
        roots: int,
        position: str = TRIM_HORIZON,
        history: Sequence[str] = (),
    ) -> None:
        self.chance = chance
        self.tree = ShardTree(chance, roots, 0)
        self.table = MemoryLeaseTable()
        self.renewer = LeaseRenewer(self.table, "worker", SchedulerSettings(), lambda: 0.0)
        self.records: dict[str, list[int]] = defaultdict(list)
        self.begun: list[str] = []
        self.ended: list[str] = []
        #: Every record that was processed, and in which shard, again and again after crashes.
        self.seen: list[tuple[str, int]] = []
        for kind in history:
            self.step(kind)
        self.position, self.before = position, self.count()
        self.latest = {shard_id: len(records) for shard_id, records in self.records.items()}
        # What ListShards' filters AT_LATEST and AT_TRIM_HORIZON answer while nothing is trimmed.
        roots_or_open = [
            shard
            for shard in self.tree.shards.values()
            if (shard.is_open if position == LATEST else not shard.parents)
        ]
        for lease in plan_first_leases(roots_or_open, position, STREAM):
            self.table.create_lease(lease)

    def count(self) -> int:
        """How many records have been put."""
        return sum(map(len, self.records.values()))

    def step(self, kind: str) -> None:
        if kind == "reshard":
            self.tree.change(self.chance)
        elif kind == "put":
            shard = self.chance.choice(self.tree.open_shards())
            self.records[shard.shard_id].append(self.count())
        elif kind == "clean up":
            self._clean_up()
        elif kind == "audit":
            self._audit()
        elif ready := [lease for lease in self.table.list_leases() if self._may_read(lease)]:
            self._read(self.chance.choice(ready), crashes=kind == "crash")

    def finish(self) -> None:
        """Until all that can be read was read."""
        for _ in range(3 * len(self.tree.shards)):
            for lease in self.table.list_leases():
                if self._may_read(lease):
                    self._read(lease, crashes=False)
            self._clean_up()

    def _may_read(self, lease: Lease) -> bool:
        return not lease.has_ended and not self._tenure(lease).unfinished_parents()

    def _tenure(self, lease: Lease) -> LeaseTenure:
        return LeaseTenure(self.renewer.add(lease), self.renewer, self.table, STREAM)

    def _read(self, lease: Lease, *, crashes: bool) -> None:
        """To the shard's present end. A crash comes after the records, or between children and
        checkpoint."""
        tenure, shard = self._tenure(lease), self.tree.shards[lease.shard_id]
        self.begun.append(lease.shard_id)
        records = self.records[shard.shard_id]
        self.seen += [(shard.shard_id, n) for n in records[self._first_unread(lease) :]]
        if shard.is_open:
            if not crashes:
                self._checkpoint(tenure, str(len(records)))
            return
        children = tuple(
            ChildShard(child.shard_id, child.parents, child.hash_key_range or HashKeyRange(0, 0))
            for child in self.tree.shards.values()
            if shard.shard_id in child.parents
        )
        if tenure.create_child_leases(children) and not crashes:
            self.ended.append(shard.shard_id)
            self._checkpoint(tenure, SHARD_END)

    def _first_unread(self, lease: Lease) -> int:
        number = lease.checkpoint.sequence_number
        if number == LATEST:
            return self.latest.get(lease.shard_id, 0)
        return 0 if lease.checkpoint.is_sentinel else int(number)

    def _checkpoint(self, tenure: LeaseTenure, position: str) -> None:
        checkpoint = ExtendedSequenceNumber(position)
        stored = self.table.get_lease(tenure.lease.lease_key)
        assert stored is not None
        tenure.update(lambda lease: replace(stored, checkpoint=checkpoint))

    def _clean_up(self) -> None:
        for lease in plan_cleanup(self.table.list_leases(), self.tree.shards):
            self.table.delete_lease(lease.lease_key)

    def _audit(self) -> None:
        leases = self.table.list_leases()
        live = [lease.hash_key_range for lease in leases if not lease.has_ended]
        if find_hole(r for r in live if r is not None) is not None:
            leased = {lease.shard_id for lease in leases}
            shards = list(self.tree.shards.values())
            for lease in plan_leases(shards, leased, self.position, STREAM):
                self.table.create_lease(lease)


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    roots=st.integers(1, 4),
    steps=st.lists(st.sampled_from(STEPS), max_size=40),
)
def test_every_shard_is_read_and_none_before_its_parents_have_ended(
    seed: int, roots: int, steps: list[str]
) -> None:
    life = Life(random.Random(seed), roots)
    for step in steps:
        life.step(step)
    life.finish()
    life.renewer.close()
    shards = life.tree.shards
    assert set(life.begun) == shards.keys(), "a shard was missed"
    assert {s.shard_id for s in shards.values() if not s.is_open} == set(life.ended)
    assert len(life.ended) == len(set(life.ended)), "a shard that had ended was read again"
    closing = {shard_id: place for place, shard_id in enumerate(life.ended)}
    assert all(
        closing[parent] < closing.get(shard.shard_id, len(closing))
        for shard in shards.values()
        for parent in shard.parents
    )
    left = {lease.shard_id for lease in life.table.list_leases()}
    assert left == {shard.shard_id for shard in life.tree.open_shards()}, "leases were left over"


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32),
    roots=st.integers(1, 4),
    position=st.sampled_from([TRIM_HORIZON, LATEST]),
    history=st.lists(st.sampled_from(["reshard", "put", "put"]), max_size=15),
    steps=st.lists(st.sampled_from(STEPS), max_size=40),
)
def test_no_record_is_missed_and_every_key_keeps_its_order(
    seed: int, roots: int, position: str, history: list[str], steps: list[str]
) -> None:
    """From TRIM_HORIZON every record there is, from LATEST every one after the start: each is
    processed, for the first time in the order of its shard and after all of its shard's parents."""
    life = Life(random.Random(seed), roots, position, history)
    for step in steps:
        life.step(step)
    life.finish()
    life.renewer.close()
    first = 0 if position == TRIM_HORIZON else life.before
    seen = {number: place for place, (_, number) in reversed(list(enumerate(life.seen)))}
    assert seen.keys() == set(range(first, life.count())), "a record was missed, or read too early"
    for shard_id, records in life.records.items():
        places = [seen[number] for number in records if number >= first]
        assert places == sorted(places)
        for parent in life.tree.shards[shard_id].parents:
            before = [seen[number] for number in life.records.get(parent, ()) if number >= first]
            assert not places or all(place < places[0] for place in before)
