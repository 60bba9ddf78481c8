"""Story: one poisoned record among many, while the engine is killed and its stream resharded.

Exactly the poison ends in the on-failure destination, every other record is effective exactly
once in DynamoDB, and the order of each key is kept.

`RIACHO_STORY_RECORDS` sets the size (10,000 for the figures of docs/lambda.md).
"""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.services.awslambda.functions import deploy
from tests.waiting import OFTEN, wait_until

RECORDS = int(os.environ.get("RIACHO_STORY_RECORDS", "1500"))
KEYS = 20

#: Writes each record's effect once, whatever is repeated, and remembers the order in each key.
#: A record out of its key's order would make `last` go back: the condition refuses that.
CONSUMER = """
import base64, boto3, json, os
from botocore.exceptions import ClientError
dynamodb = boto3.client("dynamodb")
TABLE = os.environ["TABLE"]

def handler(event, context):
    for record in event["Records"]:
        content = json.loads(base64.b64decode(record["kinesis"]["data"]))
        if content["n"] == int(os.environ["POISON"]):
            failed = {"itemIdentifier": record["kinesis"]["sequenceNumber"]}
            return {"batchItemFailures": [failed]}
        take(content["key"], content["n"])
    return {"batchItemFailures": []}

def take(key, n):
    try:
        dynamodb.update_item(
            TableName=TABLE,
            Key={"id": {"S": key}},
            UpdateExpression="SET #last = :n ADD effects :one",
            ConditionExpression="attribute_not_exists(#last) OR #last < :n",
            ExpressionAttributeNames={"#last": "last"},
            ExpressionAttributeValues={":n": {"N": str(n)}, ":one": {"N": "1"}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
"""


class Story:
    """One engine, killed and started again on the same folder and port."""

    def __init__(self, folder: Path) -> None:
        self.engine: Engine = start(Settings(port=0, data_dir=folder, stream_storage="disk"))

    def kill_and_start_again(self) -> None:
        settings = self.engine.settings
        os.kill(self.engine.pid, signal.SIGKILL)
        self.engine.process.wait()
        self.engine = start(replace(settings, port=settings.port))

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.engine.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "max_attempts": 8}, read_timeout=60),
        )


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    story = Story(tmp_path / "data")
    yield story
    story.engine.stop()


def put(story: Story, stream: str, numbers: range) -> None:
    kinesis = story.client("kinesis")
    for first in range(numbers.start, numbers.stop, 500):
        records = [
            {
                "Data": json.dumps({"n": n, "key": f"key-{n % KEYS}"}).encode(),
                "PartitionKey": f"key-{n % KEYS}",
            }
            for n in range(first, min(first + 500, numbers.stop))
        ]
        answer = kinesis.put_records(StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == 0


def make_table(story: Story, name: str) -> None:
    dynamodb = story.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=OFTEN)


def make_failures(story: Story, name: str) -> Any:
    """The queue of the on-failure destination; an engine that was killed has lost it."""
    return story.client("sqs").create_queue(QueueName=name)["QueueUrl"]


def make_mapping(story: Story, name: str, poison: int) -> None:
    description = story.client("kinesis").describe_stream_summary(StreamName=name)
    awslambda = story.client("lambda")
    variables = {"TABLE": name, "POISON": str(poison)}
    function = deploy(awslambda, CONSUMER, Environment={"Variables": variables}, Timeout=60)
    awslambda.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=description["StreamDescriptionSummary"]["StreamARN"],
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={
            "OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:000000000000:{name}"}
        },
    )


def effects(story: Story, table: str) -> dict[str, tuple[int, int]]:
    """How many records of each key were effective, and the last of them."""
    items = story.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return {item["id"]["S"]: (int(item["effects"]["N"]), int(item["last"]["N"])) for item in items}


def expected(poison: int) -> dict[str, tuple[int, int]]:
    """Every key's records but the poison. A skipped or reordered one would be missing here."""
    found = {}
    for key in range(KEYS):
        mine = [n for n in range(key, RECORDS, KEYS) if n != poison]
        found[f"key-{key}"] = (len(mine), mine[-1])
    return found


def failures(story: Story, queue: str) -> list[dict[str, Any]]:
    messages = story.client("sqs").receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=0
    )
    return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True], ids=["left alone", "killed"])
def test_exactly_the_poison_is_given_up_and_all_others_are_effective_once(
    story: Story, is_killed: bool
) -> None:
    name, poison = f"poison-{uuid.uuid4().hex[:8]}", RECORDS * 2 // 3
    kinesis = story.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    make_table(story, name)
    queue = make_failures(story, name)
    make_mapping(story, name, poison)

    put(story, name, range(RECORDS // 3))
    kinesis.update_shard_count(StreamName=name, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    if is_killed:
        # In the midst of it: some is done, some is not.
        wait_until(lambda: effects(story, name), seconds=90)
        story.kill_and_start_again()
        queue = make_failures(story, name)
    put(story, name, range(RECORDS // 3, RECORDS))

    wait_until(
        lambda: effects(story, name) == expected(poison), seconds=240 + RECORDS / 10, every=0.5
    )
    records = wait_until(lambda: failures(story, queue), seconds=60)
    (record,) = {each["KinesisBatchInfo"]["startSequenceNumber"]: each for each in records}.values()
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert effects(story, name) == expected(poison)
