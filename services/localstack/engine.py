"""Start the engine as a child process, wait until it answers, stop it without leftovers."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.localstack.environment import (
    ENGINE_PYTHON,
    engine_environment,
    link_catalog,
)
from services.settings import Settings

START_SECONDS = 90.0
#: LocalStack stops in 3 to 20 seconds; what was acknowledged is on disk, so do not wait for it.
STOP_SECONDS = 6.0


class EngineFailed(RuntimeError):
    """The engine did not start or was lost; the message says why and what to do."""


class PortTaken(EngineFailed):
    """Somebody else listens on the wanted port."""


class DataFolderInUse(EngineFailed):
    """Another engine works on this data folder."""


@dataclass
class Engine:
    """A running engine. A context manager: leaving it stops the engine."""

    process: subprocess.Popen[bytes]
    settings: Settings

    @property
    def endpoint_url(self) -> str:
        """What `AWS_ENDPOINT_URL` should be."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def admin(self, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call below `/_riacho/`: GET, or POST when there is content."""
        body = None if content is None else json.dumps(content).encode()
        return request_json(f"{self.endpoint_url}/_riacho/{path}", body)

    def advance_clock(self, seconds: float) -> float:
        """Move the engine's clock forward; its new time."""
        return float(self.admin("clock", {"advance_seconds": seconds})["now"])

    def stop(self) -> None:
        """Stop the engine and everything it started. May be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(settings: Settings, *, wait_seconds: float = START_SECONDS) -> Engine:
    """An engine that answers. `settings.port` 0 takes a free port; see `endpoint_url`.

    Raises EngineFailed with one sentence when it cannot start.
    """
    if not ENGINE_PYTHON.exists():
        raise EngineFailed("The engine is not installed here: run ./scripts/install.")
    settings = replace(
        settings, data_dir=settings.data_dir.resolve(), port=settings.port or _free_port()
    )
    _refuse_taken_port(settings)
    lock = _lock_data_folder(settings.data_dir)
    try:
        engine = Engine(_spawn(settings, lock), settings)
    finally:
        os.close(lock)
    try:
        _wait_until_it_answers(engine, wait_seconds)
    except BaseException:
        engine.stop()
        raise
    return engine


def _spawn(settings: Settings, lock: int) -> subprocess.Popen[bytes]:
    environment = engine_environment(settings, settings.port)
    for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR", "FILESYSTEM_ROOT"):
        Path(environment[name]).mkdir(parents=True, exist_ok=True)
    link_catalog(Path(environment["FILESYSTEM_ROOT"]))
    with log_file(settings).open("ab") as log:
        return subprocess.Popen(
            [str(ENGINE_PYTHON), "-m", "localstack.runtime.main"],
            env=environment,
            cwd=settings.data_dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
        )


def log_file(settings: Settings) -> Path:
    """Where the engine writes what went wrong."""
    return settings.data_dir / "engine.log"


def _lock_data_folder(data_dir: Path) -> int:
    """A lock that the engine inherits: it ends with the engine, however that dies."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(data_dir / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise DataFolderInUse(
            f"Another engine works on {data_dir}: stop it (riacho down --data {data_dir}) "
            "or choose another folder."
        ) from None
    return lock


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _refuse_taken_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise PortTaken(
                f"Port {settings.port} on {settings.host} cannot be used ({error.strerror}): "
                "stop what listens there or choose another port (--port 0 takes a free one)."
            ) from None


def _wait_until_it_answers(engine: Engine, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        if (code := engine.process.poll()) is not None:
            raise EngineFailed(f"The engine exited with code {code}: {_last_words(engine)}")
        try:
            if engine.admin("health")["pid"] == engine.pid:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise EngineFailed(f"The engine did not answer within {seconds:.0f} seconds.")
        time.sleep(0.05)


def _last_words(engine: Engine) -> str:
    path = log_file(engine.settings)
    lines = [x for x in path.read_text(errors="replace").splitlines() if x.strip()]
    return f"{lines[-1] if lines else 'it said nothing'} (all of it: {path})"


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request_json(url: str, body: bytes | None = None, timeout: float = 10) -> dict[str, Any]:
    """GET, or POST when there is a body; never through a proxy. Raises OSError."""
    try:
        with _OPENER.open(urllib.request.Request(url, data=body), timeout=timeout) as answer:
            content: dict[str, Any] = json.loads(answer.read())
            return content
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: {error.code} {error.read().decode(errors='replace')}") from None
