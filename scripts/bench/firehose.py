"""How fast delivery streams are, beside other engines in the same run; prints tables.

    python -m scripts.bench.firehose [--engines riacho localstack ministack] [--to 300000]

One boto3 client in one process, DirectPut, batches of 500 records of 200 bytes into S3.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.bench.peers import PEERS, PeerUnavailable, RunningPeer
from scripts.bench.stream import connect, memory_of

ROLE = "arn:aws:iam::000000000000:role/firehose"
RECORD_BYTES = 200
BATCH = 500
LEVELS = (0, 100_000, 300_000, 1_000_000)
MEASURED_BATCHES = 40
MEASURED_PUTS = 200
DELIVERED_RECORDS = 100_000
PARTITIONS = (1, 50, 400)
INTERVAL_SECONDS = 60
PATIENCE_SECONDS = 120.0


@dataclass
class Level:
    """With so many records delivered before. Rates in records per second."""

    records: int
    put_record_batch: float
    put_record_p50_millis: float


@dataclass
class Delivery:
    """From the first put until the last byte lies in the bucket."""

    what: str
    records_per_second: float
    megabytes_per_second: float
    objects: int


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

    def create(self, **content: Any) -> tuple[str, str]:
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
        return name, name

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
                break
        if result.note:
            break
        result.levels.append(_level(bench, stream, records, level))
        present += MEASURED_BATCHES * BATCH + MEASURED_PUTS
    for what, content, partitions in _deliveries(peer):
        try:
            result.deliveries.append(_deliver(bench, what, content, partitions))
        except PeerUnavailable as failure:
            result.note = f"{result.note}; {what}: {failure}".strip("; ")
    result.memory = memory_of(peer.pid)
    return result


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


def _deliveries(peer: RunningPeer) -> list[tuple[str, dict[str, Any], int]]:
    """What to deliver: a name, the configuration, the number of partitions."""
    wanted: list[tuple[str, dict[str, Any], int]] = [
        ("plain", {}, 0),
        ("GZIP", {"CompressionFormat": "GZIP"}, 0),
    ]
    if peer.name == "riacho":
        # Nobody else partitions.
        wanted += [(f"{n} partitions", _partitioned(), n) for n in PARTITIONS]
    return wanted


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


def _deliver(bench: Bench, what: str, content: dict[str, Any], partitions: int) -> Delivery:
    stream, bucket = bench.create(**content)
    size = DELIVERED_RECORDS * RECORD_BYTES
    batches = [
        [{"Data": _line(n, n % max(1, partitions))} for n in range(start, start + BATCH)]
        for start in range(0, DELIVERED_RECORDS, BATCH)
    ]
    started = time.perf_counter()
    for batch in batches:
        bench.put(stream, batch)
    count = _wait_for(bench, bucket, None if content.get("CompressionFormat") else size)
    seconds = time.perf_counter() - started
    return Delivery(what, DELIVERED_RECORDS / seconds, size / 1e6 / seconds, count)


def _wait_for(bench: Bench, bucket: str, size: int | None) -> int:
    """The number of objects once everything is there: so many bytes, or no more to come."""
    deadline, seen = time.monotonic() + PATIENCE_SECONDS, -1
    took = 0.0
    while time.monotonic() < deadline:
        bench.end_the_interval()
        # Listing many objects keeps an engine busy: look seldom enough not to be the load.
        time.sleep(max(0.05, 4 * took))
        asked = time.perf_counter()
        objects = bench.objects(bucket)
        took = time.perf_counter() - asked
        total = sum(item["Size"] for item in objects)
        if (size is not None and total >= size) or (size is None and total and total == seen):
            return len(objects)
        seen = total
    raise PeerUnavailable(f"{seen:,} bytes of {size or 'all'} arrived in {PATIENCE_SECONDS:.0f} s")


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
            f"| {result.engine} | {d.what} | {d.records_per_second:,.0f} "
            f"| {d.megabytes_per_second:.1f} | {d.objects} |"
            for d in result.deliveries
        ]
    lines += [
        f"\n{result.engine}: {(result.memory or 0) / 2**20:,.0f} MiB at the end. {result.note}"
        for result in results
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
