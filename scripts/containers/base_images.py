"""The public images that Riacho's files name; stand-ins from packages where none can be pulled.

A stand-in has the name, paths, user and entry point of the published image, so that the
Dockerfile and the Compose file are tested as they are. Only package registries are needed:
Debian's, Python's, Maven Central.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.containers.tools import ContainersUnavailable, run, succeeds, timed
from scripts.opensearch_release import install
from services.localstack.environment import JAVA, ROOT

DOCKERFILES = Path(__file__).with_name("images")
REQUIREMENTS = ROOT / "requirements"

PYTHON = "python:3.13-slim"
LOCALSTACK = "localstack/localstack:4.14.0"
OPENSEARCH = "opensearchproject/opensearch:3.8.0"

#: Debian's release that the published Python image is made from.
DEBIAN = "trixie"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv,tzdata"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PULL_SECONDS = 300.0


def provide(images: list[str], cache: Path) -> None:
    """Every image: there already, pulled, or made. `cache` keeps what is slow to make.

    Raises ContainersUnavailable.
    """
    for image in images:
        if succeeds(["docker", "image", "inspect", image]):
            continue
        with timed(image):
            if not _pull(image):
                _MAKERS[image](cache)


def _pull(image: str) -> bool:
    return succeeds(["docker", "pull", "--quiet", image], seconds=PULL_SECONDS)


def make_python(cache: Path) -> None:
    """A small Debian with its Python 3.13, imported as an image."""
    run(
        [
            *("docker", "import", "--change", 'CMD ["python3"]', "--change"),
            "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8",
            *(debian_root(cache), PYTHON),
        ]
    )


def debian_root(cache: Path) -> Path:
    """A tar of the root file system, made once; the plug-ins' packages come with it."""
    tar = cache / f"{DEBIAN}.tar"
    if tar.exists():
        return tar
    if shutil.which("mmdebstrap") is None:
        raise ContainersUnavailable(
            "No image can be pulled, and mmdebstrap, which would make one, is not installed."
        )
    with timed(f"{DEBIAN} from packages"), tempfile.TemporaryDirectory(dir=cache) as folder:
        half = Path(folder) / "root.tar"
        run([*_mmdebstrap(cache), DEBIAN, half])
        half.rename(tar)
    return tar


def _mmdebstrap(cache: Path) -> list[str]:
    packages = cache / "packages"
    packages.mkdir(exist_ok=True)
    hooks = [
        'rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED',
        'ln -sf /usr/bin/python3 "$1"/usr/local/bin/python',
        # This machine's own, so that what signs its traffic is trusted inside too.
        f'cp {CERTIFICATES} "$1"{CERTIFICATES}',
        'chroot "$1" sh -c "cd /var/tmp && apt-get download -qq docker-compose docker-buildx"',
        f'mv "$1"/var/tmp/*.deb {packages}',
    ]
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")]
    return [
        *("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}"),
        *('--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io", *left_out),
        *(f"--customize-hook={hook}" for hook in hooks),
    ]


def make_localstack(cache: Path) -> None:
    """LocalStack's own packages in the published image's shape; ours come by our Dockerfile."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        lock = (REQUIREMENTS / "engine.txt").read_text()
        wanted = names_of_localstack((REQUIREMENTS / "engine.in").read_text())
        (context / "localstack.txt").write_text(part_of_lock(lock, wanted))
        shutil.copy(REQUIREMENTS / "uv.txt", context)
        shutil.copy(DOCKERFILES / "docker-entrypoint.sh", context)
        build(LOCALSTACK, DOCKERFILES / "localstack.Dockerfile", context)


def make_opensearch(cache: Path) -> None:
    """The published server with the Java that the engine's environment brings."""
    home = cache / "opensearch"
    install(home)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        context = Path(folder)
        # Links, not copies: both are 100 MB, and Docker reads them once.
        shutil.copytree(home, context / "home", copy_function=os.link)
        shutil.copytree(JAVA.parents[1], context / "jdk", symlinks=True)
        shutil.copy(DOCKERFILES / "opensearch-docker-entrypoint", context)
        shutil.copy(ROOT / "services" / "opensearch" / "server.py", context)
        build(OPENSEARCH, DOCKERFILES / "opensearch.Dockerfile", context)


def build(image: str, dockerfile: Path, context: Path) -> None:
    """One image, from its Dockerfile and what lies in `context`."""
    command: list[str | Path] = ["docker", "build"]
    command += ["--quiet", "--tag", image, "--file", dockerfile, context]
    run(command, seconds=900, environment={"DOCKER_BUILDKIT": "1"})


def names_of_localstack(requirements: str) -> set[str]:
    """The packages that upstream pins: those with a version in `engine.in`."""
    return set(re.findall(r"^([\w.-]+)==", requirements, re.MULTILINE))


def part_of_lock(lock: str, names: set[str]) -> str:
    """The entries of a lock, hashes included, that are about `names`."""
    entries = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)
    return "".join(entry for entry in entries if entry.partition("==")[0] in names)


_MAKERS: dict[str, Callable[[Path], None]] = {
    PYTHON: make_python,
    LOCALSTACK: make_localstack,
    OPENSEARCH: make_opensearch,
}
