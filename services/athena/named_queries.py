"""Named queries: saved texts, by id."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from services.athena import paging, work_groups
from services.athena.errors import invalid_request
from services.athena.stored_state import StoredState

Shape = dict[str, Any]
KIND = "named_query"


def _existing(state: StoredState, scope: str, named_query_id: str) -> Shape:
    found = state.get(scope, KIND, named_query_id)
    if found is None:
        raise invalid_request(f"NamedQuery {named_query_id} was not found")
    return found


def create(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    group = request.get("WorkGroup") or "primary"
    work_groups.existing(state, scope, group, now)
    token = request.get("ClientRequestToken")
    for entry in state.all(scope, KIND):
        if token and entry.get("token") == token:
            return {"NamedQueryId": entry["NamedQueryId"]}
    named_query_id = str(uuid.uuid4())
    given: Shape = {
        k: request[k] for k in ("Name", "Description", "Database", "QueryString") if k in request
    }
    entry = {**given, "NamedQueryId": named_query_id, "WorkGroup": group, "token": token}
    state.put(scope, KIND, named_query_id, entry, now)
    return {"NamedQueryId": named_query_id}


def _shown(entry: Shape) -> Shape:
    return {key: value for key, value in entry.items() if key != "token"}


def get(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    return {"NamedQuery": _shown(_existing(state, scope, request["NamedQueryId"]))}


def batch_get(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    found, missing = [], []
    for named_query_id in request["NamedQueryIds"]:
        entry = state.get(scope, KIND, named_query_id)
        if entry:
            found.append(_shown(entry))
        else:
            missing.append({"NamedQueryId": named_query_id, "ErrorCode": "INVALID_INPUT",
                            "ErrorMessage": f"NamedQuery {named_query_id} was not found"})  # fmt: skip
    return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}


def list_all(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    group = request.get("WorkGroup") or "primary"
    work_groups.existing(state, scope, group, now)
    entries = state.all(scope, KIND, newest_first=True)
    ids = [entry["NamedQueryId"] for entry in entries if entry["WorkGroup"] == group]
    return paging.page("NamedQueryIds", ids, request, 50)


def update(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    entry = _existing(state, scope, request["NamedQueryId"])
    changes: Shape = {k: request[k] for k in ("Name", "Description", "QueryString") if k in request}
    state.put(scope, KIND, entry["NamedQueryId"], {**entry, **changes}, now)
    return {}


def delete(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    _existing(state, scope, request["NamedQueryId"])
    state.delete(scope, KIND, request["NamedQueryId"])
    return {}


OPERATIONS: dict[str, Callable[[StoredState, str, Shape, float], Shape]] = {
    "CreateNamedQuery": create,
    "GetNamedQuery": get,
    "BatchGetNamedQuery": batch_get,
    "ListNamedQueries": list_all,
    "UpdateNamedQuery": update,
    "DeleteNamedQuery": delete,
}
