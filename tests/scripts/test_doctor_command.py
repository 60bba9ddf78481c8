"""What the doctor decides from a machine's figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.command_line.doctor import (
    judge_disk,
    judge_memory,
    judge_port,
)
from scripts.command_line.finding import Finding

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (judge_memory(8 * GB), "good"),
        (judge_memory(1 * GB), "warning"),
        (judge_memory(GB // 2), "lacking"),
        (judge_memory(None), "warning"),
        (judge_disk(10 * GB, Path("/data")), "good"),
        (judge_disk(1 * GB, Path("/data")), "warning"),
        (judge_disk(GB // 10, Path("/data")), "lacking"),
        (judge_port(4566, is_free=True, is_ours=False), "good"),
        (judge_port(4566, is_free=False, is_ours=True), "good"),
        (judge_port(4566, is_free=False, is_ours=False), "lacking"),
        (judge_port(0, is_free=True, is_ours=False), "good"),
    ],
)
def test_a_verdict_that_is_not_good_says_how_to_mend_it(finding: Finding, verdict: str) -> None:
    assert finding.verdict == verdict
    assert (finding.mend == "") == (verdict == "good")
