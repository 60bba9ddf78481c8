"""Workgroups: create, change, delete, and what they impose on a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.athena import paging
from services.athena.errors import invalid_request
from services.athena.query_execution import ENGINE_VERSION
from services.athena.result_store import MANAGED
from services.athena.statements import Kind, names_external_location
from services.athena.stored_state import StoredState

Shape = dict[str, Any]
KIND = "workgroup"
_MOST = 1000
_PRIMARY = {
    "ResultConfiguration": {},
    "EnforceWorkGroupConfiguration": False,
    "PublishCloudWatchMetricsEnabled": False,
    "RequesterPaysEnabled": False,
    "EngineVersion": ENGINE_VERSION,
}


def existing(state: StoredState, scope: str, name: str, now: float) -> Shape:
    """Raises InvalidRequestException where there is none."""
    found = state.get(scope, KIND, name)
    if found is None and name == "primary":
        found = {"Name": name, "State": "ENABLED", "Configuration": _PRIMARY, "Description": "",
                 "CreationTime": now}  # fmt: skip
        state.put(scope, KIND, name, found)
    if found is None:
        raise invalid_request(f"WorkGroup {name} is not found.")
    return found


def usable(state: StoredState, scope: str, name: str, now: float) -> Shape:
    """A workgroup that takes queries."""
    found = existing(state, scope, name, now)
    if found["State"] == "DISABLED":
        raise invalid_request(f"WorkGroup {name} is disabled.")
    return found


def output(group: Shape, asked: Shape) -> tuple[str, Shape | None]:
    """(location, encryption): the workgroup's where it enforces its own, else the client's first.

    Raises InvalidRequestException where nobody names a location, or a client does for managed results.
    """
    configuration = group["Configuration"]
    if _manages(configuration):
        if asked.get("OutputLocation"):
            raise invalid_request(
                f"WorkGroup {group['Name']} keeps its query results in Athena's own storage: leave "
                "ResultConfiguration out, or turn ManagedQueryResultsConfiguration off."
            )
        return MANAGED, None
    own = configuration.get("ResultConfiguration") or {}
    enforced = configuration.get("EnforceWorkGroupConfiguration", False)
    order = [own, asked] if enforced else [asked, own]
    if enforced and own.get("OutputLocation"):
        order = [own]
    for configured in order:
        if configured.get("OutputLocation"):
            if not configured["OutputLocation"].startswith(("s3://", "s3a://", "s3n://")):
                raise invalid_request("outputLocation is not a valid S3 path.")
            encryption = (c.get("EncryptionConfiguration") for c in order)
            return configured["OutputLocation"], next(filter(None, encryption), None)
    raise invalid_request(
        "No output location provided. An output location is required either through the Workgroup "
        "result configuration setting or as an API input."
    )


def check_target(group: Shape, kind: Kind, query: str) -> None:
    """Raises InvalidRequestException for a CTAS that goes elsewhere than the workgroup enforces.

    https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html
    """
    configuration = group["Configuration"]
    own = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    if (
        own
        and configuration.get("EnforceWorkGroupConfiguration")
        and kind.substatement_type == "CREATE_TABLE_AS_SELECT"
        and names_external_location(query)
    ):
        raise invalid_request(
            "The Create Table As Select query failed because it was submitted with an "
            "'external_location' property to an Athena Workgroup that enforces a centralized output "
            "location for all queries. Please remove the 'external_location' property and resubmit "
            "the query."
        )


def _manages(configuration: Shape) -> bool:
    managed = configuration.get("ManagedQueryResultsConfiguration") or {}
    return bool(managed.get("Enabled"))


def create(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    name = request["Name"]
    existing(state, scope, "primary", now)
    if state.get(scope, KIND, name):
        raise invalid_request("WorkGroup is already created")
    if len(state.all(scope, KIND)) >= _MOST:
        raise invalid_request(f"Maximum number of workgroups ({_MOST}) reached")
    given = dict(request.get("Configuration") or {})
    _check(given)
    version = (given.get("EngineVersion") or {}).get("SelectedEngineVersion", "AUTO")
    configuration = {
        "ResultConfiguration": {},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
        **given,
        "EngineVersion": {**ENGINE_VERSION, "SelectedEngineVersion": version},
    }
    group = {"Name": name, "State": "ENABLED", "Description": request.get("Description", ""),
             "CreationTime": now, "Configuration": configuration}  # fmt: skip
    state.put(scope, KIND, name, group)
    _tag(state, scope, name, request.get("Tags") or [])
    return {}


def _tag(state: StoredState, scope: str, name: str, tags: list[Shape]) -> None:
    if tags:
        account_id, region = scope.split("/")
        arn = f"arn:aws:athena:{region}:{account_id}:workgroup/{name}"
        state.put(scope, "tags", arn, {tag["Key"]: tag.get("Value", "") for tag in tags})


def _check(configuration: Shape) -> None:
    cutoff = configuration.get("BytesScannedCutoffPerQuery")
    if cutoff is not None and cutoff < 10_000_000:
        raise invalid_request("BytesScannedCutoffPerQuery must be at least 10000000 (10 MB).")
    if _manages(configuration) and (configuration.get("ResultConfiguration") or {}).get(
        "OutputLocation"
    ):
        raise invalid_request(
            "A workgroup cannot have an OutputLocation when ManagedQueryResultsConfiguration is enabled."
        )


def get(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    return {"WorkGroup": existing(state, scope, request["WorkGroup"], now)}


def list_all(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    existing(state, scope, "primary", now)
    summaries = [
        {**{k: group[k] for k in ("Name", "State", "Description", "CreationTime")},
         "EngineVersion": group["Configuration"].get("EngineVersion", ENGINE_VERSION)}
        for group in state.all(scope, KIND)
    ]  # fmt: skip
    return paging.page("WorkGroups", summaries, request, 50)


def update(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    group = existing(state, scope, request["WorkGroup"], now)
    if "Description" in request:
        group["Description"] = request["Description"]
    if request.get("State"):
        group["State"] = request["State"]
    updates = dict(request.get("ConfigurationUpdates") or {})
    configuration = dict(group["Configuration"])
    managed_updates = updates.pop("ManagedQueryResultsConfigurationUpdates", None)
    if managed_updates is not None:
        configuration["ManagedQueryResultsConfiguration"] = _updated(
            configuration.get("ManagedQueryResultsConfiguration") or {}, managed_updates
        )
    result_updates = updates.pop("ResultConfigurationUpdates", None) or {}
    configuration["ResultConfiguration"] = _updated(
        configuration.get("ResultConfiguration") or {}, result_updates
    )
    if updates.pop("RemoveBytesScannedCutoffPerQuery", False):
        configuration.pop("BytesScannedCutoffPerQuery", None)
    if updates.pop("RemoveCustomerContentEncryptionConfiguration", False):
        configuration.pop("CustomerContentEncryptionConfiguration", None)
    if "EngineVersion" in updates:
        selected = updates.pop("EngineVersion").get("SelectedEngineVersion", "AUTO")
        configuration["EngineVersion"] = {**ENGINE_VERSION, "SelectedEngineVersion": selected}
    group["Configuration"] = {**configuration, **updates}
    _check(group["Configuration"])
    state.put(scope, KIND, group["Name"], group)
    return {}


def _updated(current: Shape, updates: Shape) -> Shape:
    merged = {**current, **{k: v for k, v in updates.items() if not k.startswith("Remove")}}
    for key, remove in updates.items():
        if key.startswith("Remove") and remove:
            merged.pop(key.removeprefix("Remove"), None)
    return merged


def delete(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    name = request["WorkGroup"]
    if name == "primary":
        raise invalid_request("Primary workgroup could not be deleted")
    existing(state, scope, name, now)
    full = any(s["shape"]["WorkGroup"] == name for s in state.all(scope, "execution")) or any(
        q["WorkGroup"] == name for q in state.all(scope, "named_query")
    )
    if full and not request.get("RecursiveDeleteOption"):
        raise invalid_request(f"WorkGroup {name} is not empty")
    for kind in ("named_query", "prepared_statement"):
        for entry in state.all(scope, kind):
            if entry.get("WorkGroup", entry.get("WorkGroupName")) == name:
                state.delete(
                    scope, kind, entry.get("NamedQueryId") or f"{name}/{entry['StatementName']}"
                )
    for saved in state.all(scope, "execution"):
        if saved["shape"]["WorkGroup"] == name:
            state.delete(scope, "execution", saved["shape"]["QueryExecutionId"])
    state.delete(scope, KIND, name)
    return {}


def engine_versions(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    second = {**ENGINE_VERSION, "SelectedEngineVersion": "Athena engine version 3"}
    return {"EngineVersions": [ENGINE_VERSION, second]}


OPERATIONS: dict[str, Callable[[StoredState, str, Shape, float], Shape]] = {
    "CreateWorkGroup": create,
    "GetWorkGroup": get,
    "ListWorkGroups": list_all,
    "UpdateWorkGroup": update,
    "DeleteWorkGroup": delete,
    "ListEngineVersions": engine_versions,
}
