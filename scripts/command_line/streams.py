"""`riacho streams`: the streams there are, and one stream's shards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

from scripts.command_line.connection import Connection, with_connection


@click.command()
@click.argument("stream_name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_connection
def streams(connection: Connection, stream_name: str | None, as_json: bool) -> None:
    """List the streams, or the shards of one."""
    kinesis = connection.client("kinesis")
    if stream_name is None:
        rows = [summary(kinesis, name) for name in stream_names(kinesis)]
        title = "Streams"
    else:
        require_stream(kinesis, stream_name)
        rows = [shard_row(shard) for shard in shards(kinesis, stream_name)]
        title = f"Shards of {stream_name}"
    if as_json:
        click.echo(json.dumps(rows, default=str))
    elif rows:
        Console().print(as_table(title, rows))
    else:
        click.echo("No streams yet: `riacho produce --create-shards 4` makes one.")


def stream_names(kinesis: Any) -> list[str]:
    """Every stream's name, over all pages."""
    pages = kinesis.get_paginator("list_streams").paginate()
    return [name for page in pages for name in page["StreamNames"]]


def require_stream(kinesis: Any, stream_name: str) -> dict[str, Any]:
    """The stream's summary; for an unknown one a sentence that lists those that exist."""
    try:
        answer = kinesis.describe_stream_summary(StreamName=stream_name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        existing = ", ".join(sorted(stream_names(kinesis))) or "none yet"
        raise click.ClickException(
            f"There is no stream {stream_name!r}; existing ones: {existing}."
        ) from None
    found: dict[str, Any] = answer["StreamDescriptionSummary"]
    return found


def summary(kinesis: Any, stream_name: str) -> dict[str, Any]:
    """The facts of a stream that a list shows."""
    facts = require_stream(kinesis, stream_name)
    return {
        "stream": stream_name,
        "status": facts["StreamStatus"],
        "open shards": facts["OpenShardCount"],
        "retention hours": facts["RetentionPeriodHours"],
        "mode": facts.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED"),
    }


def shards(kinesis: Any, stream_name: str) -> Iterator[dict[str, Any]]:
    """Every shard, open or closed, over all pages."""
    answer = kinesis.list_shards(StreamName=stream_name)
    yield from answer["Shards"]
    while token := answer.get("NextToken"):
        answer = kinesis.list_shards(NextToken=token)
        yield from answer["Shards"]


def shard_row(shard: dict[str, Any]) -> dict[str, Any]:
    """One shard: its state, parents and share of the hash key space."""
    keys = shard["HashKeyRange"]
    share = (int(keys["EndingHashKey"]) - int(keys["StartingHashKey"]) + 1) / 2**128
    parents = [shard.get("ParentShardId"), shard.get("AdjacentParentShardId")]
    closed = "EndingSequenceNumber" in shard["SequenceNumberRange"]
    return {
        "shard": shard["ShardId"],
        "state": "closed" if closed else "open",
        "share of keys": f"{share:.1%}",
        "parents": ", ".join(p for p in parents if p) or "–",
    }


def as_table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Equal rows as a table; the first row's keys are the columns."""
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table
