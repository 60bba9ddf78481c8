"""The demo from the first event to the proof, on an engine that is up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from producer.datasets import dataset
from producer.kinesis_producer import PLAIN, KinesisProducer
from producer.ledger import Ledger
from producer.replay import Replayed, add_to, replay
from scripts.command_line.connection import Connection
from scripts.demonstration.expected import Revenue, expected_revenue
from scripts.demonstration.lake_query import query_revenue
from scripts.demonstration.picture import Facts, WorkerFacts
from scripts.demonstration.workers import Worker
from scripts.provisioning import (
    provision_bucket,
    provision_stream,
    provision_table,
    wait_for_stream,
)
from scripts.reconcile.proof import Proof, keep, prove

STREAM, BUCKET, TABLE, SHARDS = "orders", "riacho-lake", "orders", 4
#: What must have been acknowledged when the stream is split and worker-1 is killed.
KILL_AT = 0.4
#: How long the rest may take once everything is acknowledged.
SETTLE_SECONDS = 120.0
_KILLED, _SURVIVOR = "worker-1", "worker-2"


class DemoFailed(RuntimeError):
    """The demo could not finish; the message says at which step and what was seen."""


@dataclass
class Outcome:
    """What the demo ends with."""

    proof: Proof
    revenue: Revenue
    expected: Revenue
    facts: Facts
    ledger: Path

    @property
    def is_right(self) -> bool:
        return self.proof.adds_up and self.revenue == self.expected


@dataclass
class Story:
    """One run. `facts` may be read by a painter while `run` works."""

    connection: Connection
    folder: Path
    facts: Facts
    started_at: float = field(default_factory=time.monotonic)
    workers: list[Worker] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """One boto3 client a service: making one costs more than most calls."""
        if service not in self._clients:
            self._clients[service] = self.connection.client(service)
        return self._clients[service]

    def run(self) -> Outcome:
        """Everything, in order. Leaves no worker behind, whatever happens."""
        try:
            self._provision()
            self._consume(_KILLED)
            self._consume(_SURVIVOR)
            self._until("two workers share the shards", self._both_work, 60)
            self._produce()
            self._settle()
        finally:
            for worker in self.workers:
                worker.stop()
        return self._conclude()

    def tick(self) -> None:
        """Look at the clock, the stream and the sinks: what the picture shows."""
        self.facts.seconds = time.monotonic() - self.started_at
        if self.facts.stream:
            self._look()
            self._lake_rows()
            self._items()

    def _provision(self) -> None:
        provision_stream(self.client("kinesis"), STREAM, SHARDS)
        provision_bucket(self.client("s3"), BUCKET)
        provision_table(self.client("dynamodb"), TABLE)
        self.facts.stream, self.facts.lake, self.facts.table = STREAM, f"s3://{BUCKET}/raw/", TABLE
        self._look()
        self.facts.happened(f"stream {STREAM} with {SHARDS} shards, bucket and table are there")

    def _consume(self, worker_id: str) -> None:
        facts = self.facts.workers[worker_id] = WorkerFacts(worker_id)
        options = [
            *("--stream", STREAM, "--application", f"{STREAM}-demo"),
            *("--endpoint-url", str(self.connection.endpoint_url)),
            *("--processor", f"to_raw_zone:bucket={BUCKET},max_age_seconds=2"),
            *("--processor", f"to_dynamodb:table={TABLE}"),
        ]
        self.workers.append(Worker(facts, options, self.folder / f"{worker_id}.log"))

    def _both_work(self) -> bool:
        for worker in self.workers:
            if worker.has_ended:
                raise DemoFailed(f"{worker.facts.worker_id} ended; see {self.folder}.")
        return all(worker.facts.shards for worker in self.workers)

    def _produce(self) -> None:
        """Play the data set; hurt the stream on the way."""
        hurt = threading.Thread(target=self._hurt, name="demo-hurt")
        ledger_path = self.folder / "orders.ledger"
        with (
            Ledger(ledger_path, STREAM) as ledger,
            KinesisProducer(
                self.client("kinesis"), STREAM, ledger=ledger, configuration=PLAIN
            ) as producer,
        ):
            self._producer = producer
            hurt.start()
            events = dataset("online_retail").events(self.facts.total)
            played = replay(events, add_to(producer), progress=self._count_acknowledged)
            while not producer.flush(0.2):
                self._count_acknowledged(played)
        hurt.join()
        self.facts.acknowledged = self.facts.total
        self.facts.happened(f"all {self.facts.total:,} events are acknowledged")

    def _count_acknowledged(self, played: Replayed) -> None:
        self.facts.acknowledged = played.events - self._producer.outstanding_records_count

    def _hurt(self) -> None:
        """Midway: split a shard, and kill the worker that reads it while that happens."""
        kinesis = self.client("kinesis")
        enough = self.facts.total * KILL_AT
        self._until("enough was acknowledged", lambda: self.facts.acknowledged >= enough, 120)
        victim, survivor = self.workers
        shard = kinesis.list_shards(StreamName=STREAM)["Shards"][0]
        keys = shard["HashKeyRange"]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"]) + 1) // 2
        kinesis.split_shard(
            StreamName=STREAM, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
        )
        victim.kill()
        self.facts.happened(f"{shard['ShardId']} is split and {_KILLED} killed (SIGKILL)")
        wait_for_stream(kinesis, STREAM)
        held = len(survivor.facts.shards)
        self._until("the survivor takes over", lambda: len(survivor.facts.shards) > held, 60)
        self.facts.happened(f"{_SURVIVOR} took the leases of {_KILLED}")

    def _settle(self) -> None:
        """Until both sinks hold everything."""
        self._until("the lake holds every row", lambda: self._lake_rows() >= self.facts.total)
        self._until("the table holds every item", lambda: self._items() >= self.facts.total)
        self.facts.happened("lake and table hold every row")

    def _conclude(self) -> Outcome:
        s3 = self.client("s3")
        revenue = query_revenue(self.client("athena"), BUCKET)
        self.facts.happened(f"Athena: revenue of {len(revenue)} countries")
        ledger = self.folder / "orders.ledger"
        proof = prove(
            ledger,
            s3=s3,
            bucket=BUCKET,
            dynamodb=self.client("dynamodb"),
            table_name=TABLE,
        )
        keep(proof, s3, BUCKET, time.time())
        self.tick()
        return Outcome(proof, revenue, expected_revenue(self.facts.total), self.facts, ledger)

    def _look(self) -> None:
        shards = self.client("kinesis").list_shards(StreamName=STREAM)["Shards"]
        closed = sum("EndingSequenceNumber" in s["SequenceNumberRange"] for s in shards)
        self.facts.shards_open, self.facts.shards_closed = len(shards) - closed, closed

    def _lake_rows(self) -> int:
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="raw/")
        keys = [o["Key"] for page in pages for o in page.get("Contents", [])]
        counts = (s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]["records"] for key in keys)
        self.facts.in_lake = sum(map(int, counts))
        return self.facts.in_lake

    def _items(self) -> int:
        table = self.client("dynamodb").describe_table(TableName=TABLE)["Table"]
        self.facts.in_table = int(table["ItemCount"])
        return self.facts.in_table

    def _until(
        self, what: str, condition: Callable[[], bool], seconds: float = SETTLE_SECONDS
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise DemoFailed(f"Waited {seconds:.0f} s in vain until {what}; see {self.folder}.")
            time.sleep(0.2)
