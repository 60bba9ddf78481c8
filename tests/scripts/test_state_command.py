"""`riacho state save | load | reset` and `riacho up --ephemeral`, run as a user runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.command_line.failures import ExitCode
from services.connect import connect
from services.localstack.data_folder import find
from services.localstack.engine import stop_at
from tests.scripts.command import riacho
from tests.waiting import OFTEN, wait_until


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    both = tmp_path / "one", tmp_path / "two"
    yield both
    for folder in both:
        stop_at(folder)


def refused(*arguments: str) -> str:
    answer = riacho(*arguments)
    assert answer.returncode in (ExitCode.DATA_FOLDER, ExitCode.FAILED), answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    return answer.stderr


def up(folder: Path, *more: str) -> str:
    assert riacho("up", "--port", "0", "--data", str(folder), *more).returncode == 0
    identity = find(folder)
    assert identity is not None
    return identity.endpoint_url


def test_a_running_engine_is_saved_and_loads_elsewhere(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    one, two = folders
    file = str(tmp_path / "lab.tgz")
    assert "holds no state" in refused("state", "save", file, "--data", str(one))
    url = up(one)
    sqs, s3 = connect("sqs", url), connect("s3", url)
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="q")["QueueUrl"], MessageBody="hello")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"x")
    kinesis = connect("kinesis", url)
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig=OFTEN)
    kinesis.put_record(StreamName="s", Data=b"r", PartitionKey="p")

    saved = riacho("state", "save", file, "--data", str(one))
    assert saved.returncode == 0, saved.stderr
    assert "Saved " in saved.stdout
    assert "overwrite it (--force)" in refused("state", "save", file, "--data", str(one))
    assert len(sqs.list_queues()["QueueUrls"]) == 1, "the engine goes on"
    status = json.loads(riacho("status", "--data", str(one), "--json").stdout)
    assert status["state_bytes"] > 0
    assert status["state_changed_at"] > 0
    assert "stop it first" in refused("state", "load", file, "--data", str(one))
    assert "stop it first" in refused("state", "reset", "--yes", "--data", str(one))
    stop_at(one)
    assert "holds a state" in refused("state", "load", file, "--data", str(one))
    assert "holds a state" in refused("up", "--ephemeral", "--port", "0", "--data", str(one))
    assert riacho("state", "reset", "--data", str(one), typed="n\n").returncode != 0
    assert "Removed" in riacho("state", "reset", "--yes", "--data", str(one)).stdout
    assert "holds no state" in refused("state", "save", file, "--force", "--data", str(one))

    assert riacho("state", "load", file, "--data", str(two)).returncode == 0
    url = up(two)
    sqs = connect("sqs", url)
    got = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="q")["QueueUrl"])
    assert [m["Body"] for m in got["Messages"]] == ["hello"]
    assert connect("s3", url).get_object(Bucket="kept", Key="k")["Body"].read() == b"x"
    kinesis = connect("kinesis", url)
    shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(
        StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = wait_until(lambda: kinesis.get_records(ShardIterator=iterator)["Records"])
    assert [r["Data"] for r in records] == [b"r"]


def test_an_ephemeral_engine_keeps_nothing(folders: tuple[Path, Path]) -> None:
    folder = folders[0]
    url = up(folder, "--ephemeral")
    connect("sqs", url).create_queue(QueueName="q")
    connect("s3", url).create_bucket(Bucket="kept")
    connect("sns", url).create_topic(Name="t")
    status = json.loads(riacho("status", "--data", str(folder), "--json").stdout)
    assert status["state_bytes"] == 0
    stop_at(folder)
    assert "holds no state" in refused("state", "save", str(folder / "f"), "--data", str(folder))
    assert connect("sqs", up(folder)).list_queues().get("QueueUrls", []) == []
