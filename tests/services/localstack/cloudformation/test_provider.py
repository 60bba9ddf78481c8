"""Stacks as templates describe them, created and updated."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.localstack.environment import ENGINE_PYTHON, ROOT
from tests.waiting import OFTEN

WAIT = {"WaiterConfig": OFTEN}


def template(shards: int, hours: int, days: int, *, versioned: bool) -> str:
    rule = {"Id": "a", "Status": "Enabled", "Prefix": "raw/", "ExpirationInDays": days}
    properties: dict[str, Any] = {
        "BucketName": {"Fn::Sub": "${AWS::StackName}-bucket"},
        "LifecycleConfiguration": {"Rules": [rule]},
    }
    if versioned:
        properties["VersioningConfiguration"] = {"Status": "Enabled"}
    stream = {
        "Name": {"Fn::Sub": "${AWS::StackName}-stream"},
        "ShardCount": shards,
        "RetentionPeriodHours": hours,
        "Tags": [{"Key": "course", "Value": "one"}],
    }
    resources = {
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": stream},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties},
    }
    return json.dumps({"Resources": resources})


def seen(engine: Any, stack: str) -> tuple[int, int, int, str | None]:
    """(open shards, retention hours, expiration days, versioning) as the services tell them."""
    summary = engine.client("kinesis").describe_stream_summary(StreamName=f"{stack}-stream")
    s3, bucket = engine.client("s3"), f"{stack}-bucket"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return (
        summary["StreamDescriptionSummary"]["OpenShardCount"],
        summary["StreamDescriptionSummary"]["RetentionPeriodHours"],
        rules[0]["Expiration"]["Days"],
        s3.get_bucket_versioning(Bucket=bucket).get("Status"),
    )


def test_a_stack_has_what_its_template_says_also_after_an_update(engine: Any) -> None:
    cloudformation, stack = engine.client("cloudformation"), f"stack-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(StackName=stack, TemplateBody=template(2, 48, 30, versioned=False))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, **WAIT)
    assert seen(engine, stack) == (2, 48, 30, None)
    tags = engine.client("kinesis").list_tags_for_stream(StreamName=f"{stack}-stream")["Tags"]
    assert {"Key": "course", "Value": "one"} in tags

    cloudformation.update_stack(StackName=stack, TemplateBody=template(4, 24, 7, versioned=True))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, **WAIT)
    assert seen(engine, stack) == (4, 24, 7, "Enabled")

    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, **WAIT)
    assert f"{stack}-stream" not in engine.client("kinesis").list_streams()["StreamNames"]


def test_an_unknown_type_is_refused_by_name_before_there_is_a_stack(engine: Any) -> None:
    cloudformation, stack = engine.client("cloudformation"), f"stack-{uuid.uuid4().hex[:8]}"
    body = json.dumps({"Resources": {"Thing": {"Type": "AWS::No::Thing"}}})
    with pytest.raises(ClientError) as refusal:
        cloudformation.create_stack(StackName=stack, TemplateBody=body)
    error = refusal.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert "Unrecognized resource types: [AWS::No::Thing]" in error["Message"]
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=stack)


PLUG_INS = """
import sys
from importlib.metadata import entry_points
for group in ("localstack.aws.provider", "localstack.cloudformation.resource_providers"):
    for each in entry_points(group=group):
        if each.value.startswith("services."):
            each.load()
print(*sorted({"samtranslator", "duckdb", "pyarrow"} & set(sys.modules)))
"""


def test_what_is_read_at_the_first_call_to_any_service_does_not_import_engines() -> None:
    read = subprocess.run(
        [str(ENGINE_PYTHON), "-c", PLUG_INS], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert read.stdout.split() == []
