"""Glue's resource types in a stack: made, updated, deleted."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


def template(database: str, description: str, days: list[str]) -> str:
    column = {"Name": "id", "Type": "bigint"}
    storage = {"Columns": [column], "Location": f"s3://{database}/clicks/"}
    table = {
        "Name": "clicks",
        "Description": description,
        "StorageDescriptor": storage,
        "PartitionKeys": [{"Name": "day", "Type": "string"}],
    }
    place = {"DatabaseName": {"Ref": "Database"}, "TableName": {"Ref": "Table"}}
    crawler = {
        "Role": "crawler",
        "DatabaseName": {"Ref": "Database"},
        "Classifiers": [{"Ref": "Classifier"}],
        "Targets": {"S3Targets": [{"Path": f"s3://{database}/raw/"}]},
        "Schedule": {"ScheduleExpression": "cron(0 3 1 1 ? 2190)"},
        "Description": description,
    }
    grok = {"Classification": "app", "GrokPattern": "%{GREEDYDATA:line}"}
    resources: dict[str, Any] = {
        "Database": (
            "Database",
            {"CatalogId": "000000000000", "DatabaseInput": {"Name": database}},
        ),
        "Table": (
            "Table",
            {"CatalogId": "000000000000", "DatabaseName": {"Ref": "Database"}, "TableInput": table},
        ),
        "Classifier": ("Classifier", {"GrokClassifier": grok}),
        "Crawler": ("Crawler", crawler),
        "Registry": ("Registry", {"Name": database, "Description": description}),
        "Schema": (
            "Schema",
            {
                "Registry": {"Arn": {"Ref": "Registry"}},
                "Name": "events",
                "DataFormat": "JSON",
                "Compatibility": "NONE",
                "SchemaDefinition": "{}",
            },
        ),
    } | {f"Day{day}": ("Partition", place | {"PartitionInput": {"Values": [day]}}) for day in days}
    outputs = {"Crawler": {"Value": {"Ref": "Crawler"}}, "Schema": {"Value": {"Ref": "Schema"}}}
    return json.dumps(
        {
            "Resources": {
                name: {"Type": f"AWS::Glue::{kind}", "Properties": properties}
                for name, (kind, properties) in resources.items()
            },
            "Outputs": outputs,
        }
    )


def wait_for(cloudformation: Any, stack: str, wanted: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return None if found["StackStatus"].endswith("_IN_PROGRESS") else found

    found: dict[str, Any] = wait_until(ended, 60)
    assert found["StackStatus"] == wanted, found.get("StackStatusReason")
    return {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}


def test_a_stack_makes_updates_and_deletes_a_catalog(engine: EngineUnderTest) -> None:
    cloudformation, glue = engine.client("cloudformation"), engine.client("glue")
    name = f"stack-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(StackName=name, TemplateBody=template(name, "one", ["1", "2"]))
    outputs = wait_for(cloudformation, name, "CREATE_COMPLETE")
    assert glue.get_table(DatabaseName=name, Name="clicks")["Table"]["Description"] == "one"
    crawler = glue.get_crawler(Name=outputs["Crawler"])["Crawler"]
    assert crawler["Schedule"]["State"] == "SCHEDULED"
    assert glue.get_schema(SchemaId={"SchemaArn": outputs["Schema"]})["LatestSchemaVersion"] == 1
    cloudformation.update_stack(StackName=name, TemplateBody=template(name, "two", ["2", "3"]))
    wait_for(cloudformation, name, "UPDATE_COMPLETE")
    assert glue.get_table(DatabaseName=name, Name="clicks")["Table"]["Description"] == "two"
    assert glue.get_crawler(Name=outputs["Crawler"])["Crawler"]["Description"] == "two"
    found = glue.get_partitions(DatabaseName=name, TableName="clicks")["Partitions"]
    assert sorted(p["Values"] for p in found) == [["2"], ["3"]]
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=name)
    wait_for(cloudformation, stack_id, "DELETE_COMPLETE")
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_database(Name=name)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_crawler(Name=outputs["Crawler"])
