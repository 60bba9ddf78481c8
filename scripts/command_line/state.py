"""Keep, hand on, take over and forget what an engine knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from scripts.command_line.target import data_folder, data_option
from services.localstack.data_folder import find, is_running, take_data_folder
from services.localstack.errors import DataFolderInUse, DataFolderRefused
from services.localstack.state import archive
from services.localstack.state.frozen import engine_versions, frozen


@click.group()
def state() -> None:
    """Save an engine's state to a file, load it, or forget it."""


@state.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@data_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def save(file: Path, data: Path | None, force: bool) -> None:
    """Write everything the engine knows to FILE.

    A running engine stands still meanwhile (calls wait); one that is down is saved as it is.
    """
    folder = data_folder(data)
    if file.exists() and not force:
        raise DataFolderRefused(f"{file} exists: choose another name or overwrite it (--force).")
    if not archive.has_state(folder):
        raise DataFolderRefused(f"{folder} holds no state: nothing to save.")
    try:
        with _still(folder):
            saved = archive.save(folder, file, engine_versions())
    except OSError as error:
        raise DataFolderRefused(f"{file} cannot be written ({error.strerror or error}).") from None
    click.echo(f"Saved {saved.files:,} files ({saved.bytes / 1e6:,.1f} MB) of {folder} to {file}.")


@contextmanager
def _still(folder: Path) -> Iterator[None]:
    identity = find(folder)
    if identity is not None:
        with frozen(identity.pid):
            yield
        return
    with _taken(folder):
        yield


@contextmanager
def _taken(folder: Path) -> Iterator[None]:
    """No engine works on the folder, and none starts meanwhile."""
    if is_running(folder):
        raise DataFolderInUse(
            f"An engine works on {folder}: stop it first (riacho down --data {folder})."
        )
    lock = take_data_folder(folder)
    try:
        yield
    finally:
        os.close(lock)


@state.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@data_option
@click.option("--replace", is_flag=True, help="Forget what the folder holds.")
def load(file: Path, data: Path | None, replace: bool) -> None:
    """Take over what FILE holds; the engine must be down.

    Load what you trust: functions in it run when they are invoked, as any program.
    """
    folder = data_folder(data)
    with _taken(folder):
        if archive.has_state(folder) and not replace:
            raise DataFolderRefused(
                f"{folder} holds a state: choose another folder (--data) or forget it (--replace)."
            )
        loaded = archive.load(file, folder, engine_versions(), replace=replace)
    click.echo(f"Loaded {loaded.files:,} files ({loaded.bytes / 1e6:,.1f} MB) into {folder}.")


@state.command()
@data_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(data: Path | None, yes: bool) -> None:
    """Forget everything; the engine must be down."""
    folder = data_folder(data)
    if not folder.exists():
        click.echo(f"{folder} does not exist.")
        return
    with _taken(folder):
        if not yes:
            click.confirm(f"Forget everything in {folder}?", abort=True)
        click.echo(f"Removed {archive.reset(folder):,} files of {folder}.")
