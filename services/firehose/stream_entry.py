"""What the engine keeps of one delivery stream beside its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.firehose import configuration
from services.firehose.configuration import Configuration
from services.firehose.delivery_stream import DeliveryStream
from services.firehose.destinations.destination import StreamIdentity


class Source(Protocol):
    """Brings a Kinesis stream's records into a delivery stream until it is stopped."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Entry:
    """One delivery stream with everything that DescribeDeliveryStream shows."""

    identity: StreamIdentity
    stream_type: str
    configuration: Configuration
    created_at: float
    updated_at: float | None = None
    status: str = "ACTIVE"
    kinesis_source: dict[str, Any] | None = None
    direct_put_source: dict[str, Any] | None = None
    encryption: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    stream: DeliveryStream | None = None
    source: Source | None = None

    def stored(self) -> dict[str, Any]:
        """What the file of this delivery stream holds."""
        return {
            "identity": list(self.identity),
            "stream_type": self.stream_type,
            "configuration": self.configuration.stored(),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "kinesis_source": self.kinesis_source,
            "direct_put_source": self.direct_put_source,
            "encryption": self.encryption,
            "status": self.status,
            "tags": self.tags,
        }

    def description(self, after_destination_id: str = "") -> dict[str, Any]:
        """AWS's DeliveryStreamDescription."""
        destinations = [configuration.describe(self.configuration)]
        described: dict[str, Any] = {
            "DeliveryStreamName": self.identity.name,
            "DeliveryStreamARN": self.identity.arn,
            "DeliveryStreamStatus": self.status,
            "DeliveryStreamType": self.stream_type,
            "VersionId": str(self.configuration.version_id),
            "CreateTimestamp": self.created_at,
            "Destinations": [d for d in destinations if d["DestinationId"] > after_destination_id],
            "HasMoreDestinations": False,
        }
        if self.stream_type == "DirectPut":
            described["DeliveryStreamEncryptionConfiguration"] = self.encryption or {
                "Status": "DISABLED"
            }
        if self.updated_at is not None:
            described["LastUpdateTimestamp"] = self.updated_at
        if self.kinesis_source:
            described["Source"] = {"KinesisStreamSourceDescription": self.kinesis_source}
        elif self.direct_put_source:
            described["Source"] = {"DirectPutSourceDescription": self.direct_put_source}
        return described

    @property
    def is_encrypted(self) -> bool:
        return (self.encryption or {}).get("Status") == "ENABLED"


def entry_from(stored: Mapping[str, Any]) -> Entry:
    return Entry(
        **{
            **stored,
            "identity": StreamIdentity(*stored["identity"]),
            "configuration": configuration.from_stored(stored["configuration"]),
        }
    )
