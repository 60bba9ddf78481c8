"""What keeping everything costs: the same calls on an engine that keeps and on one that does not.

    python -m scripts.bench.persistence [--calls 400] [--only put_object,publish]

Both engines run at the same time and calls take turns, as the speed of a machine changes from one
minute to the next: what is told of a round is a ratio, and what is told of all rounds is the
median of the ratios, with the middle half of them in brackets. The processors' time that an engine
(with its helpers) took for a call does not depend on what else the machine does, so it is told too.
`scripts.bench.full_start` measures a start on a full folder.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench.process_usage import cpu_of
from services.connect import connect
from services.localstack.engine import Engine, start
from services.settings import Settings

Call = Callable[[int], Any]
HANDLER = b"def handler(event, context):\n    return event\n"
ROLE = "arn:aws:iam::000000000000:role/bench"
CALLS_IN_A_ROUND = 20
#: How much more a call may take.
GOALS = {"put_object": 0.2}
GOAL = 0.1


def calls(engine: Engine) -> dict[str, Call]:
    """What is measured: a call each, given its number."""
    url, body = engine.endpoint_url, os.urandom(1000)
    s3, sns, sqs = connect("s3", url), connect("sns", url), connect("sqs", url)
    dynamodb, functions = connect("dynamodb", url), connect("lambda", url)
    kinesis, firehose = connect("kinesis", url), connect("firehose", url)
    queue = sqs.create_queue(QueueName="bench")["QueueUrl"]
    topic = sns.create_topic(Name="bench")["TopicArn"]
    arn = "arn:aws:sqs:us-east-1:000000000000:bench"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    _prepare(s3, dynamodb, functions, kinesis, firehose)
    return {
        "put_object": lambda n: s3.put_object(Bucket="bench", Key=f"k{n}", Body=body),
        "send_message": lambda n: sqs.send_message(QueueUrl=queue, MessageBody=f"m{n}"),
        "publish": lambda n: sns.publish(TopicArn=topic, Message=f"m{n}"),
        "put_item": lambda n: dynamodb.put_item(TableName="bench", Item={"k": {"S": f"k{n}"}}),
        "invoke": lambda n: functions.invoke(FunctionName="bench", Payload=b"{}"),
        "kinesis put_record": lambda n: kinesis.put_record(
            StreamName="bench", Data=body, PartitionKey=f"k{n}"
        ),
        "firehose put_record": lambda n: firehose.put_record(
            DeliveryStreamName="bench", Record={"Data": body}
        ),
        "create_topic": lambda n: sns.create_topic(Name=f"bench-{n}"),
    }


def _prepare(s3: Any, dynamodb: Any, functions: Any, kinesis: Any, firehose: Any) -> None:
    s3.create_bucket(Bucket="bench")
    dynamodb.create_table(
        TableName="bench",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    functions.create_function(
        FunctionName="bench",
        Runtime="python3.13",
        Handler="bench.handler",
        Role=ROLE,
        Code={"ZipFile": zipped()},
    )
    kinesis.create_stream(StreamName="bench", ShardCount=1)
    firehose.create_delivery_stream(
        DeliveryStreamName="bench",
        ExtendedS3DestinationConfiguration={"BucketARN": "arn:aws:s3:::bench", "RoleARN": ROLE},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="bench")
    kinesis.get_waiter("stream_exists").wait(StreamName="bench")


def zipped() -> bytes:
    """A function that returns its event."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("bench.py", HANDLER)
    return written.getvalue()


@dataclass
class Side:
    """One engine's figures of one call: seconds of each call by round, and processor seconds."""

    call: Call
    pid: int
    rounds: list[list[float]] = field(default_factory=list)
    cpu: float = 0.0

    def once(self, number: int) -> None:
        began = time.perf_counter()
        self.call(number)
        self.rounds[-1].append(time.perf_counter() - began)


def measure(memory: Side, disk: Side, count: int) -> None:
    """Fill both sides, call by call in turns; each is the first of two as often as the other. The
    first round warms up and is not told."""
    number = 0
    for round_ in range(count // CALLS_IN_A_ROUND + 1):
        for side in (memory, disk):
            side.rounds.append([])
        if round_ == 1:
            for side in (memory, disk):
                side.cpu = -cpu_of(side.pid)
        for _ in range(CALLS_IN_A_ROUND):
            number += 1
            for side in (memory, disk) if number % 2 else (disk, memory):
                side.once(number)
    for side in (memory, disk):
        side.cpu += cpu_of(side.pid)
        del side.rounds[0]


def row(name: str, memory: Side, disk: Side) -> str:
    """A line of the table."""
    medians = [[statistics.median(r) for r in side.rounds] for side in (memory, disk)]
    ratios = [kept / without - 1 for without, kept in zip(*medians, strict=True)]
    low, more, high = statistics.quantiles(ratios, n=4)
    without, kept = (statistics.median(m) * 1000 for m in medians)
    goal = GOALS.get(name, GOAL)
    calls_made = sum(map(len, disk.rounds))
    cpu = " | ".join(f"{side.cpu / calls_made * 1000:.1f}" for side in (memory, disk))
    reached = "yes" if more <= goal else "no"
    return (
        f"| {name} | {without:.2f} | {kept:.2f} | {more:+.0%} ({low:+.0%} to {high:+.0%}) "
        f"| {cpu} | {goal:.0%}: {reached} |"
    )


def compare(folder: Path, count: int, only: set[str]) -> None:
    """Print the table."""
    memory = Settings(
        port=0, data_dir=folder / "memory", stream_storage="memory", object_storage="memory"
    )
    with start(memory) as without, start(Settings(port=0, data_dir=folder / "disk")) as kept:
        both = [calls(without), calls(kept)]
        print(
            "| call | p50 in memory, ms | p50 kept, ms | more | CPU in memory, ms | kept | goal |"
        )
        print("|---|---|---|---|---|---|---|")
        for name in both[1]:
            if not only or name in only:
                sides = Side(both[0][name], without.pid), Side(both[1][name], kept.pid)
                measure(*sides, count)
                print(row(name, *sides), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--only", default="", help="names of calls, separated by commas")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="persistence-"))
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    try:
        compare(folder, options.calls, {name for name in options.only.split(",") if name})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
