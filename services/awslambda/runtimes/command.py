"""From a function's runtime to the program that runs it, with the environment AWS gives it."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from services.awslambda.interpreters import RuntimeMissing, node, python
from services.awslambda.launcher import Program
from services.awslambda.limits import MAXIMUM_DESCRIPTORS
from services.awslambda.runtimes.entrypoint import bootstrap

_HERE = Path(__file__).parent
#: What AWS's Python runtimes bring along; nothing else of the engine is visible to functions.
_PYTHON_PACKAGES = (
    *("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"),
    *("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"),
)
#: So that a function that spins leaves the engine its share.
_NICE = 5
_MIB = 2**20
#: How far over its memory a process may reach before the watch has seen it and ends it.
_MEMORY_HEADROOM_MB = 2048


def refuse_runtime(runtime: str) -> None:
    """Raises RuntimeMissing when this machine cannot run functions of `runtime`."""
    _interpreter(runtime)


def _interpreter(runtime: str) -> Path | None:
    if runtime.startswith("python"):
        return python(runtime.removeprefix("python"))
    if runtime.startswith("nodejs"):
        return node()
    if runtime.startswith("provided"):
        return None
    if not runtime:
        raise RuntimeMissing(
            "This engine runs no container images: create the function from a package "
            "(PackageType Zip)."
        )
    raise RuntimeMissing(
        f"The runtime {runtime!r} needs a container image; this engine runs python3.11 to "
        "python3.13, nodejs and provided functions, as processes."
    )


def program(
    *,
    runtime: str,
    code: Path,
    layers: Path,
    runtime_folder: Path,
    scratch: Path,
    runtime_api: str,
    memory_size_in_mb: int,
    ephemeral_storage_in_mb: int,
    variables: Mapping[str, str],
    architecture: str = "x86_64",
) -> Program:
    """What to start for one execution environment.

    `code` is the unpacked package, `layers` the merged layers (AWS's /opt), `scratch` the folder
    for temporary files. `variables` are the function's own and Lambda's; none of the engine's
    environment is added. Raises RuntimeMissing, and InvalidEntrypoint for a `bootstrap` that is
    not there or not built for `architecture`.
    """
    interpreter = _interpreter(runtime)
    folders = {
        "LAMBDA_TASK_ROOT": str(code),
        "LAMBDA_RUNTIME_DIR": str(runtime_folder),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
    }
    return Program(
        command=(
            (str(bootstrap(code, layers, architecture)),)
            if interpreter is None
            else _command(runtime, interpreter, memory_size_in_mb)
        ),
        cwd=code,
        environment=_defaults(runtime, code, layers) | dict(variables) | folders,
        limits={
            "RLIMIT_NOFILE": MAXIMUM_DESCRIPTORS,
            "RLIMIT_CORE": 0,
            "RLIMIT_FSIZE": ephemeral_storage_in_mb * _MIB,
        }
        # Node reserves far more than it ever uses.
        | ({} if runtime.startswith("nodejs") else _memory(memory_size_in_mb)),
        nice=_NICE,
    )


def _memory(memory_size_in_mb: int) -> dict[str, int]:
    return {"RLIMIT_DATA": (memory_size_in_mb + _MEMORY_HEADROOM_MB) * _MIB}


def _command(runtime: str, interpreter: Path, memory_size_in_mb: int) -> tuple[str, ...]:
    if runtime.startswith("nodejs"):
        # As AWS does it: the old generation may fill the memory of the function.
        heap = f"--max-old-space-size={max(64, memory_size_in_mb - 32)}"
        return (str(interpreter), heap, str(_HERE / "node_bootstrap.mjs"))
    return (str(interpreter), "-S", "-s", "-u", str(_HERE / "python_bootstrap.py"))


def _defaults(runtime: str, code: Path, layers: Path) -> dict[str, str]:
    """What AWS sets and a function may override.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    path = os.environ.get("PATH", os.defpath)
    defaults = {
        "PATH": f"{layers}/bin:{path}",
        "LD_LIBRARY_PATH": f"{code}:{code}/lib:{layers}/lib",
        "LANG": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
        "TZ": ":UTC",
    }
    if runtime.startswith("python"):
        version = runtime.removeprefix("python")
        site_packages = f"{layers}/python/lib/python{version}/site-packages"
        defaults["PYTHONPATH"] = f"{layers}/python:{site_packages}"
        defaults["PYTHONDONTWRITEBYTECODE"] = "1"
    if runtime.startswith("nodejs"):
        defaults["NODE_PATH"] = f"{layers}/nodejs/node_modules"
    return defaults


def lay_out_python_runtime(folder: Path) -> Path:
    """The folder AWS calls /var/runtime: links to boto3, awslambdaric and what they need."""
    folder.mkdir(parents=True, exist_ok=True)
    packages = Path(str(importlib.metadata.distribution("awslambdaric").locate_file("")))
    for name in _PYTHON_PACKAGES:
        for found in [*packages.glob(name), *packages.glob(f"{name}.*")]:
            _link(folder / found.name, found)
    # Python prefers the compiled module of this name where its version matches.
    _link(folder / "runtime_client.py", _HERE / "runtime_client.py")
    return folder


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)
    elif link.readlink() != target:
        link.unlink()
        link.symlink_to(target)
