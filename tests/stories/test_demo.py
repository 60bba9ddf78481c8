"""The main job as a stranger runs it: it proves itself, and an interrupted one leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.command import riacho
from tests.waiting import wait_until


@pytest.mark.slow
def test_the_demo_loses_nothing_to_a_split_and_a_kill(tmp_path: Path) -> None:
    told = riacho("demo", "--rows", "4000", "--data", str(tmp_path / "demo"), seconds=400)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "worker-1 killed (SIGKILL)" in told.stdout
    assert "4,000 lines: all equal" in told.stdout
    assert "It adds up." in told.stdout
    assert not processes_in(tmp_path)


@pytest.mark.slow
def test_an_interrupted_demo_says_so_and_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "scripts.command_line.main", "demo", "--data", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: (folder / "worker-2.log").exists(), seconds=120)
    engine_pid = json.loads((folder / "engine" / "engine.json").read_text())["pid"]
    assert engine_pid in processes_in(tmp_path)
    demo.send_signal(signal.SIGINT)
    _, told = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Interrupted." in told
    assert "Traceback" not in told
    wait_until(lambda: not processes_in(tmp_path), seconds=30)


def test_the_demo_refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not delete")
    told = riacho("demo", "--data", str(tmp_path))
    assert told.returncode == 1
    assert "holds something that no demo made" in told.stderr
    assert (tmp_path / "thesis.txt").exists()


def processes_in(folder: Path) -> set[int]:
    """Every process whose command line or working folder names this folder (Linux)."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(entry / "cwd")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and (str(folder) in words or where.startswith(str(folder))):
            found.add(int(entry.name))
    return found
