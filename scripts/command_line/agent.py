"""`riacho agent CONFIG`: a Kinesis Agent with the original's `agent.json`."""

from __future__ import annotations

import logging
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.session import get_session

from producer.agent import (
    Agent,
    AgentConfiguration,
    AgentConfigurationError,
    AgentFailed,
    Checkpoints,
    CheckpointsUnusable,
    read_configuration,
)
from producer.agent.configuration_keys import GLOBAL_KEYS
from producer.agent.endpoints import endpoint_for
from scripts.command_line.connection import Connection
from scripts.command_line.failures import NotRunning
from scripts.command_line.target import data_folder, data_option, engine_url
from services.connect import LOCAL_CREDENTIALS


@click.command()
@click.argument("config", type=click.Path(path_type=Path), default="/etc/aws-kinesis/agent.json")
@click.option(
    "--config-directory",
    type=click.Path(path_type=Path),
    help="More files with flows (default: agent.d beside CONFIG).",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Find the paths in CONFIG below this folder: /var/log/app.log is ROOT/var/log/app.log.",
)
@click.option("--check", is_flag=True, help="Read the configuration, print its flows and stop.")
@click.option(
    "-L",
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARN", "ERROR"]),
    default="INFO",
    show_default=True,
)
@click.option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="The engine's address.")
@data_option
def agent(
    config: Path,
    config_directory: Path | None,
    root: Path | None,
    check: bool,
    log_level: str,
    endpoint_url: str | None,
    data: Path | None,
) -> None:
    """Tail log files into Kinesis and Firehose, as the Amazon Kinesis Agent does.

    AWS's hosts in CONFIG lead to the engine. Ends with SIGTERM or Ctrl-C, after sending what
    it has read.
    """
    logging.basicConfig(
        level=log_level.replace("WARN", "WARNING"),
        format="%(asctime)s %(name)s [%(levelname)s] %(message)s",
    )
    logging.getLogger("botocore").setLevel("WARNING")
    try:
        configuration = read_configuration(config, config_directory, root)
        for warning in (*configuration.warnings, *_missing_folders(configuration)):
            click.echo(warning, err=True)
        if check:
            _print_flows(configuration)
        else:
            connection = _connection(endpoint_url, data)
            _run(configuration, connection, _checkpoints(configuration, data))
    except (AgentConfigurationError, AgentFailed, CheckpointsUnusable) as error:
        raise click.ClickException(str(error)) from None


def _connection(endpoint_url: str | None, data: Path | None) -> Connection:
    """The engine that is named or runs here; else AWS itself, as CONFIG says."""
    try:
        return Connection(engine_url(endpoint_url, data))
    except NotRunning:
        if data is not None:
            raise
        click.echo("No engine works here: the agent talks to AWS.", err=True)
        return Connection(None)


def _print_flows(configuration: AgentConfiguration) -> None:
    for flow in configuration.flows:
        click.echo(f"{flow.directory}/{flow.file_pattern} → {flow.kind} {flow.destination}")


def _missing_folders(configuration: AgentConfiguration) -> list[str]:
    folders = dict.fromkeys(flow.directory for flow in configuration.flows)
    return [
        f"Folder {folder} is not there: its files are read once it is. "
        "(--root DIR finds the paths of the configuration below DIR.)"
        for folder in folders
        if not folder.exists()
    ]


def _checkpoints(configuration: AgentConfiguration, data: Path | None) -> Checkpoints:
    """In `checkpointFile`. The original's own default is for root alone on many machines; there
    a file beside the engine's data folder takes its place, so that CONFIG need not be changed."""
    named = configuration.values["checkpointFile"]
    try:
        return Checkpoints(Path(named))
    except CheckpointsUnusable:
        if named != GLOBAL_KEYS["checkpointFile"].default:
            raise
    instead = data_folder(data).parent / "agent" / "checkpoints"
    click.echo(f"{named} cannot be written here: checkpoints are kept in {instead}.", err=True)
    return Checkpoints(instead)


def _run(
    configuration: AgentConfiguration, connection: Connection, checkpoints: Checkpoints
) -> None:
    try:
        running = Agent(configuration, _clients(configuration, connection), checkpoints)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop())
        running.run()
    finally:
        checkpoints.close()


def _clients(configuration: AgentConfiguration, connection: Connection) -> dict[str, Any]:
    """What the flows need, and CloudWatch unless switched off."""
    services = {flow.kind for flow in configuration.flows}
    if configuration.values["cloudwatch.emitMetrics"]:
        services.add("cloudwatch")
    return {name: _client(name, configuration, connection) for name in services}


def _client(service: str, configuration: AgentConfiguration, connection: Connection) -> Any:
    values = configuration.values
    session = _session(configuration, connection)
    return _make(session, service, values.get(f"{service}.endpoint"), values, connection)


def _make(
    session: boto3.Session, service: str, endpoint: str | None, values: Any, connection: Connection
) -> Any:
    environment = dict(os.environ)
    if connection.endpoint_url:
        environment["AWS_ENDPOINT_URL"] = connection.endpoint_url
    found = endpoint_for(endpoint, values["kinesis.region"], environment)
    is_local = found.url is not None and found.url == connection.endpoint_url
    region = connection.region or found.region or session.region_name
    return session.client(
        service,
        endpoint_url=found.url,
        region_name=region or ("us-east-1" if is_local else None),
        config=Config(
            connect_timeout=values["connectionTimeoutMillis"] / 1000,
            read_timeout=values["socketTimeoutMillis"] / 1000,
            retries={"max_attempts": 1},  # the agent has its own backoff
        ),
    )


def _session(configuration: AgentConfiguration, connection: Connection) -> boto3.Session:
    """Credentials as configured: keys, a role, or what boto3 finds; any will do locally."""
    values = configuration.values
    keys: dict[str, str | None] = {
        "aws_access_key_id": values["awsAccessKeyId"],
        "aws_secret_access_key": values["awsSecretAccessKey"],
    }
    session = boto3.Session(**keys) if all(keys.values()) else boto3.Session()
    if session.get_credentials() is None and connection.endpoint_url:
        session = boto3.Session(**LOCAL_CREDENTIALS)
    if values["assumeRoleARN"]:
        return _role_session(session, values, connection)
    return session


def _role_session(session: boto3.Session, values: Any, connection: Connection) -> boto3.Session:
    sts = _make(session, "sts", values["sts.endpoint"], values, connection)
    request = {"RoleArn": values["assumeRoleARN"], "RoleSessionName": "AWSKinesisAgent"}
    if values["assumeRoleExternalId"]:
        request["ExternalId"] = values["assumeRoleExternalId"]

    def refresh() -> dict[str, str]:
        credentials = sts.assume_role(**request)["Credentials"]
        expiration: datetime = credentials["Expiration"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": expiration.isoformat(),
        }

    inner = get_session()
    inner._credentials = RefreshableCredentials.create_from_metadata(
        metadata=refresh(), refresh_using=refresh, method="sts-assume-role"
    )
    return boto3.Session(botocore_session=inner)
