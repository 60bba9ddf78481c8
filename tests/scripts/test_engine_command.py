"""`riacho up | down | status | env | clock`, run as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.command_line.engine import env_lines
from services.localstack.data_folder import find, is_running
from services.localstack.engine import stop_at
from services.localstack.processes import descendants, snapshot
from tests.waiting import wait_until

RIACHO = [sys.executable, "-m", "scripts.command_line.main"]


def riacho(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RIACHO, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=_environment() | environment,
        timeout=120,
    )


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RIACHO_"))}


def one_sentence(answer: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    return answer.stderr


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    stop_at(folder)


def test_up_returns_when_the_engine_answers_and_down_leaves_nothing(data: Path) -> None:
    assert riacho("up", "--port", "0", "--data", data).returncode == 0
    identity = find(data)
    assert identity is not None
    status = json.loads(riacho("status", "--data", data, "--json").stdout)
    assert status["answers"]
    assert status["pid"] == identity.pid
    assert (data.stat().st_mode & 0o777) == 0o700

    second = riacho("up", "--port", "0", "--data", data)
    assert second.returncode == 5
    assert "Another engine works on" in one_sentence(second)

    exported = riacho("env", "--data", data).stdout
    assert f"export AWS_ENDPOINT_URL={identity.endpoint_url}" in exported
    moved = json.loads(riacho("clock", "--json", "--data", data, "advance", "1h5m").stdout)
    assert moved["ahead_seconds"] == 3900

    family = {p for p in snapshot() if p.pid == identity.pid} | set(descendants(identity.pid))
    assert riacho("down", "--data", data).returncode == 0
    assert not family & set(snapshot())
    assert riacho("down", "--data", data).returncode == 0
    assert riacho("status", "--data", data).returncode == 6


def test_a_port_in_use_is_named(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = riacho("up", "--port", str(port), "--data", data)
    assert answer.returncode == 4
    assert f"Port {port}" in one_sentence(answer)
    assert not is_running(data)


@pytest.mark.parametrize("folder", ["/dev/null/data", "/proc/riacho"])
def test_a_folder_that_cannot_be_written_is_named(folder: str) -> None:
    answer = riacho("up", "--port", "0", "--data", folder)
    assert answer.returncode == 5
    assert folder in one_sentence(answer)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = tmp_path / "small"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(full)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can be made only as root on Linux")
    try:
        answer = riacho("up", "--port", "0", "--data", full / "data")
    finally:
        subprocess.run(["umount", str(full)], check=True)
    assert answer.returncode == 5
    assert "MB left" in one_sentence(answer)


@pytest.mark.parametrize("moment", ["engine.log", "engine.json"])
def test_ctrl_c_leaves_nothing_running(data: Path, moment: str) -> None:
    """While it starts, and when it runs in the foreground."""
    command = [*RIACHO, "up", "--foreground", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(
        command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until((data / moment).exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "Interrupted."
    wait_until(lambda: not is_running(data))


def test_an_engine_in_the_foreground_dies_with_its_killed_parent(data: Path) -> None:
    command = [*RIACHO, "up", "--foreground", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL)
    wait_until(lambda: find(data))
    process.kill()
    process.wait()
    wait_until(lambda: not is_running(data))


def test_without_an_engine_env_says_how_to_start_one(data: Path) -> None:
    answer = riacho("env", "--data", data)
    assert answer.returncode == 6
    assert "riacho up" in one_sentence(answer)


def test_env_lines_survive_a_shell() -> None:
    script = "; ".join([*env_lines("http://127.0.0.1:1", "eu-west-1"), "echo $AWS_ENDPOINT_URL"])
    shell = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "--port", "70000"], "70000"),
        (["clock", "--endpoint-url", "http://127.0.0.1:9", "advance", "soon"], "5m"),
        (["nonsense"], "No such command"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(arguments: list[str], words: str) -> None:
    answer = riacho(*arguments)
    assert answer.returncode == 2
    assert words in answer.stderr


def test_a_wrong_setting_is_named() -> None:
    answer = riacho("settings", RIACHO_SHARD_LIMITS="maybe")
    assert answer.returncode == 2
    assert "'maybe'" in one_sentence(answer)


def test_every_command_has_help() -> None:
    from scripts.command_line.main import COMMANDS, main

    context: Any = main.make_context("riacho", ["--help"], resilient_parsing=True)
    helps = {name: main.get_command(context, name) for name in COMMANDS}
    assert all(command and command.help for command in helps.values())
