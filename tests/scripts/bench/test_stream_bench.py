"""The benchmark's table, and that it measures a real engine."""

from __future__ import annotations

import os

from scripts.bench.stream import Level, Rate, Result, cpu_of, memory_of, table


def test_a_result_becomes_rows() -> None:
    puts, by_two = Rate(50_000.4, 4.0, 9.0), Rate(51_000, 4.0, 9.0)
    level = Level(100_000, puts, by_two, 1.25, 0.9, Rate(60_000, 3.0, 11.0), 70_000.0)
    slow = Result("slow", "1.0", note="stopped at 500 records: too slow to be filled")

    printed = table([Result("fast", "2.0", [level], 12.3, 0.001), slow])

    assert (
        "| fast 2.0 | 100,000 | 50,000 (4.0 + 9.0) | 51,000 | 1.25 (0.90) "
        "| 60,000 (3.0 + 11.0) | 70,000 |"
    ) in printed
    assert "| slow 1.0 | stopped at 500 records: too slow to be filled | | | | | |" in printed
    assert "| fast | 0.1% | 12 |" in printed


def test_a_process_has_memory_and_cpu_time() -> None:
    assert memory_of(os.getpid()) > 1_000_000
    assert cpu_of(os.getpid()) > 0
