"""KCL 2.x's assignment: the cases of Amazon's tests, and properties over random fleets."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.kcl.extended_sequence_number import SHARD_END, TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.lease import Lease
from consumers.kcl.lease_assignment import TakePlan, plan_take
from consumers.kcl.lease_expiry import LeaseObserver, ObservedLease
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.lease_taker import LeaseTaker
from consumers.kcl.settings import SchedulerSettings

SETTINGS = SchedulerSettings(failover_time_millis=10_000)
NOW = 1_000.0


def owned(key: str, owner: str, age: float = 0) -> ObservedLease:
    return ObservedLease(Lease(key, key, lease_owner=owner), NOW - age)


def free(key: str) -> ObservedLease:
    return ObservedLease(Lease(key, key), None)


def plan(
    observed: list[ObservedLease], me: str = "me", config: SchedulerSettings = SETTINGS
) -> TakePlan:
    return plan_take(observed, me, NOW, config, random.Random(1))


def test_one_unowned_lease_is_taken() -> None:
    assert [lease.lease_key for lease in plan([free("1")]).take] == ["1"]


def test_my_own_expired_lease_is_taken_again() -> None:
    assert len(plan([owned("1", "me", age=11)]).take) == 1


def test_a_live_lease_of_the_only_other_worker_is_left_alone() -> None:
    assert plan([owned("1", "bar")]).take == ()


def test_without_very_old_leases_only_the_fair_share_is_taken() -> None:
    observed = [owned("1", "a", 15), owned("2", "a", 15), owned("3", "a", 15), owned("4", "bar")]
    taken = plan(observed)
    assert len(taken.take) == 2
    assert not taken.is_stealing


def test_never_owned_leases_are_very_old_and_taken_all_at_once() -> None:
    taken = plan([free("1"), free("2"), free("3"), owned("4", "bar")])
    assert len(taken.take) == 3
    assert taken.very_old_leases == 3


def test_very_old_means_more_than_three_failover_times() -> None:
    exactly = [owned(key, "gone", age=30) for key in "123"]
    assert len(plan([*exactly, owned("4", "bar")]).take) == 2
    older = [owned(key, "gone", age=30.001) for key in "123"]
    assert len(plan([*older, owned("4", "bar")]).take) == 3


def test_without_priority_assignment_very_old_leases_are_shared_too() -> None:
    config = replace(SETTINGS, enable_priority_lease_assignment=False)
    taken = plan([free("1"), free("2"), free("3"), owned("4", "bar")], config=config)
    assert len(taken.take) == 2


def test_two_two_and_one_is_balanced() -> None:
    observed = [owned("1", "a"), owned("2", "a"), owned("3", "b"), owned("4", "b")]
    assert plan([*observed, owned("5", "me")]).take == ()


def test_the_most_loaded_worker_is_stolen_from_one_lease_at_a_time() -> None:
    observed = [owned("1", "bar"), *(owned(f"b{n}", "baz") for n in range(5))]
    taken = plan(observed)
    assert taken.is_stealing
    assert [lease.lease_owner for lease in taken.take] == ["baz"]


def test_an_expired_lease_is_taken_instead_of_stealing() -> None:
    observed = [
        owned("1", "bar", age=11),
        owned("2", "bar"),
        *(owned(f"b{n}", "baz") for n in range(4)),
    ]
    taken = plan(observed)
    assert not taken.is_stealing
    assert [lease.lease_key for lease in taken.take] == ["1"]


def test_more_may_be_stolen_at_one_time_when_settings_allow() -> None:
    config = replace(SETTINGS, max_leases_to_steal_at_one_time=10)
    taken = plan([owned(f"b{n}", "baz") for n in range(8)], config=config)
    assert len(taken.take) == 4


def test_leases_beyond_the_maximum_are_spillover() -> None:
    config = replace(SETTINGS, max_leases_for_worker=2)
    taken = plan([free(str(n)) for n in range(5)], config=config)
    assert len(taken.take) == 2
    assert taken.lease_spillover == 3


def test_idle_workers_are_invisible_and_everybody_gets_at_least_one() -> None:
    taken = plan([owned("1", "a"), owned("2", "b")])
    assert taken.num_workers == 3
    assert taken.needed_leases == 1
    assert taken.take == ()


def test_an_owned_lease_seen_for_the_first_time_counts_as_renewed_now() -> None:
    observer = LeaseObserver()
    lease = Lease("1", "1", lease_owner="bar", lease_counter=7)
    assert observer.observe([lease], NOW)[0].renewed_at == NOW
    assert observer.observe([lease], NOW + 5)[0].is_older_than(4, NOW + 5)


def test_a_lease_whose_counter_moves_never_expires() -> None:
    observer = LeaseObserver()
    for tick in range(5):
        lease = Lease("1", "1", lease_owner="bar", lease_counter=tick)
        (seen,) = observer.observe([lease], NOW + 60 * tick)
        assert not seen.is_older_than(10, NOW + 60 * tick)


def test_an_age_of_years_of_either_sign_counts_as_expired() -> None:
    lease = ObservedLease(Lease("1", "1", lease_owner="bar"), NOW + 366 * 24 * 3600)
    assert lease.is_older_than(10, NOW)


class SlowTable(MemoryLeaseTable):
    """A scan of it takes `seconds`; meanwhile the owners renew."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.now, self._seconds = 0.0, seconds

    def list_leases(self) -> list[Lease]:
        leases = super().list_leases()
        self.now += self._seconds
        for lease in leases:
            if lease.lease_owner is not None:
                super().renew_lease(lease)
        return leases


@pytest.mark.parametrize(("seconds", "taken"), [(1.0, 0), (2.0, 1)])
def test_a_lease_to_steal_is_read_again_after_a_slow_scan(seconds: float, taken: int) -> None:
    table = SlowTable(seconds)
    for key in "123":
        table.create_lease(Lease(key, key, lease_owner="bar"))
    taker = LeaseTaker(table, "me", SETTINGS, lambda: table.now)
    assert len(taker.take()) == taken
    assert taker.last_plan.is_stealing
    owners = [lease.lease_owner for lease in MemoryLeaseTable.list_leases(table)]
    assert owners.count("me") == taken


def test_what_others_took_first_is_not_counted_as_taken() -> None:
    class Contended(MemoryLeaseTable):
        def take_lease(self, lease: Lease, owner: str) -> Lease | None:
            if lease.lease_key == "2":
                super().take_lease(lease, "other")
            return super().take_lease(lease, owner)

    table = Contended()
    for key in "123":
        table.create_lease(Lease(key, key))
    taken = LeaseTaker(table, "me", SETTINGS, lambda: NOW).take()
    assert sorted(lease.lease_key for lease in taken) == ["1", "3"]


def test_a_lease_of_mine_that_left_the_table_is_forgotten() -> None:
    observer = LeaseObserver()
    lease = Lease("1", "1", lease_owner="bar", lease_counter=7)
    observer.observe([lease], NOW)
    observer.observe([], NOW + 1)
    (again,) = observer.observe([lease], NOW + 100)
    assert again.renewed_at == NOW + 100, "as if it were seen for the first time"


@pytest.mark.parametrize("field", ["failover_time_millis", "max_records"])
def test_a_setting_out_of_range_is_named_with_its_value(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is 0"):
        SchedulerSettings(**{field: 0})  # type: ignore[arg-type]


class Fleet:
    """Workers over one table, each with a clock of its own, which the test moves or lets jump."""

    def __init__(
        self, leases: int, chance: random.Random, config: SchedulerSettings, ended: int = 0
    ) -> None:
        self._config, self._chance = config, chance
        self.table = MemoryLeaseTable()
        for number in range(leases):
            checkpoint = ExtendedSequenceNumber(SHARD_END if number < ended else TRIM_HORIZON)
            self.table.create_lease(Lease(str(number), str(number), checkpoint=checkpoint))
        self.workers: dict[str, LeaseTaker] = {}
        self.clocks: dict[str, float] = {}
        self.takes = 0

    def join(self, name: str) -> None:
        self.clocks[name] = self._chance.uniform(0, 10**6)
        self.workers[name] = LeaseTaker(
            self.table, name, self._config, lambda: self.clocks[name], self._chance
        )

    def kill(self, name: str) -> None:
        del self.workers[name]

    def toggle(self, name: str) -> None:
        self.kill(name) if name in self.workers else self.join(name)

    def jump(self, name: str, seconds: float) -> None:
        """The clock of one worker, forwards or backwards."""
        self.clocks[name] += seconds

    def turn(self, *, looks: float = 1.0) -> None:
        """A third of the fail-over time: the living renew, then look at the table in any order,
        each with the probability `looks`."""
        for name in self.workers:
            self.clocks[name] += self._config.renewer_interval_seconds
        for lease in self.table.list_leases():
            if lease.lease_owner in self.workers:
                self.table.renew_lease(lease)
        for name in self._chance.sample(sorted(self.workers), len(self.workers)):
            if self._chance.random() < looks:
                self.takes += len(self.workers[name].take())

    def settle(self, *, looks: float = 1.0) -> None:
        """Long enough: one lease moves at a time, after those of the dead have expired."""
        if not self.workers:
            self.join("worker-0")
        for _ in range(round((12 + 3 * len(self.table.list_leases())) / looks)):
            self.turn(looks=looks)

    def counts(self) -> Counter[str]:
        counts = Counter(dict.fromkeys(self.workers, 0))
        counts.update(lease.lease_owner or "nobody" for lease in self.table.list_leases())
        return counts

    def assert_balanced_and_at_rest(self) -> None:
        counts = self.counts()
        assert counts.keys() == self.workers.keys(), "a lease of the dead, or of nobody, is left"
        assert max(counts.values()) - min(counts.values()) <= 1
        moved = self.takes
        for _ in range(10):
            self.turn()
        assert self.takes == moved, "leases go on moving in a balanced fleet"


#: Everything that changes how leases move.
any_settings = st.builds(
    SchedulerSettings,
    max_leases_to_steal_at_one_time=st.integers(1, 5),
    enable_priority_lease_assignment=st.booleans(),
    very_old_lease_duration_multiplier=st.integers(1, 3),
)
#: Which worker comes or goes.
changes_of_a_fleet = st.lists(st.integers(0, 5), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150)
@given(
    leases=st.integers(1, 24),
    changes=changes_of_a_fleet,
    seed=st.integers(0, 2**32),
    ended=st.integers(0, 4),
    config=any_settings,
    looks=st.sampled_from([0.3, 0.7, 1.0]),
)
def test_any_fleet_comes_to_a_balance_and_then_rests(
    leases: int,
    changes: list[int],
    seed: int,
    ended: int,
    config: SchedulerSettings,
    looks: float,
) -> None:
    """Who is there dies, who is not joins. Of the leases, `ended` are of shards that have ended:
    they count as load until they are cleaned up. Workers skip looks, as slow ones do."""
    fleet = Fleet(leases, random.Random(seed), config, ended)
    for change in changes:
        fleet.toggle(f"worker-{change}")
        fleet.turn(looks=looks)
    fleet.settle(looks=looks)
    fleet.assert_balanced_and_at_rest()


@settings(deadline=None, max_examples=100)
@given(
    leases=st.integers(1, 24),
    workers=st.integers(1, 6),
    jumps=st.lists(st.tuples(st.integers(0, 5), st.floats(-(10**9), 10**9)), max_size=6),
    seed=st.integers(0, 2**32),
)
def test_a_fleet_whose_clocks_jump_comes_to_a_balance_again(
    leases: int, workers: int, jumps: list[tuple[int, float]], seed: int
) -> None:
    fleet = Fleet(leases, random.Random(seed), SETTINGS)
    for number in range(workers):
        fleet.join(f"worker-{number}")
    for worker, seconds in jumps:
        fleet.turn()
        fleet.jump(f"worker-{worker % workers}", seconds)
    fleet.settle()
    fleet.assert_balanced_and_at_rest()


@settings(deadline=None, max_examples=100)
@given(leases=st.integers(1, 24), workers=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_a_worker_that_joins_moves_no_lease_more_than_it_needs(
    leases: int, workers: int, seed: int
) -> None:
    fleet = Fleet(leases, random.Random(seed), SETTINGS)
    for number in range(workers):
        fleet.join(f"worker-{number}")
    fleet.settle()
    before = {lease.lease_key: lease.lease_owner for lease in fleet.table.list_leases()}
    moved, fleet.takes = fleet.takes, 0
    fleet.join("newcomer")
    fleet.settle()
    after = {lease.lease_key: lease.lease_owner for lease in fleet.table.list_leases()}
    assert fleet.takes == fleet.counts()["newcomer"]
    assert {owner for key, owner in after.items() if owner != before[key]} <= {"newcomer"}
    assert moved >= leases


@settings(deadline=None, max_examples=100)
@given(
    leases=st.integers(1, 24),
    most=st.integers(1, 6),
    changes=changes_of_a_fleet,
    seed=st.integers(0, 2**32),
)
def test_nobody_holds_more_than_the_maximum_and_nothing_is_left_while_there_is_room(
    leases: int, most: int, changes: list[int], seed: int
) -> None:
    config = replace(SETTINGS, max_leases_for_worker=most)
    fleet = Fleet(leases, random.Random(seed), config)
    for change in changes:
        fleet.toggle(f"worker-{change}")
        fleet.turn()
    fleet.settle()
    live = Counter({name: fleet.counts()[name] for name in fleet.workers})
    assert max(live.values()) <= most
    assert live.total() == min(leases, most * len(fleet.workers))
