"""A server that outlived its engine is ended by the next one, and by nobody else's mistake."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.localstack.engine import Engine, start
from services.localstack.ports import free_port
from services.localstack.processes import descendants, snapshot
from services.opensearch.leftover import end_leftover, remember
from services.settings import Settings
from tests.conftest import fetch_opensearch
from tests.services.opensearch.indexes import Indexes
from tests.waiting import wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
#: Starts a child of its own, as the watcher of systems without Linux's prctl does.
FAMILY = [
    sys.executable,
    "-c",
    "import subprocess, sys; c = [sys.executable, '-c', 'import time; time.sleep(600)']; "
    "p = subprocess.Popen(c); print('up', flush=True); p.wait()",
]


def test_a_leftover_is_ended_with_what_it_started(tmp_path: Path) -> None:
    with subprocess.Popen(FAMILY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        family = {p for p in snapshot() if p.pid == process.pid} | set(descendants(process.pid))
        assert len(family) == 2
        remember(tmp_path, process.pid)
        assert end_leftover(tmp_path, 0)
        assert not end_leftover(tmp_path, 0)
        assert not family & snapshot().keys()
    assert process.returncode == -signal.SIGKILL


def test_a_process_that_got_the_pid_later_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as process:
        remember(tmp_path, process.pid)
        file = tmp_path / "server.json"
        ((pid, _),) = json.loads(file.read_text())
        file.write_text(json.dumps([[pid, "0"]]))
        end_leftover(tmp_path, 0)
        assert process.poll() is None
        process.kill()


def test_a_port_that_stays_taken_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        (tmp_path / "server.json").write_text('[[1, "long ago"]]')
        assert end_leftover(tmp_path, stranger.getsockname()[1], seconds=0.1)


@pytest.mark.parametrize("content", ["", "[]", "{}", '[["x"]]', "nonsense"])
def test_a_file_that_names_nobody_is_no_leftover(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    assert not end_leftover(tmp_path, 0)


def test_a_folder_without_a_server_has_no_leftover(tmp_path: Path) -> None:
    assert not end_leftover(tmp_path, 0)


def _is_up(engine: Engine) -> bool:
    return bool(engine.admin("search")["state"] == "running")


@pytest.mark.slow
def test_opensearch_dies_with_its_engine_and_comes_back_with_its_indexes(tmp_path: Path) -> None:
    fetch_opensearch()
    settings = Settings(
        port=0,
        data_dir=tmp_path,
        stream_storage="memory",
        object_storage="memory",
        dynamodb="light",
        search="on",
        search_port=free_port(),
    )
    with start(settings) as engine:
        wait_until(lambda: _is_up(engine), 180, 0.2)
        indexes = Indexes(f"http://127.0.0.1:{settings.search_port}")
        indexes.call("PUT", "/test-kept/_doc/1", {"n": 1})
        server = engine.admin("search")["pid"]
        engine.process.kill()
        engine.process.wait()
        # The same port, at once: nobody looked whether the server is gone.
        with start(settings) as again:
            assert server not in {process.pid for process in snapshot()}
            wait_until(lambda: _is_up(again), 180, 0.2)
            assert again.admin("search")["pid"] != server
            (kept,) = indexes.documents("test-kept")
            assert kept["_source"] == {"n": 1}
    assert engine.process.returncode == -signal.SIGKILL
