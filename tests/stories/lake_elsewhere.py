"""Imported into an engine: its Firehose finds S3 and Lambda on another one, which is not killed.

As on AWS, where the bucket does not go down with the delivery stream. The other engine's address
is in the file `lake_endpoint` of the data folder.
"""

from __future__ import annotations

from typing import Any

from services.connect import connect
from services.firehose import provider
from services.localstack.running import running

_own_client_of = provider.client_of


def client_of(service: str, region: str, account_id: str) -> Any:
    if service not in ("s3", "lambda"):
        return _own_client_of(service, region, account_id)
    address = (running().settings.data_dir / "lake_endpoint").read_text()
    return connect(service, address, region)


provider.client_of = client_of  # type: ignore[assignment]
