"""Streams on the real engine for tests of workers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from consumers.kcl import LOCAL, Scheduler, SchedulerSettings
from consumers.kcl.lease import Lease
from consumers.kcl.lease_table_dynamodb import DynamoDBLeaseTable
from consumers.kcl.record_processor import ProcessorFactory
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


class StreamUnderTest:
    """A stream and an application of its own."""

    def __init__(self, engine: EngineUnderTest, shards: int) -> None:
        self.kinesis: Any = engine.client("kinesis")
        self.dynamodb: Any = engine.client("dynamodb")
        self.name = f"stream-{uuid.uuid4().hex[:8]}"
        self.application = f"app-{self.name}"
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.wait_until_active()
        self.leases = DynamoDBLeaseTable(self.dynamodb, self.application)

    def create_again(self, shards: int) -> None:
        """Delete the stream and create one of the same name."""
        self.kinesis.delete_stream(StreamName=self.name, EnforceConsumerDeletion=True)
        wait_until(lambda: not self._is_there())
        # Sequence numbers tell a stream's creation by the second: within one they are alike.
        deleted = time.monotonic()
        wait_until(lambda: time.monotonic() > deleted + 1.1)
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.wait_until_active()

    def _is_there(self) -> bool:
        try:
            return bool(self._status())
        except self.kinesis.exceptions.ResourceNotFoundException:
            return False

    def wait_until_active(self) -> None:
        wait_until(lambda: self._status() == "ACTIVE")

    def _status(self) -> str:
        summary = self.kinesis.describe_stream_summary(StreamName=self.name)
        status: str = summary["StreamDescriptionSummary"]["StreamStatus"]
        return status

    def put(self, first: int, count: int) -> set[bytes]:
        """Records `first` … in all shards; returns their data."""
        data = [b"record-%06d" % number for number in range(first, first + count)]
        for at in range(0, count, 500):
            answer = self.kinesis.put_records(
                StreamName=self.name,
                Records=[{"Data": d, "PartitionKey": d.decode()} for d in data[at : at + 500]],
            )
            assert answer["FailedRecordCount"] == 0
        return set(data)

    def split(self, shard_id: str) -> None:
        (shard,) = (s for s in self.shards() if s["ShardId"] == shard_id)
        low, high = (int(bound) for bound in shard["HashKeyRange"].values())
        start = min(low, high) + abs(high - low) // 2 + 1
        self.kinesis.split_shard(
            StreamName=self.name, ShardToSplit=shard_id, NewStartingHashKey=str(start)
        )
        self.wait_until_active()

    def merge(self, shard_id: str, adjacent: str) -> None:
        self.kinesis.merge_shards(
            StreamName=self.name, ShardToMerge=shard_id, AdjacentShardToMerge=adjacent
        )
        self.wait_until_active()

    def shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self.kinesis.list_shards(StreamName=self.name)["Shards"]
        return shards

    def lease(self, shard_id: str) -> Lease:
        lease = self.leases.get_lease(shard_id)
        assert lease is not None
        return lease

    def owners(self) -> dict[str, str | None]:
        """Owners of the leases of shards that have not ended; none before the table is there."""
        try:
            leases = self.leases.list_leases()
        except self.dynamodb.exceptions.ResourceNotFoundException:
            return {}
        return {lease.shard_id: lease.lease_owner for lease in leases if not lease.has_ended}

    @contextmanager
    def worker(
        self,
        name: str,
        processor: ProcessorFactory,
        settings: SchedulerSettings = LOCAL,
        **more: Any,
    ) -> Iterator[Scheduler]:
        """A running worker; gone, gracefully, at the end."""
        scheduler = Scheduler(
            self.application,
            self.name,
            self.kinesis,
            self.dynamodb,
            processor,
            worker_id=name,
            settings=settings,
            **more,
        )
        scheduler.start()
        try:
            yield scheduler
        finally:
            scheduler.shutdown()
            assert scheduler.join(60)
