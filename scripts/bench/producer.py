"""How fast records get into a stream: KinesisProducer beside plain boto3 loops, in one run.

    python -m scripts.bench.producer [--records 100000] [--endpoint-url http://127.0.0.1:4566]

Records of 200 bytes with 1,000 partition keys into 4 shards. Each way runs in a process of its
own, so that its memory is its own; latency is from the call to the stream's answer, at 500
records a second. Prints a table, writes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from producer.kinesis_producer import PLAIN, Configuration, KinesisProducer
from producer.ledger import Ledger
from services.connect import connect
from services.localstack.engine import start
from services.settings import Settings

RECORD_BYTES = 200
SHARDS = 4
LATENCY_RECORDS, LATENCY_RATE = 2_000, 500
AGGREGATED = Configuration(rate_limit=None)


def events(count: int) -> Iterator[tuple[bytes, str]]:
    for number in range(count):
        yield (b"%09d" % number).ljust(RECORD_BYTES, b"x"), f"key-{number % 1_000}"


def put_record_loop(kinesis: Any, stream: str, count: int) -> int:
    """One call for each record; fewer records, it is slow."""
    few = count // 20
    for data, key in events(few):
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey=key)
    return few


def put_records_loop(kinesis: Any, stream: str, count: int) -> int:
    """500 in a call, one call after the other; nothing is sent again."""
    batch: list[dict[str, Any]] = []
    for data, key in events(count):
        batch.append({"Data": data, "PartitionKey": key})
        if len(batch) == 500:
            kinesis.put_records(StreamName=stream, Records=batch)
            batch = []
    if batch:
        kinesis.put_records(StreamName=stream, Records=batch)
    return count


def kinesis_producer(
    configuration: Configuration, *, with_ledger: bool = False
) -> Callable[[Any, str, int], int]:
    def put(kinesis: Any, stream: str, count: int) -> int:
        with contextlib.ExitStack() as stack:
            ledger = None
            if with_ledger:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                ledger = stack.enter_context(Ledger(Path(folder) / "ledger", stream))
            producer = stack.enter_context(
                KinesisProducer(kinesis, stream, ledger=ledger, configuration=configuration)
            )
            for data, key in events(count):
                producer.add(data, key, event_id=data[:9].decode() if with_ledger else None)
        return count

    return put


WAYS: dict[str, Callable[[Any, str, int], int]] = {
    "boto3, put_record each": put_record_loop,
    "boto3, put_records of 500": put_records_loop,
    "KinesisProducer, plain": kinesis_producer(PLAIN),
    "KinesisProducer, plain, ledger": kinesis_producer(PLAIN, with_ledger=True),
    "KinesisProducer, aggregated": kinesis_producer(AGGREGATED),
}


def latencies(way: str, kinesis: Any, stream: str) -> list[float]:
    """Milliseconds from the call to the answer, one record at a time at a steady rate."""
    took: list[float] = []
    if way.startswith("boto3"):
        for data, key in _paced():
            began = time.perf_counter()
            kinesis.put_record(StreamName=stream, Data=data, PartitionKey=key)
            took.append((time.perf_counter() - began) * 1000)
        return took
    configuration = AGGREGATED if "aggregated" in way else PLAIN
    with KinesisProducer(kinesis, stream, configuration=configuration) as producer:
        records = [producer.add(data, key) for data, key in _paced()]
    for record in records:
        attempts = record.wait().attempts
        took.append(sum(a.delay + a.duration for a in attempts))
    return took


def _paced() -> Iterator[tuple[bytes, str]]:
    began = time.perf_counter()
    for number, event in enumerate(events(LATENCY_RECORDS)):
        wait = began + number / LATENCY_RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        yield event


def measure(way: str, endpoint_url: str, count: int) -> dict[str, Any]:
    kinesis, stream = connect("kinesis", endpoint_url), f"bench-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    WAYS[way](kinesis, stream, count // 20)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    put = WAYS[way](kinesis, stream, count)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = sorted(latencies(way, kinesis, stream))
    kinesis.delete_stream(StreamName=stream)
    return {
        "way": way,
        "records_per_second": round(put / seconds),
        "p50_millis": round(statistics.median(took), 1),
        "p99_millis": round(took[int(len(took) * 0.99)], 1),
        "memory_mb": round(memory / 1024),
        "grown_mb": round((memory - before) / 1024),
    }


def run_all(endpoint_url: str, count: int) -> None:
    header = ("way", "records/s", "p50 ms", "p99 ms", "memory MB (grown)")
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for way in WAYS:
        command = [sys.executable, "-m", "scripts.bench.producer", "--way", way]
        command += ["--endpoint-url", endpoint_url, "--records", str(count)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        r = json.loads(answer.stdout)
        memory = f"{r['memory_mb']} ({r['grown_mb']})"
        print(
            f"| {way} | {r['records_per_second']:,} | {r['p50_millis']} | {r['p99_millis']} "
            f"| {memory} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--endpoint-url", help="An engine's address; else one is started.")
    parser.add_argument("--way", choices=WAYS, help="Only this one, as JSON.")
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(measure(chosen.way, chosen.endpoint_url, chosen.records)))
        return
    if chosen.endpoint_url:
        run_all(chosen.endpoint_url, chosen.records)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        start(Settings(port=0, data_dir=Path(folder))) as engine,
    ):
        run_all(engine.endpoint_url, chosen.records)


if __name__ == "__main__":
    main()
