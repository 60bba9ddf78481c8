"""Where DynamoDBLocal runs, and its command line."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.dynamodb.local_server import server_command, why_not_local
from services.localstack.environment import JARS as INSTALLED
from services.localstack.environment import JAVA
from services.localstack.ports import free_port, why_taken
from tests.waiting import wait_until

JARS = [Path("/jars/b.jar"), Path("/jars/a.jar"), Path("/jars/libsqlite4java.so")]


@pytest.mark.parametrize(
    ("machine", "jars", "java", "words"),
    [
        (("Linux", "x86_64"), JARS, "/", None),
        (("Darwin", "arm64"), JARS, "/", None),
        (("Linux", "aarch64"), JARS, "/", None),
        (("Linux", "riscv64"), JARS, "/", "no SQLite library for Linux on riscv64"),
        (("Linux", "x86_64"), [], "/", "run ./scripts/install"),
        (("Linux", "x86_64"), JARS, "/no/java", "run ./scripts/install"),
    ],
)
def test_why_it_cannot_run_is_one_sentence(
    machine: tuple[str, str], jars: list[Path], java: str, words: str | None
) -> None:
    reason = why_not_local(*machine, jars, Path(java))
    assert reason is None if words is None else words in (reason or "")


def test_the_class_path_has_a_fixed_order_and_memory_is_a_choice() -> None:
    wanted: dict[str, Any] = {"port": 1, "tmp_path": Path("/data/tmp")}
    command = server_command(Path("/java"), JARS, db_path=None, **wanted)
    assert command[command.index("-cp") + 1] == "/jars/a.jar:/jars/b.jar"
    assert command[-1] == "-inMemory"
    assert "-Djava.io.tmpdir=/data/tmp" in command
    on_disk = server_command(Path("/java"), JARS, db_path=Path("/d"), **wanted)
    assert on_disk[-2:] == ["-dbPath", "/d"]


def test_it_reports_nothing_to_aws_and_leaves_nothing_in_the_working_folder(tmp_path: Path) -> None:
    """With telemetry on it writes `dynamodb-local-metadata.json` there before it answers."""
    jars = sorted((INSTALLED / "dynamodb").glob("*"))
    if reason := why_not_local(platform.system(), platform.machine(), jars, JAVA):
        pytest.skip(reason)
    working, unpacked = tmp_path / "working", tmp_path / "unpacked"
    working.mkdir()
    unpacked.mkdir()
    port = free_port()
    command = server_command(JAVA, jars, port=port, db_path=None, tmp_path=unpacked)
    with subprocess.Popen(command, cwd=working, env={}, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: why_taken(port))
        finally:
            server.kill()
    assert list(working.iterdir()) == []
