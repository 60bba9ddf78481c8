"""A delivery stream of a stack: made with every property, updated in place, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.firehose.lake import ROLE, Lake
from tests.waiting import wait_until


def template(lake: Lake, prefix: str, team: str) -> str:
    properties = {
        "DeliveryStreamType": "DirectPut",
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{lake.name}",
            "Prefix": prefix,
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            # Text and numbers both stand in templates.
            "BufferingHints": {"SizeInMBs": "64", "IntervalInSeconds": 60},
            "CustomTimeZone": "America/Sao_Paulo",
            "FileExtension": ".json",
            "DynamicPartitioningConfiguration": {"Enabled": "true"},
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [
                    {
                        "Type": "MetadataExtraction",
                        "Parameters": [
                            {
                                "ParameterName": "MetadataExtractionQuery",
                                "ParameterValue": "{device: .device}",
                            },
                            {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
                        ],
                    }
                ],
            },
        },
        "Tags": [{"Key": "team", "Value": team}],
    }
    return json.dumps(
        {
            "Resources": {
                "Stream": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": properties}
            },
            "Outputs": {
                "Name": {"Value": {"Ref": "Stream"}},
                "Arn": {"Value": {"Fn::GetAtt": ["Stream", "Arn"]}},
            },
        }
    )


def outputs(cloudformation: Any, stack: str, wanted: str) -> dict[str, str]:
    def ended() -> Any:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return None if found["StackStatus"].endswith("_IN_PROGRESS") else found

    found = wait_until(ended, 60)
    assert found["StackStatus"] == wanted, found.get("StackStatusReason")
    return {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}


def test_a_stack_makes_updates_and_deletes_a_delivery_stream(lake: Lake) -> None:
    cloudformation, firehose = lake.engine.client("cloudformation"), lake.firehose
    before = "a/!{partitionKeyFromQuery:device}/"
    cloudformation.create_stack(StackName=lake.name, TemplateBody=template(lake, before, "blue"))
    made = outputs(cloudformation, lake.name, "CREATE_COMPLETE")
    name = made["Name"]
    assert made["Arn"].endswith(f":deliverystream/{name}")

    def description() -> Any:
        described = firehose.describe_delivery_stream(DeliveryStreamName=name)
        return described["DeliveryStreamDescription"]

    (destination,) = description()["Destinations"]
    content = destination["ExtendedS3DestinationDescription"]
    assert content["DynamicPartitioningConfiguration"]["Enabled"] is True
    assert content["BufferingHints"] == {"SizeInMBs": 64, "IntervalInSeconds": 60}
    assert (content["CustomTimeZone"], content["FileExtension"]) == ("America/Sao_Paulo", ".json")

    after = "b/!{partitionKeyFromQuery:device}/"
    cloudformation.update_stack(StackName=lake.name, TemplateBody=template(lake, after, "red"))
    outputs(cloudformation, lake.name, "UPDATE_COMPLETE")
    assert description()["VersionId"] == "2"
    (destination,) = description()["Destinations"]
    assert destination["ExtendedS3DestinationDescription"]["Prefix"] == after
    tags = firehose.list_tags_for_delivery_stream(DeliveryStreamName=name)["Tags"]
    assert tags == [{"Key": "team", "Value": "red"}]

    stack_id = cloudformation.describe_stacks(StackName=lake.name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=lake.name)
    outputs(cloudformation, stack_id, "DELETE_COMPLETE")
    with pytest.raises(firehose.exceptions.ResourceNotFoundException):
        description()


def test_a_refused_property_fails_the_stack_with_aws_s_words(lake: Lake) -> None:
    cloudformation = lake.engine.client("cloudformation")
    cloudformation.create_stack(
        StackName=lake.name,
        TemplateBody=template(lake, "no-partition-key/", "blue"),
        OnFailure="DO_NOTHING",
    )
    outputs(cloudformation, lake.name, "CREATE_FAILED")
    events = cloudformation.describe_stack_events(StackName=lake.name)["StackEvents"]
    reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
    assert "S3 Prefix should contain Dynamic Partitioning namespaces" in reasons
