"""Streams of an engine under contract."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.engines import ContractEngine
from tests.waiting import wait_until


@dataclass
class Streams:
    """Makes streams and reads them; `client` is a plain boto3 client."""

    client: Any
    patience: float
    made: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def name(self) -> str:
        return f"contract-{secrets.token_hex(4)}-{next(self._numbers)}"

    def create(self, shards: int | None = 1, **options: Any) -> str:
        """An ACTIVE stream's name."""
        name = self.name()
        if shards is not None:
            options["ShardCount"] = shards
        self.client.create_stream(StreamName=name, **options)
        self.made.append(name)
        self.settle(name)
        return name

    def settle(self, name: str) -> None:
        wait_until(lambda: self.summary(name)["StreamStatus"] == "ACTIVE", self.patience)

    def summary(self, name: str) -> dict[str, Any]:
        answer = self.client.describe_stream_summary(StreamName=name)
        return dict(answer["StreamDescriptionSummary"])

    def shards(self, name: str, **options: Any) -> list[dict[str, Any]]:
        return list(self.client.list_shards(StreamName=name, **options)["Shards"])

    def shard_id(self, name: str) -> str:
        return str(self.shards(name)[0]["ShardId"])

    def put(self, name: str, *keys: str) -> list[dict[str, Any]]:
        """One record per key, the key being its data."""
        records = [{"Data": key.encode(), "PartitionKey": key} for key in keys]
        return list(self.client.put_records(StreamName=name, Records=records)["Records"])

    def iterator(self, name: str, shard_id: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        answer = self.client.get_shard_iterator(
            StreamName=name, ShardId=shard_id, ShardIteratorType=kind, **more
        )
        return str(answer["ShardIterator"])

    def read(self, name: str, shard_id: str, wanted: int) -> list[dict[str, Any]]:
        """The shard's first records, waiting until there are so many."""
        iterator = self.iterator(name, shard_id)
        records: list[dict[str, Any]] = []

        def enough() -> bool:
            nonlocal iterator
            answer = self.client.get_records(ShardIterator=iterator)
            iterator = answer.get("NextShardIterator") or iterator
            records.extend(answer["Records"])
            return len(records) >= wanted

        wait_until(enough, self.patience)
        return records


@pytest.fixture
def streams(contract_engine: ContractEngine) -> Iterator[Streams]:
    streams = Streams(contract_engine.client("kinesis"), contract_engine.patience_seconds)
    yield streams
    for name in streams.made:
        with contextlib.suppress(ClientError):
            streams.client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
