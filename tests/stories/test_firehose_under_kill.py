"""Story: clickstream through Firehose while its engine is killed and its source resharded.

One engine has the stream, the delivery stream, its bucket and its transform, and is killed with
all of them.

Every event is delivered once, dropped by the transform, or kept as failed: nothing is missing, and
what came twice is bounded by what the producer had to send again.

`RIACHO_STORY_EVENTS` sets the size (500,000 for the figures of docs/benchmarks.md).
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.services.awslambda.functions import deploy, wait_until_active
from tests.services.firehose.lake import processing, processor
from tests.waiting import wait_until

EVENTS = int(os.environ.get("RIACHO_STORY_EVENTS", "20000"))
BATCH = 500
KILLS = 5
DEVICES = ("desktop", "mobile", "tablet", "tv")
ROLE = "arn:aws:iam::000000000000:role/firehose"

TRANSFORM = """
import base64, json

def handler(event, context):
    return {"records": [answer(record) for record in event["records"]]}

def answer(record):
    content = json.loads(base64.b64decode(record["data"]))
    if content["id"] % 1000 == 7:
        return {**record, "result": "ProcessingFailed"}
    if content["id"] % 100 == 3:
        return {**record, "result": "Dropped"}
    text = json.dumps({**content, "seen": True}) + "\\n"
    data = base64.b64encode(text.encode()).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data}
"""


def expected(event_id: int) -> str:
    """What the transform makes of an event."""
    if event_id % 1000 == 7:
        return "failed"
    return "dropped" if event_id % 100 == 3 else "delivered"


@dataclass
class Story:
    """One engine that is killed and comes back on its data, and what was sent to it."""

    settings: Settings
    engine: Engine
    unacknowledged: int = 0
    acknowledged: int = 0
    kills: list[int] = field(default_factory=list)

    def client(self, service: str, **config: Any) -> Any:
        wanted = Config(retries={"total_max_attempts": 1}, read_timeout=60, **config)
        return boto3.client(
            service,
            endpoint_url=self.engine.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=wanted,
        )

    def answers(self) -> bool:
        try:
            return bool(self.engine.admin("health"))
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, and another engine on the same data and port."""
        self.engine.process.kill()
        self.engine.process.wait()
        self.kills.append(self.acknowledged)
        self.engine = start(self.settings)


def event(event_id: int) -> dict[str, Any]:
    content = {"id": event_id, "device": DEVICES[event_id % 4], "page": f"/p/{event_id % 97}"}
    return {"Data": json.dumps(content).encode(), "PartitionKey": f"user-{event_id % 1013}"}


def produce(story: Story) -> None:
    """Every event in order, a batch again and again until the whole of it is acknowledged."""
    kinesis = story.client("kinesis")
    for first in range(0, EVENTS, BATCH):
        waiting = [event(n) for n in range(first, min(first + BATCH, EVENTS))]
        is_again = False
        while waiting:
            try:
                answer = kinesis.put_records(StreamName="clicks", Records=waiting)
            except (BotoCoreError, ClientError):
                # Whether the engine kept them before it died, nobody knows.
                story.unacknowledged += 0 if is_again else len(waiting)
                is_again = True
                wait_until(story.answers, 120)
                continue
            results = answer["Records"]
            waiting = [r for r, x in zip(waiting, results, strict=True) if "ErrorCode" in x]
        story.acknowledged = min(first + BATCH, EVENTS)


def wait_for_stream(story: Story) -> None:
    def is_active() -> bool:
        summary = story.client("kinesis").describe_stream_summary(StreamName="clicks")
        return bool(summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")

    wait_until(is_active, 60)


def prepare(story: Story) -> None:
    story.client("s3").create_bucket(Bucket="lake")
    kinesis, awslambda = story.client("kinesis"), story.client("lambda")
    kinesis.create_stream(StreamName="clicks", ShardCount=2)
    wait_for_stream(story)
    function = deploy(awslambda, TRANSFORM, MemorySize=512, Timeout=60)
    wait_until_active(awslambda, function)
    arn = awslambda.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    summary = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]
    story.client("firehose").create_delivery_stream(
        DeliveryStreamName="to-lake",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={
            "KinesisStreamARN": summary["StreamARN"],
            "RoleARN": ROLE,
        },
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": "arn:aws:s3:::lake",
            "Prefix": "clicks/device=!{partitionKeyFromQuery:device}/",
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            "CompressionFormat": "GZIP",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            "DynamicPartitioningConfiguration": {"Enabled": True},
            "ProcessingConfiguration": processing(
                processor(
                    "Lambda",
                    LambdaArn=arn,
                    BufferSizeInMBs="1",
                    BufferIntervalInSeconds="1",
                ),
                processor(
                    "MetadataExtraction",
                    MetadataExtractionQuery="{device: .device}",
                    JsonParsingEngine="JQ-1.6",
                ),
            ),
        },
    )


def read_lake(story: Story) -> tuple[Counter[int], Counter[int]]:
    """How often each event was delivered, and how often it failed."""
    s3 = story.client("s3")
    delivered: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake"):
        for item in page.get("Contents", ()):
            key = item["Key"]
            body = gzip.decompress(s3.get_object(Bucket="lake", Key=key)["Body"].read())
            lines = [json.loads(line) for line in body.splitlines()]
            if key.startswith("errors/processing-failed/"):
                # The transform's own failures: no invocation failed as a whole.
                assert {x["errorCode"] for x in lines} == {"Lambda.ProcessingFailedStatus"}
                failed.update(json.loads(base64.b64decode(x["rawData"]))["id"] for x in lines)
            else:
                assert key.startswith(f"clicks/device={lines[0]['device']}/")
                assert {x["device"] for x in lines} == {lines[0]["device"]}
                delivered.update(x["id"] for x in lines)
    return delivered, failed


def disturb(story: Story) -> None:
    """Five kills and two reshards, spread over the producer's work."""
    for number in range(KILLS):
        wait_until(lambda n=number: story.acknowledged >= EVENTS * (n + 1) // (KILLS + 2), 600)
        story.kill()
        if number in (1, 3):
            target = 4 if number == 1 else 2
            wait_for_stream(story)
            story.client("kinesis").update_shard_count(
                StreamName="clicks", TargetShardCount=target, ScalingType="UNIFORM_SCALING"
            )
            # What is buffered now is delivered, so that kills meet deliveries under way.
        story.engine.advance_clock(61)


@pytest.mark.slow
def test_delivered_dropped_and_failed_add_up_over_kills_and_reshards(tmp_path: Path) -> None:
    first = start(Settings(port=0, data_dir=tmp_path))
    story = Story(first.settings, first)
    try:
        prepare(story)
        started = time.monotonic()
        producer = threading.Thread(target=produce, args=(story,))
        producer.start()
        disturb(story)
        producer.join()
        wanted = {n for n in range(EVENTS) if expected(n) != "dropped"}

        def is_complete() -> bool:
            story.engine.advance_clock(61)
            delivered, failed = read_lake(story)
            return delivered.keys() | failed.keys() >= wanted

        wait_until(is_complete, 300, every=2)
        seconds = time.monotonic() - started
        delivered, failed = read_lake(story)
    finally:
        story.engine.stop()
    outcome = {n: expected(n) for n in range(EVENTS)}
    assert delivered.keys() == {n for n, what in outcome.items() if what == "delivered"}
    assert failed.keys() == {n for n, what in outcome.items() if what == "failed"}
    dropped = EVENTS - len(delivered) - len(failed)
    assert dropped == sum(what == "dropped" for what in outcome.values())
    twice = delivered.total() - len(delivered) + failed.total() - len(failed)
    assert len(story.kills) == KILLS
    assert twice <= story.unacknowledged <= KILLS * BATCH
    print(
        f"\n{EVENTS:,} events in {seconds:.0f} s: {len(delivered):,} delivered, "
        f"{dropped:,} dropped, {len(failed):,} failed; killed at {story.kills}; "
        f"{story.unacknowledged:,} were unacknowledged then, {twice:,} came twice"
    )
