"""Prepared statements: texts with `?`, by workgroup and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.athena import paging, work_groups
from services.athena.errors import AthenaError, invalid_request
from services.athena.stored_state import StoredState

Shape = dict[str, Any]
KIND = "prepared_statement"
_MOST = 1000


def _key(group: str, name: str) -> str:
    return f"{group}/{name}"


def text_of(state: StoredState, scope: str, group: str, name: str) -> str | None:
    """The statement's text, or None."""
    found = state.get(scope, KIND, _key(group, name))
    return found["QueryStatement"] if found else None


def _existing(state: StoredState, scope: str, request: Shape) -> Shape:
    name = request["StatementName"]
    found = state.get(scope, KIND, _key(request["WorkGroup"], name))
    if found is None:
        raise AthenaError("ResourceNotFoundException", f"PreparedStatement {name} was not found in workGroup {request['WorkGroup']}", ResourceName=name)  # fmt: skip
    return found


def create(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    group, name = request["WorkGroup"], request["StatementName"]
    work_groups.existing(state, scope, group, now)
    if state.get(scope, KIND, _key(group, name)):
        raise invalid_request(f"PreparedStatement {name} already exists in workGroup {group}")
    if len(state.all(scope, KIND)) >= _MOST:
        raise invalid_request(f"Maximum number of prepared statements ({_MOST}) reached")
    _put(state, scope, request, now)
    return {}


def _put(state: StoredState, scope: str, request: Shape, now: float) -> None:
    entry = {
        "StatementName": request["StatementName"],
        "WorkGroupName": request["WorkGroup"],
        "QueryStatement": request["QueryStatement"],
        "Description": request.get("Description", ""),
        "LastModifiedTime": now,
    }
    state.put(scope, KIND, _key(request["WorkGroup"], request["StatementName"]), entry)


def get(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    return {"PreparedStatement": _existing(state, scope, request)}


def batch_get(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    found, missing = [], []
    for name in request["PreparedStatementNames"]:
        entry = state.get(scope, KIND, _key(request["WorkGroup"], name))
        if entry:
            found.append(entry)
        else:
            missing.append({"StatementName": name, "ErrorCode": "STATEMENT_NOT_FOUND",
                            "ErrorMessage": f"PreparedStatement {name} was not found"})  # fmt: skip
    return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}


def list_all(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    work_groups.existing(state, scope, request["WorkGroup"], now)
    summaries = [
        {"StatementName": entry["StatementName"], "LastModifiedTime": entry["LastModifiedTime"]}
        for entry in state.all(scope, KIND)
        if entry["WorkGroupName"] == request["WorkGroup"]
    ]
    return paging.page("PreparedStatements", summaries, request, 50)


def update(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    _existing(state, scope, request)
    _put(state, scope, request, now)
    return {}


def delete(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    _existing(state, scope, request)
    state.delete(scope, KIND, _key(request["WorkGroup"], request["StatementName"]))
    return {}


OPERATIONS: dict[str, Callable[[StoredState, str, Shape, float], Shape]] = {
    "CreatePreparedStatement": create,
    "GetPreparedStatement": get,
    "BatchGetPreparedStatement": batch_get,
    "ListPreparedStatements": list_all,
    "UpdatePreparedStatement": update,
    "DeletePreparedStatement": delete,
}
