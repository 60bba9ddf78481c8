"""What the ledger tells after a producer was killed in the middle of its work."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import orjson

from producer.ledger import read_ledger, summarize
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


def test_after_kill_9_every_stored_event_is_acknowledged_or_in_doubt(
    engine: EngineUnderTest, tmp_path: Path
) -> None:
    kinesis, name = engine.client("kinesis"), f"killed-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    ledger = tmp_path / "ledger"
    environment = os.environ | {"AWS_ENDPOINT_URL": engine.endpoint_url}
    command = [sys.executable, "-m", "scripts.command_line.main", "produce"]
    command += ["--dataset", "ecommerce", "--stream", name, "--ledger", str(ledger)]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: ledger.exists() and summarize_acknowledged(ledger) > 2_000, 60)
        finally:
            process.kill()
            process.wait()
    summary = summarize(ledger)
    acknowledged = {e.event_id for e in read_ledger(ledger) if e.kind == "acknowledged"}
    stored = stored_ids(kinesis, name)
    assert acknowledged <= stored
    assert stored - acknowledged <= set(summary.in_doubt)
    assert summary.sent == summary.acknowledged + len(summary.in_doubt)
    kinesis.delete_stream(StreamName=name)


def summarize_acknowledged(ledger: Path) -> int:
    return ledger.stat().st_size // 200 and summarize(ledger).acknowledged


def stored_ids(kinesis: Any, name: str) -> set[str]:
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    ids: set[str] = set()
    while True:
        answer = kinesis.get_records(ShardIterator=iterator)
        iterator = answer["NextShardIterator"]
        ids |= {orjson.loads(record["Data"])["event_id"] for record in answer["Records"]}
        if not answer["Records"]:
            return ids
