"""How fast streams are, beside other engines in the same run; prints a table.

    python -m scripts.bench.stream [--engines riacho kinesalite ministack localstack]
                                   [--to 2000000] [--out results.md]

One boto3 client in one process, batches of 500 records of 200 bytes, 4 shards; then the same
client used by two threads, and two processes that read two shards each. One stream for each
number of records is filled first; then rounds go over the streams in turn, so that a machine
whose speed wanders is as slow for one as for the other. `--out` has the table after each round.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scripts.bench.peers import PEERS, PeerUnavailable, RunningPeer
from scripts.bench.process_usage import cpu_of, memory_of
from scripts.bench.stream_figures import (
    GETS,
    GETS_BY_TWO,
    PUT,
    PUTS,
    PUTS_BY_TWO,
    Level,
    Result,
    Sample,
    table,
)

RECORD_BYTES = 200
BATCH = 500
SHARDS = 4
LEVELS = (0, 100_000, 300_000, 1_000_000, 2_000_000)
#: An engine's rounds: so many, or as many as begin within this time.
ROUNDS = 9
ROUNDS_SECONDS = 50.0
#: One measurement of one stream in one round, and when a slow engine's ends all the same.
BATCHES = 10
SINGLE_PUTS = 50
READ_LIMIT = 2_000
MEASUREMENT_SECONDS = 2.0
IDLE_STREAMS = 20
#: How long engines are filled, all their streams together: four engines take twelve minutes.
PATIENCE_SECONDS = {"riacho": 150.0}
PEERS_PATIENCE_SECONDS = 60.0
FILLING_THREADS = 2


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    engines = ["riacho", "kinesalite", "ministack", "localstack"]
    parser.add_argument("--engines", nargs="+", choices=tuple(PEERS), default=engines)
    parser.add_argument("--to", type=int, default=300_000, help="the last level, in records")
    parser.add_argument("--patience", type=float, help="seconds to fill an engine's streams")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, help="a file for the table, written after each round")
    parser.add_argument("--producer", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--reader", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.producer:
        produce(*options.producer)
        return
    if options.reader:
        consume(*options.reader)
        return
    results: list[Result] = []

    def keep() -> None:
        if options.out:
            options.out.write_text(table(results) + "\n")

    # Ctrl-C, and the end of somebody's time limit, end the run with a table of what there is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        for name in options.engines:
            results.append(Result(name, ""))
            given = options.patience or PATIENCE_SECONDS.get(name, PEERS_PATIENCE_SECONDS)
            measure(results[-1], options.to, given, options.rounds, keep)
            keep()
            print(table(results[-1:]), file=sys.stderr, flush=True)
    print(table(results))


def measure(
    result: Result, last_level: int, patience: float, rounds: int, keep: Callable[[], None]
) -> None:
    """Bring an engine up and measure it into `result`; what fails becomes a note."""
    try:
        with PEERS[result.engine]() as peer:
            result.version = peer.version
            print(f"{peer.name} {peer.version} …", file=sys.stderr, flush=True)
            _measure(peer, result, last_level, patience, rounds, keep)
    except (PeerUnavailable, ClientError, BotoCoreError) as failure:
        result.note = f"ended: {failure}".replace("|", "/").replace("\n", " ")


def _measure(
    peer: RunningPeer,
    result: Result,
    last_level: int,
    patience: float,
    rounds: int,
    keep: Callable[[], None],
) -> None:
    client = connect("kinesis", peer.endpoint_url)
    result.idle_cpu = _idle_cpu(peer, client)
    before = memory_of(peer.pid)
    streams = _filled(client, result, last_level, time.monotonic() + patience)
    if filled := sum(level.records for level, _ in streams):
        result.memory_per_record = (memory_of(peer.pid) - before) / filled
    keep()
    deadline = time.monotonic() + ROUNDS_SECONDS
    with _readers(peer) as readers, contextlib.ExitStack() as stack:
        canned = None
        if peer.name == "riacho":
            result.ceiling, canned = Level(0), stack.enter_context(_canned(peer))
        for number in range(rounds):
            _round(_Load(peer, client, readers), number, result, streams, canned)
            keep()
            print(f"  round {number + 1}", file=sys.stderr, flush=True)
            if time.monotonic() > deadline:
                break
    if peer.name == "riacho":
        result.neighbours = _neighbours(peer, _create(client, "neighbours"))


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


def _put_batches(client: Any, stream: str, count: int, records: Any = None) -> int:
    """Put so many batches, or as many as begin in time; how many records that was."""
    records, put = records or _batch(), 0
    deadline = time.monotonic() + MEASUREMENT_SECONDS
    for _ in range(count):
        answer = client.put_records(StreamName=stream, Records=records)
        if answer["FailedRecordCount"]:
            raise PeerUnavailable(f"{answer['FailedRecordCount']} records failed")
        put += BATCH
        if time.monotonic() > deadline:
            break
    return put


def _filled(
    client: Any, result: Result, last_level: int, deadline: float
) -> list[tuple[Level, str]]:
    """A stream for each level but the empty one, as far as there is time."""
    streams: list[tuple[Level, str]] = []
    result.levels.append(Level(0))
    for wanted in [level for level in LEVELS if 0 < level <= last_level]:
        stream = _create(client, f"level-{wanted}")
        level = Level(_fill(client, stream, wanted, deadline))
        if level.records < wanted:
            result.note = f"{level.records:,} of {wanted:,} when the time to fill it was over"
            if level.records <= (streams[-1][0].records if streams else 0) * 1.2:
                return streams
        streams.append((level, stream))
        result.levels.append(level)
        print(f"  {level.records:,} of {wanted:,}", file=sys.stderr, flush=True)
        if level.records < wanted:
            break
    return streams


def _fill(client: Any, stream: str, wanted: int, deadline: float) -> int:
    """Put up to so many records until the deadline; how many that was."""
    share, done = wanted // FILLING_THREADS, list[int]()

    def put() -> None:
        left, records = share, _batch()
        while left > 0 and time.monotonic() < deadline:
            left -= _put_batches(client, stream, 1, records)
            done.append(BATCH)

    _at_once(put, FILLING_THREADS)
    return sum(done)


def _at_once(work: Callable[[], object], times: int) -> None:
    """In so many threads; the first error of one is raised here."""
    with ThreadPoolExecutor(times) as threads:
        for done in [threads.submit(work) for _ in range(times)]:
            done.result()


class _Load:
    """What a round does to one stream of one engine."""

    def __init__(self, peer: RunningPeer, client: Any, readers: Sequence[_Reader]) -> None:
        self._peer = peer
        self._client = client
        self._readers = readers
        self._records = _batch()

    def create_empty(self, number: int) -> str:
        """A stream with one batch, which makes its files and its index."""
        stream = _create(self._client, f"empty-{number}")
        _put_batches(self._client, stream, 1, self._records)
        return stream

    def delete(self, stream: str) -> None:
        self._client.delete_stream(StreamName=stream)

    def measure(self, operation: str, stream: str, client: Any = None) -> Sample:
        client = client or self._client
        if operation == PUT:
            return self._single_puts(stream, client)
        work: dict[str, Callable[[], int]] = {
            PUTS: lambda: _put_batches(client, stream, BATCHES, self._records),
            PUTS_BY_TWO: lambda: self._put_by_two(client, stream),
            GETS: lambda: _read(client, stream),
            GETS_BY_TWO: lambda: sum(_read_by(self._readers, stream)),
        }
        engine, own, started = cpu_of(self._peer.pid), time.process_time(), time.perf_counter()
        count = work[operation]()
        seconds = time.perf_counter() - started
        own = time.process_time() - own
        return Sample(count, seconds, cpu_of(self._peer.pid) - engine, own)

    def _put_by_two(self, client: Any, stream: str) -> int:
        put = list[int]()
        half = BATCHES // 2
        _at_once(lambda: put.append(_put_batches(client, stream, half, self._records)), 2)
        return sum(put)

    def _single_puts(self, stream: str, client: Any) -> Sample:
        """The middle one of some puts."""
        record = self._records[0]
        millis = _p50_millis(
            lambda: client.put_record(StreamName=stream, **record), SINGLE_PUTS, MEASUREMENT_SECONDS
        )
        return Sample(1, millis / 1000)


def _round(
    load: _Load,
    number: int,
    result: Result,
    streams: Sequence[tuple[Level, str]],
    canned: Any,
) -> None:
    """Each operation on each stream in turn, beginning with another stream each time."""
    empty = load.create_empty(number)
    own: list[tuple[Level, str, Any]] = [(result.levels[0], empty, None)]
    own += [(level, stream, None) for level, stream in streams]
    at = number % len(own)
    turns = own[at:] + own[:at]
    for operation in (PUTS, PUTS_BY_TWO, PUT, GETS, GETS_BY_TWO):
        for level, stream, client in turns:
            level.add(operation, load.measure(operation, stream, client))
        if result.ceiling is not None and operation in (PUTS, GETS):
            result.ceiling.add(operation, load.measure(operation, empty, canned))
    load.delete(empty)


@contextlib.contextmanager
def _canned(peer: RunningPeer) -> Iterator[Any]:
    """A client of the same answers from memory."""
    address = urlsplit(peer.endpoint_url)
    command = [sys.executable, "-m", "scripts.bench.canned"]
    with subprocess.Popen(
        [*command, str(address.hostname), str(address.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield connect("kinesis", f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.stdin.close()
            process.wait()


def _p50_millis(call: Callable[[], object], times: int, seconds: float = 60.0) -> float:
    taken, deadline = [], time.monotonic() + seconds
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
        if time.monotonic() > deadline:
            break
    return statistics.median(taken) * 1000


class _Reader:
    """A process that reads some shards of a stream when it is told to."""

    def __init__(self, peer: RunningPeer, shards: Iterable[int]) -> None:
        command = [sys.executable, "-m", "scripts.bench.stream", "--reader", peer.endpoint_url]
        self.process = subprocess.Popen(
            [*command, *map(str, shards)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, stream: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{stream}\n")
        self.process.stdin.flush()

    def answer(self) -> int:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise PeerUnavailable("a reading process ended with an error")
        return int(line)


@contextlib.contextmanager
def _readers(peer: RunningPeer) -> Iterator[list[_Reader]]:
    """Two, each for half of the shards."""
    readers = [_Reader(peer, range(half, SHARDS, 2)) for half in (0, 1)]
    try:
        for reader in readers:
            reader.answer()
        yield readers
    finally:
        for reader in readers:
            reader.process.kill()
            reader.process.communicate()


def _read_by(readers: Sequence[_Reader], stream: str) -> list[int]:
    for reader in readers:
        reader.tell(stream)
    return [reader.answer() for reader in readers]


def consume(endpoint_url: str, *shards: str) -> None:
    """Read these shards (their places in the list of shards) of each stream that is named."""
    client, wanted = connect("kinesis", endpoint_url), [int(shard) for shard in shards]
    client.list_streams()
    print(0, flush=True)
    for line in sys.stdin:
        print(_read(client, line.strip(), wanted), flush=True)


def _read(client: Any, stream: str, shards: Iterable[int] = range(SHARDS)) -> int:
    """The first page of each shard; how many records that was."""
    read = 0
    description = client.describe_stream(StreamName=stream)["StreamDescription"]
    for shard in (description["Shards"][place] for place in shards):
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        read += len(client.get_records(ShardIterator=iterator, Limit=READ_LIMIT)["Records"])
    return read


def _idle_cpu(peer: RunningPeer, client: Any, seconds: float = 10.0) -> float:
    for i in range(IDLE_STREAMS):
        _create(client, f"idle-{i}", 1)
    before, started = cpu_of(peer.pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_of(peer.pid) - before) / (time.monotonic() - started)


def _neighbours(peer: RunningPeer, stream: str) -> dict[str, dict[str, float]]:
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
    producer = subprocess.Popen([*command, stream], stdout=subprocess.PIPE, text=True)
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


if __name__ == "__main__":
    main()
