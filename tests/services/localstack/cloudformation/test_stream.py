"""From a stream's old properties to its new ones."""

from __future__ import annotations

from typing import Any

import pytest

from services.localstack.cloudformation.stream import Call, calls_after, creation

ON_DEMAND = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}


@pytest.mark.parametrize(
    ("properties", "mode", "shard_count"),
    [
        ({}, "PROVISIONED", 1),
        ({"ShardCount": "3"}, "PROVISIONED", 3),
        (ON_DEMAND, "ON_DEMAND", None),
    ],
)
def test_the_default_mode_is_provisioned(
    properties: dict[str, Any], mode: str, shard_count: int | None
) -> None:
    wanted: dict[str, Any] = {"StreamName": "s", "StreamModeDetails": {"StreamMode": mode}}
    wanted |= {"ShardCount": shard_count} if shard_count else {}
    assert creation({"Name": "s", **properties}) == wanted


def call(operation: str, **parameters: Any) -> Call:
    return Call(operation, {"StreamName": "s", **parameters})


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ({"ShardCount": 2}, {"ShardCount": "2"}, []),
        (
            {"ShardCount": 2},
            {"ShardCount": 4},
            [call("update_shard_count", TargetShardCount=4, ScalingType="UNIFORM_SCALING")],
        ),
        (
            {},
            {"RetentionPeriodHours": 48},
            [call("increase_stream_retention_period", RetentionPeriodHours=48)],
        ),
        (
            {"RetentionPeriodHours": 48},
            {},
            [call("decrease_stream_retention_period", RetentionPeriodHours=24)],
        ),
        (
            {"StreamEncryption": {"EncryptionType": "KMS", "KeyId": "k"}},
            {},
            [call("stop_stream_encryption", EncryptionType="KMS", KeyId="k")],
        ),
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}]},
            {"Tags": [{"Key": "b", "Value": 2}]},
            [
                call("remove_tags_from_stream", TagKeys=["a"]),
                call("add_tags_to_stream", Tags={"b": "2"}),
            ],
        ),
        (
            ON_DEMAND,
            {"ShardCount": 2},
            [
                Call(
                    "update_stream_mode",
                    {"StreamARN": "arn", "StreamModeDetails": {"StreamMode": "PROVISIONED"}},
                ),
                call("update_shard_count", TargetShardCount=2, ScalingType="UNIFORM_SCALING"),
            ],
        ),
    ],
)
def test_what_changed_is_called_for(
    before: dict[str, Any], after: dict[str, Any], wanted: list[Call]
) -> None:
    before = {"Name": "s", "Arn": "arn", **before} if before else {}
    assert calls_after(before, {"Name": "s", **after}) == wanted
