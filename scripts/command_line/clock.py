"""The engine's clock: time that can be moved."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import click

from scripts.command_line.target import ask_engine, data_option, engine_url

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


class Duration(click.ParamType[float]):
    """`90s`, `5m`, `1h30m`, `7d`, or a number of seconds."""

    name = "duration"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        if not _DURATION.fullmatch(text):
            self.fail(f"{text!r} is not a duration: write 90s, 5m, 1h30m or 7d.", param, ctx)
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
        return sum(float(number) * _UNITS[unit] for number, unit in parts)


@click.group(invoke_without_command=True)
@click.option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="The engine's address.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def clock(ctx: click.Context, endpoint_url: str | None, data: Path | None, as_json: bool) -> None:
    """Show the engine's time; `riacho clock advance 5m` moves it forward."""
    ctx.obj = (engine_url(endpoint_url, data), as_json)
    if ctx.invoked_subcommand is None:
        _tell(ask_engine(ctx.obj[0], "clock"), as_json)


@clock.command()
@click.argument("duration", type=Duration())
@click.pass_obj
def advance(target: tuple[str, bool], duration: float) -> None:
    """Move the clock forward: buffers flush, windows close, records and iterators expire."""
    url, as_json = target
    _tell(ask_engine(url, "clock", {"advance_seconds": duration}), as_json)


def _tell(answer: dict[str, float], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer))
        return
    now = datetime.fromtimestamp(answer["now"], UTC)
    ahead = answer["ahead_seconds"]
    click.echo(f"{now:%Y-%m-%d %H:%M:%S} UTC" + (f" ({ahead:.0f} s ahead)" if ahead else ""))
