"""A frozen sample of Trino's own test cases (trinodb/trino, Apache License 2.0), all of them right.

`scripts/bench/trino_cases.py` runs the whole collection; this keeps what was reached.
"""

from __future__ import annotations

import collections
from pathlib import Path

from scripts.bench.trino_cases import Bench, cases_of, judge_safely

CASES = Path(__file__).with_name("trino_cases.jsonl.gz")


def test_trinos_cases_are_answered_as_trino_answers_them() -> None:
    bench = Bench(None)
    try:
        verdicts = [(case, *judge_safely(bench, case)) for case in cases_of(CASES)]
    finally:
        bench.close()
    counts = collections.Counter(verdict for _, verdict, _ in verdicts)
    assert counts["right"] > 300
    assert [(c["sql"], seen) for c, verdict, seen in verdicts if verdict != "right"] == []
