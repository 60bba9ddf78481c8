"""How fast functions are, beside another engine in the same run; prints a table, writes nothing.

    python -m scripts.bench.awslambda [--engines riacho ministack] [--json]

One boto3 client process on the same machine; a Python function that returns its event.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
import uuid
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.config import Config

from scripts.bench.peers import PEERS, PeerUnavailable, RunningPeer
from scripts.bench.process_usage import cpu_of

COLD_STARTS = 10
WARM_INVOCATIONS = 400
ENVIRONMENTS = 10
PARALLEL_INVOCATIONS = 1500
STREAM_RECORDS = 20
IDLE_SECONDS = 10.0
#: What came before is written to logs, metrics and the kept state for some seconds more.
SETTLE_SECONDS = 8.0
PATIENCE_SECONDS = 60.0

ECHO = "def handler(event, context):\n    return event\n"
#: Tells how long after its producer's clock a record arrived.
STREAM_READER = """
import base64, boto3, json, os, time
sqs = boto3.client("sqs")

def handler(event, context):
    now = time.time()
    sent = [float(base64.b64decode(r["kinesis"]["data"])) for r in event["Records"]]
    body = json.dumps([now - each for each in sent])
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=body)
"""


@dataclass
class Result:
    """One engine. Times in milliseconds, CPU as a share of one core, None where not measured."""

    engine: str
    version: str = ""
    cold_p50: float | None = None
    warm_p50: float | None = None
    warm_p99: float | None = None
    per_second: float | None = None
    stream_p50: float | None = None
    idle_cpu: float | None = None
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--engines", nargs="+", choices=tuple(PEERS), default=["riacho", "ministack"]
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    results = [measure(name) for name in options.engines]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        print(table(results))


def measure(name: str) -> Result:
    """All figures of one engine; what it cannot do is told in the note."""
    try:
        with PEERS[name]() as peer:
            result = Result(name, peer.version)
            for step in (_cold, _warm, _parallel, _stream, _idle):
                try:
                    step(peer, result)
                except Exception as error:  # noqa: BLE001 a peer's failure is a figure, too
                    result.note += f"{step.__name__[1:]}: {error}; "
            return result
    except PeerUnavailable as reason:
        return Result(name, note=str(reason))


def _client(peer: RunningPeer, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=peer.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=32, retries={"total_max_attempts": 1}),
    )


def _deploy(awslambda: Any, source: str, **variables: str) -> str:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", source)
    awslambda.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/bench",
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": variables},
        Timeout=30,
    )
    _wait(
        lambda: (
            awslambda.get_function_configuration(FunctionName=name).get("State", "Active")
            == "Active"
        )
    )
    return name


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done within {PATIENCE_SECONDS:.0f} seconds")
        time.sleep(0.02)


def _invoke(awslambda: Any, name: str) -> float:
    """Milliseconds of one invocation."""
    began = time.perf_counter()
    answer = awslambda.invoke(FunctionName=name, Payload=b'{"n": 1}')
    payload = answer["Payload"].read()
    elapsed = (time.perf_counter() - began) * 1000
    if json.loads(payload) != {"n": 1}:
        raise ValueError(f"the function answered {payload[:200]!r}")
    return elapsed


def _cold(peer: RunningPeer, result: Result) -> None:
    awslambda = _client(peer, "lambda")
    # The first function pays for what the engine loads at first use.
    _invoke(awslambda, _deploy(awslambda, ECHO))
    times = [_invoke(awslambda, _deploy(awslambda, ECHO)) for _ in range(COLD_STARTS)]
    result.cold_p50 = statistics.median(times)


def _warm(peer: RunningPeer, result: Result) -> None:
    awslambda = _client(peer, "lambda")
    name = _deploy(awslambda, ECHO)
    _invoke(awslambda, name)
    times = sorted(_invoke(awslambda, name) for _ in range(WARM_INVOCATIONS))
    result.warm_p50 = statistics.median(times)
    result.warm_p99 = times[int(len(times) * 0.99)]


def _parallel(peer: RunningPeer, result: Result) -> None:
    awslambda = _client(peer, "lambda")
    name = _deploy(awslambda, ECHO)
    with ThreadPoolExecutor(ENVIRONMENTS) as pool:
        list(pool.map(lambda _: _invoke(awslambda, name), range(ENVIRONMENTS * 20)))
        began = time.perf_counter()
        list(pool.map(lambda _: _invoke(awslambda, name), range(PARALLEL_INVOCATIONS)))
        result.per_second = PARALLEL_INVOCATIONS / (time.perf_counter() - began)


def _stream(peer: RunningPeer, result: Result) -> None:
    """From put_record to the function's first line, one record at a time."""
    awslambda, kinesis, sqs = (_client(peer, name) for name in ("lambda", "kinesis", "sqs"))
    name = f"bench-{uuid.uuid4().hex[:8]}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    description = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    function = _deploy(awslambda, STREAM_READER, QUEUE=queue)
    awslambda.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=description["StreamARN"],
        StartingPosition="TRIM_HORIZON",
    )
    times = []
    for number in range(STREAM_RECORDS + 3):
        kinesis.put_record(StreamName=name, Data=repr(time.time()), PartitionKey="k")
        latency = _received(sqs, queue)
        # The first ones start the environment.
        times += [latency * 1000] if number >= 3 else []
    result.stream_p50 = statistics.median(times)


def _received(sqs: Any, queue: str) -> float:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", ()):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return float(json.loads(message["Body"])[0])
    raise TimeoutError(f"no record within {PATIENCE_SECONDS:.0f} seconds")


def _idle(peer: RunningPeer, result: Result) -> None:
    """CPU of the engine and everything below it, with warm functions and an idle mapping."""
    time.sleep(SETTLE_SECONDS)
    before = cpu_of(peer.pid)
    time.sleep(IDLE_SECONDS)
    result.idle_cpu = (cpu_of(peer.pid) - before) / IDLE_SECONDS


def table(results: Sequence[Result]) -> str:
    """Markdown, one row an engine."""
    lines = [
        "| engine | cold ms (p50) | warm ms (p50 / p99) | invocations/s, 10 at once "
        "| stream to function ms (p50) | idle CPU |",
        "|---|---|---|---|---|---|",
    ]
    for each in results:
        lines.append(
            f"| {each.engine} {each.version} | {_number(each.cold_p50)} "
            f"| {_number(each.warm_p50, 1)} / {_number(each.warm_p99, 1)} "
            f"| {_number(each.per_second)} | {_number(each.stream_p50)} "
            f"| {'–' if each.idle_cpu is None else f'{each.idle_cpu:.1%}'} |"
        )
    lines += [f"\n{each.engine}: {each.note.rstrip('; ')}." for each in results if each.note]
    return "\n".join(lines)


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
