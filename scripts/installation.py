"""Make the pipeline's and the engine's environments; runs on any Python 3.9+ that is there."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIPELINE, ENGINE = ROOT / ".venv", ROOT / ".engine" / "venv"
WANTED = "3.13"


def candidates() -> list[str]:
    """Where a Python 3.13 may be: this one, the PATH's, pyenv's, uv's."""
    on_path = [p for d in os.get_exec_path() for p in glob.glob(os.path.join(d, f"python{WANTED}"))]
    shims = [Path(d).parent for d in os.get_exec_path() if Path(d).name == "shims"]
    pyenv_roots = {os.environ.get("PYENV_ROOT", ""), str(Path.home() / ".pyenv"), *map(str, shims)}
    pyenv = [
        p
        for root in sorted(pyenv_roots)
        if root
        for p in sorted(glob.glob(f"{root}/versions/{WANTED}*/bin/python"), reverse=True)
    ]
    return [sys.executable, *on_path, *pyenv]


def runs(python: str) -> bool:
    """A pyenv shim may be there and not run: only starting it tells."""
    probe = [python, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(probe, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == WANTED


def find_python() -> str:
    """The first Python 3.13 that runs; else one that `uv` finds or fetches; else a sentence."""
    found = next((p for p in candidates() if runs(p)), None)
    if found is None and (uv := shutil.which("uv")):
        subprocess.run([uv, "python", "install", "--quiet", WANTED], check=False)
        answer = subprocess.run([uv, "python", "find", WANTED], capture_output=True, text=True)
        found = answer.stdout.strip() if runs(answer.stdout.strip()) else None
    if found is None:
        raise SystemExit(
            f"Riacho needs Python {WANTED} and found none that runs: "
            f"install it (uv python install {WANTED}, or your system's python{WANTED})."
        )
    return found


def stamp(*locks: str) -> str:
    """Changes whenever a lock or the project's own metadata changes."""
    files = [ROOT / "pyproject.toml", Path(__file__), *(ROOT / "requirements" / x for x in locks)]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def make(venv: Path, locks: tuple[str, ...], python: str, *options: str) -> None:
    """One environment from its locks, with this clone in it; nothing to do when unchanged."""
    marker, wanted = venv / "riacho.stamp", stamp(*locks)
    if marker.exists() and marker.read_text() == wanted:
        return
    print(f"Installing {venv.relative_to(ROOT)} from {', '.join(locks)} …", flush=True)
    if not (venv / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "-r", str(ROOT / "requirements" / "uv.txt"), "--require-hashes"], check=True
    )
    uv = [str(venv / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(venv)]
    arguments = [a for lock in locks for a in ("-r", str(ROOT / "requirements" / lock))]
    subprocess.run([*uv, "--require-hashes", *options, *arguments], check=True)
    subprocess.run([*uv, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    marker.write_text(wanted)


def main() -> None:
    python = find_python()
    make(PIPELINE, ("pipeline.txt", "dev.txt"), python)
    make(ENGINE, ("engine.txt",), python, "--no-deps")


if __name__ == "__main__":
    main()
