"""Keeping leases: renewals, losses, restarts, and hand-offs that a 3.x leader asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.lease import Lease
from consumers.kcl.lease_renewer import HeldLease, LeaseRenewer
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.settings import SchedulerSettings


class World:
    """A worker `me` that holds lease 1, on a clock that the test moves."""

    def __init__(self, table: MemoryLeaseTable | None = None) -> None:
        self.now, self.table = 0.0, table or MemoryLeaseTable()
        self.renewer = LeaseRenewer(self.table, "me", SchedulerSettings(), lambda: self.now)
        self.table.create_lease(Lease("1", "1"))
        self.held = self.take()

    def take(self) -> HeldLease:
        taken = self.table.take_lease(self.stored, "me")
        assert taken is not None
        return self.renewer.add(taken)

    @property
    def stored(self) -> Lease:
        lease = self.table.get_lease("1")
        assert lease is not None
        return lease


def test_a_renewal_moves_the_counter() -> None:
    world = World()
    before = world.stored.lease_counter
    assert world.renewer.renew_all() == ()
    assert world.stored.lease_counter == before + 1


def test_a_lease_that_another_worker_took_is_dropped() -> None:
    world = World()
    world.table.take_lease(world.stored, "other")
    assert world.renewer.renew_all() == ("1",)
    assert not world.renewer.is_held(world.held)


def test_a_lease_that_was_deleted_is_dropped() -> None:
    world = World()
    world.table.delete_lease("1")
    assert world.renewer.renew_all() == ("1",)


def test_a_lease_that_expired_here_is_let_go_and_not_renewed() -> None:
    world = World()
    before = world.stored
    world.now = 10.001
    assert world.renewer.renew_all() == ("1",)
    assert world.stored == before


class Away(MemoryLeaseTable):
    """A table that cannot be reached while `is_away`."""

    is_away = False

    def renew_lease(self, lease: Lease, *, handing_off: bool = False) -> Lease | None:
        if self.is_away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")
        return super().renew_lease(lease, handing_off=handing_off)


def test_a_table_that_is_away_takes_no_lease_before_the_failover_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(table := Away())
    before = world.held.lease
    table.is_away = True
    for world.now in (3.3, 6.6, 9.9):
        assert world.renewer.renew_all() == ()
        assert world.renewer.is_held(world.held)
        assert world.held.lease is before, "memory says what the table says"
    assert "could not renew lease 1: Could not connect" in caplog.text
    table.is_away = False
    assert world.renewer.renew_all() == ()
    table.is_away = True
    world.now = 19.8
    assert world.renewer.renew_all() == ()
    world.now = 20.0
    assert world.renewer.renew_all() == ("1",)
    assert "lets lease 1 go: it could not renew it for 10.0 s" in caplog.text


def test_one_lease_that_cannot_be_renewed_hinders_no_other() -> None:
    class OneIsBroken(MemoryLeaseTable):
        def renew_lease(self, lease: Lease, *, handing_off: bool = False) -> Lease | None:
            if lease.lease_key == "2":
                raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")
            return super().renew_lease(lease, handing_off=handing_off)

    world = World(OneIsBroken())
    for key in "23":
        world.table.create_lease(Lease(key, key, lease_owner="me"))
        lease = world.table.get_lease(key)
        assert lease is not None
        world.renewer.add(lease)
    assert world.renewer.renew_all() == ()
    counters = {lease.lease_key: lease.lease_counter for lease in world.table.list_leases()}
    assert counters == {"1": 2, "2": 0, "3": 1}


def test_a_write_that_timed_out_and_yet_succeeded_is_no_loss() -> None:
    world = World()
    world.table.renew_lease(world.stored)
    assert world.renewer.renew_all() == ()
    assert world.held.lease == world.stored


def test_a_checkpoint_after_such_a_write_is_written() -> None:
    world = World()
    world.table.renew_lease(world.stored)
    five = ExtendedSequenceNumber("5")
    assert world.renewer.update(world.held, lambda lease: replace(lease, checkpoint=five))
    assert world.stored.checkpoint == five


def test_rows_that_name_this_worker_are_adopted_at_the_start_even_expired() -> None:
    world = World()
    restarted = LeaseRenewer(world.table, "me", SchedulerSettings(), lambda: 1e6)
    restarted.adopt(world.table.list_leases())
    assert list(restarted.held()) == ["1"]
    assert world.renewer.renew_all() == () or not world.renewer.held()


def test_rows_in_a_hand_off_are_not_adopted() -> None:
    table = MemoryLeaseTable()
    table.create_lease(Lease("1", "1", lease_owner="me", checkpoint_owner="other"))
    renewer = LeaseRenewer(table, "me", SchedulerSettings(), lambda: 0.0)
    renewer.adopt(table.list_leases())
    assert renewer.held() == {}


def test_a_hand_off_is_noticed_renewed_through_and_finished() -> None:
    world = World()
    world.table._put(replace(world.stored, lease_owner="new", checkpoint_owner="me"))
    assert world.renewer.renew_all() == ()
    assert world.held.handing_off
    assert world.renewer.renew_all() == ()
    five = ExtendedSequenceNumber("5")
    assert world.renewer.update(world.held, lambda lease: replace(lease, checkpoint=five))
    world.renewer.transfer(world.held)
    assert (world.stored.lease_owner, world.stored.checkpoint_owner) == ("new", None)
    assert world.stored.checkpoint == five
    assert world.renewer.held() == {}


def test_evicting_gives_only_a_lease_back_that_is_still_held() -> None:
    world = World()
    world.table.take_lease(world.stored, "other")
    world.renewer.evict(world.held)
    assert world.stored.lease_owner == "other"


def test_an_evicted_lease_is_free_at_once() -> None:
    world = World()
    world.renewer.evict(world.held)
    assert world.stored.lease_owner is None
    assert world.renewer.held() == {}
