"""A full disk, damaged files and a clock that was set back: the engine says so and goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.localstack.engine import Engine, start
from services.localstack.errors import DataFolderRefused
from services.localstack.state import archive
from services.settings import Settings
from tests.services.localstack.state import load
from tests.services.localstack.state.load import Clients
from tests.services.localstack.state.test_restart import kill
from tests.waiting import OFTEN, wait_until

LARGE = b"x" * 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for an engine and little else."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError) as why:
        pytest.skip(f"a small file system cannot be mounted here ({why})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


def calls(aws: Clients) -> dict[str, Callable[[str], Any]]:
    """Those whose change needs room on the disk."""
    made = load.writes(aws)
    return {
        kind: made[kind] for kind in ("sqs", "topics", "users", "parameters", "logs", "tables")
    } | {
        "objects": lambda name: aws.s3.put_object(Bucket="story", Key=name, Body=LARGE),
        "records": lambda name: aws.kinesis.put_record(
            StreamName="story", Data=LARGE, PartitionKey=name
        ),
    }


def fill(disk: Path) -> Path:
    """Write until nothing fits any more."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"f" * size)
            except OSError:
                continue
    return filler


def test_a_full_disk_is_aws_internal_error_and_nothing_more(small_disk: Path) -> None:
    settings = Settings(
        port=0, data_dir=small_disk / "data", stream_status_seconds=0.02, dynamodb="light"
    )
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        aws.sqs.create_queue(QueueName="sent")
        aws.s3.create_bucket(Bucket="story")
        aws.glue.create_database(DatabaseInput={"Name": "story"})
        aws.logs.create_log_group(logGroupName="story")
        aws.logs.create_log_stream(logGroupName="story", logStreamName="s")
        aws.kinesis.create_stream(StreamName="story", ShardCount=1)
        aws.kinesis.get_waiter("stream_exists").wait(StreamName="story", WaiterConfig=OFTEN)
        for kind, call in calls(aws).items():
            call(f"{kind}-before")
        filler = fill(small_disk)
        taken = [kind for kind, call in calls(aws).items() if not is_refused(call, f"{kind}-full")]
        filler.unlink()
        for kind, call in calls(aws).items():
            call(f"{kind}-after")
        kill(engine)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        keys = [o["Key"] for o in aws.s3.list_objects_v2(Bucket="story")["Contents"]]
        assert {"objects-before", "objects-after"} <= set(keys)
        for key in keys:
            assert len(aws.s3.get_object(Bucket="story", Key=key)["Body"].read()) == len(LARGE)
        messages = set(load.take_all(aws, "sent"))
        assert {"sqs-before", "sqs-after", *(f"{k}-full" for k in taken if k == "sqs")} <= messages
        found = str([aws.sns.list_topics(), aws.iam.list_users(), aws.ssm.describe_parameters()])
        found += str([aws.glue.get_tables(DatabaseName="story")])
        found += str(aws.logs.filter_log_events(logGroupName="story")["events"])
        kept = [kind for kind in calls(aws) if kind not in ("sqs", "objects", "records")]
        acknowledged = [f"{kind}-{when}" for kind in kept for when in ("before", "after")]
        acknowledged += [f"{kind}-full" for kind in taken if kind in kept]
        assert [name for name in acknowledged if name not in found] == []


def is_refused(call: Callable[[str], Any], name: str) -> bool:
    """Whether AWS's 5xx came; False when there was room for it."""
    try:
        call(name)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    else:
        return False
    assert status >= 500, f"{name}: {status}"
    return True


@pytest.mark.parametrize("damage", ["garbage", "half"])
def test_an_engine_starts_on_damaged_files_and_works(tmp_path: Path, damage: str) -> None:
    settings = Settings(
        port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02, dynamodb="light"
    )
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        prepared(aws)
        kill(engine)
    for file in archive.state_files(settings.data_dir):
        if file.name != archive.FOLDER_FORMAT:
            whole = file.read_bytes()
            file.write_bytes(b"garbage" * 100 if damage == "garbage" else whole[: len(whole) // 2])
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        for kind, write in load.writes(aws).items():
            if kind in ("topics", "users", "parameters", "functions", "alarms", "rules"):
                write(f"{kind}-again")
        aws.sqs.create_queue(QueueName="again")
        aws.s3.create_bucket(Bucket="again")
        aws.glue.create_database(DatabaseInput={"Name": "again"})
        aws.logs.create_log_group(logGroupName="again")
        aws.kinesis.create_stream(StreamName="again", ShardCount=1)
        assert load.query(aws, "SELECT 1")
        kill(engine)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        assert "topics-again" in str(aws.sns.list_topics())
        assert "again" in str(aws.s3.list_buckets()["Buckets"])
        assert "functions-again" in str(aws.functions.list_functions())


def prepared(aws: Clients) -> None:
    """A file of every kind."""
    for kind, write in load.writes(aws).items():
        if kind in ("topics", "users", "parameters", "functions", "alarms", "rules", "stacks"):
            write(f"{kind}-1")
    aws.sqs.create_queue(QueueName="sent")
    aws.s3.create_bucket(Bucket="story-results")
    aws.glue.create_database(DatabaseInput={"Name": "story"})
    aws.logs.create_log_group(logGroupName="story")
    aws.kinesis.create_stream(StreamName="story", ShardCount=1)
    aws.firehose.create_delivery_stream(
        DeliveryStreamName="story",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::story-results",
            "RoleARN": load.ROLE,
        },
    )
    load.query(aws, "SELECT 1")


def test_tables_whose_file_is_damaged_are_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        make_table(aws, "former")
        aws.sns.create_topic(Name="topic")
        kill(engine)
    files = list((settings.data_dir / "dynamodb").glob("*.db"))
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        assert aws.dynamodb.list_tables()["TableNames"] == []
        assert "topic" in str(aws.sns.list_topics())
        make_table(aws, "new")
        log = (settings.data_dir / "engine.log").read_text()
        for file in files:
            assert f"DynamoDB ({file.stem}) starts empty: what it kept cannot be read" in log
            assert list(file.parent.glob(f"{file.name}.set-aside-*/{file.name}"))
        kill(engine)
    with start(settings) as engine:
        tables = Clients(engine.endpoint_url).dynamodb.scan(TableName="new")
        assert tables["Items"] == [{"name": {"S": "new"}}]


def make_table(aws: Clients, name: str) -> None:
    """A table with one item, which is called like it."""
    aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.dynamodb.put_item(TableName=name, Item={"name": {"S": name}})


def test_a_folder_that_cannot_be_written_is_refused_and_works_when_it_can(small_disk: Path) -> None:
    settings = Settings(port=0, data_dir=small_disk / "data", dynamodb="light")
    with start(settings) as engine:
        Clients(engine.endpoint_url).sns.create_topic(Name="topic")
        kill(engine)
    remount(small_disk, "ro")
    words = r"data cannot be used \(Read-only file system\): choose one that can be written"
    try:
        with pytest.raises(DataFolderRefused, match=words):
            start(settings)
    finally:
        remount(small_disk, "rw")
    with start(settings) as engine:
        assert "topic" in str(Clients(engine.endpoint_url).sns.list_topics())


def remount(disk: Path, how: str) -> None:
    command = ["mount", "-o", f"remount,{how}", str(disk)]
    wait_until(lambda: not subprocess.run(command, capture_output=True, timeout=10).returncode)


def test_retention_follows_the_clock_over_a_restart_that_set_it_back(tmp_path: Path) -> None:
    settings = Settings(
        port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02, dynamodb="light"
    )
    hour = 3600

    def put(aws: Clients, text: str) -> None:
        aws.kinesis.put_record(StreamName="story", Data=text.encode(), PartitionKey="k")

    def read(engine: Engine) -> list[str]:
        engine.admin("kinesis/housekeeping", {})
        return list(load._records(Clients(engine.endpoint_url)))

    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        aws.kinesis.create_stream(StreamName="story", ShardCount=1)  # keeps a day
        aws.kinesis.get_waiter("stream_exists").wait(StreamName="story", WaiterConfig=OFTEN)
        put(aws, "old")
        engine.advance_clock(20 * hour)
        put(aws, "ahead")
        engine.advance_clock(5 * hour)
        assert read(engine) == ["ahead"]
        kill(engine)
    with start(settings) as engine:  # 25 hours earlier: what has gone stays away
        assert read(engine) == ["ahead"]
        put(Clients(engine.endpoint_url), "back")
        assert read(engine) == ["ahead", "back"]
        engine.advance_clock(23 * hour)
        assert read(engine) == ["ahead", "back"]
        engine.advance_clock(22 * hour)  # a day after both were put, by the clock that put each
        wait_until(lambda: read(engine) == [])


def test_order_and_schedules_outlast_a_clock_that_was_set_back(tmp_path: Path) -> None:
    settings = Settings(
        port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02, dynamodb="light"
    )
    numbers = []

    def put(aws: Clients, text: str) -> None:
        put = aws.kinesis.put_record(StreamName="story", Data=text.encode(), PartitionKey="k")
        numbers.append(int(put["SequenceNumber"]))

    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        aws.sqs.create_queue(QueueName="turns")
        aws.kinesis.create_stream(StreamName="story", ShardCount=1)
        aws.kinesis.get_waiter("stream_exists").wait(StreamName="story", WaiterConfig=OFTEN)
        load.make_schedule(aws, "each-hour", "rate(1 hour)")
        engine.advance_clock(7200)
        wait_until(lambda: load.take_all(aws, "turns"))
        put(aws, "ahead")
        kill(engine)
    with start(settings) as engine:  # two hours earlier
        aws = Clients(engine.endpoint_url)
        put(aws, "back")
        put(aws, "later")
        assert numbers == sorted(set(numbers))
        assert list(load._records(aws)) == ["ahead", "back", "later"]
        assert load.take_all(aws, "turns") == []
        engine.advance_clock(3 * 3600)
        turns = wait_until(lambda: load.take_all(aws, "turns"))
        assert len(turns) <= 3
