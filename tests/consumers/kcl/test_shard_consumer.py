"""The life of one shard's consumer: its parents, its processor's errors, its ends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from consumers.kcl.errors import CheckpointRefused, ShutdownException
from consumers.kcl.extended_sequence_number import SHARD_END, TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.lease import Lease
from consumers.kcl.lease_renewer import HeldLease, LeaseRenewer
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.processor_errors import GuardedCalls
from consumers.kcl.record_processor import (
    InitializationInput,
    LeaseLostInput,
    ProcessRecordsInput,
    ShardEndedInput,
    ShutdownRequestedInput,
)
from consumers.kcl.retrieval import RecordsBatch
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import LAST_HASH_KEY, ChildShard, HashKeyRange, StreamIdentifier
from consumers.kcl.shard_consumer import ConsumerState, ShardConsumer
from consumers.kcl.tenure import LeaseTenure
from services.kinesis.aggregation import AggregatedUserRecord, pack
from tests.waiting import wait_until

PARENT, OTHER, CHILD = "shardId-0", "shardId-1", "shardId-2"
LOWER, UPPER = HashKeyRange(0, 99), HashKeyRange(100, LAST_HASH_KEY)
SETTINGS = SchedulerSettings(
    parent_shard_poll_interval_millis=5,
    shard_consumer_dispatch_poll_interval_millis=5,
    task_backoff_time_millis=1,
    validate_sequence_number_before_checkpointing=False,
)
THROTTLED = ClientError(
    {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}},
    "PutItem",
)


def batch(
    *numbers: int, children: Iterable[ChildShard] = (), is_end: bool = False, data: bytes = b"x"
) -> RecordsBatch:
    records = [
        {
            "SequenceNumber": str(number),
            "PartitionKey": "key",
            "Data": data,
            "ApproximateArrivalTimestamp": datetime(2026, 7, 1, tzinfo=UTC),
        }
        for number in numbers
    ]
    return RecordsBatch(records, 0, is_end or bool(tuple(children)), tuple(children))


SPLIT = (
    ChildShard("shardId-8", (PARENT,), HashKeyRange(0, 49)),
    ChildShard("shardId-9", (PARENT,), HashKeyRange(50, 99)),
)
MERGE = (ChildShard(CHILD, (PARENT, OTHER), HashKeyRange(0, LAST_HASH_KEY)),)


class Batches:
    """A RecordsPublisher of what the test has written down."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[RecordsBatch | Exception] = queue.Queue()
        self.starts: list[ExtendedSequenceNumber] = []
        self.is_stopped = False

    def add(self, *batches: RecordsBatch | Exception) -> None:
        for one in batches:
            self._waiting.put(one)

    def start(self) -> None: ...

    def next_batch(self, timeout: float) -> RecordsBatch | None:
        try:
            found = self._waiting.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            raise found
        return found

    def stop(self) -> None:
        self.is_stopped = True


class Processor:
    """Notes its calls; what `before` holds for a call runs first, and may raise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seen: list[str] = []
        self.at_shard_end: list[bool] = []
        self.before: dict[str, Callable[..., object]] = {}
        self.checkpoints_the_end = True

    def _called(self, name: str, given: object) -> None:
        self.calls.append(name)
        if name in self.before:
            self.before[name](given)

    def initialize(self, given: InitializationInput) -> None:
        self._called("initialize", given)

    def process_records(self, given: ProcessRecordsInput) -> None:
        self._called("process_records", given)
        self.seen += [str(record.position) for record in given.records]
        self.at_shard_end.append(given.is_at_shard_end)

    def lease_lost(self, given: LeaseLostInput) -> None:
        self._called("lease_lost", given)

    def shard_ended(self, given: ShardEndedInput) -> None:
        self._called("shard_ended", given)
        if self.checkpoints_the_end:
            given.checkpointer.checkpoint()

    def shutdown_requested(self, given: ShutdownRequestedInput) -> None:
        self._called("shutdown_requested", given)


class Failing(MemoryLeaseTable):
    """A lease table that is throttled while `is_throttled`."""

    is_throttled = False
    refused = 0

    def create_lease(self, lease: Lease) -> bool:
        self._refuse()
        return super().create_lease(lease)

    def transfer_lease(self, lease: Lease) -> bool:
        self._refuse()
        return super().transfer_lease(lease)

    def _refuse(self) -> None:
        if self.is_throttled:
            self.refused += 1
            raise THROTTLED


class World:
    """A worker that holds the lease of one shard, and the consumer of it."""

    def __init__(self, lease: Lease | None = None, settings: SchedulerSettings = SETTINGS) -> None:
        self.table, self.batches, self.processor = Failing(), Batches(), Processor()
        self.renewer = LeaseRenewer(self.table, "me", settings, lambda: 0.0)
        self.key = (lease := lease or Lease(PARENT, PARENT, hash_key_range=LOWER)).lease_key
        self.table.create_lease(lease)
        self.held = self._take()
        tenure = LeaseTenure(self.held, self.renewer, self.table, StreamIdentifier("clicks"))
        self.consumer = ShardConsumer(
            "clicks",
            tenure,
            lambda: self.processor,
            self._publisher,
            GuardedCalls(
                "clicks", lease.shard_id, settings, None, tenure.is_held, sleep=lambda _: None
            ),
            settings,
        )

    def _take(self) -> HeldLease:
        taken = self.table.take_lease(self.lease, "me")
        assert taken is not None
        return self.renewer.add(taken)

    def _publisher(self, start: ExtendedSequenceNumber) -> Batches:
        self.batches.starts.append(start)
        return self.batches

    @property
    def lease(self) -> Lease:
        lease = self.table.get_lease(self.key)
        assert lease is not None
        return lease

    def lose(self) -> None:
        assert self.table.take_lease(self.lease, "other") is not None
        assert self.renewer.renew_all() == (self.key,)
        self.consumer.wake()

    def run_to_end(self) -> list[str]:
        """Start, wait for the end, and answer the processor's calls."""
        self.consumer.start()
        self.ends()
        return self.processor.calls

    def ends(self) -> None:
        wait_until(lambda: not self.consumer.is_alive(), every=0.005)


@contextmanager
def running(world: World) -> Iterator[World]:
    world.consumer.start()
    try:
        yield world
    finally:
        world.consumer.request_shutdown()
        world.ends()


def fails(times: int, error: Exception | None = None) -> Callable[[object], None]:
    left = iter(range(times))

    def call(_: object) -> None:
        if next(left, None) is not None:
            raise error or RuntimeError("not yet")

    return call


# Parents


def ended(lease: Lease) -> Lease:
    return replace(lease, checkpoint=ExtendedSequenceNumber(SHARD_END))


def test_a_merge_child_begins_when_both_parents_have_ended() -> None:
    world = World(Lease(CHILD, CHILD, parent_shard_ids=frozenset({PARENT, OTHER})))
    for parent in (PARENT, OTHER):
        world.table.create_lease(Lease(parent, parent))
    world.batches.add(batch(1))
    with running(world):
        for parent in (PARENT, OTHER):
            assert world.processor.calls == []
            assert world.consumer.state is ConsumerState.WAITING_ON_PARENT_SHARDS
            lease = world.table.get_lease(parent)
            assert lease is not None
            assert world.table.update_lease(ended(lease)) is not None
        wait_until(lambda: world.processor.seen == ["1"])


def test_a_parent_without_a_lease_holds_no_child_up() -> None:
    world = World(Lease(CHILD, CHILD, parent_shard_ids=frozenset({PARENT})))
    world.batches.add(batch(1))
    with running(world):
        wait_until(lambda: world.processor.seen == ["1"])


def test_a_lease_lost_while_its_parents_are_read_calls_no_processor() -> None:
    world = World(Lease(CHILD, CHILD, parent_shard_ids=frozenset({PARENT})))
    world.table.create_lease(Lease(PARENT, PARENT))
    world.consumer.start()
    world.lose()
    world.ends()
    assert world.processor.calls == []
    assert world.lease.lease_owner == "other"


# The processor


def test_a_processor_that_fails_to_initialize_is_asked_again_and_misses_nothing() -> None:
    world = World()
    world.processor.before["initialize"] = fails(2)
    world.batches.add(batch(1, 2))
    with running(world):
        wait_until(lambda: world.processor.seen == ["1", "2"])
    assert world.processor.calls[:4] == ["initialize"] * 3 + ["process_records"]


def test_a_batch_without_records_is_no_call_unless_that_is_wanted() -> None:
    for wanted in (False, True):
        world = World(
            settings=replace(SETTINGS, call_process_records_even_for_empty_record_list=wanted)
        )
        given: list[int] = []
        world.processor.before["process_records"] = lambda g, seen=given: seen.append(
            len(g.records)
        )
        world.batches.add(batch(), batch(1), batch())
        with running(world):
            wait_until(lambda w=world: w.processor.seen == ["1"])
        assert (0 in given) is wanted


def test_the_last_record_of_a_batch_may_be_checkpointed_while_it_is_processed() -> None:
    world = World()
    world.processor.before["process_records"] = lambda given: given.checkpointer.checkpoint()
    world.batches.add(batch(1, 2, 3))
    with running(world):
        wait_until(lambda: world.lease.checkpoint == ExtendedSequenceNumber("3"))


def test_user_records_up_to_the_checkpoint_are_not_given_again() -> None:
    start = ExtendedSequenceNumber("7", 1)
    world = World(Lease(PARENT, PARENT, checkpoint=start, hash_key_range=LOWER))
    users = [AggregatedUserRecord("key", b"%d" % n, str(n)) for n in range(4)]
    world.batches.add(batch(7, data=pack(users)), batch(8))
    with running(world):
        wait_until(lambda: len(world.processor.seen) == 3)
    assert world.processor.seen == ["7-2", "7-3", "8"]
    assert world.batches.starts == [start]


def test_a_lease_lost_in_a_long_call_holds_no_other_up_and_refuses_its_checkpoint() -> None:
    world, is_busy, goes_on = World(), threading.Event(), threading.Event()
    refused: list[Exception] = []

    def busy(given: ProcessRecordsInput) -> None:
        is_busy.set()
        assert goes_on.wait(30)
        try:
            given.checkpointer.checkpoint()
        except CheckpointRefused as error:
            refused.append(error)

    world.processor.before["process_records"] = busy
    world.batches.add(batch(1), batch(2))
    world.consumer.start()
    assert is_busy.wait(30)
    world.lose()  # renews every lease of the worker meanwhile
    assert world.consumer.is_alive()
    goes_on.set()
    world.ends()
    assert [type(error) for error in refused] == [ShutdownException]
    assert world.processor.calls == ["initialize", "process_records", "lease_lost"]
    assert (world.lease.lease_owner, world.lease.checkpoint.sequence_number) == (
        "other",
        TRIM_HORIZON,
    )
    assert world.batches.is_stopped


def test_a_shutdown_is_answered_while_no_records_come() -> None:
    world = World()
    world.consumer.start()
    wait_until(lambda: world.consumer.state is ConsumerState.PROCESSING)
    world.consumer.request_shutdown()
    world.ends()
    assert world.processor.calls == ["initialize", "shutdown_requested", "lease_lost"]
    assert world.lease.lease_owner is None
    assert world.consumer.state is ConsumerState.SHUTDOWN_COMPLETE


def test_a_processor_that_fails_at_the_shutdown_still_gives_the_lease_back() -> None:
    world = World()
    for call in ("shutdown_requested", "lease_lost"):
        world.processor.before[call] = fails(1)
    with running(world):
        wait_until(lambda: world.consumer.state is ConsumerState.PROCESSING)
    assert world.lease.lease_owner is None
    assert world.consumer.error is None


def test_what_reading_cannot_mend_stops_the_shard_with_its_reason_and_keeps_the_lease() -> None:
    world = World()
    world.batches.add(batch(1), ValueError("no such place in this stream"))
    world.consumer.start()
    world.ends()
    assert world.consumer.state is ConsumerState.FAILED
    assert "no such place" in str(world.consumer.error)
    assert world.lease.lease_owner == "me"
    assert world.processor.calls == ["initialize", "process_records"]


# The end of the shard


@pytest.mark.parametrize("last", [(), (5, 6)])
def test_at_its_end_a_shard_leaves_leases_of_its_children_and_says_so(
    last: tuple[int, ...],
) -> None:
    world = World()
    world.batches.add(batch(1), batch(*last, children=SPLIT))
    assert world.run_to_end()[-1] == "shard_ended"
    assert world.lease.has_ended
    assert world.lease.child_shard_ids == {"shardId-8", "shardId-9"}
    for told in SPLIT:
        child = world.table.get_lease(told.shard_id)
        assert child is not None
        assert child.checkpoint.sequence_number == TRIM_HORIZON
        assert child.parent_shard_ids == {PARENT}
        assert child.hash_key_range == told.hash_key_range
    assert world.processor.seen == ["1", *map(str, last)]
    assert world.processor.at_shard_end == ([False, True] if last else [False])


def test_a_shard_that_ends_without_a_record_goes_the_same_way() -> None:
    world = World()
    world.batches.add(batch(children=SPLIT))
    assert world.run_to_end() == ["initialize", "shard_ended"]
    assert world.lease.has_ended


def test_a_shard_that_is_gone_ends_without_children() -> None:
    world = World()
    world.batches.add(batch(is_end=True))
    assert world.run_to_end() == ["initialize", "shard_ended"]
    assert world.lease.has_ended
    assert world.lease.child_shard_ids == frozenset()


def test_shard_ended_is_called_until_it_has_checkpointed(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.processor.checkpoints_the_end = False
    world.batches.add(batch(children=SPLIT))
    world.consumer.start()
    wait_until(lambda: world.processor.calls.count("shard_ended") >= 3)
    assert not world.lease.has_ended
    world.processor.checkpoints_the_end = True
    world.ends()
    assert world.lease.has_ended
    assert "shard_ended must call checkpointer.checkpoint()" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_shard_ended_that_fails_is_called_again() -> None:
    world = World()
    world.processor.before["shard_ended"] = fails(2)
    world.batches.add(batch(children=SPLIT))
    assert world.run_to_end() == ["initialize"] + ["shard_ended"] * 3
    assert world.lease.has_ended


def test_children_are_made_before_the_end_is_told_however_often_that_fails() -> None:
    world = World()
    world.table.is_throttled = True
    world.batches.add(batch(1, children=SPLIT))
    world.consumer.start()
    wait_until(lambda: world.table.refused >= 3)
    assert "shard_ended" not in world.processor.calls
    assert not world.lease.has_ended
    world.table.is_throttled = False
    world.ends()
    assert world.processor.calls[-1] == "shard_ended"
    assert {"shardId-8", "shardId-9"} <= {x.shard_id for x in world.table.list_leases()}


def test_a_lease_lost_before_its_children_are_made_is_not_ended() -> None:
    world = World()
    world.table.is_throttled = True
    world.batches.add(batch(1, children=SPLIT))
    world.consumer.start()
    wait_until(lambda: world.table.refused >= 1)
    world.lose()
    world.ends()
    assert world.processor.calls == ["initialize", "process_records", "lease_lost"]
    assert not world.lease.has_ended


def test_a_merge_child_is_made_once_both_parents_have_leases(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.batches.add(batch(children=MERGE))
    world.consumer.start()
    wait_until(lambda: "has no lease yet" in caplog.text)
    assert world.table.get_lease(CHILD) is None
    world.table.create_lease(Lease(OTHER, OTHER, hash_key_range=UPPER))
    world.ends()
    assert world.table.get_lease(CHILD) is not None
    assert world.lease.has_ended
    assert "Traceback" not in caplog.text


def test_a_merge_whose_other_parent_was_cleaned_up_goes_on_with_the_child_it_left() -> None:
    world = World()
    child = Lease(CHILD, CHILD, parent_shard_ids=frozenset({PARENT, OTHER}))
    world.table.create_lease(child)
    world.batches.add(batch(children=MERGE))
    assert world.run_to_end()[-1] == "shard_ended"
    assert world.table.get_lease(CHILD) == child


# Hand-offs that a 3.x peer's leader asks for


def handed_off(world: World) -> None:
    world.table._put(replace(world.lease, lease_owner="new", checkpoint_owner="me"))
    assert world.renewer.renew_all() == ()
    assert world.held.handing_off
    world.consumer.request_shutdown()


def test_a_hand_off_lets_the_processor_checkpoint_and_then_goes_through() -> None:
    world = World()
    world.processor.before["shutdown_requested"] = lambda given: given.checkpointer.checkpoint()
    world.batches.add(batch(1, 2))
    world.consumer.start()
    wait_until(lambda: world.processor.seen == ["1", "2"])
    handed_off(world)
    world.ends()
    assert (world.lease.lease_owner, world.lease.checkpoint_owner) == ("new", None)
    assert world.lease.checkpoint == ExtendedSequenceNumber("2")


def test_a_hand_off_whose_write_fails_leaves_the_lease_all_the_same() -> None:
    world = World()
    world.consumer.start()
    wait_until(lambda: world.consumer.state is ConsumerState.PROCESSING)
    handed_off(world)
    world.table.is_throttled = True
    world.ends()
    assert world.table.refused == 1
    assert world.renewer.held() == {}
    assert world.processor.calls == ["initialize", "shutdown_requested", "lease_lost"]
