"""Helper programs: tied to the engine, and spared the waiting for the disk."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.localstack.children import tied_command


def test_a_tied_program_runs_with_its_arguments_and_exit_code() -> None:
    command = tied_command([sys.executable, "-c", "import sys; sys.exit(int(sys.argv[1]))", "7"])
    assert subprocess.run(command).returncode == 7


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's filter is Linux's")
@pytest.mark.parametrize(("without", "wanted"), [(False, "OSError"), (True, "answered")])
def test_without_fsync_the_kernel_answers_at_once(without: bool, wanted: str) -> None:
    """A pipe cannot be synced: the kernel says so, unless it is told not to look."""
    script = (
        "import os\nreading, writing = os.pipe()\n"
        "try:\n    os.fsync(writing); os.fdatasync(writing); print('answered')\n"
        "except OSError: print('OSError')"
    )
    command = tied_command([sys.executable, "-c", script], without_fsync=without)
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == wanted
