"""Which destinations a configuration delivers to, by the buffers that it fills."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.firehose.buffers import BACKUP, DESTINATION, ERROR
from services.firehose.configuration import Configuration
from services.firehose.destinations.destination import Destination, StreamIdentity
from services.firehose.destinations.s3 import S3Destination

#: Makes a client: service, region, account id.
type ClientOf = Callable[[str, str, str], Any]


def destinations_of(
    stream: StreamIdentity, configuration: Configuration, client_of: ClientOf
) -> dict[str, Destination]:
    """For `destination`, `backup` and `error` buffers."""

    def client() -> Any:
        return client_of("s3", stream.region, stream.account_id)

    version_id = configuration.version_id
    bucket = S3Destination(stream, configuration.bucket, version_id, client)
    found: dict[str, Destination] = {ERROR: bucket, DESTINATION: bucket}
    if configuration.backup is not None:
        found[BACKUP] = S3Destination(stream, configuration.backup, version_id, client)
    return found
