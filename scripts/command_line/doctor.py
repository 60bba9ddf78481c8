"""What this machine lacks, and how to mend it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from scripts.command_line import doctor_compose
from scripts.command_line.failures import ExitCode
from scripts.command_line.finding import GOOD, LACKING, WARNING, Finding, printed
from scripts.command_line.target import data_folder, data_option
from services.localstack.data_folder import find
from services.localstack.environment import ENGINE_PYTHON, JARS, JAVA, ROOT
from services.localstack.ports import why_taken
from services.opensearch.distribution import VERSION, home_of, is_installed
from services.settings import Settings, from_environment

INSTALL = "run ./scripts/install"


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def doctor(ctx: click.Context, data: Path | None, as_json: bool) -> None:
    """Look at memory, disk, port, Python, Java and Docker; exit code 8 when something lacks."""
    settings = from_environment(data_dir=data_folder(data))
    findings = [check(settings) for check in CHECKS] + doctor_compose.findings()
    if as_json:
        click.echo(json.dumps([asdict(f) for f in findings]))
    else:
        _print(findings)
    if any(f.verdict == LACKING for f in findings):
        ctx.exit(ExitCode.LACKING)


def _print(findings: list[Finding]) -> None:
    marks = {GOOD: "[green]✓[/green]", WARNING: "[yellow]![/yellow]", LACKING: "[red]✗[/red]"}
    table = Table("", "", "found", "what to do", box=None)
    for f in findings:
        table.add_row(marks[f.verdict], f.name, f.found, f.mend)
    Console().print(table)


# Decisions: pure, so that each can be tested with any machine's figures


def judge_memory(available: int | None) -> Finding:
    """`available` bytes of memory; None when this system does not tell."""
    if available is None:
        return Finding("memory", WARNING, "not known", "The demo needs 1.5 GB.")
    found = f"{available / 1e9:.1f} GB available"
    if available < 0.7e9:
        return Finding("memory", LACKING, found, "Close programs: the engine needs 0.7 GB.")
    if available < 1.5e9:
        return Finding("memory", WARNING, found, "Enough for the engine; the demo needs 1.5 GB.")
    return Finding("memory", GOOD, found)


def judge_disk(free: int, folder: Path) -> Finding:
    """`free` bytes where the data folder is, or will be."""
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < 0.5e9:
        return Finding("disk", LACKING, found, "Make room, or choose another folder (--data).")
    if free < 3e9:
        return Finding("disk", WARNING, found, "Enough for labs; large replays need 3 GB.")
    return Finding("disk", GOOD, found)


def judge_port(port: int, is_free: bool, is_ours: bool) -> Finding:
    """The port the engine will listen on."""
    if port == 0:
        return Finding("port", GOOD, "any free one")
    if is_ours:
        return Finding("port", GOOD, f"{port} is this folder's engine")
    if is_free:
        return Finding("port", GOOD, f"{port} is free")
    return Finding(
        "port", LACKING, f"{port} is taken", "Stop what listens there, or riacho up --port 0."
    )


def judge_search(is_there: bool, wanted: bool, home: Path) -> Finding:
    """OpenSearch's release. `wanted`: the settings ask for it."""
    if is_there:
        return Finding("OpenSearch", GOOD, f"{VERSION} in {home}")
    verdict = LACKING if wanted else GOOD
    mend = "Run riacho search install." if wanted else ""
    return Finding("OpenSearch", verdict, "not fetched; riacho up --with search does it", mend)


# Looking


def memory(settings: Settings) -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return judge_memory(_memory_of_macos())
    fields = dict(line.split(":", 1) for line in lines)
    return judge_memory(int(fields["MemAvailable"].split()[0]) * 1024)


def _memory_of_macos() -> int | None:
    total = printed("sysctl", "-n", "hw.memsize")
    return int(total) // 2 if total and total.isdigit() else None


def disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    return judge_disk(shutil.disk_usage(folder).free, settings.data_dir)


def port(settings: Settings) -> Finding:
    identity = find(settings.data_dir)
    ours = identity is not None and identity.port == settings.port
    is_free = not why_taken(settings.port, settings.host)
    return judge_port(settings.port, is_free, ours)


def pipeline_python(settings: Settings) -> Finding:
    return _python("Python of the pipeline", ROOT / ".venv" / "bin" / "python")


def engine_python(settings: Settings) -> Finding:
    return _python("Python of the engine", ENGINE_PYTHON)


def _python(name: str, python: Path) -> Finding:
    version = printed(str(python), "--version")
    if version is None or not version.startswith("Python 3.13"):
        return Finding(name, LACKING, version or "none", INSTALL)
    return Finding(name, GOOD, version)


def java(settings: Settings) -> Finding:
    version = printed(str(JAVA), "--version")
    if version is None:
        return Finding("Java", LACKING, "the bundled one does not run", INSTALL)
    return Finding("Java", GOOD, f"{version.splitlines()[0]} (bundled)")


def dynamodb(settings: Settings) -> Finding:
    jars = list((JARS / "dynamodb").glob("DynamoDBLocal-*.jar"))
    if settings.dynamodb == "light":
        return Finding("DynamoDB", WARNING, "light mode", "It forgets at the end (setting).")
    if not jars:
        return Finding("DynamoDB", LACKING, "jars missing", INSTALL)
    return Finding("DynamoDB", GOOD, jars[0].stem)


def search(settings: Settings) -> Finding:
    home = home_of(settings)
    return judge_search(is_installed(home), wanted=settings.search == "on", home=home)


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    memory,
    disk,
    port,
    pipeline_python,
    engine_python,
    java,
    dynamodb,
    search,
)
