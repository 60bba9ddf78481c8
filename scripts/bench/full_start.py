"""How long an engine starts on a full data folder, and how much memory it takes then.

    python -m scripts.bench.full_start [--objects 1000000] [--others 10000] [--functions 1000]

The folder is made from one thing of each kind by `scripts.bench.full_folder`, not by calls; the
items of DynamoDB alone are put.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from pathlib import Path
from typing import Any

from scripts.bench.full_folder import SEED
from scripts.bench.persistence import zipped
from scripts.bench.process_usage import memory_of
from services.connect import connect
from services.localstack.engine import Engine, start
from services.localstack.environment import ENGINE_PYTHON, ROOT
from services.settings import Settings


def make_one_of_each(url: str) -> str:
    """What is multiplied; the ID of the one query."""
    s3, functions, logs = connect("s3", url), connect("lambda", url), connect("logs", url)
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key=SEED, Body=b"x")
    connect("sns", url).create_topic(Name=SEED)
    connect("sqs", url).create_queue(QueueName=SEED)
    connect("iam", url).create_user(UserName=SEED)
    connect("ssm", url).put_parameter(Name=SEED, Value="v", Type="String")
    connect("events", url).put_rule(Name=SEED, EventPattern='{"source": ["x"]}')
    logs.create_log_group(logGroupName="full")
    logs.create_log_stream(logGroupName="full", logStreamName=SEED)
    functions.create_function(
        FunctionName=SEED,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="bench.handler",
        Code={"ZipFile": zipped()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=SEED)
    connect("glue", url).create_database(DatabaseInput={"Name": "full"})
    connect("glue", url).create_table(DatabaseName="full", TableInput={"Name": SEED})
    return query_once(connect("athena", url))


def query_once(athena: Any) -> str:
    query: str = athena.start_query_execution(
        QueryString="SELECT 1", ResultConfiguration={"OutputLocation": "s3://full/results/"}
    )["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"][
        "State"
    ] in ("QUEUED", "RUNNING"):
        time.sleep(0.05)
    return query


def put_items(url: str, count: int) -> None:
    """DynamoDB's own files are its server's affair: items are put by calls."""
    table = {"TableName": "full", "BillingMode": "PAY_PER_REQUEST"}
    key = {"AttributeName": "id", "AttributeType": "S"}
    dynamodb = connect("dynamodb", url)
    dynamodb.create_table(
        **table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[key],
    )
    dynamodb.get_waiter("table_exists").wait(TableName="full")
    batches = [
        [{"PutRequest": {"Item": {"id": {"S": name(number)}}}} for number in numbers]
        for numbers in batched(range(count), 25, strict=False)
    ]
    with ThreadPoolExecutor(4) as threads:
        for told in threads.map(
            lambda puts: dynamodb.batch_write_item(RequestItems={"full": puts}), batches
        ):
            assert not told["UnprocessedItems"]


def name(number: int) -> str:
    return f"{SEED[:-7]}{number:07d}"


def is_active(url: str, function: str) -> int:
    """One, once it is."""
    config = {"Delay": 0.1, "MaxAttempts": 600}
    waiter = connect("lambda", url).get_waiter("function_active_v2")
    waiter.wait(FunctionName=function, WaiterConfig=config)
    return 1


def first_answers(url: str, functions: int) -> dict[str, Callable[[], Any]]:
    """The first call of each service, and what it counts."""
    return {
        "s3": lambda: connect("s3", url).list_objects_v2(Bucket="full")["KeyCount"],
        "s3 again, in the middle": lambda: connect("s3", url).list_objects_v2(
            Bucket="full", StartAfter="seed-0005000"
        )["KeyCount"],
        "sns": lambda: connect("sns", url).list_topics()["Topics"],
        "sqs": lambda: connect("sqs", url).list_queues(MaxResults=1000)["QueueUrls"],
        "iam": lambda: connect("iam", url).list_users()["Users"],
        "ssm": lambda: connect("ssm", url).describe_parameters()["Parameters"],
        "events": lambda: connect("events", url).list_rules()["Rules"],
        "logs": lambda: connect("logs", url).describe_log_streams(logGroupName="full")[
            "logStreams"
        ],
        "lambda": lambda: connect("lambda", url).list_functions()["Functions"],
        "lambda, the last is active": lambda: is_active(url, name(functions - 1)),
        "glue": lambda: connect("glue", url).get_tables(DatabaseName="full")["TableList"],
        "athena": lambda: connect("athena", url).list_query_executions()["QueryExecutionIds"],
        "dynamodb": lambda: connect("dynamodb", url).scan(TableName="full")["Count"],
    }


def memory_mb(engine: Engine) -> float:
    """Of the engine's own process; 0 where there is no /proc."""
    return memory_of(engine.pid, alone=True) / 1_024_000


def started(settings: Settings, what: str) -> Engine:
    began = time.perf_counter()
    engine = start(settings)
    seconds = time.perf_counter() - began
    print(f"{what}: answers after {seconds:.1f} s, {memory_mb(engine):.0f} MB", flush=True)
    return engine


def measure(folder: Path, objects: int, others: int, functions: int) -> None:
    settings = Settings(port=0, data_dir=folder / "data")
    with started(settings, "an empty folder") as engine:
        query = make_one_of_each(engine.endpoint_url)
        put_items(engine.endpoint_url, others)
        os.kill(engine.pid, signal.SIGKILL)
    with started(settings, "one of each") as engine:
        os.kill(engine.pid, signal.SIGKILL)
    began = time.perf_counter()
    counts = [str(count) for count in (objects, others, functions)]
    made = [
        str(ENGINE_PYTHON),
        "-m",
        "scripts.bench.full_folder",
        str(settings.data_dir),
        *counts,
        query,
    ]
    subprocess.run(made, check=True, cwd=ROOT)
    print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    what = f"{objects:,} objects, {others:,} of each, {functions:,} functions"
    with started(settings, what) as engine:
        for name, call in first_answers(engine.endpoint_url, functions).items():
            asked = time.perf_counter()
            found = call()
            count = found if isinstance(found, int) else len(found)
            print(f"{name}: {count} in {time.perf_counter() - asked:.1f} s", flush=True)
        print(f"then {memory_mb(engine):.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--others", type=int, default=10_000)
    parser.add_argument("--functions", type=int, default=1_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="full-start-"))
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    try:
        measure(folder, options.objects, options.others, options.functions)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
