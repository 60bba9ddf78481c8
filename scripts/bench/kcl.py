"""How quick our KCL worker is beside Amazon's and a plain boto3 loop; prints a table.

    python -m scripts.bench.kcl [--workers ours fan-out loop real] [--records 1000000]
        [--parts start catch-up pair tail fail-over]

All on our engine in one run, one after another: start to first record, catch-up of 200-byte
records in 8 shards with one and with two workers, delay of a trickle of records, fail-over after
SIGKILL, memory. Amazon's worker has the settings that shorten its waits (real_kcl.FAST).
All of it takes some ten minutes with 1,000,000 records; `--parts` measures some of it only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench import real_kcl
from scripts.bench.peers import RunningPeer, riacho
from scripts.bench.process_usage import memory_of
from scripts.bench.real_kcl import FAST, RealKcl, WorkerProcess
from scripts.bench.stream import connect

SHARDS = 8
RECORD_BYTES = 200
TRICKLE_SECONDS = 15.0
TRICKLE_PER_SECOND = 50
#: Amazon's leader lock alone holds for 120 s after a kill.
LONGEST_SECONDS = 200.0
WORKERS = ("ours", "fan-out", "loop", "real")
PARTS = ("start", "catch-up", "pair", "tail", "fail-over")
STARTS = 3


@dataclass
class Measured:
    """One kind of worker. Seconds, records a second, milliseconds, bytes; None: not measured."""

    worker: str
    parts: Sequence[str] = PARTS
    start: float | None = None
    catch_up: float | None = None
    catch_up_records: int = 0
    catch_up_by_two: float | None = None
    delay_p50: float | None = None
    delay_p99: float | None = None
    fail_over: float | None = None
    memory: int | None = None


#: Workers write how long records were under way, not the records.
_DELAYS = {"WORKER_WRITES": "delays"}


class Bench:
    """An engine, streams on it, and workers of one kind."""

    def __init__(self, peer: RunningPeer, kind: str, folder: Path, kcl: RealKcl | None) -> None:
        self._peer, self._kind, self._folder, self._kcl = peer, kind, folder, kcl
        self._kinesis = connect("kinesis", peer.endpoint_url)

    def stream(self, records: int) -> str:
        name = f"stream-{uuid.uuid4().hex[:8]}"
        self._kinesis.create_stream(StreamName=name, ShardCount=SHARDS)
        while self._summary(name)["StreamStatus"] != "ACTIVE":
            time.sleep(0.05)
        for at in range(0, records, 500):
            self._put(name, min(500, records - at))
        return name

    def _summary(self, name: str) -> dict[str, Any]:
        answer = self._kinesis.describe_stream_summary(StreamName=name)
        summary: dict[str, Any] = answer["StreamDescriptionSummary"]
        return summary

    def _put(self, name: str, count: int) -> None:
        stamp = b"t=%.5f;" % time.time()
        answer = self._kinesis.put_records(
            StreamName=name,
            Records=[
                {"Data": stamp.ljust(RECORD_BYTES, b"x"), "PartitionKey": uuid.uuid4().hex}
                for _ in range(count)
            ],
        )
        assert answer["FailedRecordCount"] == 0

    def worker(self, stream: str, application: str) -> AbstractContextManager[WorkerProcess]:
        name = f"{self._kind}-{uuid.uuid4().hex[:6]}"
        url = self._peer.endpoint_url
        if self._kind == "real":
            assert self._kcl is not None
            return real_kcl.real_worker(
                self._kcl, name, url, stream, application, self._folder, FAST, **_DELAYS
            )
        if self._kind == "loop":
            command = [sys.executable, "-m", "scripts.bench.boto3_loop", url, stream]
            return real_kcl.started(name, command, self._folder, **_DELAYS)
        more = ["max_records=10000"]
        if self._kind == "fan-out":
            more.append("retrieval_mode=FANOUT")
        return real_kcl.our_worker(name, url, stream, application, self._folder, *more, **_DELAYS)

    def measure(self, parts: Sequence[str], records: int) -> Measured:
        measured = Measured(self._kind, parts, catch_up_records=records)
        if "start" in parts:
            self._starts(measured)
        stream = self.stream(records) if {"catch-up", "pair"} & set(parts) else ""
        if "catch-up" in parts:
            self._catch_up(stream, measured)
        if "pair" in parts and self._kind != "loop":
            self._catch_up_by_two(stream, measured)
        if "tail" in parts:
            self._tail(measured)
        if "fail-over" in parts and self._kind != "loop":
            self._fail_over(measured)
        if stream:
            self._kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
        return measured

    def _starts(self, measured: Measured) -> None:
        """From the start of the process to the first record: the median of some applications."""
        stream, took = self.stream(SHARDS * 500), []
        for _ in range(1 if self._kind == "real" else STARTS):
            started = time.time()
            with self.worker(stream, _application()) as worker:
                events = _wait(lambda worker=worker: _batches(worker), [worker])  # type: ignore[misc]
                took.append(events[0]["t"] - started)
        measured.start = statistics.median(took)

    def _catch_up(self, stream: str, measured: Measured) -> None:
        with self.worker(stream, _application()) as worker:
            measured.catch_up = _rate(
                _wait(lambda: _complete([worker], measured.catch_up_records), [worker], every=0.5)
            )
            measured.memory = memory_of(worker.pid)

    def _catch_up_by_two(self, stream: str, measured: Measured) -> None:
        """Two workers that begin at the same moment."""
        application = _application()
        with ExitStack() as stack:
            workers = [stack.enter_context(self.worker(stream, application)) for _ in range(2)]
            measured.catch_up_by_two = _rate(
                _wait(lambda: _complete(workers, measured.catch_up_records), workers, every=0.5)
            )

    def _wait_until_shared(self, stream: str, workers: list[WorkerProcess]) -> None:
        """Trickle until both have processed records lately."""

        def both() -> bool:
            self._put(stream, 4 * SHARDS)
            now = time.time()
            return all(any(e["t"] > now - 3 for e in _batches(worker)) for worker in workers)

        _wait(both, workers, every=0.5)

    def _wait_for_all_shards(self, stream: str, worker: WorkerProcess) -> None:
        """Trickle until the worker has had records of every shard."""

        def all_shards() -> bool:
            self._put(stream, 4 * SHARDS)
            return len({event["shard"] for event in _batches(worker)}) == SHARDS

        _wait(all_shards, [worker], every=0.5)

    def _tail(self, measured: Measured) -> None:
        """A few records a second: how long each is under way."""
        stream = self.stream(SHARDS * 4)
        with self.worker(stream, _application()) as worker:
            self._wait_for_all_shards(stream, worker)
            begun = time.time()
            self._trickle_for(stream, TRICKLE_SECONDS)
            delays = sorted(d for e in _batches(worker) if e["t"] > begun for d in e["delays"])
            measured.delay_p50 = 1000 * statistics.median(delays)
            measured.delay_p99 = 1000 * delays[int(len(delays) * 0.99)]

    def _trickle_for(self, stream: str, seconds: float) -> None:
        until = time.time() + seconds
        while (now := time.time()) < until:
            self._put(stream, 1)
            time.sleep(max(0.0, now + 1 / TRICKLE_PER_SECOND - time.time()))

    def _fail_over(self, measured: Measured) -> None:
        """From the kill of one worker until the other has had records of every shard."""
        stream, application = self.stream(SHARDS * 4), _application()
        with ExitStack() as stack:
            first = stack.enter_context(self.worker(stream, application))
            _wait(lambda: _batches(first), [first])
            second = stack.enter_context(self.worker(stream, application))
            self._wait_until_shared(stream, [first, second])
            self._kill_and_wait(stream, first, second, measured)

    def _kill_and_wait(
        self, stream: str, first: WorkerProcess, second: WorkerProcess, measured: Measured
    ) -> None:
        first.kill()
        killed = time.time()
        deadline = killed + LONGEST_SECONDS
        while time.time() < deadline:
            self._put(stream, 4 * SHARDS)
            since = [event for event in _batches(second) if event["t"] > killed]
            first_of = {e["shard"]: e["t"] for e in reversed(since)}
            if len(first_of) == SHARDS:
                measured.fail_over = max(first_of.values()) - killed
                return
            time.sleep(0.1)


def _start_dynamodb(dynamodb: Any) -> None:
    """Before any clock runs: it starts at the first table."""
    dynamodb.create_table(
        TableName="first",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="first", Item={"k": {"S": "x"}})


def _application() -> str:
    return f"app-{uuid.uuid4().hex[:8]}"


def _batches(worker: WorkerProcess) -> list[dict[str, Any]]:
    return [event for event in worker.events() if event["event"] == "records"]


def _complete(workers: Sequence[WorkerProcess], records: int) -> list[dict[str, Any]]:
    """All batches once they hold so many records."""
    events = [event for worker in workers for event in _batches(worker)]
    return events if sum(event["n"] for event in events) >= records else []


def _rate(events: Sequence[dict[str, Any]]) -> float:
    """Records a second between the first batch and the last."""
    times = [event["t"] for event in events]
    first = min(events, key=lambda event: float(event["t"]))
    records: int = sum(event["n"] for event in events) - first["n"]
    seconds: float = max(times) - min(times)
    return records / max(0.001, seconds)


def _wait[T](
    condition: Callable[[], T], workers: Sequence[WorkerProcess], every: float = 0.05
) -> T:
    """The condition's first true value. Raises when a worker ends before, or after ten minutes."""
    deadline = time.time() + 600
    while not (value := condition()):
        for worker in workers:
            if not worker.is_alive():
                raise RuntimeError(f"Worker {worker.name} ended: {worker.log[-2000:]}")
        if time.time() > deadline:
            raise TimeoutError(f"{[worker.name for worker in workers]}: not within 600 s")
        time.sleep(every)
    return value


def table(results: Sequence[Measured]) -> str:
    """The results in Markdown."""
    lines = [
        "| worker | start to first record, s | catch-up by one worker, records/s (of) "
        "| by two | delay p50 / p99, ms | fail-over after SIGKILL, s | memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for m in results:
        fail_over = _number(m.fail_over, 1)
        if m.fail_over is None and m.worker != "loop" and "fail-over" in m.parts:
            fail_over = f"> {LONGEST_SECONDS:.0f}"
        lines.append(
            f"| {m.worker} | {_number(m.start, 1)} | {_number(m.catch_up)} "
            f"({m.catch_up_records:,}) | {_number(m.catch_up_by_two)} "
            f"| {_number(m.delay_p50)} / {_number(m.delay_p99)} | {fail_over} "
            f"| {_number(m.memory and m.memory / 1e6)} |"
        )
    return "\n".join(lines)


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", nargs="+", choices=WORKERS, default=list(WORKERS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument(
        "--real-records", type=int, help="for Amazon's worker, where that is too slow for as many"
    )
    options = parser.parse_args(arguments)
    kcl = real_kcl.bring() if "real" in options.workers else None
    results = []
    with riacho(stream_storage="memory") as peer, tempfile.TemporaryDirectory() as folder:
        _start_dynamodb(connect("dynamodb", peer.endpoint_url))
        for kind in options.workers:
            bench = Bench(peer, kind, Path(folder), kcl)
            fewer = options.real_records if kind == "real" else None
            records = fewer or options.records
            results.append(bench.measure(options.parts, records))
            print(table(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
