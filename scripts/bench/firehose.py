"""How fast delivery streams are, beside other engines in the same run; prints tables.

    python -m scripts.bench.firehose [--engines riacho localstack ministack] [--to 300000]
                                     [--objects 50000] [--out results.md]

One boto3 client in one process, DirectPut, batches of 500 records of 200 bytes into S3. Each figure
is told on stderr when it is known, and `--out` has the tables after each; all three engines take
about six minutes. Of ours it is also told what a record and what an object cost, in seconds of the
engine's CPU, with many partitions and beside many objects.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from scripts.bench.peers import PEERS, PeerUnavailable, RunningPeer
from scripts.bench.process_usage import cpu_of, memory_of
from scripts.bench.stream import connect

ROLE = "arn:aws:iam::000000000000:role/firehose"
RECORD_BYTES = 200
BATCH = 500
LEVELS = (0, 100_000, 300_000, 1_000_000)
MEASURED_BATCHES = 40
MEASURED_PUTS = 200
DELIVERED_RECORDS = 100_000
PARTITIONS = (1, 50, 200, 400)
PEER_PARTITIONS = 50
#: So many objects lie in the bucket before the next ones are measured, of one record each.
OBJECTS = (1, 10_000, 50_000)
MEASURED_OBJECTS = 400
INTERVAL_SECONDS = 60
#: The engine rests when its process used this much CPU at most in this time.
REST_CPU_SECONDS = 0.03
REST_SECONDS = 0.3
#: The others are slower: fewer records, and an end to waiting.
PEER_RECORDS = 20_000
PATIENCE_SECONDS = 45.0
#: A delivery of ours takes some seconds: the middle one of three is told.
ROUNDS = 3


@dataclass
class Level:
    """With so many records delivered before. Rates in records per second."""

    records: int
    put_record_batch: float
    put_record_p50_millis: float


@dataclass
class Delivery:
    """From the first put until the last byte lies in the bucket, which then holds `objects`."""

    what: str
    records_per_second: float
    megabytes_per_second: float
    objects: int
    note: str = ""
    #: Of the engine's process, for ours; None where it was not measured.
    cpu_seconds: float | None = None
    records: int = 0


@dataclass
class ObjectCost:
    """What one more object costs beside so many."""

    present: int
    wall_millis: float
    cpu_millis: float


class Place(NamedTuple):
    """A delivery stream and its bucket."""

    stream: str
    bucket: str


@dataclass
class Result:
    """One engine. Memory in bytes."""

    engine: str
    version: str
    levels: list[Level] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    object_costs: list[ObjectCost] = field(default_factory=list)
    memory: float | None = None
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("riacho", "localstack", "ministack", "moto")
    parser.add_argument("--engines", nargs="+", choices=names, default=list(names[:3]))
    parser.add_argument("--to", type=int, default=300_000, help="the last level, in records")
    parser.add_argument(
        "--objects", type=int, default=OBJECTS[-1], help="so many objects in ours, at most"
    )
    parser.add_argument("--out", type=Path, help="a file for the tables, written after each figure")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    levels = [level for level in LEVELS if level <= options.to]
    objects = [number for number in OBJECTS if number <= options.objects]
    results: list[Result] = []

    def keep() -> None:
        if options.out:
            options.out.write_text(table(results) + "\n")

    for name in options.engines:
        results.append(Result(name, ""))
        measure(results[-1], levels, objects, keep)
        keep()
    print(json.dumps([asdict(r) for r in results], indent=2) if options.json else table(results))


def measure(
    result: Result, levels: Sequence[int], objects: Sequence[int], keep: Callable[[], None]
) -> None:
    """Bring an engine up and measure it into `result`; what fails becomes a note."""
    try:
        with PEERS[result.engine]() as peer:
            result.version = peer.version
            print(f"{peer.name} {peer.version} …", file=sys.stderr, flush=True)
            _measure(peer, result, levels, objects, keep)
    except PeerUnavailable as failure:
        result.note = str(failure)


class Bench:
    """One engine's clients and the buckets they fill."""

    def __init__(self, peer: RunningPeer) -> None:
        self.peer = peer
        self.s3 = connect("s3", peer.endpoint_url)
        self.firehose = connect("firehose", peer.endpoint_url)

    def create(self, **content: Any) -> Place:
        """A delivery stream and its bucket."""
        name = f"bench-{uuid.uuid4().hex[:10]}"
        self.s3.create_bucket(Bucket=name)
        hints = {"SizeInMBs": 5, "IntervalInSeconds": INTERVAL_SECONDS}
        wanted = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{name}", "BufferingHints": hints}
        self.firehose.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=wanted | content
        )
        while self._status(name) != "ACTIVE":
            time.sleep(0.05)
        return Place(name, name)

    @property
    def is_ours(self) -> bool:
        return self.peer.name == "riacho"

    def _status(self, name: str) -> str:
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=name)
        status: str = answer["DeliveryStreamDescription"]["DeliveryStreamStatus"]
        return status

    def put(self, stream: str, records: Sequence[dict[str, bytes]]) -> None:
        answer = self.firehose.put_record_batch(DeliveryStreamName=stream, Records=records)
        if answer["FailedPutCount"]:
            raise PeerUnavailable(f"{answer['FailedPutCount']} records failed")

    def objects(self, bucket: str) -> list[dict[str, Any]]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item for page in pages for item in page.get("Contents", ())]

    def end_the_interval(self) -> None:
        """Ours buffers as AWS does: move its clock. The others deliver as they will."""
        if self.is_ours:
            body = json.dumps({"advance_seconds": INTERVAL_SECONDS + 1}).encode()
            urllib.request.urlopen(f"{self.peer.endpoint_url}/_riacho/clock", body).close()


def _measure(
    peer: RunningPeer,
    result: Result,
    levels: Sequence[int],
    objects: Sequence[int],
    keep: Callable[[], None],
) -> None:
    bench = Bench(peer)
    try:
        _measure_puts(bench, levels, result, keep)
        for delivery in _deliveries(bench):
            result.deliveries.append(delivery)
            keep()
            _tell(
                f"{peer.name} {delivery.what}: {delivery.records_per_second:,.0f} records/s, "
                f"{delivery.objects:,} objects {delivery.note}"
            )
        if bench.is_ours:
            for cost in _object_costs(bench, objects):
                result.object_costs.append(cost)
                keep()
                _tell(
                    f"beside {cost.present:,} objects: {cost.wall_millis:.2f} ms an object, "
                    f"{cost.cpu_millis:.2f} ms of CPU"
                )
    except (PeerUnavailable, BotoCoreError, ClientError) as failure:
        # What was measured before is told all the same.
        result.note = f"{result.note}; {failure}".strip("; ")
        _tell(f"{peer.name}: {failure}")
    result.memory = memory_of(peer.pid)


def _measure_puts(
    bench: Bench, levels: Sequence[int], result: Result, keep: Callable[[], None]
) -> None:
    stream, _ = bench.create()
    records = [{"Data": _line(n, 0)} for n in range(BATCH)]
    bench.put(stream, records)
    present, started = BATCH, time.monotonic()
    for level in levels:
        while present < level:
            bench.put(stream, records)
            present += BATCH
            if time.monotonic() - started > PATIENCE_SECONDS:
                result.note = f"stopped at {present:,} records: too slow to be filled"
                return
        found = _level(bench, stream, records, level)
        result.levels.append(found)
        keep()
        _tell(f"{bench.peer.name} after {level:,}: {found.put_record_batch:,.0f} records/s put")
        present += MEASURED_BATCHES * BATCH + MEASURED_PUTS


def _tell(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)


def _line(number: int, partition: int) -> bytes:
    text = f'{{"n":{number},"p":"{partition}","x":"'
    return (text + "x" * (RECORD_BYTES - len(text) - 3) + '"}\n').encode()


def _level(bench: Bench, stream: str, records: Sequence[dict[str, bytes]], level: int) -> Level:
    started = time.perf_counter()
    for _ in range(MEASURED_BATCHES):
        bench.put(stream, records)
    rate = MEASURED_BATCHES * BATCH / (time.perf_counter() - started)

    def put() -> None:
        bench.firehose.put_record(DeliveryStreamName=stream, Record=records[0])

    return Level(level, rate, _p50_millis(put, MEASURED_PUTS))


def _p50_millis(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def _deliveries(bench: Bench) -> Iterator[Delivery]:
    """Plain, compressed and partitioned."""
    count = DELIVERED_RECORDS if bench.is_ours else PEER_RECORDS
    rounds = ROUNDS if bench.is_ours else 1
    yield _middle(bench, "plain", {}, count, rounds=rounds)
    yield _middle(bench, "GZIP", {"CompressionFormat": "GZIP"}, count, rounds=rounds)
    for number in PARTITIONS if bench.is_ours else (PEER_PARTITIONS,):
        what = f"{number} partition{'s' if number > 1 else ''}"
        yield _middle(bench, what, _partitioned(), count, number, rounds=rounds)


def _object_costs(bench: Bench, levels: Sequence[int]) -> Iterator[ObjectCost]:
    """Objects of one record each, beside more and more of them in one bucket."""
    place, present = bench.create(**_partitioned()), 0
    for level in levels:
        while present < level:
            missing = min(level - present, BATCH)
            _deliver(bench, place, missing, missing, rests_only=True)
            present += missing
        found = []
        for _ in range(ROUNDS):
            made = _deliver(bench, place, MEASURED_OBJECTS, MEASURED_OBJECTS, rests_only=True)
            wall = MEASURED_OBJECTS / made.records_per_second
            found.append((wall, made.cpu_seconds or 0.0))
        walls, cpus = zip(*found, strict=True)
        millis = 1000 / MEASURED_OBJECTS
        yield ObjectCost(
            present, statistics.median(walls) * millis, statistics.median(cpus) * millis
        )
        present += ROUNDS * MEASURED_OBJECTS
    if (there := len(bench.objects(place.bucket))) != present:
        raise PeerUnavailable(f"{there:,} of {present:,} objects are in the bucket")


def _middle(
    bench: Bench,
    what: str,
    content: Mapping[str, Any],
    count: int,
    partitions: int = 1,
    *,
    rounds: int,
) -> Delivery:
    """The middle one of some deliveries, each into a bucket of its own."""
    found = [_deliver(bench, bench.create(**content), count, partitions) for _ in range(rounds)]
    found.sort(key=lambda delivery: delivery.records_per_second)
    return replace(found[len(found) // 2], what=what)


def _partitioned() -> dict[str, Any]:
    parameters = {"MetadataExtractionQuery": "{p: .p}", "JsonParsingEngine": "JQ-1.6"}
    listed = [{"ParameterName": k, "ParameterValue": v} for k, v in parameters.items()]
    return {
        "Prefix": "p=!{partitionKeyFromQuery:p}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": INTERVAL_SECONDS},
        "DynamicPartitioningConfiguration": {"Enabled": True},
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [{"Type": "MetadataExtraction", "Parameters": listed}],
        },
    }


def _deliver(
    bench: Bench, place: Place, count: int, partitions: int = 1, *, rests_only: bool = False
) -> Delivery:
    """Put `count` records and wait for them. With `rests_only` the bucket is not looked at."""
    contents = [_line(n, n % partitions) for n in range(count)]
    wanted = sum(map(len, contents))
    arrived = _Arrived(bench, place.bucket)
    if not rests_only:
        arrived.look()
    there, engine = arrived.size, _Engine(bench.peer.pid)
    started = time.perf_counter()
    for first in range(0, count, BATCH):
        batch = contents[first : first + BATCH]
        bench.put(place.stream, [{"Data": each} for each in batch])
        if time.perf_counter() - started > PATIENCE_SECONDS:
            break
    left = PATIENCE_SECONDS - (time.perf_counter() - started)
    if bench.is_ours:
        ended = _wait_for_rest(bench, engine, None if rests_only else arrived, there + wanted, left)
    else:
        _wait_for(arrived, there + wanted, left)
        ended = time.perf_counter()
    size = wanted if rests_only else arrived.size - there
    seconds = ended - started
    return Delivery(
        "",
        size / len(contents[0]) / seconds,
        size / 1e6 / seconds,
        arrived.objects,
        "" if rests_only else _note(arrived, size / wanted, partitions),
        engine.used if bench.is_ours else None,
        count,
    )


def _note(arrived: _Arrived, share: float, partitions: int) -> str:
    """What is not as it was asked for."""
    notes = []
    if share < 1:
        notes.append(f"{share:.0%} of it within the patience")
    if partitions > 1 and arrived.partitions != partitions:
        notes.append(f"{arrived.partitions} of {partitions} partitions")
    return f"({', '.join(notes)})" if notes else ""


class _Engine:
    """The CPU that the engine's own process used from here on; reading it costs the engine none."""

    def __init__(self, pid: int) -> None:
        self._pid, self.used = pid, 0.0
        self._before = cpu_of(pid, alone=True)

    def look(self) -> float:
        self.used = cpu_of(self._pid, alone=True) - self._before
        return self.used


def _wait_for_rest(
    bench: Bench, engine: _Engine, arrived: _Arrived | None, wanted: int, patience_seconds: float
) -> float:
    """When the engine had done everything. The bucket is looked at only while it rests: listing
    it would cost more with every object, and be measured with the rest."""
    deadline = time.perf_counter() + patience_seconds
    while True:
        bench.end_the_interval()
        samples: list[tuple[float, float]] = []
        while True:
            samples.append((time.perf_counter(), engine.look()))
            now, used = samples[-1]
            window = [cpu for when, cpu in samples if when > now - REST_SECONDS]
            is_long = now - samples[0][0] > REST_SECONDS
            if is_long and used - window[0] <= REST_CPU_SECONDS:
                break
            time.sleep(0.01)
        ended = next(when for when, cpu in samples if cpu >= used - REST_CPU_SECONDS)
        if arrived is None:
            return ended
        arrived.look()
        if arrived.size >= wanted or time.perf_counter() > deadline:
            engine.used = used
            return ended


class _Arrived:
    """What lies in a bucket. `size` is in bytes before compression."""

    def __init__(self, bench: Bench, bucket: str) -> None:
        self.bench = bench
        self._bucket = bucket
        self._sizes: dict[str, int] = {}

    def look(self) -> None:
        """List the bucket."""
        listed = self.bench.objects(self._bucket)
        new = [item for item in listed if item["Key"] not in self._sizes]
        self._sizes |= {item["Key"]: self._plain_size(item) for item in new}

    def _plain_size(self, item: dict[str, Any]) -> int:
        if not item["Key"].endswith(".gz"):
            return int(item["Size"])
        body = self.bench.s3.get_object(Bucket=self._bucket, Key=item["Key"])["Body"].read()
        return len(gzip.decompress(body)) if body.startswith(b"\x1f\x8b") else len(body)

    @property
    def size(self) -> int:
        return sum(self._sizes.values())

    @property
    def objects(self) -> int:
        return len(self._sizes)

    @property
    def partitions(self) -> int:
        return len({key.partition("/")[0] for key in self._sizes if key.startswith("p=")})


def _wait_for(arrived: _Arrived, wanted: int, patience_seconds: float) -> None:
    """Look until so many bytes are there, at least once, or until patience ends."""
    deadline, took = time.monotonic() + patience_seconds, 0.0
    while True:
        arrived.bench.end_the_interval()
        # Listing keeps an engine busy: look seldom enough not to be the load.
        time.sleep(min(max(0.05, took), 1.0))
        asked = time.perf_counter()
        arrived.look()
        took = time.perf_counter() - asked
        if arrived.size >= wanted or time.monotonic() > deadline:
            return


def table(results: Sequence[Result]) -> str:
    """Markdown, as `docs/benchmarks.md` shows it."""
    lines = ["| engine | records delivered before | PutRecordBatch, records/s | PutRecord p50 ms |"]
    lines.append("|---|---|---|---|")
    for result in results:
        name = f"{result.engine} {result.version}"
        lines += [
            f"| {name} | {level.records:,} | {level.put_record_batch:,.0f} "
            f"| {level.put_record_p50_millis:.1f} |"
            for level in result.levels
        ]
    lines += ["", "| engine | delivered | records/s | MB/s | objects | engine's CPU, µs a record |"]
    lines.append("|---|---|---|---|---|---|")
    for result in results:
        lines += [
            f"| {result.engine} | {d.what} {d.note} | {d.records_per_second:,.0f} "
            f"| {d.megabytes_per_second:.1f} | {d.objects:,} | {_cpu_of_a_record(d)} |"
            for d in result.deliveries
        ]
    if costs := [cost for result in results for cost in result.object_costs]:
        lines += ["", "| objects in the bucket | one more, ms | of it the engine's CPU, ms |"]
        lines.append("|---|---|---|")
        lines += [f"| {c.present:,} | {c.wall_millis:.2f} | {c.cpu_millis:.2f} |" for c in costs]
    lines += [
        f"\n{result.engine}: {(result.memory or 0) / 2**20:,.0f} MiB at the end. {result.note}"
        for result in results
    ]
    return "\n".join(lines)


def _cpu_of_a_record(delivery: Delivery) -> str:
    if delivery.cpu_seconds is None:
        return ""
    return f"{delivery.cpu_seconds / delivery.records * 1e6:.1f}"


if __name__ == "__main__":
    main()
