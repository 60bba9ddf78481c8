"""Installing: finds the right Python, goes on after an abort, does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.installation import (
    NO_PYTHON,
    NO_SPACE,
    STEP_FAILED,
    InstallationFailed,
    Step,
    call,
    candidates,
    find_python,
    refuse_full_disk,
    runs,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shim(tmp_path: Path) -> str:
    """A `python3.13` that is there and does not run, as pyenv leaves them."""
    file = tmp_path / "python3.13"
    file.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    file.chmod(0o755)
    return str(file)


def test_a_shim_that_does_not_run_is_passed_over(shim: str) -> None:
    assert not runs(shim)
    assert find_python([shim, "/no/such/python", sys.executable]) == sys.executable


def test_the_versions_of_pyenv_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "versions" / "3.13.9" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert str(python) in candidates()


def test_what_uv_fetches_is_taken_when_nothing_else_runs(shim: str) -> None:
    assert find_python([shim], fetch=lambda: sys.executable) == sys.executable


def test_without_python_3_13_one_sentence_says_what_to_do(shim: str) -> None:
    with pytest.raises(InstallationFailed, match="uv python install") as failure:
        find_python([shim], fetch=lambda: None)
    assert failure.value.code == NO_PYTHON


def test_without_any_python_the_script_says_so(tmp_path: Path, shim: str) -> None:
    for tool in ("dirname", "sh"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    answer = subprocess.run(
        [ROOT / "scripts" / "install"], env=environment, capture_output=True, text=True
    )
    assert answer.returncode == NO_PYTHON
    assert answer.stderr.count("\n") == 1
    assert "Python 3.13" in answer.stderr


def test_a_full_disk_is_named_before_anything_is_fetched() -> None:
    with pytest.raises(InstallationFailed, match=r"0\.5 GB free") as failure:
        refuse_full_disk(500_000_000)
    assert failure.value.code == NO_SPACE


def test_a_step_runs_once_again_when_its_files_change_and_after_an_abort(tmp_path: Path) -> None:
    lock, made = tmp_path / "lock.txt", list[str]()
    lock.write_text("a==1")

    def step(make: object = None) -> Step:
        def remember() -> None:
            made.append(lock.read_text())
            if make:
                raise KeyboardInterrupt

        folder = Path(os.path.relpath(tmp_path, ROOT))
        return Step(ROOT / folder, "packages", [lock], remember)

    step().run()
    step().run()
    assert made == ["a==1"]
    lock.write_text("a==2")
    with pytest.raises(KeyboardInterrupt):
        step("abort").run()
    assert not step().is_done()
    step().run()
    assert step().is_done()
    assert made == ["a==1", "a==2", "a==2"]


def test_a_failing_command_is_told_in_one_sentence_with_its_last_words() -> None:
    command = [sys.executable, "-c", "import sys; print('no room', file=sys.stderr); sys.exit(1)"]
    with pytest.raises(InstallationFailed, match="no room") as failure:
        call(command)
    assert failure.value.code == STEP_FAILED
    assert "\n" not in str(failure.value)


def test_installing_again_is_quick_to_say_nothing() -> None:
    answer = subprocess.run(
        [ROOT / "scripts" / "install"], capture_output=True, text=True, timeout=60
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
