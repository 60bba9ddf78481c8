"""A machine without Docker is told why its containers are not tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.containers.daemon import daemon
from scripts.containers.tools import ContainersUnavailable, run


def without_docker(folder: Path) -> dict[str, str]:
    return {**os.environ, "PATH": str(folder), "DOCKER_HOST": f"unix://{folder}/none.sock"}


def test_the_reason_is_one_sentence_and_no_failure(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "scripts.containers"],
        env=without_docker(tmp_path) | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0
    (line,) = told.stderr.splitlines()
    assert line.startswith("The containers are not tested here: ")
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_cannot_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\necho failed to mount: operation not permitted\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with (
        pytest.raises(ContainersUnavailable, match=r"operation not permitted"),
        daemon(tmp_path),
    ):
        pass
    assert os.environ["DOCKER_HOST"] == f"unix://{tmp_path}/none.sock"


def test_a_program_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(ContainersUnavailable, match=r"python\S* -c import.* a reason"):
        run([sys.executable, "-c", "import sys; sys.exit('a reason')"])
