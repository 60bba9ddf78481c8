"""The hierarchical shard sync, against the tables of Amazon's own tests and random shard trees."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.kcl.errors import InconsistentShards
from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, LATEST, TRIM_HORIZON
from consumers.kcl.shard import LAST_HASH_KEY, HashKeyRange, Shard, StreamIdentifier
from consumers.kcl.shard_sync import find_hole, plan_first_leases, plan_leases
from tests.consumers.kcl.shard_graphs import GRAPH_A, GRAPHS, ids

STREAM = StreamIdentifier("clicks")

#: graph, shards with leases, leases made at LATEST, leases made at TRIM_HORIZON
TABLE = [
    ("A", [3, 4, 5], [2, 6], [0, 1, 2]),
    ("A", [4, 5, 7], [6], [0, 1]),
    ("A", [2, 6], [3, 4, 9, 10], [3, 4, 5]),
    ("A", [4, 9, 10], [8], [0, 1, 2, 3]),
    ("A", [4, 5, 6, 7], [], []),
    ("A", [0, 1, 2, 3, 4, 5, 6, 7], [], []),
    ("A", [0, 1, 4, 7, 9, 10], [], []),
    ("A", [], [4, 8, 9, 10], [0, 1, 2, 3, 4, 5]),
    ("B", [6], [7], [0, 1]),
    ("B", [5], [], []),
    ("B", [0, 1, 2, 3, 4, 5], [], []),
    ("B", [], [9, 10], [0, 1]),
    ("C", [9, 10], [1, 6, 7, 8], None),
]


def planned(shards: list[Shard], leased: set[str], position: str) -> dict[str, str]:
    leases = plan_leases(shards, leased, position, STREAM)
    return {lease.shard_id: lease.checkpoint.sequence_number for lease in leases}


@pytest.mark.parametrize(("graph", "leased", "at_latest", "_trim"), TABLE)
def test_missing_leases_at_latest_are_those_of_amazons_tests(
    graph: str, leased: list[int], at_latest: list[int], _trim: list[int] | None
) -> None:
    assert planned(list(GRAPHS[graph]), ids(leased), LATEST).keys() == ids(at_latest)


@pytest.mark.parametrize("position", [TRIM_HORIZON, AT_TIMESTAMP])
@pytest.mark.parametrize(
    ("graph", "leased", "_latest", "at_trim_horizon"), [row for row in TABLE if row[3] is not None]
)
def test_missing_leases_from_the_past_are_those_of_amazons_tests(
    graph: str,
    leased: list[int],
    _latest: list[int],
    at_trim_horizon: list[int],
    position: str,
) -> None:
    leases = planned(list(GRAPHS[graph]), ids(leased), position)
    assert leases.keys() == ids(at_trim_horizon)
    if position == AT_TIMESTAMP:
        assert set(leases.values()) <= {AT_TIMESTAMP}


def test_at_a_timestamp_only_the_missing_root_is_made() -> None:
    leased = ids([n for n in range(11) if n not in (0, 6, 8)])
    assert planned(GRAPH_A, leased, AT_TIMESTAMP) == {"shardId-0": AT_TIMESTAMP}


def test_leases_come_in_the_order_of_starting_sequence_numbers() -> None:
    leases = plan_leases(GRAPH_A, ids([3, 4, 5]), LATEST, STREAM)
    assert [lease.shard_id for lease in leases] == ["shardId-2", "shardId-6"]


def test_a_lease_knows_its_parents_and_hash_keys() -> None:
    (lease,) = plan_leases(GRAPH_A, ids([4, 9, 10]), LATEST, STREAM)
    assert lease.parent_shard_ids == ids([6, 7])
    assert lease.hash_key_range == HashKeyRange(0, 399)


def test_an_open_child_of_an_open_parent_fails_the_sync_unless_told_to_leave_it_out() -> None:
    parent = Shard("shardId-0", 1)
    child = Shard("shardId-1", 2, parents=("shardId-0",))
    with pytest.raises(InconsistentShards, match="shardId-1"):
        plan_leases([parent, child], set(), TRIM_HORIZON, STREAM)
    leases = plan_leases(
        [parent, child], set(), TRIM_HORIZON, STREAM, ignore_unexpected_child_shards=True
    )
    assert [lease.shard_id for lease in leases] == ["shardId-0"]


def test_the_first_sync_leases_everything_listed_open_or_closed() -> None:
    listed = [shard for shard in GRAPH_A if shard.shard_id in ids([0, 1, 2, 3, 4, 5])]
    leases = plan_first_leases(listed, TRIM_HORIZON, STREAM)
    assert {lease.shard_id for lease in leases} == ids([0, 1, 2, 3, 4, 5])


def test_the_first_sync_refuses_a_list_with_a_hole() -> None:
    listed = [shard for shard in GRAPH_A if shard.shard_id in ids([0, 1, 3, 4, 5])]
    with pytest.raises(InconsistentShards, match="200 to 299"):
        plan_first_leases(listed, TRIM_HORIZON, STREAM)


@pytest.mark.parametrize(
    ("ranges", "hole"),
    [
        ([(0, LAST_HASH_KEY)], None),
        ([(10, LAST_HASH_KEY), (0, 9)], None),
        ([(0, 20), (10, LAST_HASH_KEY)], None),
        ([(0, LAST_HASH_KEY), (5, 9)], None),
        ([(0, 9), (11, LAST_HASH_KEY)], (10, 10)),
        ([(1, LAST_HASH_KEY)], (0, 0)),
        ([(0, 9)], (10, LAST_HASH_KEY)),
        ([], (0, LAST_HASH_KEY)),
    ],
)
def test_a_hole_in_the_hash_keys_is_found(
    ranges: list[tuple[int, int]], hole: tuple[int, int] | None
) -> None:
    found = find_hole(HashKeyRange(*bounds) for bounds in ranges)
    assert found == (HashKeyRange(*hole) if hole else None)


class ShardTree:
    """A stream that is split and merged at random; closed shards keep to hash keys exactly."""

    def __init__(self, chance: random.Random, roots: int, changes: int) -> None:
        self._next, self._now = 0, 1
        self.shards: dict[str, Shard] = {}
        bounds = [LAST_HASH_KEY + 1 if i == roots else i * 1000 for i in range(roots + 1)]
        for low, high in itertools.pairwise(bounds):
            self._open((), HashKeyRange(low, high - 1))
        for _ in range(changes):
            self.change(chance)

    def change(self, chance: random.Random) -> None:
        self._now += 1
        self._split(chance) if chance.random() < 0.5 else self._merge(chance)

    def open_shards(self) -> list[Shard]:
        return sorted(
            (shard for shard in self.shards.values() if shard.is_open),
            key=lambda shard: shard.hash_key_range or HashKeyRange(0, 0),
        )

    def _open(self, parents: tuple[str, ...], hash_keys: HashKeyRange) -> None:
        name = f"shardId-{self._next:012d}"
        self._next += 1
        self.shards[name] = Shard(name, self._now, True, parents, hash_keys)

    def _close(self, shard: Shard) -> None:
        self.shards[shard.shard_id] = Shard(
            shard.shard_id,
            shard.starting_sequence_number,
            False,
            shard.parents,
            shard.hash_key_range,
        )

    def _split(self, chance: random.Random) -> None:
        shard = chance.choice(self.open_shards())
        assert shard.hash_key_range is not None
        low, high = shard.hash_key_range
        if low < high:
            middle = (low + high) // 2
            self._close(shard)
            self._open((shard.shard_id,), HashKeyRange(low, middle))
            self._open((shard.shard_id,), HashKeyRange(middle + 1, high))

    def _merge(self, chance: random.Random) -> None:
        shards = self.open_shards()
        if len(shards) < 2:
            return
        at = chance.randrange(len(shards) - 1)
        left, right = shards[at], shards[at + 1]
        assert left.hash_key_range is not None
        assert right.hash_key_range is not None
        self._close(left)
        self._close(right)
        self._open(
            (left.shard_id, right.shard_id),
            HashKeyRange(left.hash_key_range[0], right.hash_key_range[1]),
        )


trees = st.builds(
    ShardTree,
    chance=st.integers(0, 2**32).map(random.Random),
    roots=st.integers(1, 4),
    changes=st.integers(0, 25),
)


@given(trees)
def test_open_shards_of_any_tree_tile_the_hash_keys(tree: ShardTree) -> None:
    assert find_hole(s.hash_key_range for s in tree.open_shards() if s.hash_key_range) is None


@given(trees, st.sampled_from([LATEST, TRIM_HORIZON, AT_TIMESTAMP]), st.data())
def test_every_open_shard_is_reached_from_some_lease(
    tree: ShardTree, position: str, data: st.DataObject
) -> None:
    """After the syncs that follow on one another, with leases of any shards lost before, each
    open shard has a lease, or an ancestor with one at whose end its own will be made."""
    shards = list(tree.shards.values())
    leased = set(data.draw(st.lists(st.sampled_from(sorted(tree.shards)), unique=True)))
    for _ in range(len(shards) + 1):
        made = plan_leases(shards, leased, position, STREAM)
        if not made:
            break
        assert not leased & {lease.shard_id for lease in made}
        leased |= {lease.shard_id for lease in made}
    else:
        raise AssertionError("the sync never comes to rest")
    for shard in tree.open_shards():
        assert reached(tree.shards, shard.shard_id, leased)


def reached(shards: dict[str, Shard], shard_id: str, leased: set[str]) -> bool:
    return shard_id in leased or any(
        reached(shards, parent, leased) for parent in shards[shard_id].parents
    )


def test_a_deep_tree_does_not_exhaust_the_stack() -> None:
    chain = [
        Shard(f"shardId-{n}", n, n == 4999, (f"shardId-{n - 1}",) if n else ()) for n in range(5000)
    ]
    assert planned(chain, set(), TRIM_HORIZON) == {"shardId-0": TRIM_HORIZON}
