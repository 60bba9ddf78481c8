"""A delivery stream's configuration: from requests, through updates, into descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.firehose import validation
from services.firehose.buffering import BufferingHints
from services.firehose.constraints import known_members
from services.firehose.destination_type import (
    DESTINATION_TYPES,
    DestinationType,
    s3_with_defaults,
    with_defaults,
)
from services.firehose.errors import InvalidArgument
from services.firehose.processors import Processors

DESTINATION_ID = "destinationId-000000000001"
_LARGE_BUFFER_MBS = 128


@dataclass(frozen=True)
class Configuration:
    """What one version of a delivery stream is set to. `content` has every default filled in."""

    kind: DestinationType
    content: Mapping[str, Any]
    version_id: int = 1
    processors: Processors = field(default_factory=Processors)

    @property
    def hints(self) -> BufferingHints:
        return BufferingHints.of(self.content["BufferingHints"])

    @property
    def is_partitioned(self) -> bool:
        return bool((self.content.get("DynamicPartitioningConfiguration") or {}).get("Enabled"))

    @property
    def converts(self) -> bool:
        return bool((self.content.get("DataFormatConversionConfiguration") or {}).get("Enabled"))

    @property
    def bucket(self) -> Mapping[str, Any]:
        """The S3 configuration that failed records go to; of an S3 destination it is itself."""
        member = self.kind.s3_member
        found: Mapping[str, Any] = self.content if member is None else self.content[member]
        return found

    @property
    def backup(self) -> Mapping[str, Any] | None:
        """The S3 configuration that all source records go to, if any."""
        if self.content.get("S3BackupMode") not in self.kind.backs_up_everything:
            return None
        if self.kind.s3_member is None:
            backup: Mapping[str, Any] = self.content["S3BackupConfiguration"]
            return backup
        return self.bucket

    @property
    def retry_seconds(self) -> float:
        return float((self.content.get("RetryOptions") or {}).get("DurationInSeconds", 300))

    def stored(self) -> dict[str, Any]:
        """What a file keeps of it."""
        return {
            "kind": self.kind.name,
            "content": dict(self.content),
            "version_id": self.version_id,
        }


def from_stored(stored: Mapping[str, Any]) -> Configuration:
    return _complete(DESTINATION_TYPES[stored["kind"]], stored["content"], stored["version_id"])


def create(request: Mapping[str, Any]) -> Configuration:
    """From a CreateDeliveryStream request. Raises InvalidArgument."""
    kind = validation.check_create(request)
    return _complete(kind, request[kind.configuration], 1)


def _complete(kind: DestinationType, content: Mapping[str, Any], version_id: int) -> Configuration:
    conversion = content.get("DataFormatConversionConfiguration")
    if conversion is not None:
        content = {
            **content,
            "DataFormatConversionConfiguration": with_defaults(conversion, {"Enabled": True}),
        }
    is_large = (conversion or {}).get("Enabled", conversion is not None) or (
        content.get("DynamicPartitioningConfiguration") or {}
    ).get("Enabled")
    if is_large and not content.get("BufferingHints"):
        hints = {"SizeInMBs": _LARGE_BUFFER_MBS, "IntervalInSeconds": 300}
        content = {**content, "BufferingHints": hints}
    if content.get("DynamicPartitioningConfiguration"):
        partitioning = with_defaults(
            content["DynamicPartitioningConfiguration"],
            {"Enabled": False, "RetryOptions": {"DurationInSeconds": 300}},
        )
        content = {**content, "DynamicPartitioningConfiguration": partitioning}
    complete = with_defaults(content, kind.defaults)
    for member in ("S3Configuration", "S3BackupConfiguration"):
        if member in complete:
            complete[member] = s3_with_defaults(complete[member])
    processors = Processors.of(complete.get("ProcessingConfiguration") or {})
    return Configuration(kind, complete, version_id, processors)


def update(current: Configuration, request: Mapping[str, Any]) -> Configuration:
    """The next version, from an UpdateDestination request. Raises InvalidArgument.

    Within a type what the request does not name stays; between the two S3 types, too.
    https://docs.aws.amazon.com/firehose/latest/APIReference/API_UpdateDestination.html
    """
    kind = validation.requested_type(request, "update")
    if request["DestinationId"] != DESTINATION_ID:
        raise InvalidArgument(f"Destination Id {request['DestinationId']} not found")
    is_s3_both = kind.s3_member is None and current.kind.s3_member is None
    if kind is not current.kind and not is_s3_both:
        raise InvalidArgument(
            f"Changing the destination type to or from {kind.name} is not supported at this time."
        )
    wider = DESTINATION_TYPES["ExtendedS3"] if is_s3_both else kind
    content = _merged(current, request[kind.update])
    changed = _complete(wider, content, current.version_id + 1)
    if changed.is_partitioned != current.is_partitioned:
        raise InvalidArgument(
            "Dynamic Partitioning can only be enabled when a delivery stream is created, and not "
            "disabled afterwards."
        )
    validation.check_destination(wider, content)
    if current.content.get("S3BackupMode") == "Enabled" != changed.content["S3BackupMode"]:
        raise InvalidArgument("S3 backup cannot be disabled once it is enabled.")
    return changed


def _merged(current: Configuration, changes: Mapping[str, Any]) -> dict[str, Any]:
    content = {**current.content}
    for name, value in changes.items():
        if value is None:
            continue
        if name == "S3Update":
            content["S3Configuration"] = {**content["S3Configuration"], **value}
        elif name == "S3BackupUpdate":
            content["S3BackupConfiguration"] = {**content.get("S3BackupConfiguration", {}), **value}
        else:
            content[name] = value
    return content


def describe(current: Configuration) -> dict[str, Any]:
    """The DestinationDescription of DescribeDeliveryStream."""
    content = dict(current.content)
    for old, new in (
        ("S3Configuration", "S3DestinationDescription"),
        ("S3BackupConfiguration", "S3BackupDescription"),
    ):
        if old in content:
            content[new] = content.pop(old)
    description: dict[str, Any] = {"DestinationId": DESTINATION_ID}
    if current.kind.s3_member is None:
        # AWS shows an S3 destination under both names, whichever created it.
        description["S3DestinationDescription"] = known_members("S3DestinationDescription", content)
        description["ExtendedS3DestinationDescription"] = known_members(
            "ExtendedS3DestinationDescription", {"S3BackupMode": "Disabled", **content}
        )
    else:
        if "EndpointConfiguration" in content:
            content["EndpointConfiguration"] = known_members(
                "HttpEndpointDescription", content["EndpointConfiguration"]
            )
        description[current.kind.description] = known_members(current.kind.description, content)
    return description
