"""`riacho produce`: play a data set into a stream and keep the ledger."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from producer.datasets import RejectedRow, UnknownDataSet, dataset, describe_datasets
from producer.kinesis_producer import PLAIN, Configuration, KinesisProducer
from producer.ledger import Ledger, LedgerUnusable, summarize
from producer.replay import Replayed, add_to, replay
from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.streams import require_stream
from scripts.provisioning import provision_stream
from scripts.reconcile.rejected_rows import put_rejected_rows


@click.command()
@click.option("--dataset", "name", default="online_retail", show_default=True, help="See --list.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A CSV of online_retail.")
@click.option("--seed", type=int, help="Of the ecommerce generator: equal seeds, equal events.")
@click.option("--stream", "stream_name", help="The stream (default: the data set's name).")
@click.option("--create-shards", type=int, help="Make the stream with so many shards.")
@click.option("--count", type=click.IntRange(1), help="Only the first so many events.")
@click.option("--rate", type=float, help="Events per second (default: as fast as it goes).")
@click.option("--speed", type=float, help="Play the events' own times, so many times faster.")
@click.option("--aggregate", is_flag=True, help="Pack records as the KPL does.")
@click.option("--ledger", "ledger_path", type=click.Path(path_type=Path), help="The ledger file.")
@click.option("--bucket", help="Where rows that are none are kept, under rejected/.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--list", "list_them", is_flag=True, help="List the data sets and stop.")
@with_connection
def produce(connection: Connection, list_them: bool, name: str, as_json: bool, **o: Any) -> None:
    """Play a data set into a stream; a ledger keeps what was acknowledged."""
    if list_them:
        for known, description in describe_datasets():
            click.echo(f"{known}: {description}")
        return
    stream_name = o["stream_name"] or name.replace("-", "_")
    kinesis = connection.client("kinesis")
    if o["create_shards"]:
        provision_stream(kinesis, stream_name, o["create_shards"])
    require_stream(kinesis, stream_name)
    ledger_path = o["ledger_path"] or Path(f".riacho/ledgers/{stream_name}.ledger")
    options = {"path": o["path"], "seed": o["seed"]}
    done = _play(kinesis, name, options, stream_name, ledger_path, as_json, o)
    rejected = _keep_rejected(connection, done.rejected_rows, stream_name, o["bucket"])
    _report(done, ledger_path, rejected, as_json)


def _play(
    kinesis: Any,
    name: str,
    options: dict[str, Any],
    stream_name: str,
    ledger_path: Path,
    quiet: bool,
    o: dict[str, Any],
) -> Replayed:
    try:
        source = dataset(name, **{k: v for k, v in options.items() if v is not None})
        with (
            Ledger(ledger_path, stream_name) as ledger,
            KinesisProducer(
                kinesis,
                stream_name,
                ledger=ledger,
                configuration=Configuration() if o["aggregate"] else PLAIN,
            ) as producer,
            progress_bar(quiet) as bar,
        ):
            task = bar.add_task(f"{name} → {stream_name}", total=o["count"])
            return replay(
                source.events(o["count"]),
                add_to(producer),
                speed=o["speed"],
                rate=o["rate"],
                progress=lambda r: bar.update(task, completed=r.events),
            )
    except (UnknownDataSet, LedgerUnusable, ValueError, TypeError, OSError) as error:
        raise click.ClickException(str(error)) from None


def progress_bar(quiet: bool) -> Progress:
    """A bar on stderr, so that stdout stays for machines; none when quiet."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet or not sys.stderr.isatty(),
    )


def _keep_rejected(
    connection: Connection, rows: list[RejectedRow], stream_name: str, bucket: str | None
) -> str | None:
    """Put rows that are none into the lake (or beside it, as lines on stderr)."""
    if not rows:
        return None
    if bucket:
        return put_rejected_rows(connection.client("s3"), bucket, stream_name, rows)
    for row in rows:
        click.echo(f"rejected: {row.source}:{row.line_number}: {row.reason}: {row.raw}", err=True)
    return None


def _report(done: Replayed, ledger_path: Path, rejected: str | None, as_json: bool) -> None:
    summary = summarize(ledger_path)
    facts = {
        "events": done.events,
        "rejected": done.rejected,
        "rejected_to": rejected,
        "seconds": round(done.seconds, 3),
        "ledger": str(ledger_path),
        "acknowledged": summary.acknowledged,
        "given_up": summary.given_up,
        "in_doubt": len(summary.in_doubt),
    }
    if as_json:
        click.echo(json.dumps(facts))
    else:
        rate = done.events / done.seconds if done.seconds else 0
        click.echo(
            f"{done.events:,} events in {done.seconds:.1f} s ({rate:,.0f}/s); "
            f"ledger {ledger_path}: "
            f"{summary.acknowledged:,} acknowledged, {summary.given_up:,} given up, "
            f"{len(summary.in_doubt):,} in doubt, {done.rejected:,} rejected rows."
        )
    if summary.given_up or summary.in_doubt:
        sys.exit(1)
