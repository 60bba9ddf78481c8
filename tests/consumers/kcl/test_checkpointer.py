"""Which positions a processor may checkpoint, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.kcl.checkpointer import RecordProcessorCheckpointer, _Prepared
from consumers.kcl.errors import InvalidCheckpoint, ShutdownException
from consumers.kcl.extended_sequence_number import (
    AT_TIMESTAMP,
    LATEST,
    SHARD_END,
    TRIM_HORIZON,
    ExtendedSequenceNumber,
    is_number_of_shard,
)
from consumers.kcl.lease import Lease
from consumers.kcl.lease_renewer import LeaseRenewer
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.record_processor import KinesisClientRecord
from consumers.kcl.settings import SchedulerSettings

KEY = "shardId-000000000000"


def at(number: str | int, sub: int = 0) -> ExtendedSequenceNumber:
    return ExtendedSequenceNumber(str(number), sub)


def record(number: int, sub: int = 0) -> KinesisClientRecord:
    return KinesisClientRecord(str(number), sub, "key", b"", datetime(2026, 7, 1, tzinfo=UTC))


class World:
    """A lease in a table, held by one worker, with a checkpointer that has delivered up to 10."""

    def __init__(self, start: str = TRIM_HORIZON) -> None:
        self.table, self.writes = MemoryLeaseTable(), 0
        self.table.create_lease(Lease(KEY, KEY, checkpoint=at(start)))
        taken = self.table.take_lease(self.lease, "me")
        assert taken is not None
        self.renewer = LeaseRenewer(self.table, "me", SchedulerSettings(), lambda: 0.0)
        self.held = self.renewer.add(taken)
        self.checkpointer = RecordProcessorCheckpointer(
            KEY, at(start), self._write, validate_sequence_number=False
        )
        self.checkpointer.delivering(at(10, 2))

    @property
    def lease(self) -> Lease:
        lease = self.table.get_lease(KEY)
        assert lease is not None
        return lease

    def _write(self, change: Callable[[Lease], Lease]) -> Lease | None:
        self.writes += 1
        return self.renewer.update(self.held, change)


def test_positions_are_ordered_as_amazon_orders_them() -> None:
    ordered = [
        at(AT_TIMESTAMP),
        at(TRIM_HORIZON),
        at(LATEST),
        at(9),
        at(9, 1),
        at(10),
        at(SHARD_END),
    ]
    assert sorted(set(ordered)) == ordered


@pytest.mark.parametrize(
    ("number", "sub"), [("x", 0), ("", 0), ("-1", 0), ("5", -1), ("LATEST", 1)]
)
def test_what_is_no_position_is_refused(number: str, sub: int) -> None:
    with pytest.raises(ValueError, match=f"{sub}|position"):
        ExtendedSequenceNumber(number, sub)


def test_a_checkpoint_of_everything_is_the_last_delivered_user_record() -> None:
    world = World()
    world.checkpointer.checkpoint()
    assert world.lease.checkpoint == at(10, 2)


def test_a_record_a_number_and_a_sub_sequence_number_can_be_checkpointed() -> None:
    world = World()
    cases: list[tuple[str | KinesisClientRecord, int, ExtendedSequenceNumber]] = [
        ("5", 0, at(5)),
        (record(6, 1), 0, at(6, 1)),
        ("7", 3, at(7, 3)),
    ]
    for place, sub, wanted in cases:
        world.checkpointer.checkpoint(place, sub)
        assert world.lease.checkpoint == wanted


@pytest.mark.parametrize("outside", [at(4), at(10, 3), at(11), at(SHARD_END)])
def test_only_what_was_delivered_since_the_last_checkpoint_is_allowed(
    outside: ExtendedSequenceNumber,
) -> None:
    world = World()
    world.checkpointer.checkpoint("5")
    with pytest.raises(InvalidCheckpoint, match="must lie between"):
        world.checkpointer.checkpoint(outside.sequence_number, outside.sub_sequence_number)
    assert world.lease.checkpoint == at(5)


def test_the_same_checkpoint_again_writes_nothing() -> None:
    world = World()
    world.checkpointer.checkpoint()
    world.checkpointer.checkpoint()
    assert world.writes == 1


def test_a_checkpoint_resets_the_count_of_owner_switches() -> None:
    world = World()
    world.held.lease = replace(world.held.lease, owner_switches_since_checkpoint=3)
    world.checkpointer.checkpoint()
    assert world.lease.owner_switches_since_checkpoint == 0


def test_at_the_end_of_the_shard_everything_and_the_last_record_mean_shard_end() -> None:
    for place in (None, record(10, 2)):
        world = World()
        world.checkpointer.reached_shard_end()
        world.checkpointer.checkpoint(place)
        assert world.lease.checkpoint == at(SHARD_END)


def test_at_the_end_of_the_shard_an_earlier_record_is_still_itself() -> None:
    world = World()
    world.checkpointer.reached_shard_end()
    world.checkpointer.checkpoint("9")
    assert world.lease.checkpoint == at(9)


def test_a_prepared_checkpoint_is_announced_with_its_state_and_then_made() -> None:
    world = World()
    prepared = world.checkpointer.prepare_checkpoint("6", application_state=b"state")
    assert prepared.pending_checkpoint == at(6)
    assert (world.lease.pending_checkpoint, world.lease.pending_checkpoint_state) == (
        at(6),
        b"state",
    )
    assert world.lease.checkpoint == at(TRIM_HORIZON)
    prepared.checkpoint()
    assert world.lease.checkpoint == at(6)
    assert world.lease.pending_checkpoint is None
    assert world.lease.pending_checkpoint_state is None


def test_an_older_prepared_checkpoint_fails_after_a_newer_one() -> None:
    world = World()
    older = world.checkpointer.prepare_checkpoint("6")
    newer = world.checkpointer.prepare_checkpoint("8")
    newer.checkpoint()
    with pytest.raises(InvalidCheckpoint):
        older.checkpoint()


def test_any_checkpoint_clears_what_was_announced() -> None:
    world = World()
    world.checkpointer.prepare_checkpoint("6")
    world.checkpointer.checkpoint("5")
    assert world.lease.pending_checkpoint is None


def test_a_lost_lease_is_told_and_nothing_is_written() -> None:
    world = World()
    assert world.table.take_lease(world.lease, "other") is not None
    with pytest.raises(ShutdownException, match="no longer holds"):
        world.checkpointer.checkpoint()
    assert world.lease.checkpoint == at(TRIM_HORIZON)


def test_a_processor_of_an_earlier_tenure_cannot_write_after_the_lease_came_back() -> None:
    world = World()
    world.renewer.drop(world.held)
    again = world.table.take_lease(world.lease, "me")
    assert again is not None
    world.renewer.add(again)
    with pytest.raises(ShutdownException):
        world.checkpointer.checkpoint()


def test_a_number_of_another_shard_is_refused_by_its_bits() -> None:
    number = (2 << 184) | (1 << 183) | (5 << 4) | 1
    assert number.bit_length() == 186
    assert is_number_of_shard(str(number), "shardId-000000000005")
    assert not is_number_of_shard(str(number), "shardId-000000000006")
    assert not is_number_of_shard("123", "shardId-000000000005")
    world = World()
    strict = RecordProcessorCheckpointer(KEY, at(TRIM_HORIZON), world._write)
    strict.delivering(at(SHARD_END))
    with pytest.raises(InvalidCheckpoint, match="no sequence number of shard"):
        strict.checkpoint(str(number))


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(1, 12), st.integers(0, 2)),
        st.tuples(st.just("checkpoint"), st.integers(0, 14), st.integers(0, 2)),
        st.tuples(st.just("prepare"), st.integers(0, 14), st.integers(0, 2)),
        st.tuples(st.just("promote"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("everything"), st.just(0), st.just(0)),
        st.tuples(st.just("end"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(start=st.sampled_from([AT_TIMESTAMP, TRIM_HORIZON, LATEST, "3"]), steps=_STEPS)
def test_no_checkpoint_ever_goes_back_or_beyond_what_was_delivered(
    start: str, steps: list[tuple[str, int, int]]
) -> None:
    """Beside a model: the window is [last checkpoint, last delivered], until the end of the shard
    opens it to SHARD_END. What is refused changes nothing; what is allowed is in the table."""
    world = World(start)
    last = largest = at(start)
    prepared: list[_Prepared] = []
    world.checkpointer.delivering(at(start))
    has_ended = False
    for kind, number, sub in steps:
        wanted = at(number, sub)
        if kind == "deliver" and not has_ended:
            largest = max(wanted, last)
            world.checkpointer.delivering(wanted)
            continue
        if kind == "end" and not has_ended:
            has_ended = True
            end_of_records, largest = largest, at(SHARD_END)
            world.checkpointer.reached_shard_end()
            continue
        if kind == "everything":
            wanted = largest
        elif kind == "promote":
            if number >= len(prepared):
                continue
            wanted = prepared[number].pending_checkpoint
        elif kind in ("deliver", "end"):
            continue
        is_allowed = last <= wanted <= largest
        if kind != "promote" and has_ended and is_allowed and wanted == end_of_records:
            wanted = at(SHARD_END)
        try:
            if kind == "everything":
                world.checkpointer.checkpoint()
            elif kind == "checkpoint":
                world.checkpointer.checkpoint(str(number), sub)
            elif kind == "prepare":
                prepared.append(world.checkpointer.prepare_checkpoint(str(number), sub))
            else:
                prepared[number].checkpoint()
        except InvalidCheckpoint:
            assert not is_allowed
        else:
            assert is_allowed
            if kind == "prepare":
                assert prepared[-1].pending_checkpoint == wanted
                assert wanted == last or world.lease.pending_checkpoint == wanted
            elif wanted != last:
                last = wanted
                assert world.lease.pending_checkpoint is None
        assert world.lease.checkpoint == last
        assert world.checkpointer.last_checkpoint == last
