"""Writers on every service, an engine killed again and again: what was acknowledged is there.

`RIACHO_STORY_KILLS=30` is the full size.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.localstack.engine import start
from services.settings import Settings
from tests.services.localstack.state.test_restart import Clients, kill
from tests.waiting import OFTEN, wait_until

KILLS = int(os.environ.get("RIACHO_STORY_KILLS", "2"))


def client(service: str, url: str) -> Any:
    """It gives up at once: a call that failed may or may not have been done."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"max_attempts": 0}, read_timeout=20, connect_timeout=5)
    session = boto3.Session(region_name="us-east-1", **keys)
    return session.client(service, endpoint_url=url, config=config)


def prepare(aws: Clients) -> None:
    aws.sqs.create_queue(QueueName="sent")
    aws.sqs.create_queue(QueueName="published")
    topic = aws.sns.create_topic(Name="story")["TopicArn"]
    endpoint = "arn:aws:sqs:us-east-1:000000000000:published"
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    aws.logs.create_log_group(logGroupName="story")
    aws.logs.create_log_stream(logGroupName="story", logStreamName="s")
    aws.s3.create_bucket(Bucket="story")
    aws.kinesis.create_stream(StreamName="story", ShardCount=1)
    aws.kinesis.get_waiter("stream_exists").wait(StreamName="story", WaiterConfig=OFTEN)


def writes(url: str) -> dict[str, Callable[[str], Any]]:
    """One call of each kind that makes something of this name."""
    made = {n: client(n, url) for n in ("sqs", "sns", "logs", "s3", "kinesis", "iam", "ssm")}
    queue = f"{url}/000000000000/sent"
    topic = "arn:aws:sns:us-east-1:000000000000:story"
    log = {"logGroupName": "story", "logStreamName": "s"}
    return {
        "sqs": lambda name: made["sqs"].send_message(QueueUrl=queue, MessageBody=name),
        "sns": lambda name: made["sns"].publish(TopicArn=topic, Message=name),
        "topics": lambda name: made["sns"].create_topic(Name=name),
        "s3": lambda name: made["s3"].put_object(Bucket="story", Key=name, Body=name.encode()),
        "iam": lambda name: made["iam"].create_user(UserName=name),
        "parameters": lambda name: made["ssm"].put_parameter(Name=name, Value="v", Type="String"),
        "logs": lambda name: made["logs"].put_log_events(
            **log, logEvents=[{"timestamp": int(time.time() * 1000), "message": name}]
        ),
        "kinesis": lambda name: made["kinesis"].put_record(
            StreamName="story", Data=name.encode(), PartitionKey=name
        ),
    }


def write_until_killed(
    write: Callable[[str], Any], kind: str, round_: int, acknowledged: list[str]
) -> None:
    number = 0
    while True:
        name = f"{kind}-{round_}-{number}"
        try:
            write(name)
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(name)
        number += 1


def read(aws: Clients) -> dict[str, list[str]]:
    """Everything that is there, by kind; pages to their end, messages without taking them."""
    pages = {
        "topics": (aws.sns, "list_topics", "Topics", "TopicArn", {}),
        "s3": (aws.s3, "list_objects_v2", "Contents", "Key", {"Bucket": "story"}),
        "iam": (aws.iam, "list_users", "Users", "UserName", {}),
        "parameters": (aws.ssm, "describe_parameters", "Parameters", "Name", {}),
        "logs": (aws.logs, "filter_log_events", "events", "message", {"logGroupName": "story"}),
    }
    found = {
        kind: [
            str(each[field]).rpartition(":")[2]
            for page in its.get_paginator(operation).paginate(**more)
            for each in page.get(key, ())
        ]
        for kind, (its, operation, key, field, more) in pages.items()
    }
    shard = aws.kinesis.list_shards(StreamName="story")["Shards"][0]["ShardId"]
    iterator = aws.kinesis.get_shard_iterator(
        StreamName="story", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found["kinesis"] = []
    while True:
        got = aws.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
        found["kinesis"] += [r["Data"].decode() for r in got["Records"]]
        iterator = got["NextShardIterator"]
        if not got["Records"]:
            return found


def take_all(aws: Clients, queue: str) -> list[str]:
    url = aws.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    bodies: list[str] = []
    while got := aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2
    ).get("Messages"):
        bodies += [m["Body"] for m in got]
    return bodies


@pytest.mark.slow
def test_everything_acknowledged_is_there_after_every_kill(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02)
    acknowledged: dict[str, list[str]] = {}
    chance = random.Random(11)
    with start(settings) as engine:
        prepare(Clients(engine))
        kill(engine)
    for round_ in range(KILLS):
        with start(settings) as engine:
            writers = [
                threading.Thread(
                    target=write_until_killed,
                    args=(write, kind, round_, acknowledged.setdefault(kind, [])),
                )
                for kind, write in writes(engine.endpoint_url).items()
            ]
            for writer in writers:
                writer.start()
            wait_until(lambda: all(acknowledged.values()), seconds=60)
            threading.Event().wait(chance.uniform(0.5, 4.0))
            kill(engine)
            for writer in writers:
                writer.join()
        with start(settings) as engine:
            found = read(Clients(engine))
            for kind, names in found.items():
                missing = set(acknowledged[kind]) - set(names)
                assert not missing, f"round {round_}: {kind} lost {sorted(missing)[:5]}"
            kill(engine)
    with start(settings) as engine:
        aws = Clients(engine)
        sent = take_all(aws, "sent")
        assert len(sent) == len(set(sent))
        assert set(acknowledged["sqs"]) <= set(sent)
        published = " ".join(take_all(aws, "published"))
        assert not [n for n in acknowledged["sns"] if f'"{n}"' not in published]
    assert all(len(names) > 0 for names in acknowledged.values()), acknowledged.keys()
    print({kind: len(names) for kind, names in acknowledged.items()})
