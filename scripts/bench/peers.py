"""Other engines to compare with: installed on demand outside the tree, started on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.one_at_a_time import one_at_a_time
from services.localstack.engine import start
from services.localstack.environment import engine_environment
from services.localstack.ports import free_port
from services.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
GUARD = Path(__file__).with_name("peer_guard.py")


class PeerUnavailable(RuntimeError):
    """An engine could not be installed or started; the message says which and why."""


@dataclass(frozen=True)
class RunningPeer:
    """An engine that answers. `pid` is the process whose memory and time count."""

    name: str
    version: str
    endpoint_url: str
    pid: int


def cache_folder() -> Path:
    """Where installed engines are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "riacho" / "peers"


@contextlib.contextmanager
def riacho(**settings: object) -> Iterator[RunningPeer]:
    """Ours, with its log on disk unless `stream_storage` says otherwise."""
    with tempfile.TemporaryDirectory(prefix="riacho-bench-") as folder:
        given = Settings(port=0, data_dir=Path(folder), **settings)  # type: ignore[arg-type]
        with start(given) as engine:
            yield RunningPeer("riacho", _own_version(), engine.endpoint_url, engine.pid)


def _own_version() -> str:
    from importlib.metadata import version

    return version("riacho")


@contextlib.contextmanager
def moto() -> Iterator[RunningPeer]:
    python = _venv("moto", "moto[server]")
    port = free_port()
    command = [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _process("moto", command, port, version=_installed(python, "moto")) as peer:
        yield peer


@contextlib.contextmanager
def ministack() -> Iterator[RunningPeer]:
    with _ministack(_venv("ministack", "ministack")) as peer:
        yield peer


@contextlib.contextmanager
def ministack_with_duckdb() -> Iterator[RunningPeer]:
    """Its Athena runs queries only where DuckDB is installed beside it; ours is taken."""
    from importlib.metadata import version

    python = _venv("ministack-duckdb", "ministack", f"duckdb=={version('duckdb')}")
    with _ministack(python) as peer:
        yield peer


@contextlib.contextmanager
def _ministack(python: Path) -> Iterator[RunningPeer]:
    port = free_port()
    command = [str(python.parent / "ministack")]
    environment = {"GATEWAY_PORT": str(port), "HOST": "127.0.0.1"}
    version = _installed(python, "ministack")
    with _process("ministack", command, port, environment, version=version) as peer:
        yield peer


@contextlib.contextmanager
def kinesalite() -> Iterator[RunningPeer]:
    folder = _npm("kinesalite", "kinesalite")
    script = folder / "node_modules" / "kinesalite" / "cli.js"
    port = free_port()
    command = ["node", str(script), "--port", str(port), "--shardLimit", "1000"]
    package = json.loads((script.parent / "package.json").read_text())
    with _process("kinesalite", command, port, version=package["version"]) as peer:
        yield peer


@contextlib.contextmanager
def localstack() -> Iterator[RunningPeer]:
    """LocalStack as it comes: its own providers and server, in an environment without ours.

    Its Kinesis needs npm at first use.
    """
    pins = ROOT / "requirements" / "engine.txt"
    python = _venv("localstack-4.14.0", "--no-deps", "--requirement", str(pins))
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="riacho-bench-") as folder:
        settings = Settings(port=port, data_dir=Path(folder))
        environment = {
            name: value
            for name, value in engine_environment(settings, port).items()
            if not name.startswith(("PROVIDER_OVERRIDE_", "GATEWAY_SERVER", "LAMBDA_RUNTIME_"))
        }
        _keep_installed(Path(environment["FILESYSTEM_ROOT"]))
        environment["NPM_CONFIG_CACHE"] = str(cache_folder() / "npm")
        command = [str(python), "-m", "localstack.runtime.main"]
        with _process(
            "localstack",
            command,
            port,
            environment,
            version="4.14.0",
            health="/_localstack/health",
        ) as peer:
            yield peer


def _keep_installed(filesystem_root: Path) -> None:
    """What LocalStack installs by itself (kinesis-mock) is kept for the next run."""
    kept = cache_folder() / "localstack-lib"
    kept.mkdir(parents=True, exist_ok=True)
    library = filesystem_root / "var" / "lib" / "localstack" / "lib"
    library.parent.mkdir(parents=True, exist_ok=True)
    library.symlink_to(kept)


PEERS: dict[str, Callable[[], contextlib.AbstractContextManager[RunningPeer]]] = {
    "riacho": riacho,
    "localstack": localstack,
    "ministack": ministack,
    "moto": moto,
    "kinesalite": kinesalite,
}


def _venv(name: str, *packages: str) -> Path:
    """The Python of an environment that has the packages."""
    folder = cache_folder() / name
    python = folder / "bin" / "python"
    with one_at_a_time(folder):
        if not (folder / "installed").exists():
            _run(name, [sys.executable, "-m", "venv", "--clear", str(folder)])
            _run(name, [str(python), "-m", "pip", "install", "--quiet", *packages])
            (folder / "installed").touch()
    return python


def _installed(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.check_output([str(python), "-c", code], text=True).strip()


def _npm(name: str, package: str) -> Path:
    folder = cache_folder() / name
    npm = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), package]
    with one_at_a_time(folder):
        if not (folder / "node_modules" / package).exists():
            if shutil.which("npm") is None:
                raise PeerUnavailable(f"{name} needs npm, which is not on this machine's PATH.")
            folder.mkdir(parents=True, exist_ok=True)
            _run(name, npm)
    return folder


def _run(name: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise PeerUnavailable(f"{name} could not be installed: {last[0]}")


@contextlib.contextmanager
def _process(
    name: str,
    command: Sequence[str],
    port: int,
    environment: dict[str, str] | None = None,
    *,
    version: str,
    health: str = "/",
) -> Iterator[RunningPeer]:
    with guarded(command, environment) as (guard, pid):
        endpoint_url = f"http://127.0.0.1:{port}"
        _wait_for(name, guard, endpoint_url + health)
        yield RunningPeer(name, version, endpoint_url, pid)


@contextlib.contextmanager
def guarded(
    command: Sequence[str], environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A program that never outlives this process, its guard and its pid."""
    guard = subprocess.Popen(
        [sys.executable, str(GUARD), *command],
        env=dict(os.environ) | (environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert guard.stdin is not None
    assert guard.stdout is not None
    with guard.stdout:
        try:
            yield guard, int(guard.stdout.readline() or guard.pid)
        finally:
            guard.stdin.close()
            guard.wait()


def _wait_for(name: str, process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PeerUnavailable(f"{name} ended with code {process.returncode} while starting.")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError as answered:
            answered.close()
            return
        except OSError:
            time.sleep(0.1)
    raise PeerUnavailable(f"{name} did not answer within {START_SECONDS:.0f} seconds.")
