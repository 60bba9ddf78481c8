"""Who calls, which stream is meant: callers, stream keys, ARNs."""

from __future__ import annotations

from typing import NamedTuple

from services.kinesis.errors import invalid_argument


class Caller(NamedTuple):
    """Who calls, and where."""

    account_id: str
    region: str


class StreamKey(NamedTuple):
    """What makes a stream's name unique."""

    account_id: str
    region: str
    name: str


def parse_arn(arn: str) -> StreamKey:
    """Account, region and stream name of a stream's or a consumer's ARN.

    Raises InvalidArgumentException for anything else.
    """
    parts = arn.split(":", 5)
    resource = parts[-1].split("/")
    if len(parts) != 6 or parts[2] != "kinesis" or resource[0] != "stream" or len(resource) < 2:
        raise invalid_argument(f"{arn} is not the ARN of a stream.")
    return StreamKey(parts[4], parts[3], resource[1])


def consumer_name(arn: str) -> str | None:
    """The consumer's name and creation, `name:seconds`, of a consumer's ARN; else None."""
    resource = arn.split(":", 5)[-1].split("/")
    return resource[3] if len(resource) == 4 and resource[2] == "consumer" else None
