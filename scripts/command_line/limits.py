"""`riacho limits`: shard quotas as on AWS, switched while the engine runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.command_line.target import ask_engine, data_option, engine_url

_SENTENCES = {
    "aws": "Shard limits are AWS's: each shard takes 1 MiB and 1,000 records a second, "
    "and gives 2 MiB and 5 reads a second.",
    "off": "Shard limits are off: no put and no read is throttled.",
}


@click.command()
@click.argument("wanted", required=False, type=click.Choice(sorted(_SENTENCES)))
@click.option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="The engine's address.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def limits(wanted: str | None, endpoint_url: str | None, data: Path | None, as_json: bool) -> None:
    """Show whether streams have AWS's shard limits; `riacho limits aws` or `off` switches them.

    It lasts until the engine stops; RIACHO_SHARD_LIMITS says how it starts.
    """
    content = None if wanted is None else {"shard_limits": wanted}
    answer = ask_engine(engine_url(endpoint_url, data), "kinesis/shard-limits", content)
    click.echo(json.dumps(answer) if as_json else _SENTENCES[answer["shard_limits"]])
