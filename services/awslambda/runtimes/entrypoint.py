"""The `bootstrap` of a provided runtime: where it is, and what AWS says of one that cannot run."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from services.awslambda.launcher import LaunchFailed

#: `e_machine` of an ELF header, by Lambda's words for architectures.
_ELF_MACHINES = {62: "x86_64", 183: "arm64"}
_MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}


class InvalidEntrypoint(LaunchFailed):
    """AWS's `Runtime.InvalidEntrypoint`, in AWS's words."""


def bootstrap(code: Path, layers: Path, architecture: str) -> Path:
    """The executable of the package, or else of the layers. Raises InvalidEntrypoint.

    One that is built for another architecture than the function's is refused as on AWS, even
    where this machine could run it.
    """
    for folder in (code, layers):
        path = folder / "bootstrap"
        if path.is_file():
            _require_executable(path, code, architecture)
            return path
    raise InvalidEntrypoint(
        "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    )


def _require_executable(path: Path, code: Path, architecture: str) -> None:
    if not os.access(path, os.X_OK):
        raise InvalidEntrypoint(_told(path, code, "permission denied"))
    built_for = architecture_of(path)
    if built_for and built_for != architecture:
        raise InvalidEntrypoint(_told(path, code, "exec format error"))


def not_started(path: Path, code: Path, reason: str) -> InvalidEntrypoint:
    """`reason` is the system's; a program that is right for its function but not for this
    machine is told apart."""
    built_for, here = architecture_of(path), machine()
    hint = ""
    if built_for and built_for != here:
        hint = f" (it is built for {built_for}, and this machine is {here})"
    return InvalidEntrypoint(_told(path, code, reason.lower()) + hint)


def _told(path: Path, code: Path, reason: str) -> str:
    """With the name that the file has on AWS."""
    place = "/var/task" if path.parent == code else "/opt"
    return f"fork/exec {place}/{path.name}: {reason}"


def architecture_of(path: Path) -> str:
    """What an ELF executable is built for, in Lambda's words; empty for a script."""
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    order = "little" if head[5] == 1 else "big"
    number = int.from_bytes(head[18:20], order)  # type: ignore[arg-type]
    return _ELF_MACHINES.get(number, f"machine {number}")


def machine() -> str:
    """This machine's architecture, in Lambda's words."""
    name = platform.machine().lower()
    return _MACHINES.get(name, name)
