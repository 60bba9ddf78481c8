"""Two processes that want the same thing at once: one makes it, the other finds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from services.localstack.environment import ROOT

#: Makes a folder as installers do: a broken one is removed, a whole one is left alone.
MAKER = """
import shutil, sys; from pathlib import Path
from scripts.one_at_a_time import one_at_a_time
folder = Path(sys.argv[1])
with one_at_a_time(folder):
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for number in range(200):
            (folder / str(number)).touch()
        (folder / "whole").touch()
        print("made")
print(len(list(folder.iterdir())))
"""
HOLDER = """
import sys; from pathlib import Path
from scripts.one_at_a_time import one_at_a_time
with one_at_a_time(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def started(program: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, str(folder)]
    piped = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=piped, stdout=piped, text=True)


def test_one_of_several_processes_makes_a_folder_and_all_find_it_whole(tmp_path: Path) -> None:
    makers = [started(MAKER, tmp_path / "cache" / "thing") for _ in range(4)]
    told = sorted(maker.communicate(timeout=60)[0] for maker in makers)
    assert told == ["201\n", "201\n", "201\n", "made\n201\n"]


def test_a_killed_maker_lets_the_next_one_make_it(tmp_path: Path) -> None:
    with started(HOLDER, tmp_path / "thing") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with started(MAKER, tmp_path / "thing") as maker:
            os.kill(holder.pid, signal.SIGKILL)
            assert maker.communicate(timeout=60)[0] == "made\n201\n"
