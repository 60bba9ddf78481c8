"""What CloudFormation and the function behind a custom resource say to each other. Pure.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Kept among the resource's properties, where `Ref` and the next request find it.
PHYSICAL_ID = "PhysicalResourceId"
#: What a resource returned, so that its properties can be told from it.
DATA_NAMES = "_DataNames"


@dataclass(frozen=True)
class Response:
    """What the function put to the response URL."""

    physical_id: str
    data: Mapping[str, Any]


class CustomResourceFailed(Exception):
    """The function answered FAILED, or something that is no answer; the message is its reason."""


def request_event(
    *,
    request_type: str,
    request_id: str,
    response_url: str,
    stack_id: str,
    resource_type: str,
    logical_id: str,
    state: Mapping[str, Any],
    previous_state: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The event of a `Create`, `Update` or `Delete`. Values are text, as CloudFormation has it."""
    properties = own_properties(state)
    event = {
        "RequestType": request_type,
        "ServiceToken": properties["ServiceToken"],
        "ResponseURL": response_url,
        "StackId": stack_id,
        "RequestId": request_id,
        "LogicalResourceId": logical_id,
        "ResourceType": resource_type,
        "ResourceProperties": _as_text(properties),
    }
    known = previous_state if previous_state is not None else state
    if request_type != "Create":
        event[PHYSICAL_ID] = known.get(PHYSICAL_ID, "")
    if request_type == "Update" and previous_state is not None:
        event["OldResourceProperties"] = _as_text(own_properties(previous_state))
    return event


def parse_response(body: bytes, request_id: str) -> Response:
    """Raises CustomResourceFailed."""
    try:
        answer = json.loads(body)
    except ValueError:
        raise CustomResourceFailed("Invalid Response object: it is no JSON.") from None
    if not isinstance(answer, dict) or answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise CustomResourceFailed(
            "Invalid Response object: Value of property Status must be SUCCESS or FAILED"
        )
    if answer["Status"] == "FAILED":
        reason = answer.get("Reason") or "no reason given"
        raise CustomResourceFailed(
            f"Received response status [FAILED] from custom resource. Message returned: {reason} "
            f"(RequestId: {request_id})"
        )
    return Response(str(answer.get(PHYSICAL_ID) or request_id), answer.get("Data") or {})


def with_response(state: Mapping[str, Any], response: Response) -> dict[str, Any]:
    """The resource's state: its properties, and what `Ref` and `Fn::GetAtt` find."""
    made = {PHYSICAL_ID: response.physical_id, DATA_NAMES: sorted(response.data)}
    return {**own_properties(state), **response.data, **made}


def own_properties(state: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that the template gives."""
    returned = {PHYSICAL_ID, DATA_NAMES, *state.get(DATA_NAMES, ())}
    return {name: value for name, value in state.items() if name not in returned}


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
