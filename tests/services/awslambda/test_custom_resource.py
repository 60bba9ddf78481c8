"""What CloudFormation and the function behind a custom resource say to each other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.awslambda.cloudformation.custom_resource import (
    CustomResourceFailed,
    Response,
    own_properties,
    parse_response,
    request_event,
    with_response,
)

TOKEN = "arn:aws:lambda:us-east-1:000000000000:function:f"
STATE = {"ServiceToken": TOKEN, "Count": 3, "On": True, "Tags": [{"Key": "a"}]}
MADE = with_response(STATE, Response("id-1", {"Answer": "42"}))


def event(request_type: str, **states: Any) -> dict[str, Any]:
    return request_event(
        request_type=request_type,
        request_id="r-1",
        response_url="http://url",
        stack_id="stack",
        resource_type="Custom::Made",
        logical_id="Made",
        **states,
    )


def test_a_create_request_has_its_properties_as_text() -> None:
    created = event("Create", state=STATE)
    assert created["ResourceProperties"] == {
        "ServiceToken": TOKEN,
        "Count": "3",
        "On": "true",
        "Tags": [{"Key": "a"}],
    }
    assert "PhysicalResourceId" not in created
    assert created["ServiceToken"] == TOKEN


def test_an_update_request_has_the_old_properties_and_the_physical_id() -> None:
    updated = event("Update", state={**STATE, "Count": 4}, previous_state=MADE)
    assert updated["PhysicalResourceId"] == "id-1"
    assert updated["ResourceProperties"]["Count"] == "4"
    assert updated["OldResourceProperties"]["Count"] == "3"
    assert "Answer" not in updated["OldResourceProperties"]


def test_a_delete_request_has_the_physical_id() -> None:
    deleted = event("Delete", state=MADE)
    assert deleted["PhysicalResourceId"] == "id-1"
    assert "OldResourceProperties" not in deleted


def test_what_the_function_returned_is_found_by_get_att_and_ref() -> None:
    assert (MADE["Answer"], MADE["PhysicalResourceId"]) == ("42", "id-1")
    assert own_properties(MADE) == STATE


def test_without_a_physical_id_the_request_names_the_resource() -> None:
    assert parse_response(b'{"Status": "SUCCESS"}', "r-1") == Response("r-1", {})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no JSON", "it is no JSON"),
        (b"[]", "must be SUCCESS or FAILED"),
        (b'{"Status": "OK"}', "must be SUCCESS or FAILED"),
        (json.dumps({"Status": "FAILED", "Reason": "no room"}).encode(), "no room"),
    ],
)
def test_an_answer_that_is_no_success_fails_with_its_reason(body: bytes, message: str) -> None:
    with pytest.raises(CustomResourceFailed, match=message):
        parse_response(body, "r-1")
