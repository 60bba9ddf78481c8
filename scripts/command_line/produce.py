"""`riacho produce`: play a data set into a stream and keep the ledger."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumers.kcl.health import HealthEndpoint
from producer.datasets import Event, RejectedRow, UnknownDataSet, dataset, describe_datasets
from producer.kinesis_producer import PLAIN, Configuration, KinesisProducer
from producer.ledger import Ledger, LedgerUnusable, read_ledger, summarize
from producer.replay import Replayed, add_to, replay
from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.producer_health import ProducerHealth
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
@click.option("--resume", is_flag=True, help="Go on behind what the ledger knows already.")
@click.option(
    "--give-up-after",
    "give_up_seconds",
    type=click.FloatRange(0.1),
    default=30.0,
    show_default=True,
    help="Seconds until a record that is not stored is given up.",
)
@click.option("--health-port", type=int, help="Tell at http://127.0.0.1:PORT how it goes.")
@click.option("--bucket", help="Where rows that are none are kept, under rejected/.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--list", "list_them", is_flag=True, help="List the data sets and stop.")
@with_connection
def produce(connection: Connection, list_them: bool, name: str, as_json: bool, **o: Any) -> None:
    """Play a data set into a stream; a ledger keeps what was acknowledged."""
    if list_them:
        for known, description, citation in describe_datasets():
            click.echo(f"{known}: {description}\n  {citation}")
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
                kinesis, stream_name, ledger=ledger, configuration=_configuration(o)
            ) as producer,
            progress_bar(quiet) as bar,
            _health(producer, o["health_port"]) as count_one,
            _told_to_stop() as stopping,
        ):
            task = bar.add_task(f"{name} → {stream_name}", total=o["count"])
            put = add_to(producer)

            def add(event: Event) -> object:
                count_one()
                return put(event)

            return replay(
                _wanted(source.events(o["count"]), ledger_path if o["resume"] else None),
                add,
                speed=o["speed"],
                rate=o["rate"],
                stop=stopping.is_set,
                progress=lambda r: bar.update(task, completed=r.events),
            )
    except (UnknownDataSet, LedgerUnusable, ValueError, TypeError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _configuration(o: dict[str, Any]) -> Configuration:
    kind = Configuration() if o["aggregate"] else PLAIN
    return replace(kind, record_ttl=round(o["give_up_seconds"] * 1000))


def _wanted(
    events: Iterator[Event | RejectedRow], ledger_path: Path | None
) -> Iterator[Event | RejectedRow]:
    """All events, or only those that the ledger does not know.

    One that was sent without an answer is in doubt: it may be in the stream, so it is not sent
    a second time; `reconcile` counts it as unconfirmed.
    """
    if ledger_path is None:
        return events
    known = {entry.event_id for entry in read_ledger(ledger_path)}
    return (e for e in events if isinstance(e, RejectedRow) or e.event_id not in known)


class _Counter:
    """How many records were given to the producer."""

    value = 0

    def count_one(self) -> None:
        self.value += 1


@contextmanager
def _health(producer: KinesisProducer, port: int | None) -> Iterator[Callable[[], object]]:
    """An endpoint that tells how it goes; gives what is to be called for each record."""
    counted = _Counter()
    if port is None:
        yield counted.count_one
        return
    health = ProducerHealth(
        lambda: counted.value, lambda: producer.outstanding_records_count, time.monotonic
    )
    endpoint = HealthEndpoint(health.report, port)
    endpoint.start()
    try:
        yield counted.count_one
    finally:
        endpoint.close()


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """SIGTERM ends the replay after this event: what is on its way still gets its answer."""
    stopping = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGTERM, before)


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
