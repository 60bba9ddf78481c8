"""The containers' images are made while the suite runs, and say so afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from services.localstack.environment import ROOT
from services.localstack.processes import send_signal
from tests.scripts.containers.test_unavailable import without_docker
from tests.waiting import wait_until

CONTAINERS = [sys.executable, "-m", "scripts.containers", "--beside"]
PREPARES = """
import sys
from scripts.containers.beside import beside
with beside(["sh", "-c", "read line < $0; echo tested >&2; exit 3", sys.argv[1]]) as ended:
    print("made", file=sys.stderr)
    open(sys.argv[1], "w").write("go on\\n")
    print(ended(), file=sys.stderr)
    print("and so on", file=sys.stderr)
"""


def test_what_is_said_beside_a_command_follows_the_commands_own_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    told = subprocess.run(
        [sys.executable, "-c", PREPARES, str(tmp_path / "gate")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.stderr.splitlines() == ["tested", "made", "3", "and so on"]


def test_the_commands_exit_code_is_given_where_no_container_can_run(tmp_path: Path) -> None:
    for code in (0, 3):
        told = subprocess.run(
            [*CONTAINERS, f"/bin/sh -c 'echo tested; exit {code}'"],
            env=without_docker(tmp_path) | {"TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert told.returncode == code
        assert told.stdout == "tested\n"
        assert told.stderr.startswith("The containers are not tested here: ")


def test_a_command_is_told_to_end_with_what_runs_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    beside = subprocess.Popen(
        [*CONTAINERS, f"/bin/sh -c 'echo $$ > {file}; exec /bin/sleep 600'"],
        env=without_docker(tmp_path) | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
    beside.terminate()
    assert beside.wait(60) not in (0, -signal.SIGTERM)
    assert not send_signal(int(file.read_text()), 0)
