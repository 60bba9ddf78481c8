"""Data catalogs, tags, capacity, and the metadata calls that read Glue."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from services.athena import paging
from services.athena.catalog import Catalog
from services.athena.errors import AthenaError, invalid_request
from services.athena.stored_state import StoredState

Shape = dict[str, Any]
KIND = "data_catalog"
OWN = "AwsDataCatalog"


def _own(scope: str) -> Shape:
    return {"Name": OWN, "Type": "GLUE", "Parameters": {"catalog-id": scope.split("/")[0]}}


def _existing(state: StoredState, scope: str, name: str) -> Shape:
    if name.lower() == OWN.lower():
        return _own(scope)
    found = state.get(scope, KIND, name)
    if found is None:
        raise invalid_request(f"Data catalog {name} was not found")
    return found


def usable(state: StoredState, scope: str, name: str | None) -> str:
    """The catalog a query runs in. Raises InvalidRequestException where there is none."""
    return str(_existing(state, scope, name or OWN)["Name"])


def create(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    name = request["Name"]
    if name.lower() == OWN.lower() or state.get(scope, KIND, name):
        raise invalid_request(f"Data catalog {name} already exists")
    given: Shape = {
        k: request[k] for k in ("Name", "Type", "Description", "Parameters") if k in request
    }
    state.put(scope, KIND, name, given)
    if request.get("Tags"):
        account_id, region = scope.split("/")
        arn = f"arn:aws:athena:{region}:{account_id}:datacatalog/{name}"
        state.put(scope, "tags", arn, {t["Key"]: t.get("Value", "") for t in request["Tags"]})
    return {"DataCatalog": given}


def get(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    return {"DataCatalog": _existing(state, scope, request["Name"])}


def list_all(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    found = [_own(scope), *state.all(scope, KIND)]
    summaries = [{"CatalogName": entry["Name"], "Type": entry["Type"]} for entry in found]
    return paging.page("DataCatalogsSummary", summaries, request, 50)


def update(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    entry = _existing(state, scope, request["Name"])
    if entry["Name"] == OWN:
        raise invalid_request(f"Data catalog {OWN} cannot be changed")
    changes: Shape = {k: request[k] for k in ("Type", "Description", "Parameters") if k in request}
    state.put(scope, KIND, entry["Name"], {**entry, **changes})
    return {}


def delete(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    entry = _existing(state, scope, request["Name"])
    if entry["Name"] == OWN:
        raise invalid_request(f"Data catalog {OWN} cannot be deleted")
    state.delete(scope, KIND, entry["Name"])
    return {"DataCatalog": entry}


# --- tags


def _check_resource(state: StoredState, scope: str, arn: str) -> None:
    """Raises for an ARN that is none, or names nothing that has tags."""
    account_id, region = scope.split("/")
    found = re.fullmatch(rf"arn:aws:athena:{region}:{account_id}:(workgroup|datacatalog)/(.+)", arn)
    if not found:
        raise invalid_request(f"Invalid ARN: {arn}")
    kind = "workgroup" if found[1] == "workgroup" else KIND
    own = "primary" if kind == "workgroup" else OWN
    if found[2] != own and state.get(scope, kind, found[2]) is None:
        raise AthenaError(
            "ResourceNotFoundException", f"Resource {arn} was not found", ResourceName=arn
        )


def tag(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    _check_resource(state, scope, request["ResourceARN"])
    tags = state.get(scope, "tags", request["ResourceARN"]) or {}
    tags |= {entry["Key"]: entry.get("Value", "") for entry in request["Tags"]}
    state.put(scope, "tags", request["ResourceARN"], tags)
    return {}


def untag(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    _check_resource(state, scope, request["ResourceARN"])
    tags = state.get(scope, "tags", request["ResourceARN"]) or {}
    left = {key: value for key, value in tags.items() if key not in request["TagKeys"]}
    state.put(scope, "tags", request["ResourceARN"], left)
    return {}


def list_tags(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    _check_resource(state, scope, request["ResourceARN"])
    tags = state.get(scope, "tags", request["ResourceARN"]) or {}
    return paging.page("Tags", [{"Key": k, "Value": v} for k, v in tags.items()], request, 75)


def capacity_reservations(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    return {"CapacityReservations": []}


def dpu_sizes(state: StoredState, scope: str, request: Shape, now: float) -> Shape:
    return {"ApplicationDPUSizes": []}


STATE_OPERATIONS: dict[str, Callable[[StoredState, str, Shape, float], Shape]] = {
    "CreateDataCatalog": create,
    "GetDataCatalog": get,
    "ListDataCatalogs": list_all,
    "UpdateDataCatalog": update,
    "DeleteDataCatalog": delete,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
    "ListCapacityReservations": capacity_reservations,
    "ListApplicationDPUSizes": dpu_sizes,
}


# --- metadata: databases and tables as Athena shows them


def _metadata_error(message: str) -> AthenaError:
    return AthenaError("MetadataException", message)


def _check_catalog(request: Shape) -> None:
    if request["CatalogName"].lower() != OWN.lower():
        raise invalid_request(f"Data catalog {request['CatalogName']} was not found")


def _database(entry: Shape) -> Shape:
    return {"Name": entry["Name"], "Description": entry.get("Description") or "",
            "Parameters": entry.get("Parameters") or {}}  # fmt: skip


def get_database(catalog: Catalog, request: Shape) -> Shape:
    _check_catalog(request)
    found = catalog.database(request["DatabaseName"].lower())
    if found is None:
        raise _metadata_error(f"Database {request['DatabaseName']} not found.")
    return {"Database": _database(found)}


def list_databases(catalog: Catalog, request: Shape) -> Shape:
    _check_catalog(request)
    return paging.page(
        "DatabaseList", [_database(entry) for entry in catalog.databases()], request, 50
    )


def _columns(entries: list[Shape]) -> list[Shape]:
    return [
        {
            "Name": c["Name"],
            "Type": c.get("Type", "string"),
            **({"Comment": c["Comment"]} if c.get("Comment") else {}),
        }
        for c in entries
    ]


def _table(entry: Shape) -> Shape:
    stored = entry.get("StorageDescriptor") or {}
    serde = stored.get("SerdeInfo") or {}
    parameters = {
        **(entry.get("Parameters") or {}),
        "inputformat": stored.get("InputFormat"),
        "location": stored.get("Location"),
        "outputformat": stored.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{k}": v for k, v in (serde.get("Parameters") or {}).items()},
    }
    return {
        "Name": entry["Name"],
        "CreateTime": _seconds(entry.get("CreateTime")),
        "LastAccessTime": _seconds(entry.get("LastAccessTime")),
        "TableType": entry.get("TableType") or "EXTERNAL_TABLE",
        "Columns": _columns(stored.get("Columns") or []),
        "PartitionKeys": _columns(entry.get("PartitionKeys") or []),
        # AWS makes runs of white space one blank and leaves a single line break: PyAthena's tests
        # say so of comments and of Avro's schemas.
        "Parameters": {
            key: re.sub(r"\s{2,}", " ", str(value))
            for key, value in parameters.items()
            if value is not None
        },
    }


def _seconds(moment: Any) -> float:
    if hasattr(moment, "timestamp"):
        return float(moment.timestamp())
    return float(moment or 0)


def get_table(catalog: Catalog, request: Shape) -> Shape:
    _check_catalog(request)
    database, name = request["DatabaseName"].lower(), request["TableName"].lower()
    found = catalog.table(database, name)
    if found is None:
        raise _metadata_error(f"EntityNotFoundException: Table {name} not found.")
    return {"TableMetadata": _table(found)}


def list_tables(catalog: Catalog, request: Shape) -> Shape:
    _check_catalog(request)
    database = request["DatabaseName"].lower()
    if catalog.database(database) is None:
        raise _metadata_error(f"EntityNotFoundException: Database {database} not found.")
    pattern = request.get("Expression") or ".*"
    try:
        found = [t for t in catalog.tables(database) if re.search(pattern.replace("*", ".*") if pattern == "*" else pattern, t["Name"])]  # fmt: skip
    except re.error:
        raise invalid_request(f"Expression {pattern} is no regular expression") from None
    return paging.page("TableMetadataList", [_table(entry) for entry in found], request, 50)


METADATA_OPERATIONS: dict[str, Callable[[Catalog, Shape], Shape]] = {
    "GetDatabase": get_database,
    "ListDatabases": list_databases,
    "GetTableMetadata": get_table,
    "ListTableMetadata": list_tables,
}
