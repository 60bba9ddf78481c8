"""An engine's data folder: one engine at a time, private, with room left, and who works on it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from services.localstack.environment import identity_file, link_catalog, lock_file, log_file
from services.localstack.errors import DataFolderInUse, DataFolderRefused

NEEDED_BYTES = 200_000_000
#: Raised when what lies in a data folder cannot be read by the next release (or the last).
FORMAT = "1"
MAX_LOG_BYTES = 10_000_000
LOCK_ATTEMPTS = 4


def take_data_folder(data_dir: Path) -> int:
    """Everything the engine needs in its folder, and a lock that it inherits: the lock ends with
    the engine, however that dies."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (free := shutil.disk_usage(data_dir).free) < NEEDED_BYTES:
            raise DataFolderRefused(
                f"The disk of {data_dir} has {free / 1e6:.0f} MB left; the engine needs "
                f"{NEEDED_BYTES / 1e6:.0f} MB: make room or choose another folder (--data)."
            )
        _refuse_other_format(data_dir)
        for name in ("home", "cache", "tmp", "localstack"):
            (data_dir / name).mkdir(exist_ok=True)
        lock = _lock(data_dir)
        _empty(data_dir / "tmp")
        link_catalog(data_dir / "localstack")
        if size_of(log := log_file(data_dir)) > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return lock
    except OSError as error:
        raise DataFolderRefused(
            f"The data folder {data_dir} cannot be used ({error.strerror}): choose one that can "
            "be written (--data)."
        ) from None


def _refuse_other_format(data_dir: Path) -> None:
    file = data_dir / "format"
    found = file.read_text().strip() if file.exists() else FORMAT
    if found != FORMAT:
        raise DataFolderRefused(
            f"The data in {data_dir} has format {found}, and this version of Riacho reads format "
            f"{FORMAT}: use the version that wrote it, or begin anew (another folder with --data; "
            "under Compose: docker compose down --volumes)."
        )
    file.write_text(f"{FORMAT}\n")


def _empty(folder: Path) -> None:
    """What an engine that was killed left in its temporary folder."""
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _lock(data_dir: Path) -> int:
    lock = os.open(lock_file(data_dir), os.O_RDWR | os.O_CREAT, 0o600)
    # Who only asks (`is_running`) holds the lock for a moment: look more than once.
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            time.sleep(0.05)
    os.close(lock)
    raise DataFolderInUse(
        f"Another engine works on {data_dir}: use it, stop it "
        f"(riacho down --data {data_dir}), or choose another folder (--data)."
    )


def is_running(data_dir: Path) -> bool:
    """Whether an engine holds the folder's lock."""
    try:
        lock = os.open(lock_file(data_dir), os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


@dataclass(frozen=True)
class Identity:
    """Which engine works on a data folder. `since` is epoch seconds."""

    pid: int
    host: str
    port: int
    since: float

    @property
    def endpoint_url(self) -> str:
        return endpoint_url(self.host, self.port)


def find(data_dir: Path) -> Identity | None:
    """The engine that works on a data folder; None when there is none (or it still starts)."""
    if not is_running(data_dir):
        return None
    try:
        return Identity(**json.loads(identity_file(data_dir).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def endpoint_url(host: str, port: int) -> str:
    """Where to reach an engine that binds `host`."""
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"


def size_of(file: Path) -> int:
    """Bytes; 0 for a file that is not there."""
    return file.stat().st_size if file.exists() else 0
