"""A stream engine in memory whose clock stands still."""

from __future__ import annotations

from typing import Any

import pytest

from services.clock import FixedClock
from services.kinesis.kinesis import Kinesis
from services.kinesis.storage import MemoryStorage, Storage

ACCOUNT, REGION = "000000000000", "us-east-1"


class Caller:
    """Calls operations as one account in one region: `caller("CreateStream", StreamName="a")`."""

    def __init__(self, kinesis: Kinesis, account_id: str = ACCOUNT, region: str = REGION) -> None:
        self.kinesis, self.account_id, self.region = kinesis, account_id, region

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.kinesis.call(operation, request, region=self.region, account_id=self.account_id)

    def shards(self, stream_name: str) -> list[dict[str, Any]]:
        return list(self("ListShards", StreamName=stream_name)["Shards"])

    def iterator(self, stream_name: str, shard_id: str, kind: str, **more: Any) -> str:
        answer = self(
            "GetShardIterator",
            StreamName=stream_name,
            ShardId=shard_id,
            ShardIteratorType=kind,
            **more,
        )
        return str(answer["ShardIterator"])

    def read(self, stream_name: str, shard_id: str, **more: Any) -> list[dict[str, Any]]:
        """Every record of a shard that is still there."""
        iterator: str | None = self.iterator(stream_name, shard_id, "TRIM_HORIZON")
        records: list[dict[str, Any]] = []
        while iterator is not None:
            answer = self("GetRecords", ShardIterator=iterator, **more)
            records += answer["Records"]
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
        return records


def make(clock: FixedClock, storage: Storage | None = None, **options: Any) -> Caller:
    return Caller(Kinesis(clock, storage or MemoryStorage(), **options))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def call(clock: FixedClock) -> Caller:
    return make(clock)
