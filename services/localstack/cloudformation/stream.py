"""`AWS::Kinesis::Stream`: which calls bring a stream from its old properties to its new. Pure.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Properties = Mapping[str, Any]
DEFAULT_RETENTION_HOURS = 24


class Call(NamedTuple):
    """One call of Kinesis' API. After it the stream must become ACTIVE again."""

    operation: str
    parameters: dict[str, Any]


def creation(properties: Properties) -> dict[str, Any]:
    """The parameters of CreateStream. Without a mode the stream is PROVISIONED."""
    parameters: dict[str, Any] = {
        "StreamName": properties["Name"],
        "StreamModeDetails": {"StreamMode": _mode(properties)},
    }
    if _mode(properties) == "PROVISIONED":
        parameters["ShardCount"] = int(properties.get("ShardCount", 1))
    return parameters


def calls_after(before: Properties, after: Properties) -> list[Call]:
    """What is left to do for a stream that has the properties `before` (`{}`: just created)."""
    name = after["Name"]
    return [
        *_mode_calls(before, after),
        *_shard_calls(name, before, after),
        *_retention_calls(name, before, after),
        *_encryption_calls(name, before, after),
        *_tag_calls(name, before, after),
    ]


def _mode(properties: Properties) -> str:
    return str(properties.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED"))


def _mode_calls(before: Properties, after: Properties) -> list[Call]:
    if not before or _mode(before) == _mode(after):
        return []
    details = {"StreamMode": _mode(after)}
    return [Call("update_stream_mode", {"StreamARN": before["Arn"], "StreamModeDetails": details})]


def _shard_calls(name: str, before: Properties, after: Properties) -> list[Call]:
    if not before or _mode(after) != "PROVISIONED" or "ShardCount" not in after:
        return []
    if _mode(before) == "PROVISIONED" and int(before.get("ShardCount", 1)) == int(
        after["ShardCount"]
    ):
        return []
    count = int(after["ShardCount"])
    parameters = {"StreamName": name, "TargetShardCount": count, "ScalingType": "UNIFORM_SCALING"}
    return [Call("update_shard_count", parameters)]


def _retention_calls(name: str, before: Properties, after: Properties) -> list[Call]:
    have, want = (
        int(p.get("RetentionPeriodHours", DEFAULT_RETENTION_HOURS)) for p in (before, after)
    )
    if have == want:
        return []
    direction = "increase" if want > have else "decrease"
    parameters = {"StreamName": name, "RetentionPeriodHours": want}
    return [Call(f"{direction}_stream_retention_period", parameters)]


def _encryption_calls(name: str, before: Properties, after: Properties) -> list[Call]:
    have, want = before.get("StreamEncryption"), after.get("StreamEncryption")
    if have == want:
        return []
    if want:
        return [Call("start_stream_encryption", {"StreamName": name, **want})]
    return [Call("stop_stream_encryption", {"StreamName": name, **(have or {})})]


def _tag_calls(name: str, before: Properties, after: Properties) -> list[Call]:
    have, want = _tags(before), _tags(after)
    gone = [key for key in have if key not in want]
    new = {key: value for key, value in want.items() if have.get(key) != value}
    return [
        *([Call("remove_tags_from_stream", {"StreamName": name, "TagKeys": gone})] if gone else []),
        *([Call("add_tags_to_stream", {"StreamName": name, "Tags": new})] if new else []),
    ]


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}
