"""Which engine a command talks to: named, from the environment, or the one running here."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scripts.command_line.target import data_option, engine_url
from services.connect import connect


@dataclass(frozen=True)
class Connection:
    """Where AWS's APIs answer. `endpoint_url` None lets boto3 decide, AWS included."""

    endpoint_url: str | None
    region: str | None = None

    def client(self, service: str) -> Any:
        return connect(service, self.endpoint_url, self.region)


def with_connection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --endpoint-url, --data and --region; the command receives `connection`.

    `--endpoint-url` wins, then the engine of `--data`, then `AWS_ENDPOINT_URL`, then the engine
    of the default data folder.
    """

    @click.option("--endpoint-url", help="An engine's address, e.g. http://127.0.0.1:4566.")
    @data_option
    @click.option("--region", help="The AWS region (us-east-1, or what boto3 finds).")
    @functools.wraps(command)
    def wrapped(
        endpoint_url: str | None, data: Path | None, region: str | None, **options: Any
    ) -> Any:
        named = endpoint_url or (os.environ.get("AWS_ENDPOINT_URL") if data is None else None)
        return command(connection=Connection(engine_url(named, data), region), **options)

    return wrapped
