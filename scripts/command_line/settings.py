"""Every setting with its value; also prints `.env.example` and `docs/settings.md`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from services.settings import Settings, from_environment, variable

ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--write", is_flag=True, help="Write .env.example and docs/settings.md anew.")
def settings(as_json: bool, write: bool) -> None:
    """Show every setting: its value now, its default, and what it is for."""
    if write:
        for file, text in generated_files().items():
            (ROOT / file).write_text(text)
            click.echo(f"Wrote {file}.")
        return
    current = from_environment()
    if as_json:
        values = dataclasses.asdict(current)
        click.echo(json.dumps({variable(n): str(v) for n, v in values.items()}))
        return
    table = Table("variable", "value", "default", "what it is for", box=None)
    for field in dataclasses.fields(Settings):
        value, default = getattr(current, field.name), field.default
        shown = str(value) if value == default else f"[bold]{value}[/bold]"
        table.add_row(variable(field.name), shown, str(default), field.metadata["help"])
    Console().print(table)


def generated_files() -> dict[str, str]:
    """The files printed from the settings, by their path below the repository."""
    return {".env.example": env_example(), "docs/settings.md": markdown()}


def env_example() -> str:
    """Every variable, commented out, with its default and its help."""
    head = "# Every setting of Riacho, with its default. Printed by: riacho settings --write\n"
    return head + "".join(
        f"\n# {_help(field)}\n# {variable(field.name)}={field.default}\n"
        for field in dataclasses.fields(Settings)
    )


def markdown() -> str:
    """The page of settings."""
    rows = [
        f"| `{variable(field.name)}` | `{field.default}` | {_help(field)} |"
        if str(field.default)
        else f"| `{variable(field.name)}` | | {_help(field)} |"
        for field in dataclasses.fields(Settings)
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Each setting is an environment variable. `riacho settings` shows what holds now;",
            "this page and `.env.example` are printed by `riacho settings --write`.",
            "",
            "| variable | default | what it is for |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _help(field: dataclasses.Field[object]) -> str:
    choices = field.metadata["choices"]
    return f"{field.metadata['help']}" + (f" One of: {', '.join(choices)}." if choices else "")
