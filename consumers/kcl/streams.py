"""The streams an application reads: one, or several that share its leases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from consumers.kcl.errors import StreamNotFound
from consumers.kcl.shard import StreamIdentifier


def identify(kinesis: Any, stream_names: str | Sequence[str]) -> list[StreamIdentifier]:
    """Identifiers by which leases are kept: the bare name for one stream (given as a string), or
    account, name and creation time for each of several. Raises StreamNotFound."""
    if isinstance(stream_names, str):
        return [StreamIdentifier(stream_names)]
    if len(set(stream_names)) != len(stream_names) or not stream_names:
        raise ValueError(f"{list(stream_names)} must name at least one stream, and none twice.")
    return [_identify(kinesis, name) for name in stream_names]


def _identify(kinesis: Any, stream_name: str) -> StreamIdentifier:
    try:
        answer = kinesis.describe_stream_summary(StreamName=stream_name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        message = error.response["Error"].get("Message", "")
        raise StreamNotFound(f"Stream {stream_name!r} does not exist: {message}") from None
    summary = answer["StreamDescriptionSummary"]
    account_id = summary["StreamARN"].split(":")[4]
    created = summary["StreamCreationTimestamp"].timestamp()
    return StreamIdentifier(stream_name, account_id, int(created))
