"""`riacho functions`: a developer's loop with Lambda functions: deploy, invoke, read the log."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import ClientError

from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.failures import ExitCode, Sentence

ROLE = "arn:aws:iam::{account_id}:role/riacho-functions"
#: Not part of a function.
LEFT_OUT = ("__pycache__", ".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache")
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
#: Every entry has this time, so that an unchanged folder packs to the same bytes.
_PACKED_AT = (2020, 1, 1, 0, 0, 0)


@click.group()
def functions() -> None:
    """Deploy, invoke and watch Lambda functions."""


@functions.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", help="The function's name (default: the folder's).")
@click.option("--handler", default="app.handler", show_default=True, help="file.function")
@click.option("--runtime", default="python3.13", show_default=True)
@click.option("--timeout", type=click.IntRange(1, 900), default=30, show_default=True)
@click.option("--memory", type=click.IntRange(128, 10240), default=128, show_default=True)
@click.option("--env", "variables", multiple=True, help="NAME=value; repeatable.")
@click.option("--watch", is_flag=True, help="Deploy again whenever a file is saved.")
@with_connection
def deploy(connection: Connection, folder: Path, watch: bool, **options: Any) -> None:
    """Make FOLDER a function, or update the one there is."""
    awslambda = connection.client("lambda")
    wanted = settings(folder, options)
    known = fingerprint(folder)
    click.echo(deploy_folder(connection, awslambda, folder, wanted))
    while watch:
        time.sleep(_LOOK_SECONDS)
        if (now := fingerprint(folder)) != known:
            known = now
            click.echo(deploy_folder(connection, awslambda, folder, wanted))


@functions.command()
@click.argument("name")
@click.option("--event", default="{}", show_default=True, help="JSON, or @file.")
@click.option("--qualifier", help="A version or an alias.")
@with_connection
def invoke(connection: Connection, name: str, event: str, qualifier: str | None) -> None:
    """Call a function: its answer goes to standard output, its log to standard error."""
    request = {"Qualifier": qualifier} if qualifier else {}
    answer = connection.client("lambda").invoke(
        FunctionName=name, Payload=event_of(event), LogType="Tail", **request
    )
    click.echo(base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"), err=True)
    click.echo(answer["Payload"].read().decode(errors="replace"))
    if "FunctionError" in answer:
        raise Sentence(f"{name} failed ({answer['FunctionError']}).", ExitCode.FAILED)


@functions.command()
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--since", type=float, default=10.0, show_default=True, help="Minutes to go back.")
@with_connection
def logs(connection: Connection, name: str, follow: bool, since: float) -> None:
    """Print what a function logged."""
    client = connection.client("logs")
    group = f"/aws/lambda/{name}"
    start_millis = int((time.time() - since * 60) * 1000)
    seen: set[str] = set()
    while True:
        for event in log_events(client, group, start_millis):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                click.echo(event["message"].rstrip("\n"))
        if not follow:
            return
        time.sleep(_LOOK_SECONDS)


def settings(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The function's configuration, in the API's words."""
    variables = dict(_variable(text) for text in options["variables"])
    return {
        "FunctionName": options["name"] or folder.resolve().name,
        "Handler": options["handler"],
        "Runtime": options["runtime"],
        "Timeout": options["timeout"],
        "MemorySize": options["memory"],
        "Environment": {"Variables": variables},
    }


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--env {text!r} is not NAME=value.")
    return name, value


def deploy_folder(
    connection: Connection, awslambda: Any, folder: Path, wanted: dict[str, Any]
) -> str:
    """Create or update, and wait until it can be invoked; what was done, in one sentence."""
    name, code = wanted["FunctionName"], pack(folder)
    try:
        awslambda.get_function_configuration(FunctionName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        account_id = connection.client("sts").get_caller_identity()["Account"]
        role = ROLE.format(account_id=account_id)
        awslambda.create_function(**wanted, Role=role, Code={"ZipFile": code})
        done = "Created"
    else:
        awslambda.update_function_code(FunctionName=name, ZipFile=code)
        _wait_until_usable(awslambda, name)
        awslambda.update_function_configuration(**wanted)
        done = "Updated"
    _wait_until_usable(awslambda, name)
    return f"{done} {name} ({len(code):,} bytes). Try: riacho functions invoke {name}"


def _wait_until_usable(awslambda: Any, name: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        facts = awslambda.get_function_configuration(FunctionName=name)
        if "Failed" in (facts["State"], facts.get("LastUpdateStatus")):
            reason = facts.get("LastUpdateStatusReason") or facts.get("StateReason")
            raise Sentence(f"{name} cannot be used: {reason}", ExitCode.FAILED)
        if (facts["State"], facts.get("LastUpdateStatus")) == ("Active", "Successful"):
            return
        if time.monotonic() > deadline:
            raise Sentence(f"{name} is still {facts['State']}.", ExitCode.FAILED)
        time.sleep(0.1)


def pack(folder: Path) -> bytes:
    """A deployment package of everything in the folder that belongs to a function."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sources(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _PACKED_AT)
            entry.external_attr = (path.stat().st_mode & 0o777) << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def sources(folder: Path) -> Iterator[Path]:
    """The files of a function, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not set(path.relative_to(folder).parts) & set(LEFT_OUT):
            yield path


def fingerprint(folder: Path) -> dict[Path, tuple[int, int]]:
    """Times and sizes: different after a file was saved."""
    found = {}
    for path in sources(folder):
        try:
            status = path.stat()
        except FileNotFoundError:
            # An editor replaces files while they are looked at.
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def event_of(text: str) -> bytes:
    """The payload: JSON as it is, or the content of `@file`. Raises click.UsageError."""
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise click.UsageError(f"--event {text}: there is no file {path}.")
        text = path.read_text()
    try:
        json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--event is no JSON ({error}); e.g. '{{\"n\": 1}}'.") from None
    return text.encode()


def log_events(client: Any, group: str, start_millis: int) -> list[dict[str, Any]]:
    """What the log group has since then, over all pages; nothing where there is no group yet."""
    pages: Callable[..., Any] = client.get_paginator("filter_log_events").paginate
    try:
        return [
            event
            for page in pages(logGroupName=group, startTime=start_millis)
            for event in page["events"]
        ]
    except client.exceptions.ResourceNotFoundException:
        return []
