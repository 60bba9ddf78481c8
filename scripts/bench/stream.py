"""How fast streams are, beside other engines in the same run; prints a table, writes nothing.

    python -m scripts.bench.stream [--engines riacho kinesalite ministack localstack] [--to 300000]

One boto3 client in one process, batches of 500 records of 200 bytes, 4 shards; then the same
client used by two threads, and two processes that read two shards each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from scripts.bench.peers import PEERS, PeerUnavailable, RunningPeer

RECORD_BYTES = 200
BATCH = 500
SHARDS = 4
LEVELS = (0, 100_000, 300_000, 1_000_000, 2_000_000)
#: Of so many rounds of so many batches the middle one counts.
MEASURED_ROUNDS = 5
MEASURED_BATCHES = 20
#: A round of a slow engine ends after this.
ROUND_SECONDS = 5.0
MEASURED_PUTS = 400
MEASURED_READS = 60_000
IDLE_STREAMS = 20
#: An engine that needs longer to be filled up to the next level stops there.
PATIENCE_SECONDS = 90.0


@dataclass
class Rate:
    """Records per second by the clock, and the CPU time one record took.

    On a busy machine the clock tells of the others; CPU time tells of the engine (and of boto3,
    which takes the larger part).
    """

    per_second: float
    engine_micros: float
    client_micros: float


@dataclass
class Level:
    """What was measured with so many records in the stream."""

    records: int
    put_records: Rate
    put_records_by_two_threads: Rate
    put_record_p50_millis: float
    put_record_cpu_millis: float
    get_records: Rate
    get_records_by_two_processes: float


@dataclass
class Result:
    """One engine. Memory in bytes, CPU as a share of one core."""

    engine: str
    version: str
    levels: list[Level] = field(default_factory=list)
    memory_per_record: float | None = None
    idle_cpu: float | None = None
    neighbours: dict[str, dict[str, float]] = field(default_factory=dict)
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=tuple(PEERS), default=_default_engines())
    parser.add_argument("--to", type=int, default=300_000, help="the last level, in records")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, help="seconds to fill up to a level"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--producer", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--reader", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.producer:
        produce(*options.producer)
        return
    if options.reader:
        consume(*options.reader)
        return
    levels = [level for level in LEVELS if level <= options.to]
    results: list[Result] = []
    # Ctrl-C ends the run with a table of what there is.
    with contextlib.suppress(KeyboardInterrupt):
        for name in options.engines:
            results.append(measure(name, levels, options.patience))
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        print(table(results))


def _default_engines() -> list[str]:
    return ["riacho", "kinesalite", "ministack", "localstack"]


def measure(name: str, levels: Sequence[int], patience: float) -> Result:
    """Bring an engine up and measure it; what fails becomes a note."""
    try:
        with PEERS[name]() as peer:
            print(f"{name} {peer.version} …", file=sys.stderr, flush=True)
            return _measure(peer, levels, patience)
    except PeerUnavailable as failure:
        return Result(name, "", note=str(failure))


def _measure(peer: RunningPeer, levels: Sequence[int], patience: float) -> Result:
    result = Result(peer.name, peer.version)
    client = connect("kinesis", peer.endpoint_url)
    result.idle_cpu = _idle_cpu(peer, client)
    stream = _create(client, "bench")
    _put_batches(client, stream, 1)
    memory, present = memory_of(peer.pid), BATCH
    for level in levels:
        started = time.monotonic()
        while present < level:
            present += _put_batches(client, stream, 1)
            if time.monotonic() - started > patience:
                result.note = f"stopped at {present:,} records: too slow to be filled"
                return result
        measured, put = _level(peer, client, stream, level)
        result.levels.append(measured)
        present += put
    result.memory_per_record = (memory_of(peer.pid) - memory) / present
    if peer.name == "riacho":
        result.neighbours = _neighbours(peer)
    return result


def connect(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 3}, read_timeout=120),
    )


def _create(client: Any, name: str, shards: int = SHARDS) -> str:
    client.create_stream(StreamName=name, ShardCount=shards)
    while client.describe_stream(StreamName=name)["StreamDescription"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.1)
    return name


def _batch() -> list[dict[str, Any]]:
    return [
        {"Data": os.urandom(RECORD_BYTES), "PartitionKey": uuid.uuid4().hex} for _ in range(BATCH)
    ]


def _put_batches(client: Any, stream: str, count: int) -> int:
    records = _batch()
    for _ in range(count):
        answer = client.put_records(StreamName=stream, Records=records)
        if answer["FailedRecordCount"]:
            raise PeerUnavailable(f"{answer['FailedRecordCount']} records failed")
    return count * BATCH


def _level(peer: RunningPeer, client: Any, stream: str, level: int) -> tuple[Level, int]:
    """What was measured, and how many records that put."""
    records, batches = _batch(), list[int]()

    def put_batches(count: int = MEASURED_BATCHES) -> int:
        deadline, done = time.monotonic() + ROUND_SECONDS, 0
        for _ in range(count):
            client.put_records(StreamName=stream, Records=records)
            batches.append(BATCH)
            done += 1
            if time.monotonic() > deadline:
                break
        return done * BATCH

    def put_by_two() -> int:
        before, share = len(batches), (MEASURED_BATCHES // 2,)
        halves = [threading.Thread(target=put_batches, args=share) for _ in range(2)]
        for half in halves:
            half.start()
        for half in halves:
            half.join()
        return (len(batches) - before) * BATCH

    def put() -> None:
        client.put_record(StreamName=stream, Data=records[0]["Data"], PartitionKey="k")

    rate, by_two = _middle_rate(peer, put_batches), _middle_rate(peer, put_by_two)
    before = cpu_of(peer.pid) + time.process_time()
    p50 = _p50_millis(put, MEASURED_PUTS)
    cpu = (cpu_of(peer.pid) + time.process_time() - before) / MEASURED_PUTS * 1000
    read = _rate(peer, lambda: _read(client, stream))
    measured = Level(level, rate, by_two, p50, cpu, read, _read_by_two(peer, stream))
    return measured, len(batches) * BATCH + MEASURED_PUTS


def _middle_rate(peer: RunningPeer, work: Callable[[], int]) -> Rate:
    rates = [_rate(peer, work) for _ in range(MEASURED_ROUNDS)]
    return sorted(rates, key=lambda rate: rate.per_second)[MEASURED_ROUNDS // 2]


def _rate(peer: RunningPeer, work: Callable[[], int]) -> Rate:
    """`work` says how many records it moved."""
    engine, client, started = cpu_of(peer.pid), time.process_time(), time.perf_counter()
    count = work()
    seconds = time.perf_counter() - started
    client_seconds = time.process_time() - client
    engine_seconds = cpu_of(peer.pid) - engine
    micros = 1e6 / count
    return Rate(count / seconds, engine_seconds * micros, client_seconds * micros)


def _p50_millis(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def _read_by_two(peer: RunningPeer, stream: str) -> float:
    """Records per second that two processes read together, each from half of the shards."""
    command = [sys.executable, "-m", "scripts.bench.stream", "--reader", peer.endpoint_url, stream]
    halves = [[str(shard) for shard in range(SHARDS) if shard % 2 == half] for half in (0, 1)]
    readers = [
        subprocess.Popen(
            [*command, *half], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for half in halves
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None
            reader.stdout.readline()
        started = time.perf_counter()
        for reader in readers:
            assert reader.stdin is not None
            reader.stdin.write("go\n")
            reader.stdin.flush()
        count = sum(int(reader.communicate()[0]) for reader in readers)
        return count / (time.perf_counter() - started)
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


def consume(endpoint_url: str, stream: str, *shards: str) -> None:
    """Read these shards (their places in the list of shards) once somebody says so."""
    client, wanted = connect("kinesis", endpoint_url), [int(shard) for shard in shards]
    client.describe_stream(StreamName=stream)
    print("ready", flush=True)
    sys.stdin.readline()
    print(_read(client, stream, wanted), flush=True)


def _read(client: Any, stream: str, shards: Iterable[int] = range(SHARDS)) -> int:
    read = 0
    for count in _pages(client, stream, shards):
        read += count
        if read >= MEASURED_READS:
            break
    return read


def _pages(client: Any, stream: str, shards: Iterable[int]) -> Iterator[int]:
    description = client.describe_stream(StreamName=stream)["StreamDescription"]
    for shard in (description["Shards"][place] for place in shards):
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = client.get_records(ShardIterator=iterator, Limit=10_000)
            yield len(answer["Records"])
            iterator = answer["NextShardIterator"]
            if not answer["Records"] or answer["MillisBehindLatest"] == 0:
                break


def _idle_cpu(peer: RunningPeer, client: Any, seconds: float = 10.0) -> float:
    for i in range(IDLE_STREAMS):
        _create(client, f"idle-{i}", 1)
    before, started = cpu_of(peer.pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_of(peer.pid) - before) / (time.monotonic() - started)


def _neighbours(peer: RunningPeer) -> dict[str, dict[str, float]]:
    """p50 of an S3 and a DynamoDB put in ms: alone, and while a producer runs at full speed."""
    s3, dynamodb = connect("s3", peer.endpoint_url), connect("dynamodb", peer.endpoint_url)
    s3.create_bucket(Bucket="bench")
    dynamodb.create_table(
        TableName="bench",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="bench", WaiterConfig={"Delay": 1})

    def measured() -> dict[str, float]:
        return {
            "s3_put_p50_millis": _p50_millis(
                lambda: s3.put_object(Bucket="bench", Key="k", Body=b"x" * 1000), 40
            ),
            "dynamodb_put_p50_millis": _p50_millis(
                lambda: dynamodb.put_item(TableName="bench", Item={"k": {"S": "k"}}), 40
            ),
        }

    measured()
    alone = measured()
    command = [sys.executable, "-m", "scripts.bench.stream", "--producer", peer.endpoint_url]
    producer = subprocess.Popen([*command, "bench"], stdout=subprocess.PIPE, text=True)
    try:
        assert producer.stdout is not None
        producer.stdout.readline()
        return {"alone": alone, "beside a producer": measured()}
    finally:
        producer.terminate()
        producer.communicate()


def produce(endpoint_url: str, stream: str) -> None:
    """Put at full speed until somebody ends this process."""
    client = connect("kinesis", endpoint_url)
    _put_batches(client, stream, 5)
    print("producing", flush=True)
    while True:
        _put_batches(client, stream, 100)


def _family(pid: int) -> Iterator[int]:
    """The process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from _family(int(child))


def memory_of(pid: int) -> int:
    """Resident bytes of a process and its children."""
    total = 0
    for member in _family(pid):
        status = Path(f"/proc/{member}/status").read_text()
        lines = (line.split() for line in status.splitlines())
        total += sum(int(words[1]) * 1024 for words in lines if words[0] == "VmRSS:")
    return total


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and its children have used."""
    ticks = 0
    for member in _family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _shown(rate: Rate) -> str:
    return f"{rate.per_second:,.0f} ({rate.engine_micros:.1f} + {rate.client_micros:.1f})"


def table(results: Sequence[Result]) -> str:
    """The results in Markdown."""
    lines = [
        "| engine | records in the stream | PutRecords, records/s (CPU: engine + boto3, µs) "
        "| by two threads | put_record p50, ms (CPU) | GetRecords, records/s (CPU) "
        "| by two processes |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        name = f"{result.engine} {result.version}".strip()
        lines += [
            f"| {name} | {level.records:,} | {_shown(level.put_records)} "
            f"| {level.put_records_by_two_threads.per_second:,.0f} "
            f"| {level.put_record_p50_millis:.2f} ({level.put_record_cpu_millis:.2f}) "
            f"| {_shown(level.get_records)} | {level.get_records_by_two_processes:,.0f} |"
            for level in result.levels
        ]
        if result.note:
            lines.append(f"| {name} | {result.note} | | | | | |")
    lines += ["", "| engine | 20 idle streams, share of a core | memory per record, bytes |"]
    lines.append("|---|---|---|")
    for result in results:
        if result.idle_cpu is not None:
            memory = result.memory_per_record
            shown = "–" if memory is None else f"{memory:.0f}"
            lines.append(f"| {result.engine} | {result.idle_cpu:.1%} | {shown} |")
    for result in results:
        for when, measured in result.neighbours.items():
            words = ", ".join(f"{name} {value:.1f}" for name, value in measured.items())
            lines.append(f"\n{result.engine}, {when}: {words}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
