"""`riacho demo`: the main job on an engine of its own, painted live, ending in the proof."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from scripts.command_line.connection import Connection
from scripts.command_line.failures import ExitCode
from scripts.command_line.reconcile import show
from scripts.demonstration.picture import Facts, picture, plain_line
from scripts.demonstration.story import DemoFailed, Outcome, Story
from services.localstack import engine as engines
from services.localstack.data_folder import find
from services.localstack.errors import DataFolderInUse
from services.settings import from_environment

ROWS = 50_000


@click.command()
@click.option("--rows", default=ROWS, show_default=True, type=click.IntRange(2_000, 541_909))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(".riacho/demo"),
    show_default=True,
    help="The demo's folder; what an earlier demo left there is removed.",
)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--keep", is_flag=True, help="Leave the engine running at the end.")
def demo(rows: int, data: Path, port: int, keep: bool) -> None:
    """Real orders through a stream that is split, with a worker that is killed; then the proof."""
    folder = _empty(data.absolute())
    settings = from_environment(port=port, data_dir=folder / "engine", shard_limits="aws")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    with console.status("Starting the engine …"):
        engine = engines.start(settings, detached=keep)
    try:
        facts = Facts(total=rows)
        story = Story(Connection(engine.endpoint_url, settings.region), folder, facts)
        with _painted(story, console):
            outcome = story.run()
    except DemoFailed as error:
        engine.stop()
        raise click.ClickException(str(error)) from None
    except BaseException:
        engine.stop()
        raise
    if not keep:
        engine.stop()
    _conclude(outcome, console, folder, keep)
    if not outcome.is_right:
        sys.exit(ExitCode.FAILED)


def _empty(folder: Path) -> Path:
    """An empty folder of ours. Raises DataFolderInUse while an engine works there."""
    if find(folder / "engine") is not None:
        raise DataFolderInUse(
            f"An engine works on {folder / 'engine'}: stop it with "
            f"riacho down --data {folder / 'engine'}, or choose another folder (--data)."
        )
    marker = folder / "riacho-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise click.ClickException(
            f"{folder} holds something that no demo made: choose another folder (--data)."
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.touch()
    return folder


@contextmanager
def _painted(story: Story, console: Console) -> Iterator[None]:
    """Paint the facts until the story ends: a picture on a terminal, lines elsewhere."""
    done = threading.Event()

    def paint() -> None:
        if console.is_terminal:
            with Live(console=console, refresh_per_second=4) as live:
                while not done.wait(0.5):
                    story.tick()
                    live.update(picture(story.facts))
                live.update(picture(story.facts))
        else:
            told = 0
            while not done.wait(2.0):
                story.tick()
                console.print(
                    plain_line(story.facts), highlight=False, markup=False, soft_wrap=True
                )
            for line in story.facts.events[told:]:
                console.print(line, highlight=False, markup=False)

    painter = threading.Thread(target=paint, name="demo-painter")
    painter.start()
    try:
        yield
    finally:
        done.set()
        painter.join()


def _conclude(outcome: Outcome, console: Console, folder: Path, keep: bool) -> None:
    table = Table(
        title="Revenue per country, by Athena over the lake and by DuckDB over the CSV",
        title_justify="left",
        min_width=72,
    )
    for column in ("country", "lines", "revenue (lake)", "revenue (CSV)", ""):
        table.add_column(column, justify="left" if column == "country" else "right")
    countries = sorted(outcome.expected, key=lambda c: -outcome.expected[c][1])
    for country in countries[:8]:
        lines, revenue = outcome.revenue.get(country, (0, None))
        wanted = outcome.expected[country]
        same = "=" if (lines, revenue) == wanted else "≠"
        shown = "–" if revenue is None else f"{revenue:,.2f}"
        table.add_row(country, f"{lines:,}", shown, f"{wanted[1]:,.2f}", same)
    console.print(table)
    equal = outcome.revenue == outcome.expected
    console.print(
        f"{len(countries)} countries, {sum(n for n, _ in outcome.expected.values()):,} lines: "
        + ("[green]all equal[/]" if equal else "[red]they differ[/]")
    )
    show(outcome.proof, console)
    console.print(f"The job took {outcome.facts.seconds:.0f} s.")
    _what_next(console, folder, keep)


def _what_next(console: Console, folder: Path, keep: bool) -> None:
    up = (
        ""
        if keep
        else f"./scripts/riacho up --port 0 --data {folder / 'engine'}   # as it was left\n"
    )
    console.print(
        "\nWhat to try next:\n"
        + up
        + f'eval "$(./scripts/riacho env --data {folder / "engine"})"\n'
        "./scripts/riacho streams orders\n"
        './scripts/riacho query "SELECT Country, count(*) FROM orders_raw GROUP BY 1"\n'
        f"./scripts/riacho reconcile --ledger {folder / 'orders.ledger'} "
        "--bucket riacho-lake --table orders\n"
        f"./scripts/riacho down --data {folder / 'engine'}",
        highlight=False,
        soft_wrap=True,
    )
