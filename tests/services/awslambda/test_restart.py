"""After kill -9 functions go on by themselves: nobody calls Lambda's API before they do."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.localstack.engine import start
from services.settings import Settings
from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy
from tests.waiting import OFTEN, wait_until

#: Puts each record's text where the test finds it, without a service of the engine.
KEEPER = """
import base64, os, time

def handler(event, context):
    with open(os.environ["FILE"], "a") as file:
        for record in event["Records"]:
            file.write(base64.b64decode(record["kinesis"]["data"]).decode() + "\\n")
    while not os.path.exists(os.environ["GO"]):
        time.sleep(0.05)
"""


class Restarted:
    """An engine on disk, its port and data kept over `kill -9`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = Settings(
            port=0,
            data_dir=folder / "data",
            stream_storage="disk",
            stream_status_seconds=0.02,
        )
        self._engine = EngineUnderTest(start(settings))

    def client(self, service: str) -> Any:
        return self._engine.client(service)

    def kill_and_start_again(self) -> None:
        old = self._engine.engine
        os.kill(old.pid, signal.SIGKILL)
        old.process.wait()
        self._engine = EngineUnderTest(start(replace(old.settings, port=old.settings.port)))

    def advance_clock(self, seconds: float) -> None:
        self._engine.advance_clock(seconds)

    def stop(self) -> None:
        self._engine.engine.stop()


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Restarted]:
    engine = Restarted(tmp_path)
    yield engine
    engine.stop()


#: Fails until `GO` is there, and tells each event that it was called with.
LATE = """
import os

def handler(event, context):
    with open(os.environ["FILE"], "a") as file:
        file.write(f"{event['n']}\\n")
    if event["n"] == "fails" and not os.path.exists(os.environ["GO"]):
        raise ValueError("not yet")
    return event["n"]
"""


@pytest.mark.slow
def test_events_that_were_accepted_run_after_kill_9(restarted: Restarted) -> None:
    awslambda = restarted.client("lambda")
    file, go = restarted.folder / "file", restarted.folder / "go"
    variables = {"FILE": str(file), "GO": str(go)}
    function = deploy(awslambda, LATE, Environment={"Variables": variables})

    def accept(n: str) -> None:
        answer = awslambda.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({"n": n})
        )
        assert answer["StatusCode"] == 202

    accept("fails")
    wait_until(lambda: file.exists() and "fails" in file.read_text(), seconds=60)
    for number in range(20):
        accept(str(number))
    restarted.kill_and_start_again()
    go.touch()

    def seen() -> list[str]:
        return file.read_text().splitlines()

    wait_until(lambda: set(seen()) == {*map(str, range(20)), "fails"}, seconds=60)
    # The retry that was due in a minute; the new engine's clock knows of it.
    restarted.advance_clock(61)
    wait_until(lambda: seen().count("fails") == 2, seconds=60)


@pytest.mark.slow
def test_a_mapping_reads_on_after_kill_9_also_in_shards_that_ended_meanwhile(
    restarted: Restarted,
) -> None:
    kinesis, awslambda = restarted.client("kinesis"), restarted.client("lambda")
    stream, file, go = f"s-{uuid.uuid4().hex[:8]}", restarted.folder / "file", "go"
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig=OFTEN)
    description = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    variables = {"FILE": str(file), "GO": str(restarted.folder / go)}
    function = deploy(awslambda, KEEPER, Environment={"Variables": variables})
    awslambda.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=description["StreamARN"],
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
    )

    def put(*data: str) -> None:
        records = [{"Data": each, "PartitionKey": "k"} for each in data]
        restarted.client("kinesis").put_records(StreamName=stream, Records=records)

    put(*(f"before {number}" for number in range(30)))
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    # The first batch is under way and cannot end: nothing of the shard is checkpointed.
    wait_until(file.exists, seconds=60)
    restarted.kill_and_start_again()
    (restarted.folder / go).touch()
    put("after")

    wait_until(lambda: "after" in file.read_text().splitlines(), seconds=60)
    seen = file.read_text().splitlines()
    assert set(seen) == {*(f"before {number}" for number in range(30)), "after"}
    # Once for the batch that was under way, once more after the restart.
    assert sorted(seen[:10]) == sorted(seen[10:20])
