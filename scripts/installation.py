"""Make the pipeline's and the engine's environments; runs on any Python 3.9+ that is there."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIPELINE, ENGINE_FOLDER = ROOT / ".venv", ROOT / ".engine"
ENGINE, JARS, CATALOG = (ENGINE_FOLDER / name for name in ("venv", "jars", "catalog"))
REQUIREMENTS = ROOT / "requirements"
WANTED = "3.13"
NEEDED_BYTES = 2_000_000_000

NO_PYTHON, NO_SPACE, STEP_FAILED, INTERRUPTED = 3, 4, 5, 130

#: The system's certificates, as pip does: a company's proxy signs with its own.
os.environ.setdefault("UV_SYSTEM_CERTS", "1")


class InstallationFailed(Exception):
    """One sentence for the user, and the exit code."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


# Finding Python 3.13


def candidates() -> list[str]:
    """Where a Python 3.13 may be: this one, the PATH's, pyenv's, uv's own."""
    home = os.path.expanduser("~")
    on_path = [p for d in os.get_exec_path() for p in glob.glob(os.path.join(d, f"python{WANTED}"))]
    shims = [str(Path(d).parent) for d in os.get_exec_path() if Path(d).name == "shims"]
    pyenv_roots = [os.environ.get("PYENV_ROOT", ""), f"{home}/.pyenv", *shims]
    uv_root = os.environ.get("UV_PYTHON_INSTALL_DIR", f"{home}/.local/share/uv/python")
    patterns = [f"{root}/versions/{WANTED}*/bin/python" for root in pyenv_roots if root]
    patterns.append(f"{uv_root}/cpython-{WANTED}*/bin/python{WANTED}")
    found = [p for pattern in patterns for p in sorted(glob.glob(pattern), reverse=True)]
    return list(dict.fromkeys([sys.executable, *on_path, *found]))


def runs(python: str) -> bool:
    """Only starting it tells whether it runs, is the wanted version, and can make environments."""
    probe = [python, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(probe, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == WANTED


def find_python(
    candidates: list[str], fetch: Callable[[], str | None] = lambda: _python_of_uv()
) -> str:
    """The first candidate that runs; else what `fetch` brings; else a sentence."""
    found = next((p for p in candidates if runs(p)), None) or fetch()
    if found is None:
        raise InstallationFailed(
            f"Riacho needs Python {WANTED} and found none that runs: "
            f"install it (uv python install {WANTED}, or your system's python{WANTED}).",
            NO_PYTHON,
        )
    return found


def _python_of_uv() -> str | None:
    """What an installed `uv` fetches, or a `uv` fetched for the purpose."""
    uv = shutil.which("uv") or _fetched_uv()
    if uv is None:
        return None
    subprocess.run([uv, "python", "install", "--quiet", WANTED], capture_output=True)
    answer = subprocess.run([uv, "python", "find", WANTED], capture_output=True, text=True)
    python = answer.stdout.strip()
    return python if python and runs(python) else None


def _fetched_uv() -> str | None:
    folder = ENGINE_FOLDER / "bootstrap"
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", "-r", str(REQUIREMENTS / "uv.txt")],
    )
    for step in steps:
        try:
            if subprocess.run(step, capture_output=True).returncode != 0:
                return None
        except OSError:
            return None
    return str(folder / "bin" / "uv")


# Steps: each has a stamp that is written last, so that an aborted one is done again


def stamp_of(*files: Path) -> str:
    """Changes whenever one of the files does."""
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def is_done(folder: Path, name: str, wanted: str) -> bool:
    marker = folder / f"riacho.{name}"
    return marker.exists() and marker.read_text() == wanted


class Step:
    """One thing to make in a folder, done again when `files` change."""

    def __init__(
        self, folder: Path, name: str, files: list[Path], make: Callable[[], None]
    ) -> None:
        self.folder, self.name, self.make = folder, name, make
        self.wanted = stamp_of(Path(__file__), *files)

    def is_done(self) -> bool:
        return is_done(self.folder, self.name, self.wanted)

    def run(self) -> None:
        if self.is_done():
            return
        marker = self.folder / f"riacho.{self.name}"
        marker.unlink(missing_ok=True)
        title = f"{self.folder.relative_to(ROOT)}: {self.name}"
        with Progress(title):
            self.make()
            marker.write_text(self.wanted)


class Progress:
    """Says that something began, every ten seconds that it goes on, and how long it took."""

    def __init__(self, title: str) -> None:
        self._title, self._started, self._over = title, time.monotonic(), threading.Event()

    def __enter__(self) -> Progress:
        self._say("…")
        threading.Thread(target=self._go_on, daemon=True).start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self._over.set()
        self._say("failed" if error else f"done in {time.monotonic() - self._started:.0f} s")

    def _go_on(self) -> None:
        while not self._over.wait(10):
            self._say(f"… {time.monotonic() - self._started:.0f} s")

    def _say(self, words: str) -> None:
        print(f"  {self._title} {words}", file=sys.stderr, flush=True)


def call(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command quietly; its last words become the sentence when it fails."""
    answer = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **(environment or {})}, cwd=ROOT
    )
    if answer.returncode != 0:
        words = [w for w in (answer.stderr or answer.stdout).splitlines() if w.strip()]
        reason = " ".join(w.strip() for w in words[-3:])[-500:]
        raise InstallationFailed(
            f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {reason} "
            "Mend that and run ./scripts/install again; what was done is kept.",
            STEP_FAILED,
        )


@cache
def the_python() -> str:
    """The Python 3.13 of this machine."""
    return find_python(candidates())


def make_packages(venv: Path, locks: list[str], *options: str) -> None:
    """The packages of some locks in an environment; a broken environment is made anew."""
    python = venv / "bin" / "python"
    if not (venv / "riacho.whole").exists() or not runs(str(python)):
        shutil.rmtree(venv, ignore_errors=True)
        call([the_python(), "-m", "venv", str(venv)])
    # Without this file an environment was left in the middle of something.
    (venv / "riacho.whole").unlink(missing_ok=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call([*pip, "--require-hashes", "-r", str(REQUIREMENTS / "uv.txt")])
    requirements = [a for lock in locks for a in ("-r", str(REQUIREMENTS / lock))]
    call([*_uv(venv), "--require-hashes", *options, *requirements])
    (venv / "riacho.whole").touch()


def make_project(venv: Path) -> None:
    """This clone itself: its command and the entry points LocalStack looks for."""
    call([*_uv(venv), "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def _uv(venv: Path) -> list[str]:
    return [str(venv / "bin" / "uv"), "pip", "install", "--python", str(venv / "bin" / "python")]


def make_jars() -> None:
    """Java programs, as their locks say."""
    for lock in sorted((REQUIREMENTS / "jars").glob("*.txt")):
        call([str(ENGINE / "bin" / "python"), "-m", "scripts.jars", "fetch", lock.stem])


def make_catalog() -> None:
    """LocalStack's index of AWS services, once: without it every engine takes 350 MB more."""
    shutil.rmtree(CATALOG, ignore_errors=True)
    (CATALOG / "usr" / "lib" / "localstack").mkdir(parents=True)
    environment = {
        "FILESYSTEM_ROOT": str(CATALOG),
        "HOME": str(CATALOG),
        "OVERRIDE_IN_DOCKER": "0",
        "DISABLE_EVENTS": "1",
    }
    call([str(ENGINE / "bin" / "python"), "-m", "localstack.aws.spec"], environment)


def pipeline_steps() -> list[Step]:
    locks = ["pipeline.txt", "dev.txt"]
    return [
        Step(
            PIPELINE,
            "packages",
            [REQUIREMENTS / lock for lock in locks],
            # The locks name everything; without this Ace's files would bring Django along.
            lambda: make_packages(PIPELINE, locks, "--no-deps"),
        ),
        Step(PIPELINE, "project", [ROOT / "pyproject.toml"], lambda: make_project(PIPELINE)),
    ]


def engine_steps() -> list[Step]:
    lock = REQUIREMENTS / "engine.txt"
    jar_files = [*sorted((REQUIREMENTS / "jars").glob("*.txt")), ROOT / "scripts" / "jars.py"]
    JARS.mkdir(parents=True, exist_ok=True)
    CATALOG.mkdir(parents=True, exist_ok=True)
    return [
        Step(ENGINE, "packages", [lock], lambda: make_packages(ENGINE, [lock.name], "--no-deps")),
        Step(ENGINE, "project", [ROOT / "pyproject.toml"], lambda: make_project(ENGINE)),
        Step(JARS, "jars", jar_files, make_jars),
        Step(CATALOG, "catalog", [lock], make_catalog),
    ]


def refuse_full_disk(free: int) -> None:
    """`free` is in bytes."""
    if free < NEEDED_BYTES:
        raise InstallationFailed(
            f"Riacho needs {NEEDED_BYTES / 1e9:.0f} GB of disk below {ROOT} and finds "
            f"{free / 1e9:.1f} GB free: make room and run ./scripts/install again.",
            NO_SPACE,
        )


def install() -> None:
    """Everything that is not there yet; the two environments at the same time."""
    families = [pipeline_steps(), engine_steps()]
    if all(step.is_done() for family in families for step in family):
        return
    refuse_full_disk(shutil.disk_usage(ROOT).free)
    the_python()
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_run_all, family) for family in families]:
            done.result()


def _run_all(steps: list[Step]) -> None:
    for step in steps:
        step.run()


def main() -> int:
    try:
        install()
    except InstallationFailed as failure:
        print(failure, file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"Riacho cannot be installed here: {error}.", file=sys.stderr)
        return NO_SPACE
    except KeyboardInterrupt:
        print("Interrupted; run ./scripts/install again to go on.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
