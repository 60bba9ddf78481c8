"""Jars from their published coordinates, checked against a lock; needs Python alone (jgo).

Runs in the engine's environment: `.engine/venv/bin/python -m scripts.jars fetch dynamodb`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements" / "jars"
JARS = ROOT / ".engine" / "jars"

#: Where systems keep the certificates they trust.
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

#: What each lock is resolved from.
ROOTS = {"dynamodb": "com.amazonaws:DynamoDBLocal:2.6.1"}


class JarRefused(RuntimeError):
    """A file that was fetched is not the one in the lock."""


class Jar(NamedTuple):
    """One published file."""

    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    sha256: str

    @property
    def file_name(self) -> str:
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.{self.packaging}"

    def line(self) -> str:
        """As it stands in a lock."""
        return f"{':'.join(self[:5])} sha256:{self.sha256}"


def read_lock(name: str) -> list[Jar]:
    """The jars of `requirements/jars/<name>.txt`."""
    lines = (LOCKS / f"{name}.txt").read_text().splitlines()
    rows = [line.split(" sha256:") for line in lines if line and not line.startswith("#")]
    return [Jar._make([*coordinates.split(":"), sha256]) for coordinates, sha256 in rows]


def fetch(name: str, told: Callable[[int, int], None] = lambda done, of: None) -> Path:
    """The folder `.engine/jars/<name>` holding exactly the locked files; fetches what is missing.

    A file appears there only complete and checked, so an aborted run is simply run again.
    """
    folder, jars = JARS / name, read_lock(name)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not (folder / jar.file_name).exists()]
    for stranger in {f.name for f in folder.iterdir()} - {jar.file_name for jar in jars}:
        (folder / stranger).unlink()
    for left_by_an_abort in JARS.glob("fetching-*"):
        shutil.rmtree(left_by_an_abort)
    if missing:
        with (
            tempfile.TemporaryDirectory(prefix="fetching-", dir=JARS) as cache,
            ThreadPoolExecutor(8) as pool,
        ):
            fetched = pool.map(lambda jar: _fetch_one(jar, Path(cache), folder), missing)
            for done, _ in enumerate(fetched, start=1):
                told(done, len(missing))
    return folder


def _fetch_one(jar: Jar, cache: Path, folder: Path) -> None:
    from jgo.maven import MavenContext, PythonResolver

    # A cache per file: jgo's is not made for several threads.
    context = MavenContext(
        repo_cache=Path(tempfile.mkdtemp(dir=cache)), resolver=PythonResolver(), timeout=60
    )
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    file = Path(component.artifact(jar.classifier, jar.packaging).resolve())
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise JarRefused(f"{jar.file_name} has sha256 {found}; the lock says {jar.sha256}.")
    file.rename(folder / jar.file_name)


def resolve(coordinates: str) -> Iterator[Jar]:
    """Every file that the coordinates need at run time, for writing a lock."""
    from jgo.maven import MavenContext, PythonResolver

    cache = Path(tempfile.mkdtemp())
    context = MavenContext(repo_cache=cache, resolver=PythonResolver(), timeout=60)
    inputs, transitive = context.resolver.resolve([context.create_dependency(coordinates)])
    for found in [*inputs, *transitive]:
        if found.scope not in (None, "compile", "runtime") or found.optional:
            continue
        artifact = found.artifact
        sha256 = hashlib.sha256(Path(artifact.resolve()).read_bytes()).hexdigest()
        yield Jar(
            found.groupId, found.artifactId, found.version, found.type, found.classifier, sha256
        )
    shutil.rmtree(cache)


def lock(name: str) -> None:
    """Write `requirements/jars/<name>.txt` anew."""
    lines = sorted(jar.line() for jar in resolve(ROOTS[name]))
    head = f"# {ROOTS[name]} and what it needs; written by scripts/lock.\n"
    LOCKS.mkdir(parents=True, exist_ok=True)
    (LOCKS / f"{name}.txt").write_text(head + "".join(f"{line}\n" for line in lines))


def trust_system_certificates() -> None:
    """As pip and uv do here: a company's proxy signs with a certificate of its own."""
    paths = (ssl.get_default_verify_paths().cafile, *CERTIFICATES)
    found = next((path for path in paths if path and Path(path).exists()), None)
    if found:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", found)


def main() -> None:
    trust_system_certificates()
    action, *names = sys.argv[1:]
    if action == "names":
        print(*ROOTS)
        return
    if action == "lock":
        for name in names:
            lock(name)
        return
    wide = sys.stderr.isatty()

    def told(done: int, of: int) -> None:
        if wide:
            print(f"\r  jars {done}/{of}", end="" if done < of else "\n", file=sys.stderr)

    for name in names:
        fetch(name, told)


if __name__ == "__main__":
    main()
