"""boto3 clients for whoever wires: AWS, or the engine that `AWS_ENDPOINT_URL` names."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

#: What the engine accepts; on AWS boto3 finds real ones by itself.
LOCAL_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def connect(service: str, endpoint_url: str | None = None, region: str | None = None) -> Any:
    """A boto3 client.

    `endpoint_url` is an engine's address; without it boto3 reads `AWS_ENDPOINT_URL`, and
    talks to AWS when that is unset too. Called only where things are wired (`scripts/`,
    `dashboards/app.py`, tests): everything else receives its clients.
    """
    credentials = LOCAL_CREDENTIALS if endpoint_url else {}
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region or ("us-east-1" if endpoint_url else None),
        config=Config(retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=32),
        **credentials,
    )
