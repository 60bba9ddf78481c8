"""A story: the engine is killed every few seconds while a producer runs at full speed."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.localstack.engine import Engine, start
from services.localstack.ports import free_port
from services.settings import Settings
from tests.waiting import wait_until

SECONDS = float(os.environ.get("RIACHO_STORY_SECONDS", "10"))
KILL_EVERY_SECONDS = 4.0
STREAM, KEYS, BATCH = "survivor", 40, 100


def kinesis(endpoint_url: str) -> Any:
    return boto3.client(
        "kinesis",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            # A retry of the client's own would put a record twice and know of one.
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=10,
        ),
    )


@dataclass
class Producer:
    """Puts numbered records key by key, never two batches of a key at once."""

    endpoint_url: str
    keys: list[str]
    stop: threading.Event
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)
    attempted: set[str] = field(default_factory=set)
    failed_calls: int = 0

    def run(self) -> None:
        client = kinesis(self.endpoint_url)
        for number in itertools.count():
            if self.stop.is_set():
                return
            texts = [f"{key}/{number}/{i}" for key in self.keys for i in range(BATCH // KEYS + 1)]
            records = [
                {"Data": text.encode(), "PartitionKey": text.partition("/")[0]} for text in texts
            ]
            self.attempted.update(texts)
            try:
                answer = client.put_records(StreamName=STREAM, Records=records)
            except (BotoCoreError, ClientError):
                self.failed_calls += 1
                self.stop.wait(0.05)
                continue
            for text, result in zip(texts, answer["Records"], strict=True):
                if "SequenceNumber" in result:
                    place = result["ShardId"], int(result["SequenceNumber"])
                    self.acknowledged[text] = place


def read_everything(client: Any) -> dict[str, list[tuple[str, int]]]:
    """Every record of each shard: its text and its sequence number, in the shard's order."""
    found: dict[str, list[tuple[str, int]]] = {}
    for shard in client.list_shards(StreamName=STREAM)["Shards"]:
        records = found.setdefault(shard["ShardId"], [])
        iterator = client.get_shard_iterator(
            StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = client.get_records(ShardIterator=iterator)
            records += [(r["Data"].decode(), int(r["SequenceNumber"])) for r in answer["Records"]]
            iterator = answer.get("NextShardIterator")
            if iterator is None or not answer["Records"]:
                break
    return found


def kill_and_restart(engine: Engine, settings: Settings) -> Engine:
    os.kill(engine.pid, signal.SIGKILL)
    engine.stop()
    return start(settings)


@pytest.mark.slow
def test_every_acknowledged_record_survives_kills(tmp_path: Path) -> None:
    settings = Settings(port=free_port(), data_dir=tmp_path, stream_status_seconds=0.0)
    engine, kills = start(settings), 0
    try:
        client = kinesis(engine.endpoint_url)
        client.create_stream(StreamName=STREAM, ShardCount=4)
        stop = threading.Event()
        names = [f"key-{i}" for i in range(KEYS)]
        producers = [Producer(engine.endpoint_url, names[i::2], stop) for i in range(2)]
        threads = [threading.Thread(target=producer.run) for producer in producers]
        for thread in threads:
            thread.start()
        try:
            end = time.monotonic() + SECONDS
            while kills < 2 or time.monotonic() < end:
                before = sum(len(p.acknowledged) for p in producers)
                stop.wait(KILL_EVERY_SECONDS)
                wait_until(
                    lambda before=before: sum(len(p.acknowledged) for p in producers) > before
                )
                engine, kills = kill_and_restart(engine, settings), kills + 1
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        check(read_everything(kinesis(engine.endpoint_url)), producers)
    finally:
        engine.stop()
    acknowledged = sum(len(p.acknowledged) for p in producers)
    failed = sum(p.failed_calls for p in producers)
    print(f"\n{kills} kills, {acknowledged:,} records acknowledged, {failed} calls failed")
    assert kills >= 2
    assert acknowledged > 1000


def check(found: dict[str, list[tuple[str, int]]], producers: list[Producer]) -> None:
    """All acknowledged, at the place that was acknowledged, none twice, each key in its order."""
    places = {text: (shard, n) for shard, records in found.items() for text, n in records}
    assert len(places) == sum(len(records) for records in found.values()), "a record came twice"
    for producer in producers:
        missing = producer.acknowledged.keys() - places.keys()
        assert not missing, f"{len(missing)} acknowledged records are gone"
        wrong = {t: p for t, p in producer.acknowledged.items() if places[t] != p}
        assert not wrong, f"{len(wrong)} records are elsewhere than acknowledged"
    assert places.keys() <= set().union(*(p.attempted for p in producers))
    for records in found.values():
        numbers = [number for _, number in records]
        assert numbers == sorted(set(numbers))
        order: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for text, _ in records:
            key, batch, place = text.split("/")
            order[key].append((int(batch), int(place)))
        assert all(sequence == sorted(sequence) for sequence in order.values())
