"""Requests that Athena's API refuses, with AWS's code and words."""

from __future__ import annotations

from typing import Any

import pytest

from services.athena.errors import AthenaError
from tests.services.athena.conftest import AthenaInMemory

ARN = "arn:aws:athena:us-east-1:000000000000:workgroup/"


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("StartQueryExecution", {}, "Value null at 'queryString' failed to satisfy constraint"),
        ("StartQueryExecution", {"QueryString": "SELECT 1", "ClientRequestToken": "short"},
         "Value 'short' at 'clientRequestToken' .* length greater than or equal to 32"),
        ("StartQueryExecution", {"QueryString": "SELECT 1", "WorkGroup": "two words"},
         "at 'workGroup' failed to satisfy constraint: Member must satisfy regular expression"),
        ("StartQueryExecution", {"QueryString": "SELECT 1", "ResultReuseConfiguration":
         {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 10_081}}},
         "maxAgeInMinutes' .* less than or equal to 10080"),
        ("BatchGetQueryExecution", {"QueryExecutionIds": ["i"] * 51}, "length less than or equal to 50"),
        ("ListQueryExecutions", {"MaxResults": 51}, "value less than or equal to 50"),
        ("CreateWorkGroup", {"Name": "bad name!"}, "regular expression pattern"),
        ("UpdateWorkGroup", {"WorkGroup": "primary", "State": "ASLEEP"}, "enum value set"),
        ("CreatePreparedStatement",
         {"StatementName": "1-p", "WorkGroup": "primary", "QueryStatement": "SELECT ?"},
         "at 'statementName'"),
        ("TagResource", {"ResourceARN": "x", "Tags": [{"Key": "a", "Value": "b"}]}, "Invalid ARN: x"),
    ],
)  # fmt: skip
def test_a_request_that_the_model_forbids(
    shared: AthenaInMemory, operation: str, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(AthenaError, match=message) as refused:
        shared.call(operation, **request_)
    assert refused.value.code == "InvalidRequestException"
    assert refused.value.fields["AthenaErrorCode"] == "INVALID_INPUT"


def test_a_member_of_another_type_is_no_request(shared: AthenaInMemory) -> None:
    with pytest.raises(AthenaError, match="int value found where a string is expected") as refused:
        shared.call("GetQueryExecution", QueryExecutionId=1)
    assert refused.value.code == "SerializationException"


def test_what_this_engine_does_not_have_is_said(shared: AthenaInMemory) -> None:
    with pytest.raises(
        AthenaError, match="StartSession is not supported by this engine"
    ) as refused:
        shared.call("StartSession", WorkGroup="primary")
    assert refused.value.code == "InvalidRequestException"
    with pytest.raises(AthenaError, match="no operation StartAll"):
        shared.call("StartAll")


def test_tags_belong_to_something(shared: AthenaInMemory) -> None:
    shared.call("TagResource", ResourceARN=ARN + "primary", Tags=[{"Key": "a", "Value": "b"}])
    tags = shared.call("ListTagsForResource", ResourceARN=ARN + "primary")["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    with pytest.raises(AthenaError) as refused:
        shared.call("ListTagsForResource", ResourceARN=ARN + "nothing")
    assert refused.value.code == "ResourceNotFoundException"


def test_a_catalog_that_is_missing_is_named(shared: AthenaInMemory) -> None:
    with pytest.raises(AthenaError, match="Data catalog other was not found"):
        shared.start("SELECT 1", QueryExecutionContext={"Catalog": "other"})


def test_prepare_checks_its_statement_and_places_the_fault(shared: AthenaInMemory) -> None:
    with pytest.raises(AthenaError, match="line 2:30: mismatched input 'WHERE'") as refused:
        shared.start("PREPARE wrong\n  FROM SELECT a FROM t WHERE WHERE")
    assert refused.value.fields["AthenaErrorCode"] == "MALFORMED_QUERY"


def test_an_enforced_location_takes_no_external_location(athena: AthenaInMemory) -> None:
    own = {"ResultConfiguration": {"OutputLocation": "s3://out/group/"}}
    athena.call("CreateWorkGroup", Name="g", Configuration=own)
    with pytest.raises(AthenaError, match="submitted with an 'external_location' property"):
        athena.start(
            "CREATE TABLE t WITH (format = 'ORC', external_location = 's3://lake/t/') AS SELECT 1 AS a",
            WorkGroup="g",
        )
    made = athena.run("CREATE TABLE t AS SELECT 1 AS a", WorkGroup="g")
    assert made["Status"]["State"] == "SUCCEEDED"
