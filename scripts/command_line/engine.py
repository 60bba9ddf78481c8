"""Start, stop and look at the engine of a data folder."""

from __future__ import annotations

import json
import shlex
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.table import Table

from scripts.command_line.failures import ExitCode
from scripts.command_line.search import install_shown
from scripts.command_line.target import data_folder, data_option, running_engine
from services.connect import LOCAL_CREDENTIALS
from services.localstack import engine as engines
from services.localstack.data_folder import Identity, find
from services.localstack.errors import DataFolderRefused, EngineFailed
from services.localstack.look import Look, look
from services.localstack.state.archive import has_state
from services.opensearch.errors import SearchFailed
from services.settings import from_environment


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free port (RIACHO_PORT).")
@data_option
@click.option("--foreground", is_flag=True, help="Stay, and stop the engine with Ctrl-C.")
@click.option(
    "--with",
    "parts",
    type=click.Choice(["search"]),
    multiple=True,
    help="search: an OpenSearch of the engine's own, fetched at first use.",
)
@click.option("--ephemeral", is_flag=True, help="Keep nothing: every service in memory.")
def up(
    port: int | None, data: Path | None, foreground: bool, parts: tuple[str, ...], ephemeral: bool
) -> None:
    """Start the engine; returns when it answers."""
    memory = "memory" if ephemeral else None
    search = "on" if "search" in parts else None
    settings = from_environment(
        port=port, data_dir=data, search=search, stream_storage=memory, object_storage=memory
    )
    if ephemeral and has_state(settings.data_dir):
        raise DataFolderRefused(
            f"{settings.data_dir} holds a state, which --ephemeral neither shows nor keeps: "
            "choose another folder (--data)."
        )
    console = Console(stderr=True)
    if settings.search == "on":
        install_shown(settings)
    began = time.monotonic()
    with console.status("Starting the engine …"):
        engine = engines.start(settings, detached=not foreground)
    took = time.monotonic() - began
    click.echo(f"The engine answers at {engine.endpoint_url} (after {took:.1f} s).")
    if settings.search == "on":
        _wait_for_search(engine, console)
    if foreground:
        _stay(engine)
        return
    folder = shlex.quote(str(engine.settings.data_dir))
    click.echo(f'Use it:   eval "$(riacho env --data {folder})"')
    click.echo(f"Stop it:  riacho down --data {folder}")


def _wait_for_search(engine: engines.Engine, console: Console) -> None:
    """OpenSearch takes ten seconds and more. Raises SearchFailed, after stopping the engine."""
    began = time.monotonic()
    with console.status("Starting OpenSearch …"):
        while (told := engine.admin("search"))["state"] == "starting":
            time.sleep(0.2)
    if told["state"] != "running":
        engine.stop()
        raise SearchFailed(f"OpenSearch did not start: {told['reason']}")
    took = time.monotonic() - began
    click.echo(f"OpenSearch answers at {told['endpoint_url']} (after {took:.1f} s more).")


def _stay(engine: engines.Engine) -> None:
    """Until Ctrl-C, SIGTERM or the engine's own end."""
    signal.signal(signal.SIGTERM, _interrupt)
    with engine:
        code = engine.process.wait()
    raise EngineFailed(
        f"The engine ended with code {code}: see {engine.settings.data_dir / 'engine.log'}"
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.command()
@data_option
def down(data: Path | None) -> None:
    """Stop the engine of a data folder; its data stays."""
    folder = data_folder(data)
    if not engines.stop_at(folder):
        click.echo(f"No engine works on {folder}.")
        return
    click.echo(f"Stopped the engine of {folder}.")


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def status(ctx: click.Context, data: Path | None, as_json: bool) -> None:
    """What runs, where, since when, and how much it takes."""
    folder = data_folder(data)
    identity = find(folder)
    if identity is None:
        click.echo(
            json.dumps({"running": False, "data_dir": str(folder)})
            if as_json
            else f"No engine works on {folder}."
        )
        ctx.exit(ExitCode.NOT_RUNNING)
    seen = look(identity, folder)
    if as_json:
        click.echo(json.dumps(seen.as_dict()))
    else:
        _print(identity, seen)


def _print(identity: Identity, seen: Look) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("engine", f"{identity.endpoint_url} ({'answers' if seen.answers else 'silent'})")
    table.add_row("process", f"{identity.pid}, for {_duration(seen.running_seconds)}")
    table.add_row(
        "memory", ", ".join(f"{p.name} {p.rss_bytes / 1e6:.0f} MB" for p in seen.processes)
    )
    table.add_row("data", f"{seen.data_bytes / 1e6:.1f} MB in {seen.data_dir}")
    if seen.state_bytes:
        age = _duration(max(0.0, time.time() - seen.state_changed_at))
        table.add_row("state", f"{seen.state_bytes / 1e6:.1f} MB, changed {age} ago")
    if seen.ahead_seconds:
        table.add_row("clock", f"{_duration(seen.ahead_seconds)} ahead")
    if seen.search["state"] != "off":
        found = seen.search
        state = " ".join(x for x in (found["state"], found["status"], found["reason"]) if x)
        table.add_row("search", f"{found['endpoint_url']} (OpenSearch {found['version']}, {state})")
    table.add_row("services", ", ".join(seen.services) or "none used yet")
    Console().print(table)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


@click.command()
@data_option
def env(data: Path | None) -> None:
    """Shell lines that point any AWS tool at the engine: eval "$(riacho env)"."""
    for line in env_lines(running_engine(data).endpoint_url, from_environment().region):
        click.echo(line)


def env_lines(endpoint_url: str, region: str) -> list[str]:
    """For a POSIX shell. A profile or a token of a real account would win over the keys: away."""
    variables: Mapping[str, str] = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": LOCAL_CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": LOCAL_CREDENTIALS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
    }
    return [
        "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
    ]
