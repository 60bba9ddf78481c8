"""What Compose starts: provision, and a producer that is stopped and goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from producer.ledger import read_ledger
from tests.scripts.command import riacho
from tests.waiting import wait_until


def test_provision_makes_what_is_missing_and_changes_nothing_again(engine: Any) -> None:
    name = f"class-{uuid.uuid4().hex[:8]}"
    command = [
        *("provision", "--stream", name, "--shards", "2", "--bucket", name, "--table", name),
        *("--endpoint-url", engine.endpoint_url),
    ]
    first, again = riacho(*command), riacho(*command)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout.count("made") == 3
    assert again.stdout.count("was there") == 3
    assert engine.client("s3").head_bucket(Bucket=name)
    table = engine.client("glue").get_table(DatabaseName="default", Name="orders_raw")["Table"]
    # Athena keeps a location as Hive does: a folder, without its last slash.
    assert table["StorageDescriptor"]["Location"] == f"s3://{name}/raw"


def test_a_producer_that_was_stopped_goes_on_behind_its_ledger(engine: Any, tmp_path: Path) -> None:
    name, ledger = f"class-{uuid.uuid4().hex[:8]}", tmp_path / "sent.ledger"
    command = [
        *("produce", "--stream", name, "--create-shards", "1", "--ledger", str(ledger)),
        *("--endpoint-url", engine.endpoint_url, "--json", "--resume"),
    ]

    def acknowledged() -> list[str]:
        if not ledger.exists() or not ledger.stat().st_size:
            return []
        return [e.event_id for e in read_ledger(ledger) if e.kind == "acknowledged"]

    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.command_line.main", *command, "--rate", "100"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(acknowledged()) > 20, 60)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    before = acknowledged()
    told = riacho(*command, "--count", str(len(before) + 50))
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["events"] == 50
    assert len(set(acknowledged())) == len(acknowledged()) == len(before) + 50
