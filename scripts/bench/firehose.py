"""How fast delivery streams are, beside other engines in the same run; prints tables.

    python -m scripts.bench.firehose [--engines riacho localstack ministack] [--to 300000]

One boto3 client in one process, DirectPut, batches of 500 records of 200 bytes into S3. Each figure
is told on stderr when it is known; all three engines take about eight minutes.
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
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from scripts.bench.peers import PEERS, PeerUnavailable, RunningPeer
from scripts.bench.stream import connect, memory_of

ROLE = "arn:aws:iam::000000000000:role/firehose"
RECORD_BYTES = 200
BATCH = 500
LEVELS = (0, 100_000, 300_000, 1_000_000)
MEASURED_BATCHES = 40
MEASURED_PUTS = 200
DELIVERED_RECORDS = 100_000
PARTITIONS = (1, 10, 50, 200, 400)
#: So many objects lie in the bucket before the stream's next records are delivered.
OBJECTS = (10, 100, 1000)
PARTITIONS_BESIDE_OBJECTS = 10
INTERVAL_SECONDS = 60
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
    memory: float | None = None
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("riacho", "localstack", "ministack", "moto")
    parser.add_argument("--engines", nargs="+", choices=names, default=list(names[:3]))
    parser.add_argument("--to", type=int, default=300_000, help="the last level, in records")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    levels = [level for level in LEVELS if level <= options.to]
    results = [measure(name, levels) for name in options.engines]
    print(json.dumps([asdict(r) for r in results], indent=2) if options.json else table(results))


def measure(name: str, levels: Sequence[int]) -> Result:
    """Bring an engine up and measure it; what fails becomes a note."""
    try:
        with PEERS[name]() as peer:
            print(f"{name} {peer.version} …", file=sys.stderr, flush=True)
            return _measure(peer, levels)
    except PeerUnavailable as failure:
        return Result(name, "", note=str(failure))


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
        if self.peer.name == "riacho":
            body = json.dumps({"advance_seconds": INTERVAL_SECONDS + 1}).encode()
            urllib.request.urlopen(f"{self.peer.endpoint_url}/_riacho/clock", body).close()


def _measure(peer: RunningPeer, levels: Sequence[int]) -> Result:
    result, bench = Result(peer.name, peer.version), Bench(peer)
    try:
        _measure_puts(bench, levels, result)
        for delivery in _deliveries(bench):
            result.deliveries.append(delivery)
            _tell(
                f"{peer.name} {delivery.what}: {delivery.records_per_second:,.0f} records/s, "
                f"{delivery.objects:,} objects {delivery.note}"
            )
    except (PeerUnavailable, BotoCoreError, ClientError) as failure:
        # What was measured before is told all the same.
        result.note = f"{result.note}; {failure}".strip("; ")
        _tell(f"{peer.name}: {failure}")
    result.memory = memory_of(peer.pid)
    return result


def _measure_puts(bench: Bench, levels: Sequence[int], result: Result) -> None:
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
    """Plain and compressed; for ours, as nobody else partitions, also with many partitions and
    beside many objects."""
    is_ours = bench.peer.name == "riacho"
    count = DELIVERED_RECORDS if is_ours else PEER_RECORDS
    rounds = ROUNDS if is_ours else 1
    yield _middle(bench, "plain", {}, count, rounds=rounds)
    yield _middle(bench, "GZIP", {"CompressionFormat": "GZIP"}, count, rounds=rounds)
    if not is_ours:
        return
    for number in PARTITIONS:
        what = f"{number} partition{'s' if number > 1 else ''}"
        yield _middle(bench, what, _partitioned(), count, number, rounds=rounds)
    place = bench.create(**_partitioned())
    for number in OBJECTS:
        _fill(bench, place, number)
        what = f"{PARTITIONS_BESIDE_OBJECTS} partitions, {number:,} objects before"
        yield replace(_deliver(bench, place, count, PARTITIONS_BESIDE_OBJECTS), what=what)


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


def _fill(bench: Bench, place: Place, objects: int) -> None:
    """Deliver small objects until so many are there."""
    while (there := len(bench.objects(place.bucket))) < objects:
        missing = min(objects - there, BATCH)
        _deliver(bench, place, missing, missing)


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


def _deliver(bench: Bench, place: Place, count: int, partitions: int = 1) -> Delivery:
    """Put `count` records and wait for them."""
    contents = [_line(n, n % partitions) for n in range(count)]
    arrived = _Arrived(bench, place.bucket)
    arrived.look()
    there, put = arrived.size, 0
    started = time.perf_counter()
    for first in range(0, count, BATCH):
        batch = contents[first : first + BATCH]
        bench.put(place.stream, [{"Data": each} for each in batch])
        put += sum(map(len, batch))
        if time.perf_counter() - started > PATIENCE_SECONDS:
            break
    _wait_for(arrived, there + put, PATIENCE_SECONDS - (time.perf_counter() - started))
    seconds = time.perf_counter() - started
    size = arrived.size - there
    wanted = sum(map(len, contents))
    note = "" if size >= wanted else f"({size / wanted:.0%} of it within the patience)"
    rate = size / len(contents[0]) / seconds
    return Delivery("", rate, size / 1e6 / seconds, arrived.objects, note)


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
    lines += ["", "| engine | delivered | records/s | MB/s | objects |", "|---|---|---|---|---|"]
    for result in results:
        lines += [
            f"| {result.engine} | {d.what} {d.note} | {d.records_per_second:,.0f} "
            f"| {d.megabytes_per_second:.1f} | {d.objects:,} |"
            for d in result.deliveries
        ]
    lines += [
        f"\n{result.engine}: {(result.memory or 0) / 2**20:,.0f} MiB at the end. {result.note}"
        for result in results
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
