"""The benchmark's figures and table, what boto3 can reach at most, and a small run of it all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from scripts.bench.canned import serve
from scripts.bench.process_usage import cpu_of, memory_of
from scripts.bench.stream_figures import (
    GETS,
    PUT,
    PUTS,
    Level,
    Result,
    Sample,
    relative,
    table,
)

ROOT = Path(__file__).resolve().parents[3]


def _level(records: int, **seconds: list[float]) -> Level:
    level = Level(records)
    for operation, taken in seconds.items():
        for one in taken:
            level.add(operation, Sample(1000, one, one / 10, one / 2))
    return level


def test_a_level_is_compared_with_the_empty_stream_of_the_same_round() -> None:
    # The machine is half as fast in the second round, and the level loses a tenth in each.
    empty = _level(0, PutRecords=[0.09, 0.18, 0.09])
    level = _level(100, PutRecords=[0.1, 0.2, 0.1])

    assert relative(level, empty, PUTS) == 0.9
    assert relative(level, empty, GETS) is None


def test_a_result_becomes_rows() -> None:
    empty = _level(0, PutRecords=[0.01] * 3, GetRecords=[0.02] * 3)
    level = _level(100_000, PutRecords=[0.01, 0.02, 0.04], GetRecords=[0.02] * 3)
    level.add(PUT, Sample(1, 0.00125))
    fast = Result("fast", "2.0", [empty, level], _level(0, PutRecords=[0.005] * 3), 12.3, 0.001)
    slow = Result("slow", "1.0", note="500 of 100,000 when the time was over")

    printed = table([fast, slow])

    assert "| fast 2.0 | 0 | 100,000 (100,000-100,000) | 1.0 + 5.0 | – | – |" in printed
    assert (
        "| fast 2.0 | 100,000 | 50,000 (37,500-75,000) ×0.50 | 2.3 + 11.7 | – | 1.25 "
        "| 50,000 (50,000-50,000) ×1.00 | 2.0 + 10.0 | – |"
    ) in printed
    assert "| slow 1.0 | 500 of 100,000 when the time was over | | | | | | | |" in printed
    assert "| fast | 3 | 0.1% | 12 |" in printed
    assert "PutRecords 200,000/s, of which fast reaches 50%" in printed


def test_a_process_has_memory_and_cpu_time() -> None:
    assert memory_of(os.getpid()) > 1_000_000
    assert cpu_of(os.getpid()) > 0


def _exchange(connection: socket.socket, operation: str) -> bytes:
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.{operation}\r\nContent-Length: 2\r\n"
    connection.sendall(head.encode() + b"\r\n{}")
    return connection.recv(1000)


def test_canned_answers_are_those_of_the_engine_and_ask_it_once() -> None:
    asked = list[bytes]()

    def engine(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            while request := connection.recv(1000):
                asked.append(request)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % len(asked))

    def canned(listening: socket.socket, address: tuple[str, int]) -> None:
        serve(listening.accept()[0], address)

    with (
        socket.create_server(("127.0.0.1", 0)) as real,
        socket.create_server(("127.0.0.1", 0)) as double,
    ):
        threads = (
            threading.Thread(target=engine, args=(real,)),
            threading.Thread(target=canned, args=(double, real.getsockname())),
        )
        for thread in threads:
            thread.start()
        operations = ("GetRecords", "GetRecords", "ListShards", "ListShards", "GetRecords")
        with socket.create_connection(double.getsockname()) as ours:
            answers = [_exchange(ours, operation)[-1:] for operation in operations]
        for thread in threads:
            thread.join()

    assert answers == [b"1", b"1", b"2", b"3", b"1"]
    assert len(asked) == 3


def test_a_small_run_measures_our_engine(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    command = [sys.executable, "-m", "scripts.bench.stream", "--engines", "riacho"]
    done = subprocess.run(
        [*command, "--to", "0", "--rounds", "2", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    assert out.read_text() == done.stdout
    assert "| riacho | 2 | " in done.stdout
    assert "boto3 alone, against the same answers from memory: PutRecords " in done.stdout
    assert "riacho, beside a producer: s3_put_p50_millis " in done.stdout
    assert "ended:" not in done.stdout
