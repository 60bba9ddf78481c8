"""`riacho provision`: everything a pipeline needs before data flows; again, it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.query import QueryStopped, run
from scripts.provisioning import (
    provision_bucket,
    provision_search_delivery,
    provision_stream,
    provision_table,
)

#: What is made, and whether it had to be.
Step = tuple[str, Callable[[], bool]]

CLICKSTREAM, INDEX = "clickstream", "ecommerce"
ORDERS = Path(__file__).resolve().parents[1] / "demonstration" / "sql" / "orders_raw.sql"


@click.command()
@click.option("--stream", default="orders", show_default=True, help="The stream.")
@click.option("--shards", type=click.IntRange(1), default=4, show_default=True, help="Its shards.")
@click.option("--bucket", default="riacho-lake", show_default=True, help="The lake's bucket.")
@click.option("--table", default="orders", show_default=True, help="The DynamoDB table.")
@click.option("--search", help="An OpenSearch: the stream `clickstream` is delivered there.")
@with_connection
def provision(
    connection: Connection, stream: str, shards: int, bucket: str, table: str, search: str | None
) -> None:
    """Make stream, bucket, tables and the lake's table for SQL, whichever are not there yet."""
    steps: list[Step] = [
        (
            f"stream {stream} with {shards} shards",
            lambda: provision_stream(connection.client("kinesis"), stream, shards),
        ),
        (f"bucket {bucket}", lambda: provision_bucket(connection.client("s3"), bucket)),
        (f"table {table}", lambda: provision_table(connection.client("dynamodb"), table)),
    ]
    if search:
        steps += _search_steps(connection, bucket, search)
    for name, make in steps:
        click.echo(f"{name}: {'made' if make() else 'was there'}")
    create = ORDERS.read_text().format(bucket=bucket)
    try:
        run(connection.client("athena"), create, output_location=f"s3://{bucket}/athena/")
    except QueryStopped as stopped:
        raise click.ClickException(f"The table orders_raw: {stopped}") from None
    click.echo(f"table orders_raw over s3://{bucket}/raw/: there")


def _search_steps(connection: Connection, bucket: str, endpoint: str) -> list[Step]:
    name = f"{CLICKSTREAM}-to-search"
    return [
        (
            f"stream {CLICKSTREAM} with 1 shard",
            lambda: provision_stream(connection.client("kinesis"), CLICKSTREAM, 1),
        ),
        (
            f"delivery stream {name} into {endpoint}/{INDEX}",
            lambda: provision_search_delivery(
                connection.client("firehose"),
                name,
                stream_name=CLICKSTREAM,
                endpoint=endpoint,
                index=INDEX,
                bucket=bucket,
            ),
        ),
    ]
