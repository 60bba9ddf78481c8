"""The README's commands, one by one, as somebody types them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from services.localstack.environment import ROOT
from tests.waiting import wait_until

PROGRAM = re.compile(r"(?<=[ (])(\./scripts/riacho|\.venv/bin/aws)")


class Terminal:
    """A folder that is not the clone (its own platform may run), and what was exported so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exports = ""

    def start(self, command: str, output: Path) -> subprocess.Popen[bytes]:
        """It takes any free port; everything it says is in `output`."""
        typed = PROGRAM.sub(rf"{ROOT}/\1", f" {command}")
        if "eval" in typed:
            self.exports = f"{typed}\n"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RIACHO_"))}
        with output.open("wb") as written:
            return subprocess.Popen(
                ["bash", "-e", "-c", typed if "eval" in typed else f"{self.exports}exec{typed}"],
                cwd=self.folder,
                env=environment | {"RIACHO_PORT": "0"},
                stdout=written,
                stderr=subprocess.STDOUT,
            )

    def run(self, command: str) -> str:
        output = self.folder / "output.txt"
        assert self.start(command, output).wait(120) == 0, output.read_text()
        return output.read_text()

    def run_until(self, seen: str, command: str) -> None:
        """Ctrl-C when `seen` is in its output."""
        output = self.folder / "worker.txt"
        process = self.start(command, output)
        try:
            wait_until(lambda: seen in output.read_text(), 120)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, output.read_text()


@pytest.mark.slow
def test_the_readmes_commands_do_what_it_says(tmp_path: Path) -> None:
    block = (ROOT / "README.md").read_text().partition("## Use it")[2].split("```")[1]
    commands = [line[2:].partition("   #")[0] for line in block.splitlines() if line[:2] == "$ "]
    terminal, told = Terminal(tmp_path), ""
    try:
        for command in commands:
            if " consume " in command:
                terminal.run_until(" 100,000 records", command)
            else:
                told += terminal.run(command)
    finally:
        terminal.run("./scripts/riacho down")
    assert "It adds up." in told
    assert "Stopped the engine" in told
