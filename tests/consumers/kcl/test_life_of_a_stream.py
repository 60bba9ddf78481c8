"""A stream that is split and merged while it is read: every shard is read, after its parents."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.kcl.extended_sequence_number import SHARD_END, TRIM_HORIZON, ExtendedSequenceNumber
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
STEPS = ("reshard", "reshard", "read", "read", "read", "crash", "clean up", "audit")


class Life:
    """One lease table over a growing tree of shards; whoever holds a lease reads it at once."""

    def __init__(self, chance: random.Random, roots: int) -> None:
        self.chance = chance
        self.tree = ShardTree(chance, roots, 0)
        self.table = MemoryLeaseTable()
        self.renewer = LeaseRenewer(self.table, "worker", SchedulerSettings(), lambda: 0.0)
        self.begun: list[str] = []
        self.ended: list[str] = []
        for lease in plan_first_leases(self.tree.open_shards(), TRIM_HORIZON, STREAM):
            self.table.create_lease(lease)

    def step(self, kind: str) -> None:
        if kind == "reshard":
            self.tree.change(self.chance)
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
        """To the shard's present end. A crash comes between children and checkpoint."""
        tenure, shard = self._tenure(lease), self.tree.shards[lease.shard_id]
        self.begun.append(lease.shard_id)
        if shard.is_open:
            self._checkpoint(tenure, "1")
            return
        children = tuple(
            ChildShard(child.shard_id, child.parents, child.hash_key_range or HashKeyRange(0, 0))
            for child in self.tree.shards.values()
            if shard.shard_id in child.parents
        )
        if tenure.create_child_leases(children) and not crashes:
            self.ended.append(shard.shard_id)
            self._checkpoint(tenure, SHARD_END)

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
            for lease in plan_leases(shards, leased, TRIM_HORIZON, STREAM):
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
