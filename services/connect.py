"""boto3 clients for whoever wires: AWS, or the engine that `AWS_ENDPOINT_URL` names."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

#: What the engine accepts; on AWS boto3 finds real ones by itself.
LOCAL_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def connect(service: str, endpoint_url: str | None = None, region: str | None = None) -> Any:
    """A boto3 client.

    `endpoint_url` is an engine's address; without it boto3 reads `AWS_ENDPOINT_URL`, and
    talks to AWS when that is unset too. Called only where things are wired (`scripts/`,
    `dashboards/app.py`, tests): everything else receives its clients.
    """
    credentials = LOCAL_CREDENTIALS if endpoint_url else {}
    return _session().client(
        service,
        endpoint_url=endpoint_url,
        region_name=region or ("us-east-1" if endpoint_url else None),
        config=Config(retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=32),
        **credentials,
    )


@cache
def _session() -> boto3.Session:
    """One session, which reads times quickly: a record of a stream has one, and botocore's own
    way of reading it, through the local time zone, takes half the time of reading a record."""
    session = botocore.session.get_session()
    factory = session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=_read_time)
    return boto3.Session(botocore_session=session)


def _read_time(value: Any) -> datetime:
    """Seconds since 1970 become a time in UTC; every other form is botocore's to read."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    read: datetime = parse_timestamp(value)
    return read
