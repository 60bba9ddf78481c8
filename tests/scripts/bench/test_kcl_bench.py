"""What the bench of workers makes of the lines they write."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from scripts.bench.kcl import Measured, _rate, table
from scripts.bench.worker_output import write, write_records
from tests.consumers.processors.records import record


def test_a_rate_leaves_the_first_batch_out_because_its_reading_is_not_timed() -> None:
    events = [{"t": 12.0, "n": 300}, {"t": 10.0, "n": 500}, {"t": 14.0, "n": 100}]
    assert _rate(events) == (300 + 100) / 4


def test_what_was_not_measured_is_a_dash_and_a_fail_over_that_did_not_come_a_bound() -> None:
    loop = Measured("loop", start=0.71, catch_up=60_440.4, catch_up_records=1_000)
    real = Measured("real", ("fail-over",), catch_up_records=1_000)
    rows = table([loop, real]).splitlines()[2:]
    assert rows == [
        "| loop | 0.7 | 60,440 (1,000) | – | – / – | – | – |",
        "| real | – | – (1,000) | – | – / – | > 200 | – |",
    ]


def test_a_worker_writes_records_or_how_long_they_were_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "worker.jsonl"
    monkeypatch.setenv("WORKER_OUTPUT", str(output))
    monkeypatch.delenv("WORKER_WRITES", raising=False)
    stamp = b"t=%.5f;xxx" % (time.time() - 2)
    write(event="initialize", shard="0")
    write_records("0", [record(7)], [stamp])
    monkeypatch.setenv("WORKER_WRITES", "delays")
    write_records("0", [record(7)] * 300, [stamp] * 300)
    first, whole, delays = (json.loads(line) for line in output.read_text().splitlines())
    assert (first["event"], first["shard"]) == ("initialize", "0")
    assert (whole["keys"], whole["subs"], whole["data"]) == (["key-7"], [0], [stamp.decode()])
    assert (delays["n"], len(delays["delays"])) == (300, 100)
    assert delays["delays"][0] == pytest.approx(2, abs=0.5)
    assert "data" not in delays
