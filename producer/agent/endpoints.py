"""Which endpoint and region a client of the agent uses. Pure.

`agent.json` names AWS's hosts ("https://kinesis.us-east-1.amazonaws.com", without a scheme, or
nothing). Where `AWS_ENDPOINT_URL` names a local engine, those calls go there, so that a
course's file runs as it is; any other host stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

_AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "api.aws")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]")


class Endpoint(NamedTuple):
    """What boto3 is told: None leaves it to boto3."""

    url: str | None
    region: str | None


def endpoint_for(
    configured: str | None, region: str | None, environment: Mapping[str, str]
) -> Endpoint:
    """The endpoint of one service. `region` is the configured one, which wins over the host's."""
    text = (configured or "").strip()
    engine = environment.get("AWS_ENDPOINT_URL") or None
    if not text:
        return Endpoint(engine, region)
    url = text if "://" in text else f"https://{text}"
    host = (urlsplit(url).hostname or "").lower()
    if not host.endswith(_AWS_DOMAINS):
        return Endpoint(url, region)
    in_host = next((part for part in host.split(".") if _REGION.fullmatch(part)), None)
    return Endpoint(engine or url, region or in_host)
