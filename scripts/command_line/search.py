"""`riacho search`: OpenSearch's release, server, templates and dashboards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from scripts.command_line.target import data_folder, data_option
from scripts.opensearch_release import MEGABYTES, install
from services.localstack.data_folder import find
from services.localstack.engine import admin
from services.localstack.environment import JAVA
from services.localstack.ports import free_port
from services.opensearch.cluster import Cluster
from services.opensearch.dashboards import Dashboards, saved_objects
from services.opensearch.distribution import VERSION, home_of
from services.opensearch.errors import SearchFailed
from services.opensearch.panels import PanelQuery, TimeRange, panel_queries
from services.opensearch.server import Server, prepare
from services.settings import Settings, from_environment

_SHOWN_ROWS = 5


@click.group()
def search() -> None:
    """OpenSearch beside the engine: fetch it, fill in its dashboards, look at their numbers."""


def install_shown(settings: Settings) -> None:
    """Fetch the release where it is not there, and say so meanwhile."""
    with Console(stderr=True).status(f"Fetching OpenSearch {VERSION} ({MEGABYTES} MB, once) …"):
        install(home_of(settings))


@search.command("install")
def install_command() -> None:
    """Fetch OpenSearch's release (161 MB), so that it starts without a network later."""
    settings = from_environment()
    install_shown(settings)
    click.echo(f"OpenSearch {VERSION} is in {home_of(settings)}.")


@search.command()
@click.option("--port", default=9200, show_default=True, type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 in a container.")
@click.option("--heap", default="512m", show_default=True, help="Java's heap.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(".riacho/opensearch"),
    show_default=True,
    help="Its folder.",
)
def serve(port: int, host: str, heap: str, data: Path) -> None:
    """Become an OpenSearch server without an engine, until SIGTERM (for containers)."""
    if not JAVA.exists():
        raise SearchFailed("The bundled Java is not installed: run ./scripts/install.")
    settings = from_environment()
    install_shown(settings)
    server = Server(
        home=home_of(settings).absolute(),
        data=data.absolute(),
        java=JAVA,
        port=port,
        transport_port=free_port(),
        host=host,
        heap=heap,
    )
    prepare(server)
    command = server.command()
    os.execv(command[0], command)


def with_cluster_option[F: Callable[..., Any]](command: F) -> F:
    return click.option(
        "--endpoint",
        help="OpenSearch's address (default: that of the engine with search that runs here).",
    )(command)


def _cluster(endpoint: str | None, data: Path | None) -> Cluster:
    if endpoint:
        return Cluster(endpoint)
    identity = find(data_folder(data))
    told = admin(identity.endpoint_url, "search") if identity else {"state": "off"}
    if told["state"] == "off":
        raise SearchFailed(
            "No engine runs an OpenSearch here: start one with riacho up --with search, "
            "or name another's address (--endpoint)."
        )
    return Cluster(told["endpoint_url"])


@search.command("import")
@with_cluster_option
@click.option("--dashboards", "address", help="OpenSearch Dashboards' address; none leaves it.")
@click.option("--wait", "seconds", default=180.0, show_default=True, help="How long at most.")
@data_option
def import_command(
    endpoint: str | None, address: str | None, seconds: float, data: Path | None
) -> None:
    """Put templates into OpenSearch and saved objects into its Dashboards; may be repeated."""
    cluster = _cluster(endpoint, data)
    cluster.wait(seconds)
    click.echo(f"Index templates in {cluster.http.address}: {', '.join(cluster.put_templates())}.")
    if address:
        dashboards = Dashboards(address)
        dashboards.wait(seconds)
        count = dashboards.import_saved_objects()
        dashboards.make_landing()
        click.echo(f"{count} saved objects in {dashboards.http.address}.")


@search.command()
@with_cluster_option
@click.option("--from", "time_from", type=click.DateTime(), help="In UTC; without it all times.")
@click.option("--to", "time_to", type=click.DateTime(), help="In UTC, not included (now).")
@click.option("--json", "as_json", is_flag=True, help="Every row of every panel.")
@data_option
def panels(
    endpoint: str | None,
    time_from: datetime | None,
    time_to: datetime | None,
    as_json: bool,
    data: Path | None,
) -> None:
    """The numbers behind each panel of the dashboards, without a browser."""
    cluster = _cluster(endpoint, data)
    queries = panel_queries(saved_objects(), _times(time_from, time_to))
    answers = [(q, q.rows(cluster.search(q.index_pattern, q.body))) for q in queries]
    if as_json:
        click.echo(json.dumps({query.object_id: rows for query, rows in answers}))
        return
    table = Table("panel", "indexes", "first rows", box=None)
    for query, rows in answers:
        table.add_row(query.title, query.index_pattern, _shown(query, rows))
    Console().print(table)


def _times(time_from: datetime | None, time_to: datetime | None) -> TimeRange | None:
    if time_from is None:
        return None
    end = time_to.replace(tzinfo=UTC) if time_to else datetime.now(UTC)
    return TimeRange(time_from.replace(tzinfo=UTC), end)


def _shown(query: PanelQuery, rows: list[tuple[tuple[object, ...], float]]) -> str:
    if not query.buckets:
        return f"{rows[0][1]:,.0f}"
    first = [f"{' · '.join(map(str, keys))}: {value:,.0f}" for keys, value in rows[:_SHOWN_ROWS]]
    more = len(rows) - len(first)
    return ", ".join(first) + (f" and {more} more" if more > 0 else "") or "nothing"
