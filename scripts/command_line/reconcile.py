"""`riacho reconcile`: prove that nothing was lost, or name what was."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from producer.ledger import LedgerUnusable
from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.failures import ExitCode
from scripts.reconcile.proof import Proof, keep, prove
from scripts.reconcile.reconciliation import Verdict
from services.localstack.engine import admin
from services.opensearch.cluster import Cluster
from services.opensearch.errors import SearchFailed


@click.command()
@click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    required=True,
    help="The ledger that `riacho produce` kept.",
)
@click.option("--bucket", help="The lake's bucket.")
@click.option("--prefix", default="raw/", show_default=True, help="The raw zone in the bucket.")
@click.option("--rejected-prefix", default="rejected/", show_default=True, help="Rows set aside.")
@click.option("--table", "table_name", help="The DynamoDB table.")
@click.option("--index", "index_pattern", help="The OpenSearch index; `orders*` with rotation.")
@click.option("--opensearch", "address", help="OpenSearch's address (default: the engine's own).")
@click.option(
    "--failed-prefix",
    help="Where in the bucket Firehose keeps documents that OpenSearch refused.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the proof as JSON.")
@with_connection
def reconcile(
    connection: Connection,
    ledger: Path,
    bucket: str | None,
    prefix: str,
    rejected_prefix: str,
    table_name: str | None,
    index_pattern: str | None,
    address: str | None,
    failed_prefix: str | None,
    as_json: bool,
) -> None:
    """Compare the producer's ledger with the lake, the table and the OpenSearch index.

    Exit code 1 and the first ids when something is missing, doubled or was never sent.
    """
    if not bucket and not table_name and not index_pattern:
        raise click.UsageError("Name what to compare with: --bucket, --table, --index, or several.")
    if failed_prefix is not None and not (bucket and index_pattern):
        raise click.UsageError("--failed-prefix is a prefix of --bucket, and only for --index.")
    s3 = connection.client("s3")
    try:
        proof = prove(
            ledger,
            s3=s3,
            bucket=bucket,
            prefix=prefix,
            rejected_prefix=rejected_prefix,
            dynamodb=connection.client("dynamodb"),
            table_name=table_name,
            cluster=opensearch(connection, address) if index_pattern else None,
            index_pattern=index_pattern,
            failed_prefix=failed_prefix,
        )
    except FileNotFoundError:
        raise click.ClickException(
            f"There is no ledger {ledger}; `riacho produce --ledger {ledger}` keeps one."
        ) from None
    except LedgerUnusable as error:
        raise click.ClickException(str(error)) from None
    if bucket:
        keep(proof, s3, bucket, time.time())
    if as_json:
        click.echo(json.dumps(proof.as_json()))
    else:
        show(proof, Console())
    if not proof.adds_up:
        sys.exit(ExitCode.FAILED)


def opensearch(connection: Connection, address: str | None) -> Cluster:
    """The cluster of that address, or the engine's. Raises SearchFailed."""
    if address:
        return Cluster(address)
    told = admin(connection.endpoint_url, "search") if connection.endpoint_url else {"state": "off"}
    if told["state"] == "off":
        raise SearchFailed(
            "The engine runs no OpenSearch: start one with riacho up --with search, or name "
            "another's address (--opensearch)."
        )
    return Cluster(told["endpoint_url"])


def show(proof: Proof, console: Console) -> None:
    """The proof as a table, then what is off in sentences."""
    table = Table(
        title=f"Sent to {proof.stream_name}: {proof.acknowledged:,} events",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0),  # fits into 80 columns
    )
    for column in ("sink", "stored", "missing", "doubled", "unsent", "rejected", "sums"):
        table.add_column(column, justify="left" if column == "sink" else "right", no_wrap=True)
    for v in proof.verdicts:
        sums = f"{len(v.differing_sums)} differ" if v.differing_sums else "equal"
        counts = (v.stored, v.missing, v.doubled, v.unsent, v.rejected)
        table.add_row(v.sink, *(f"{n:,}" for n in counts), sums)
    console.print(table)
    for verdict in proof.verdicts:
        for line in faults(verdict):
            console.print(line, style="red", highlight=False)
    if proof.rejected_rows:
        console.print(f"{proof.rejected_rows:,} rows of the source were no rows: see rejected/.")
    if proof.unconfirmed:
        console.print(f"{proof.unconfirmed:,} events got no answer; stored or not, both are right.")
    console.print("[green]It adds up.[/]" if proof.adds_up else "[red]It does not add up.[/]")


def faults(verdict: Verdict) -> list[str]:
    """What is off in one sink, with the first ids of each kind."""
    kinds = (
        ("missing", verdict.missing, verdict.first_missing),
        ("doubled", verdict.doubled, verdict.first_doubled),
        ("never sent", verdict.unsent, verdict.first_unsent),
    )
    lines = [
        f"{verdict.sink}: {count:,} {kind}, first: {', '.join(ids)}"
        for kind, count, ids in kinds
        if count
    ]
    for group, (sent, held) in list(verdict.differing_sums.items())[:5]:
        lines.append(f"{verdict.sink}: the sum of {group} is {held}, sent was {sent}")
    return lines
