"""What ADDEC2METADATA adds: facts of the instance, from EC2's metadata service.

A laptop is no instance: where `AWS_EC2_METADATA_SERVICE_ENDPOINT` names no service and the
agent talks to a local engine (`AWS_ENDPOINT_URL`), the facts are those of this machine.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import orjson

AWS_SERVICE = "http://169.254.169.254"
_TIMEOUT_SECONDS = 2


class Ec2Metadata:
    """The facts, looked up again after `ttl_seconds`."""

    def __init__(
        self,
        ttl_seconds: float,
        *,
        environment: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._environment = os.environ if environment is None else environment
        self._now = now
        self._looked_up_at: float | None = None
        self._facts: dict[str, Any] = {}

    def current(self) -> dict[str, Any]:
        """The facts by AWS's names; empty where there are none."""
        now = self._now()
        if self._looked_up_at is None or self._looked_up_at + self._ttl_seconds < now:
            self._looked_up_at = now
            self._facts = self._look_up() | {
                "metadataTimestamp": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(now))
            }
        return self._facts

    def _look_up(self) -> dict[str, Any]:
        service = self._environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/")
        if not service and self._environment.get("AWS_ENDPOINT_URL"):
            return self._this_machine()
        try:
            return _instance(service or AWS_SERVICE)
        except (URLError, OSError, ValueError):
            return {}

    def _this_machine(self) -> dict[str, Any]:
        region = self._environment.get("AWS_DEFAULT_REGION", "us-east-1")
        return {
            "privateIp": "127.0.0.1",
            "availabilityZone": f"{region}a",
            "instanceId": socket.gethostname(),
            "instanceType": os.uname().machine,
            "accountId": "000000000000",
            "amiId": None,
            "region": region,
            "tags": {},
        }


def _instance(service: str) -> dict[str, Any]:
    """The identity document, with a session token as IMDSv2 wants it."""
    token = _call(
        Request(
            f"{service}/latest/api/token",
            method="PUT",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
        )
    ).decode()
    with_token = {"X-aws-ec2-metadata-token": token}
    path = f"{service}/latest/dynamic/instance-identity/document"
    document = orjson.loads(_call(Request(path, headers=with_token)))
    names = ("privateIp", "availabilityZone", "instanceId", "instanceType", "accountId")
    facts = {name: document.get(name) for name in names}
    return facts | {"amiId": document.get("imageId"), "region": document.get("region")}


def _call(request: Request) -> bytes:
    with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
        body: bytes = answer.read()
    return body
