"""What keeping everything costs: calls with and without persistence in one run, and a full start.

    python -m scripts.bench.persistence [--calls 400] [--objects 0] [--others 0]

`--objects 1000000 --others 10000` also measures the start on that many S3 objects, and on that many
topics, queues, messages, log events and items; it takes about half an hour to fill.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from services.connect import connect
from services.localstack.engine import Engine, start
from services.settings import Settings

Call = Callable[[int], Any]
HANDLER = b"def handler(event, context):\n    return event\n"
ROLE = "arn:aws:iam::000000000000:role/bench"


def calls(engine: Engine) -> dict[str, Call]:
    """What is measured: a call each, given its number."""
    url = engine.endpoint_url
    s3, sns, sqs = connect("s3", url), connect("sns", url), connect("sqs", url)
    dynamodb, functions = connect("dynamodb", url), connect("lambda", url)
    s3.create_bucket(Bucket="bench")
    topic = sns.create_topic(Name="bench")["TopicArn"]
    queue = sqs.create_queue(QueueName="bench")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:bench"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
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
        Code={"ZipFile": _zipped()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="bench")
    body = os.urandom(1000)
    return {
        "put_object": lambda n: s3.put_object(Bucket="bench", Key=f"k{n}", Body=body),
        "publish": lambda n: sns.publish(TopicArn=topic, Message=f"m{n}"),
        "send_message": lambda n: sqs.send_message(QueueUrl=queue, MessageBody=f"m{n}"),
        "put_item": lambda n: dynamodb.put_item(TableName="bench", Item={"k": {"S": f"k{n}"}}),
        "invoke": lambda n: functions.invoke(FunctionName="bench", Payload=b"{}"),
        "create_topic": lambda n: sns.create_topic(Name=f"bench-{n}"),
    }


def _zipped() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("bench.py", HANDLER)
    return written.getvalue()


def measure(both: dict[str, dict[str, Call]], count: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each call on each engine, taking turns so that both see the same
    machine."""
    taken: dict[str, dict[str, list[float]]] = {}
    for name in next(iter(both.values())):
        by_engine: dict[str, list[float]] = {engine: [] for engine in both}
        for number in range(count):
            for engine, its_calls in both.items():
                began = time.perf_counter()
                its_calls[name](number)
                by_engine[engine].append(time.perf_counter() - began)
        taken[name] = by_engine
    return {
        name: {engine: statistics.median(v[len(v) // 10 :]) * 1000 for engine, v in each.items()}
        for name, each in taken.items()
    }


def compare(folder: Path, count: int) -> None:
    """Print the table."""
    memory = Settings(
        port=0, data_dir=folder / "memory", stream_storage="memory", object_storage="memory"
    )
    with start(memory) as without, start(Settings(port=0, data_dir=folder / "disk")) as kept:
        both = {"memory": calls(without), "disk": calls(kept)}
        print(f"{'call':<14}{'memory ms':>11}{'disk ms':>11}{'more':>8}   (p50 of {count})")
        for name, told in measure(both, count).items():
            more = told["disk"] / told["memory"] - 1
            print(f"{name:<14}{told['memory']:>11.2f}{told['disk']:>11.2f}{more:>8.0%}")


def fill(engine: Engine, objects: int, others: int) -> None:
    """That many of each, through the APIs."""
    url = engine.endpoint_url
    s3, sns, sqs, logs = (connect(name, url) for name in ("s3", "sns", "sqs", "logs"))
    s3.create_bucket(Bucket="many")
    queue = sqs.create_queue(QueueName="many")["QueueUrl"]
    logs.create_log_group(logGroupName="many")
    logs.create_log_stream(logGroupName="many", logStreamName="s")

    def one_of_all(number: int) -> None:
        sns.create_topic(Name=f"t{number}")
        sqs.create_queue(QueueName=f"q{number}")
        sqs.send_message(QueueUrl=queue, MessageBody=f"m{number}")
        event = {"timestamp": int(time.time() * 1000), "message": f"e{number}"}
        logs.put_log_events(logGroupName="many", logStreamName="s", logEvents=[event])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one_of_all, range(others)))
        list(
            pool.map(
                lambda n: s3.put_object(Bucket="many", Key=f"day={n % 30}/{n}", Body=b"x"),
                range(objects),
            )
        )


def start_on(folder: Path, objects: int, others: int) -> None:
    """Fill, kill, start, and time the first answer of each service."""
    settings = Settings(port=0, data_dir=folder / "many")
    with start(settings) as engine:
        fill(engine, objects, others)
        os.kill(engine.pid, signal.SIGKILL)
    began = time.perf_counter()
    with start(settings) as engine:
        print(f"answers after {time.perf_counter() - began:.1f} s")
        url = engine.endpoint_url
        first: dict[str, Callable[[], Any]] = {
            "s3": lambda: connect("s3", url).list_objects_v2(Bucket="many", MaxKeys=10),
            "sns": lambda: connect("sns", url).list_topics(),
            "sqs": lambda: connect("sqs", url).list_queues(),
            "logs": lambda: connect("logs", url).describe_log_groups(),
        }
        for name, call in first.items():
            asked = time.perf_counter()
            call()
            print(f"{name:<6}first answer after {time.perf_counter() - asked:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--objects", type=int, default=0)
    parser.add_argument("--others", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="persistence-"))
    print(json.dumps({"load": os.getloadavg()[0], "processors": os.cpu_count()}))
    try:
        compare(folder, options.calls)
        if options.objects or options.others:
            start_on(folder, options.objects, options.others)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
