"""A template's properties as Firehose's requests, and what an update changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.firehose.constraints import service_model
from services.firehose.destination_type import DESTINATION_TYPES, UNSUPPORTED_TYPES

_S3_UPDATES = {"S3Configuration": "S3Update", "S3BackupConfiguration": "S3BackupUpdate"}


def create_request(properties: Mapping[str, Any], default_name: str) -> dict[str, Any]:
    """CreateDeliveryStream's parameters: members of the model, in the model's types."""
    request: dict[str, Any] = _shaped("CreateDeliveryStreamInput", properties)
    request.setdefault("DeliveryStreamName", default_name)
    return request


def update_of_destination(
    before: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The member of an UpdateDestination request; None when the destination stays as it is."""
    for name in (*DESTINATION_TYPES, *UNSUPPORTED_TYPES):
        member = f"{name}DestinationConfiguration"
        if member in wanted and wanted[member] != before.get(member):
            content = {_S3_UPDATES.get(key, key): value for key, value in wanted[member].items()}
            shape = f"{name}DestinationUpdate"
            return {shape: _shaped(shape, content)}
    return None


def changes_of_tags(
    before: Mapping[str, Any], wanted: Mapping[str, Any]
) -> tuple[list[dict[str, str]], list[str]]:
    """The tags to set and the keys to remove."""
    old = {tag["Key"]: tag.get("Value", "") for tag in before.get("Tags") or ()}
    new = {tag["Key"]: tag.get("Value", "") for tag in wanted.get("Tags") or ()}
    added = [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value]
    return added, [key for key in old if key not in new]


def _shaped(shape_name: str, value: Any) -> Any:
    """Templates write numbers and booleans as text, too; what the model has no member for goes."""
    shape = service_model()["shapes"][shape_name]
    match shape["type"]:
        case "structure":
            members = shape["members"]
            return {
                name: _shaped(members[name]["shape"], item)
                for name, item in value.items()
                if name in members and item is not None
            }
        case "list":
            return [_shaped(shape["member"]["shape"], item) for item in value]
        case "map":
            return {key: _shaped(shape["value"]["shape"], item) for key, item in value.items()}
        case "integer" | "long":
            return int(value)
        case "double":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "string":
            # A parameter's value may be a number or a boolean in the template.
            return str(value).lower() if isinstance(value, bool) else str(value)
    return value
