"""The schema registry through boto3 against the engine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest

FIRST = json.dumps({"type": "record", "name": "E", "fields": [{"name": "id", "type": "int"}]})
WIDER = FIRST.replace('"int"', '"long"')
BROKEN = FIRST.replace('"int"', '"string"')


@pytest.fixture
def glue(engine: EngineUnderTest) -> Any:
    return engine.client("glue")


@pytest.fixture
def registry(glue: Any) -> Iterator[str]:
    name = f"registry-{uuid.uuid4().hex[:8]}"
    glue.create_registry(RegistryName=name, Description="a test's", Tags={"lab": "1"})
    yield name
    glue.delete_registry(RegistryId={"RegistryName": name})


@pytest.fixture
def schema(glue: Any, registry: str) -> dict[str, str]:
    glue.create_schema(
        RegistryId={"RegistryName": registry},
        SchemaName="events",
        DataFormat="AVRO",
        Compatibility="BACKWARD",
        SchemaDefinition=FIRST,
    )
    return {"RegistryName": registry, "SchemaName": "events"}


def test_a_schema_begins_with_its_first_version(glue: Any, schema: dict[str, str]) -> None:
    found = glue.get_schema(SchemaId=schema)
    assert (found["LatestSchemaVersion"], found["NextSchemaVersion"]) == (1, 2)
    arn = f"arn:aws:glue:us-east-1:000000000000:schema/{schema['RegistryName']}/events"
    assert found["SchemaArn"] == arn
    version = glue.get_schema_version(
        SchemaId={"SchemaArn": arn}, SchemaVersionNumber={"LatestVersion": True}
    )
    assert version["SchemaDefinition"] == FIRST
    assert glue.get_schema_version(SchemaVersionId=version["SchemaVersionId"])["Status"] == (
        "AVAILABLE"
    )


def test_a_version_that_breaks_the_promise_is_a_failure(glue: Any, schema: dict[str, str]) -> None:
    wider = glue.register_schema_version(SchemaId=schema, SchemaDefinition=WIDER)
    assert (wider["VersionNumber"], wider["Status"]) == (2, "AVAILABLE")
    broken = glue.register_schema_version(SchemaId=schema, SchemaDefinition=BROKEN)
    assert (broken["VersionNumber"], broken["Status"]) == (3, "FAILURE")
    latest = glue.get_schema_version(SchemaId=schema, SchemaVersionNumber={"LatestVersion": True})
    assert (latest["VersionNumber"], latest["Status"]) == (2, "AVAILABLE")
    again = glue.register_schema_version(
        SchemaId=schema, SchemaDefinition=json.dumps(json.loads(WIDER), indent=2)
    )
    assert again["SchemaVersionId"] == wider["SchemaVersionId"]
    by_text = glue.get_schema_by_definition(SchemaId=schema, SchemaDefinition=WIDER)
    assert by_text["SchemaVersionId"] == wider["SchemaVersionId"]


def test_versions_are_listed_compared_and_deleted(glue: Any, schema: dict[str, str]) -> None:
    glue.register_schema_version(SchemaId=schema, SchemaDefinition=WIDER)
    listed = glue.list_schema_versions(SchemaId=schema)["Schemas"]
    assert [v["VersionNumber"] for v in listed] == [1, 2]
    diff = glue.get_schema_versions_diff(
        SchemaId=schema,
        FirstSchemaVersionNumber={"VersionNumber": 1},
        SecondSchemaVersionNumber={"LatestVersion": True},
        SchemaDiffType="SYNTAX_DIFF",
    )["Diff"]
    assert "+" in diff
    errors = glue.delete_schema_versions(SchemaId=schema, Versions="1-2")["SchemaVersionErrors"]
    assert [e["VersionNumber"] for e in errors] == [1]
    left = glue.list_schema_versions(SchemaId=schema)["Schemas"]
    assert [v["VersionNumber"] for v in left] == [1]


def test_metadata_belongs_to_a_version(glue: Any, schema: dict[str, str]) -> None:
    place = {"SchemaId": schema, "SchemaVersionNumber": {"LatestVersion": True}}
    for value in ("ana", "bia"):
        pair = {"MetadataKey": "owner", "MetadataValue": value}
        glue.put_schema_version_metadata(**place, MetadataKeyValue=pair)
    found = glue.query_schema_version_metadata(**place)["MetadataInfoMap"]["owner"]
    others = [other["MetadataValue"] for other in found["OtherMetadataValueList"]]
    assert (found["MetadataValue"], others) == ("bia", ["ana"])
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.put_schema_version_metadata(**place, MetadataKeyValue=pair)
    glue.remove_schema_version_metadata(**place, MetadataKeyValue=pair)
    found = glue.query_schema_version_metadata(**place)["MetadataInfoMap"]["owner"]
    assert found["MetadataValue"] == "ana"


def test_what_is_not_there_or_no_schema_is_said_in_awss_words(glue: Any, registry: str) -> None:
    with pytest.raises(ClientError, match=r"Registry is not found. RegistryName: nowhere"):
        glue.get_registry(RegistryId={"RegistryName": "nowhere"})
    with pytest.raises(ClientError, match=r"Schema is not found. RegistryName: nowhere"):
        glue.get_schema(SchemaId={"RegistryName": "nowhere", "SchemaName": "x"})
    with pytest.raises(ClientError, match="Schema definition of AVRO data format is invalid"):
        glue.create_schema(
            RegistryId={"RegistryName": registry},
            SchemaName="bad",
            DataFormat="AVRO",
            SchemaDefinition="{",
        )
    with pytest.raises(ClientError, match=f"Registry already exists. RegistryName: {registry}"):
        glue.create_registry(RegistryName=registry)
    valid = glue.check_schema_version_validity(DataFormat="JSON", SchemaDefinition='{"type": 1}')
    assert valid["Valid"] is False


def test_a_disabled_schema_takes_no_further_version(glue: Any, registry: str) -> None:
    names = {"RegistryName": registry, "SchemaName": "fixed"}
    glue.create_schema(
        RegistryId={"RegistryName": registry},
        SchemaName="fixed",
        DataFormat="JSON",
        Compatibility="DISABLED",
        SchemaDefinition="{}",
    )
    with pytest.raises(ClientError, match="Compatibility DISABLED does not allow versioning"):
        glue.register_schema_version(SchemaId=names, SchemaDefinition='{"type": "object"}')
