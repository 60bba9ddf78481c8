"""`riacho search` and `riacho up --with search`: users' mistakes are one sentence and a code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.command_line.doctor import judge_search
from scripts.command_line.finding import GOOD, LACKING
from tests.conftest import fetch_opensearch
from tests.scripts.command import riacho


def test_an_import_without_an_engine_says_where_to_get_one(tmp_path: Path) -> None:
    told = riacho("search", "import", "--data", str(tmp_path))
    assert told.returncode == 1
    assert "riacho up --with search" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_an_import_where_nobody_answers_ends_in_time() -> None:
    told = riacho("search", "import", "--endpoint", "http://127.0.0.1:1", "--wait", "0.1")
    assert told.returncode == 6
    assert "http://127.0.0.1:1 was not ready" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_port_of_opensearch_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    fetch_opensearch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = subprocess.run(
            [
                *(sys.executable, "-m", "scripts.command_line.main", "up", "--with", "search"),
                *("--port", "0", "--data", str(tmp_path / "data")),
            ],
            env=os.environ | {"RIACHO_SEARCH_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert told.returncode == 4, told.stderr
    assert f"Port {port}" in told.stderr
    assert "RIACHO_SEARCH_PORT=0" in told.stderr


@pytest.mark.parametrize(
    ("is_there", "wanted", "verdict"),
    [(True, True, GOOD), (False, False, GOOD), (False, True, LACKING)],
)
def test_doctor_asks_for_opensearch_only_where_it_is_wanted(
    is_there: bool, wanted: bool, verdict: str
) -> None:
    assert judge_search(is_there, wanted, Path("home")).verdict == verdict
