"""Start the engine as a child process, wait until it answers, stop it without leftovers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.localstack.data_folder import (
    endpoint_url,
    find,
    is_running,
    size_of,
    take_data_folder,
)
from services.localstack.environment import ENGINE_PYTHON, engine_environment, log_file
from services.localstack.errors import EngineFailed, NotInstalled, PortTaken
from services.localstack.ports import free_port, why_taken
from services.localstack.processes import descendants, end_all, send_signal
from services.opensearch.distribution import default_home
from services.opensearch.leftover import end_leftover
from services.settings import Settings

START_SECONDS = 90.0
#: The engine ends itself within five seconds of a SIGTERM (see `ending.py`).
STOP_SECONDS = 8.0
PORT_ATTEMPTS = 3


@dataclass
class Engine:
    """A running engine of this process. A context manager: leaving it stops the engine.

    Unless it was started `detached`, the engine ends when this process does, however it dies.
    """

    process: subprocess.Popen[bytes]
    settings: Settings
    lifeline: int | None = None

    @property
    def endpoint_url(self) -> str:
        """What `AWS_ENDPOINT_URL` should be."""
        return endpoint_url(self.settings.host, self.settings.port)

    @property
    def pid(self) -> int:
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether the process ended before anybody waited for it.

        The kernel is asked, not `Popen.poll`: a Ctrl-C that falls into its middle leaves its lock
        taken, and nobody could wait for the process any more.
        """
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, ended) is not None

    def admin(self, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call below `/_riacho/`: GET, or POST when there is content."""
        return admin(self.endpoint_url, path, content)

    def advance_clock(self, seconds: float) -> float:
        """Move the engine's clock forward; its new time."""
        return float(self.admin("clock", {"advance_seconds": seconds})["now"])

    def stop(self) -> None:
        """Stop the engine and everything it started. May be called twice."""
        children = descendants(self.pid) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        end_all(children)
        if self.lifeline is not None:
            os.close(self.lifeline)
            self.lifeline = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    settings: Settings, *, detached: bool = False, wait_seconds: float = START_SECONDS
) -> Engine:
    """An engine that answers.

    `settings.port` 0 takes a free port (see `Engine.endpoint_url`). A `detached` engine goes on
    when this process ends. Raises EngineFailed, with one sentence, when it cannot start.
    """
    if not ENGINE_PYTHON.exists():
        raise NotInstalled("The engine is not installed here: run ./scripts/install.")
    settings = replace(settings, data_dir=settings.data_dir.absolute())
    lock = take_data_folder(settings.data_dir)
    try:
        settings = _with_search(settings)
        if settings.port:
            return _start_on_port(settings, lock, detached, wait_seconds)
        return _start_on_free_port(settings, lock, detached, wait_seconds)
    finally:
        os.close(lock)


def _with_search(settings: Settings) -> Settings:
    """OpenSearch's place and a port for it, where one is to run."""
    if settings.search != "on":
        return settings
    home = settings.search_home or str(default_home())
    end_leftover(settings.data_dir / "opensearch", settings.search_port)
    if settings.search_port == 0:
        return replace(settings, search_home=home, search_port=free_port())
    _refuse_taken_port("127.0.0.1", settings.search_port, "RIACHO_SEARCH_PORT=0")
    return replace(settings, search_home=home)


def _start_on_free_port(settings: Settings, lock: int, detached: bool, seconds: float) -> Engine:
    for attempt in range(PORT_ATTEMPTS):
        try:
            return _start_on_port(replace(settings, port=free_port()), lock, detached, seconds)
        except PortTaken:  # somebody took it between our look and the engine's
            if attempt == PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("not reached")


def _start_on_port(settings: Settings, lock: int, detached: bool, seconds: float) -> Engine:
    _refuse_taken_port(settings.host, settings.port, "--port 0")
    log_start = size_of(log_file(settings.data_dir))
    engine = _spawn(settings, lock, detached)
    try:
        _wait_until_it_answers(engine, seconds, log_start)
    except BaseException:
        engine.stop()
        raise
    return engine


def _spawn(settings: Settings, lock: int, detached: bool) -> Engine:
    environment = engine_environment(settings, settings.port)
    lifeline, passed = None, [lock]
    if not detached:
        its_end, lifeline = os.pipe()
        environment["RIACHO_LIFELINE"] = str(its_end)
        passed.append(its_end)
    try:
        with log_file(settings.data_dir).open("ab") as log:
            process = subprocess.Popen(
                [str(ENGINE_PYTHON), "-m", "localstack.runtime.main"],
                env=environment,
                cwd=settings.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=passed,
            )
    finally:
        if not detached:
            os.close(its_end)
    return Engine(process, settings, lifeline)


def stop_at(data_dir: Path) -> bool:
    """Stop the engine of a data folder, whoever started it; False when there is none."""
    identity = find(data_dir)
    if identity is None:
        return False
    children = descendants(identity.pid)
    send_signal(identity.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_running(data_dir):
        if time.monotonic() > deadline:
            send_signal(identity.pid, signal.SIGKILL)
        time.sleep(0.05)
    end_all(children)
    return True


def _refuse_taken_port(host: str, port: int, free_one: str) -> None:
    if reason := why_taken(port, host):
        raise PortTaken(
            f"Port {port} on {host} cannot be used ({reason}): stop what listens "
            f"there or choose another port ({free_one} takes a free one)."
        )


def _wait_until_it_answers(engine: Engine, seconds: float, log_start: int) -> None:
    deadline = time.monotonic() + seconds
    while True:
        if engine.has_ended():
            code = engine.process.wait()
            words, log = _last_words(engine, log_start)
            if "Address already in use" in words:
                raise PortTaken(f"Port {engine.settings.port} was taken meanwhile.")
            raise EngineFailed(
                f"The engine ended with code {code} while starting: {words} (all of it: {log})"
            )
        try:
            if engine.admin("health")["pid"] == engine.pid:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            log = log_file(engine.settings.data_dir)
            raise EngineFailed(f"The engine did not answer within {seconds:.0f} seconds: see {log}")
        time.sleep(0.05)


def _last_words(engine: Engine, log_start: int) -> tuple[str, Path]:
    path = log_file(engine.settings.data_dir)
    with path.open("rb") as log:
        log.seek(log_start)
        lines = [x for x in log.read().decode(errors="replace").splitlines() if x.strip()]
    return (lines[-1] if lines else "it said nothing"), path


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def admin(
    engine_url: str, path: str, content: dict[str, Any] | None = None, timeout: float = 10
) -> dict[str, Any]:
    """A call below `/_riacho/`, never through a proxy: GET, or POST when there is content.

    Raises OSError when the engine does not answer, or answers with an error.
    """
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(f"{engine_url}/_riacho/{path}", data=body)
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            answered: dict[str, Any] = json.loads(answer.read())
            return answered
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"{path}: {error.code} {error.read().decode(errors='replace')}") from None
