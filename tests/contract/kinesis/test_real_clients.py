"""Contract: Amazon's own clients read a stream over two reshards."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from scripts.bench import real_kcl
from scripts.bench.real_kcl import FAST, RealKcl, WorkerProcess
from tests.bringing import bring_or_skip
from tests.contract.engines import ContractEngine
from tests.contract.kinesis.conftest import Streams
from tests.waiting import wait_until

MIDDLE = str(2**127)
KEYS = [f"key-{i}" for i in range(20)]


@pytest.fixture(scope="module")
def kcl(contract_engine: ContractEngine) -> RealKcl:
    if contract_engine.endpoint_url is None:
        pytest.skip("The KCL's properties here are for a local endpoint.")
    return bring_or_skip(real_kcl.bring)


class Numbered:
    """Puts numbered records, and remembers them by key."""

    def __init__(self, streams: Streams, name: str) -> None:
        self.streams, self.name = streams, name
        self.put: defaultdict[str, list[int]] = defaultdict(list)
        self.count = 0

    def put_some(self, calls: int = 5) -> None:
        for _ in range(calls):
            records = []
            for key in KEYS:
                self.count += 1
                self.put[key].append(self.count)
                records.append({"Data": str(self.count).encode(), "PartitionKey": key})
            answer = self.streams.client.put_records(StreamName=self.name, Records=records)
            assert answer["FailedRecordCount"] == 0

    def split_then_merge(self) -> None:
        """Two reshards with records before, between and after them."""
        self.put_some()
        self.streams.client.split_shard(
            StreamName=self.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=MIDDLE
        )
        self.streams.settle(self.name)
        self.put_some()
        self.streams.client.merge_shards(
            StreamName=self.name,
            ShardToMerge="shardId-000000000001",
            AdjacentShardToMerge="shardId-000000000002",
        )
        self.streams.settle(self.name)
        self.put_some()


def seen_by(worker: WorkerProcess) -> dict[str, list[int]]:
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for record in worker.records():
        seen[record["key"]].append(int(record["data"]))
    return seen


def events(worker: WorkerProcess, kind: str) -> list[dict[str, Any]]:
    return [event for event in worker.events() if event["event"] == kind]


def ended(worker: WorkerProcess) -> set[str]:
    return {event["shard"] for event in events(worker, "shard_ended")}


@pytest.mark.slow
def test_the_real_kcl_reads_every_record_once_over_two_reshards(
    streams: Streams, contract_engine: ContractEngine, kcl: RealKcl, tmp_path: Path
) -> None:
    """Two applications at once, since a start takes long: one polls, one has a fan-out."""
    name = streams.create()
    numbered = Numbered(streams, name)
    numbered.put_some()
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(
                real_kcl.real_worker(
                    kcl,
                    f"real-{mode}",
                    str(contract_engine.endpoint_url),
                    name,
                    f"{name}-{mode.lower()}",
                    tmp_path,
                    FAST | {"retrievalMode": mode},
                )
            )
            for mode in ("POLLING", "FANOUT")
        ]

        def all_read() -> bool:
            return all(len(worker.records()) >= numbered.count for worker in workers)

        wait_until(all_read, 240, every=0.5)
        numbered.split_then_merge()
        wait_until(all_read, 240, every=0.5)
        wait_until(lambda: all(len(ended(worker)) == 3 for worker in workers), 120, every=0.5)

        for worker in workers:
            assert seen_by(worker) == numbered.put
            assert ended(worker) == {f"shardId-{i:012d}" for i in range(3)}
            assert events(worker, "lease_lost") == []


@pytest.mark.slow
def test_the_aws_cli_reads_every_record_once_over_two_reshards(
    streams: Streams, contract_engine: ContractEngine
) -> None:
    name = streams.create()
    numbered = Numbered(streams, name)
    numbered.split_then_merge()
    cli = AwsCli(contract_engine)

    seen: defaultdict[str, list[int]] = defaultdict(list)
    for shard in cli("list-shards", "--stream-name", name)["Shards"]:
        iterator: str | None = cli(
            "get-shard-iterator",
            *("--stream-name", name, "--shard-id", shard["ShardId"]),
            *("--shard-iterator-type", "TRIM_HORIZON"),
        )["ShardIterator"]
        while iterator:
            answer = cli("get-records", "--shard-iterator", iterator)
            for record in answer["Records"]:
                seen[record["PartitionKey"]].append(int(_decoded(record["Data"])))
            iterator = answer.get("NextShardIterator") if answer["Records"] else None

    assert seen == numbered.put


def _decoded(data: str) -> bytes:

    return base64.b64decode(data)


class AwsCli:
    """`aws kinesis …` with JSON output."""

    def __init__(self, engine: ContractEngine) -> None:
        self._options: list[str] = []
        self._environment = dict(os.environ)
        if engine.endpoint_url is not None:
            self._options = ["--endpoint-url", engine.endpoint_url]
            self._environment |= {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            }

    def __call__(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", *self._options, "kinesis", *arguments]
        done = subprocess.run(
            [*command, "--output", "json"],
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
