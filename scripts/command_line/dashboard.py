"""`riacho dashboard`: the pages, in the browser."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click

from scripts.command_line.connection import Connection, with_connection
from services.connect import LOCAL_CREDENTIALS

#: Works without a network: no telemetry, no look-up of this machine's address, no watching.
OFFLINE = {
    "server.headless": "true",
    "browser.gatherUsageStats": "false",
    "server.fileWatcherType": "none",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "browser.serverAddress": "localhost",
}


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind.")
@with_connection
def dashboard(connection: Connection, port: int, host: str) -> None:
    """Show the platform live at http://127.0.0.1:8501 until Ctrl-C."""
    if importlib.util.find_spec("streamlit") is None:
        raise click.ClickException("Streamlit is not installed here: run ./scripts/install.")
    click.echo(f"The dashboard is at http://{host}:{port} (Ctrl-C ends it).")
    command = dashboard_command(port, host)
    os.execve(command[0], command, dict(os.environ) | dashboard_environment(connection))


def dashboard_command(port: int, host: str) -> list[str]:
    """Streamlit's command line."""
    import dashboards

    app = Path(dashboards.__file__).with_name("app.py")
    options = OFFLINE | {"server.port": str(port), "server.address": host}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "dashboards.serve", "run", str(app), *flags]


def dashboard_environment(connection: Connection) -> dict[str, str]:
    """Where its clients go; an engine of ours takes any credentials."""
    if connection.endpoint_url is None:
        return {}
    return {
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_REGION": connection.region or "us-east-1",
        "AWS_DEFAULT_REGION": connection.region or "us-east-1",
    } | {name.upper(): value for name, value in LOCAL_CREDENTIALS.items()}
