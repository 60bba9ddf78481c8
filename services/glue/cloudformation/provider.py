"""`AWS::Glue::*` for LocalStack's CloudFormation: each type is a row of calls to Glue itself.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Glue.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

Model = dict[str, Any]
#: (a Glue client, the properties): calls Glue, may add to the properties.
Call = Callable[[Any, Model], None]
#: (a Glue client, the properties before, the properties now).
UpdateCall = Callable[[Any, Model, Model], None]

CLASSIFIERS = ("GrokClassifier", "XMLClassifier", "JsonClassifier", "CsvClassifier")


@dataclass(frozen=True)
class GlueType:
    """One resource type. `identifier` is the property that `Ref` gives."""

    name: str
    identifier: str
    prepare: Callable[[Model, str], None]
    create: Call
    update: UpdateCall
    delete: Call
    create_only: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()


def _plugin(glue_type: GlueType) -> type[CloudFormationResourceProviderPlugin]:
    class GlueResource(ResourceProvider):
        TYPE = glue_type.name
        SCHEMA: Mapping[str, Any] = {
            "typeName": glue_type.name,
            "primaryIdentifier": [f"/properties/{glue_type.identifier}"],
            "createOnlyProperties": [f"/properties/{name}" for name in glue_type.create_only],
            "readOnlyProperties": [f"/properties/{name}" for name in glue_type.read_only],
            "properties": {},
            "handlers": {"create": {}, "read": {}, "update": {}, "delete": {}},
        }

        def create(self, request: ResourceRequest) -> ProgressEvent:
            model = request.desired_state
            name = generate_default_name(request.stack_name, request.logical_resource_id)
            glue_type.prepare(model, name)
            glue_type.create(request.aws_client_factory.glue, model)
            return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)

        def update(self, request: ResourceRequest) -> ProgressEvent:
            before, model = request.previous_state, request.desired_state
            kept = (glue_type.identifier, *glue_type.read_only)
            model |= {name: before[name] for name in kept if name in before and name not in model}
            glue_type.prepare(model, str(before.get(glue_type.identifier, "")))
            glue_type.update(request.aws_client_factory.glue, before, model)
            return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)

        def delete(self, request: ResourceRequest) -> ProgressEvent:
            model = request.previous_state or request.desired_state
            glue = request.aws_client_factory.glue
            # What is gone already, with its database, is as it was wanted.
            with suppress(glue.exceptions.EntityNotFoundException):
                glue_type.delete(glue, model)
            return ProgressEvent(OperationStatus.SUCCESS, resource_model={})

        def read(self, request: ResourceRequest) -> ProgressEvent:
            return ProgressEvent(OperationStatus.SUCCESS, resource_model=request.desired_state)

    class Plugin(CloudFormationResourceProviderPlugin):
        name = glue_type.name

        def __init__(self) -> None:
            self.factory: type[ResourceProvider] | None = None

        def load(self) -> None:
            self.factory = GlueResource

    return Plugin


def _prepare_database(model: Model, name: str) -> None:
    model["DatabaseInput"].setdefault("Name", model.get("DatabaseName") or name.lower())
    model["DatabaseName"] = model["DatabaseInput"]["Name"].lower()


def _create_database(glue: Any, model: Model) -> None:
    glue.create_database(DatabaseInput=model["DatabaseInput"])


def _update_database(glue: Any, before: Model, model: Model) -> None:
    model["DatabaseName"] = model["DatabaseInput"]["Name"].lower()
    glue.update_database(Name=before["DatabaseName"], DatabaseInput=model["DatabaseInput"])


def _delete_database(glue: Any, model: Model) -> None:
    glue.delete_database(Name=model["DatabaseName"])


def _prepare_table(model: Model, name: str) -> None:
    model["TableInput"].setdefault("Name", model.get("TableName") or name.lower())
    model["TableName"] = model["TableInput"]["Name"].lower()


def _create_table(glue: Any, model: Model) -> None:
    glue.create_table(**_given(model, "DatabaseName", "TableInput"))


def _update_table(glue: Any, before: Model, model: Model) -> None:
    model["TableName"] = model["TableInput"]["Name"].lower()
    if model["TableName"] != before["TableName"]:
        _create_table(glue, model)
        _delete_table(glue, before)
    else:
        glue.update_table(**_given(model, "DatabaseName", "TableInput"))


def _delete_table(glue: Any, model: Model) -> None:
    glue.delete_table(DatabaseName=model["DatabaseName"], Name=model["TableName"])


def _prepare_partition(model: Model, name: str) -> None:
    model["Id"] = "|".join(
        [model["DatabaseName"], model["TableName"], json.dumps(model["PartitionInput"]["Values"])]
    )


def _create_partition(glue: Any, model: Model) -> None:
    glue.create_partition(**_given(model, "DatabaseName", "TableName", "PartitionInput"))


def _update_partition(glue: Any, before: Model, model: Model) -> None:
    glue.update_partition(
        PartitionValueList=before["PartitionInput"]["Values"],
        **_given(model, "DatabaseName", "TableName", "PartitionInput"),
    )


def _delete_partition(glue: Any, model: Model) -> None:
    place = _given(model, "DatabaseName", "TableName")
    glue.delete_partition(PartitionValues=model["PartitionInput"]["Values"], **place)


def _prepare_crawler(model: Model, name: str) -> None:
    model.setdefault("Name", name)


def _crawler_arguments(model: Model) -> Model:
    """CloudFormation nests the schedule, Glue takes its text."""
    left_out = ("Schedule", "Tags")
    arguments = {key: value for key, value in model.items() if key not in left_out}
    expression = (model.get("Schedule") or {}).get("ScheduleExpression")
    return arguments | ({"Schedule": expression} if expression else {})


def _create_crawler(glue: Any, model: Model) -> None:
    glue.create_crawler(**_crawler_arguments(model), Tags=model.get("Tags") or {})


def _update_crawler(glue: Any, before: Model, model: Model) -> None:
    unscheduled = {"Schedule": ""} if before.get("Schedule") and not model.get("Schedule") else {}
    glue.update_crawler(**_crawler_arguments(model), **unscheduled)


def _delete_crawler(glue: Any, model: Model) -> None:
    glue.delete_crawler(Name=model["Name"])


def _prepare_classifier(model: Model, name: str) -> None:
    for kind in CLASSIFIERS:
        if kind in model:
            model[kind].setdefault("Name", model.get("Name") or name)
            model["Name"] = model[kind]["Name"]


def _create_classifier(glue: Any, model: Model) -> None:
    glue.create_classifier(**_given(model, *CLASSIFIERS))


def _update_classifier(glue: Any, before: Model, model: Model) -> None:
    glue.update_classifier(**_given(model, *CLASSIFIERS))


def _delete_classifier(glue: Any, model: Model) -> None:
    glue.delete_classifier(Name=model["Name"])


def _nothing_to_prepare(model: Model, name: str) -> None:
    """The name is a required property."""


def _create_registry(glue: Any, model: Model) -> None:
    wanted = {"RegistryName": model["Name"], "Tags": _tags(model)}
    answer = glue.create_registry(**wanted, **_given(model, "Description"))
    model["Arn"] = answer["RegistryArn"]


def _update_registry(glue: Any, before: Model, model: Model) -> None:
    glue.update_registry(
        RegistryId={"RegistryArn": model["Arn"]}, Description=model.get("Description", "")
    )


def _delete_registry(glue: Any, model: Model) -> None:
    glue.delete_registry(RegistryId={"RegistryArn": model["Arn"]})


def _create_schema(glue: Any, model: Model) -> None:
    registry = model.get("Registry") or {}
    names = {"RegistryName": registry.get("Name"), "RegistryArn": registry.get("Arn")}
    chosen = {key: value for key, value in names.items() if value}
    answer = glue.create_schema(
        SchemaName=model["Name"],
        Tags=_tags(model),
        **({"RegistryId": chosen} if chosen else {}),
        **_given(model, "DataFormat", "Compatibility", "Description", "SchemaDefinition"),
    )
    model["Arn"] = answer["SchemaArn"]
    model["InitialSchemaVersionId"] = answer.get("SchemaVersionId")


def _update_schema(glue: Any, before: Model, model: Model) -> None:
    version = (model.get("CheckpointVersion") or {}).get("VersionNumber")
    number = {"VersionNumber": int(version)} if version else {"LatestVersion": True}
    glue.update_schema(
        SchemaId={"SchemaArn": model["Arn"]},
        SchemaVersionNumber=number,
        **_given(model, "Compatibility", "Description"),
    )


def _delete_schema(glue: Any, model: Model) -> None:
    glue.delete_schema(SchemaId={"SchemaArn": model["Arn"]})


def _given(model: Model, *names: str) -> Model:
    return {name: model[name] for name in names if model.get(name) is not None}


def _tags(model: Model) -> dict[str, str]:
    """A list of keys and values in templates, a map in the API."""
    return {tag["Key"]: tag["Value"] for tag in model.get("Tags") or []}


DatabasePlugin = _plugin(
    GlueType(
        "AWS::Glue::Database",
        "DatabaseName",
        _prepare_database,
        _create_database,
        _update_database,
        _delete_database,
        create_only=("DatabaseName",),
    )
)
TablePlugin = _plugin(
    GlueType(
        "AWS::Glue::Table",
        "TableName",
        _prepare_table,
        _create_table,
        _update_table,
        _delete_table,
        create_only=("DatabaseName",),
    )
)
PartitionPlugin = _plugin(
    GlueType(
        "AWS::Glue::Partition",
        "Id",
        _prepare_partition,
        _create_partition,
        _update_partition,
        _delete_partition,
        create_only=("DatabaseName", "TableName"),
        read_only=("Id",),
    )
)
CrawlerPlugin = _plugin(
    GlueType(
        "AWS::Glue::Crawler",
        "Name",
        _prepare_crawler,
        _create_crawler,
        _update_crawler,
        _delete_crawler,
        create_only=("Name",),
    )
)
ClassifierPlugin = _plugin(
    GlueType(
        "AWS::Glue::Classifier",
        "Name",
        _prepare_classifier,
        _create_classifier,
        _update_classifier,
        _delete_classifier,
    )
)
RegistryPlugin = _plugin(
    GlueType(
        "AWS::Glue::Registry",
        "Arn",
        _nothing_to_prepare,
        _create_registry,
        _update_registry,
        _delete_registry,
        create_only=("Name",),
        read_only=("Arn",),
    )
)
SchemaPlugin = _plugin(
    GlueType(
        "AWS::Glue::Schema",
        "Arn",
        _nothing_to_prepare,
        _create_schema,
        _update_schema,
        _delete_schema,
        create_only=("Name", "DataFormat", "SchemaDefinition", "Registry"),
        read_only=("Arn", "InitialSchemaVersionId"),
    )
)
