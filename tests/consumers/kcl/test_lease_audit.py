"""When the leader mends a lease table, and which leases it may delete."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumers.kcl.extended_sequence_number import (
    AT_TIMESTAMP,
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    ExtendedSequenceNumber,
)
from consumers.kcl.lease import Lease
from consumers.kcl.lease_audit import Finding, LeaseAuditor, is_of_an_earlier_stream
from consumers.kcl.lease_cleanup import plan_cleanup
from consumers.kcl.shard import LAST_HASH_KEY, HashKeyRange, Shard
from tests.consumers.kcl.test_shard_sync import ShardTree


def lease(shard: str, low: int, high: int, checkpoint: str = TRIM_HORIZON) -> Lease:
    position = ExtendedSequenceNumber(checkpoint)
    return Lease(shard, shard, checkpoint=position, hash_key_range=HashKeyRange(low, high))


WHOLE = [lease("1", 50, LAST_HASH_KEY), lease("0", 0, 49)]


def audits(times: int, leases: list[Lease], auditor: LeaseAuditor | None = None) -> list[Finding]:
    auditor = auditor or LeaseAuditor(3)
    return [auditor.audit(leases, []) for _ in range(times)]


def test_leases_that_tile_the_hash_keys_in_any_order_are_sound() -> None:
    assert set(audits(5, WHOLE)) == {Finding.SOUND}


def test_no_leases_at_all_are_mended_at_once() -> None:
    assert audits(1, []) == [Finding.HOLE]


def test_a_hole_is_mended_when_it_is_seen_three_times_running() -> None:
    holed = [lease("0", 0, 49), lease("1", 60, LAST_HASH_KEY)]
    assert audits(3, holed) == [Finding.SOUND, Finding.SOUND, Finding.HOLE]


def test_a_hole_that_moves_is_counted_anew() -> None:
    auditor = LeaseAuditor(3)
    first = [lease("0", 0, 49), lease("1", 60, LAST_HASH_KEY)]
    other = [lease("0", 0, 39), lease("1", 60, LAST_HASH_KEY)]
    assert set(audits(2, first, auditor)) == {Finding.SOUND}
    assert audits(3, other, auditor) == [Finding.SOUND, Finding.SOUND, Finding.HOLE]


def test_a_hole_that_closes_in_between_is_counted_anew() -> None:
    auditor = LeaseAuditor(2)
    holed = [lease("0", 0, 49)]
    seen = [audits(1, leases, auditor)[0] for leases in (holed, WHOLE, holed)]
    assert set(seen) == {Finding.SOUND}


def test_ended_leases_cover_nothing() -> None:
    ended = [WHOLE[0], replace(WHOLE[1], checkpoint=ExtendedSequenceNumber(SHARD_END))]
    assert audits(3, ended)[-1] == Finding.HOLE


@given(
    st.builds(
        ShardTree,
        chance=st.integers(0, 2**32).map(random.Random),
        roots=st.integers(1, 4),
        changes=st.integers(0, 20),
    )
)
def test_the_open_shards_of_any_tree_are_sound_leases(tree: ShardTree) -> None:
    leases = [
        lease(shard.shard_id, *shard.hash_key_range)
        for shard in tree.open_shards()
        if shard.hash_key_range
    ]
    assert set(audits(4, leases)) == {Finding.SOUND}


def test_a_checkpoint_before_the_shard_began_is_of_an_earlier_stream() -> None:
    shard = Shard("0", starting_sequence_number=1000)
    assert is_of_an_earlier_stream([lease("0", 0, 9, "999")], [shard])
    assert not is_of_an_earlier_stream([lease("0", 0, 9, "1000")], [shard])
    assert not is_of_an_earlier_stream([lease("0", 0, 9, LATEST)], [shard])


def test_the_end_of_an_open_shard_is_of_an_earlier_stream() -> None:
    ended = lease("0", 0, 9, SHARD_END)
    assert is_of_an_earlier_stream([ended], [Shard("0", 1)])
    assert not is_of_an_earlier_stream([ended], [Shard("0", 1, is_open=False)])
    assert not is_of_an_earlier_stream([ended], [])


def parent(*children: str, parents: tuple[str, ...] = ()) -> Lease:
    return replace(
        lease("parent", 0, 9, SHARD_END),
        child_shard_ids=frozenset(children),
        parent_shard_ids=frozenset(parents),
    )


def cleaned(
    *leases: Lease, listed: tuple[str, ...] = ("parent",), completed: bool = True
) -> set[str]:
    gone = plan_cleanup(leases, listed, cleanup_completed=completed)
    return {lease.shard_id for lease in gone}


def test_the_parent_of_a_split_goes_when_both_children_have_begun() -> None:
    assert cleaned(parent("a", "b"), lease("a", 0, 4, "7"), lease("b", 5, 9, LATEST)) == {"parent"}


def test_a_parent_stays_while_a_child_has_not_begun_or_has_no_lease() -> None:
    begun = lease("a", 0, 4, "7")
    for other in (lease("b", 5, 9, TRIM_HORIZON), lease("b", 5, 9, AT_TIMESTAMP)):
        assert cleaned(parent("a", "b"), begun, other) == set()
    assert cleaned(parent("a", "b"), begun) == set()


def test_a_parent_stays_while_its_own_parent_is_there() -> None:
    grandparent = lease("old", 0, 9, "5")
    child = lease("a", 0, 9, "7")
    assert cleaned(parent("a", parents=("old",)), grandparent, child) == set()


def test_both_parents_of_a_merge_go() -> None:
    one, other = parent("a"), replace(parent("a"), lease_key="other", shard_id="other")
    assert cleaned(one, other, lease("a", 0, 9, "7"), listed=("parent", "other")) == {
        "parent",
        "other",
    }


def test_an_ended_shard_that_is_no_longer_listed_goes_even_when_cleanup_is_off() -> None:
    assert cleaned(parent("a"), listed=(), completed=False) == {"parent"}
    assert cleaned(parent("a"), lease("a", 0, 9, "7"), completed=False) == set()
