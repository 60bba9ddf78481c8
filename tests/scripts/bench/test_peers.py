"""Peers end with the benchmark that started them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.localstack.processes import send_signal
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
#: A program that starts a helper in a session of its own, as LocalStack does, and says so.
PROGRAM = """
import os, subprocess, sys, time
helper = subprocess.Popen(["sleep", "600"], start_new_session=True)
with open(sys.argv[1], "w") as file:
    print(os.getpid(), helper.pid, file=file, flush=True)
time.sleep(600)
"""
BENCHMARK = """
import sys, time
from scripts.bench.peers import guarded
with guarded([sys.executable, "-c", sys.argv[1], sys.argv[2]]):
    time.sleep(float(sys.argv[3]))
"""


def _started(pids: Path, seconds: float) -> tuple[subprocess.Popen[bytes], list[int]]:
    command = [sys.executable, "-c", BENCHMARK, PROGRAM, str(pids), str(seconds)]
    benchmark = subprocess.Popen(command, cwd=ROOT)
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    return benchmark, [int(word) for word in pids.read_text().split()]


def _are_gone(pids: list[int]) -> bool:
    return not any(send_signal(pid, 0) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="Finding a peer's helpers needs Linux.")
def test_a_killed_benchmark_leaves_no_peer_and_none_of_its_helpers(tmp_path: Path) -> None:
    benchmark, pids = _started(tmp_path / "pids", 600)
    benchmark.send_signal(signal.SIGKILL)
    benchmark.wait()
    wait_until(lambda: _are_gone(pids))


@pytest.mark.skipif(sys.platform != "linux", reason="Finding a peer's helpers needs Linux.")
def test_a_benchmark_that_is_done_leaves_no_peer_and_none_of_its_helpers(tmp_path: Path) -> None:
    benchmark, pids = _started(tmp_path / "pids", 1)
    assert benchmark.wait(60) == 0
    wait_until(lambda: _are_gone(pids))
