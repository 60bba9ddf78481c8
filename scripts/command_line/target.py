"""Which engine a command means: `--endpoint-url`, `AWS_ENDPOINT_URL`, or the data folder's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scripts.command_line.failures import NotRunning
from services.localstack.data_folder import Identity, find
from services.localstack.engine import admin
from services.settings import from_environment


def data_option[F: Callable[..., Any]](command: F) -> F:
    """`--data DIR`, by default the setting's."""
    option = click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="The engine's data folder (RIACHO_DATA_DIR).",
    )
    return option(command)


def data_folder(data: Path | None) -> Path:
    """The folder that `--data` names, or the setting's, absolute."""
    return from_environment(data_dir=data).data_dir.absolute()


def running_engine(data: Path | None) -> Identity:
    """The engine of the data folder. Raises NotRunning."""
    folder = data_folder(data)
    identity = find(folder)
    if identity is None:
        raise NotRunning(f"No engine works on {folder}: start one with riacho up --data {folder}.")
    return identity


def engine_url(endpoint_url: str | None, data: Path | None) -> str:
    """The address of the engine that is meant. Raises NotRunning."""
    return (endpoint_url or running_engine(data).endpoint_url).rstrip("/")


def ask_engine(url: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """A call below `/_riacho/` of an engine. Raises NotRunning when none of ours answers there."""
    try:
        return admin(url, path, content)
    except OSError as failure:
        raise NotRunning(
            f"No engine of Riacho's answers at {url} ({failure}): start one with riacho up."
        ) from None
