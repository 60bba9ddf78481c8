"""Tables of a database and their versions."""

from __future__ import annotations

from typing import Any

from services.glue.batches import each
from services.glue.catalog import Answer, Catalog, Operations, Request, place_of, without_none
from services.glue.errors import (
    GlueError,
    already_exists,
    concurrent_modification,
    invalid_input,
    not_found,
    table_not_found,
)
from services.glue.paging import paged_answer
from services.glue.parameter_order import as_java_orders
from services.glue.store import path

#: What a table keeps of its TableInput, unchanged.
KEPT = (
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
    "FederatedTable",
    "ViewDefinition",
)
#: Members of a storage descriptor that Glue fills in.
STORAGE_DEFAULTS: dict[str, Any] = {
    "Columns": [],
    "Compressed": False,
    "NumberOfBuckets": 0,
    "BucketColumns": [],
    "SortColumns": [],
    "StoredAsSubDirectories": False,
}
PARTITION_INDEXES_ALLOWED = 3


def create_table(catalog: Catalog, request: Request) -> Answer:
    wanted = _table_input(request)
    database_name = catalog.database(request["DatabaseName"])["Name"]
    name = wanted["Name"].lower()
    if catalog.get("table", path(database_name), name) is not None:
        raise already_exists("Table already exists.")
    if request.get("OpenTableFormatInput"):
        raise invalid_input("OpenTableFormatInput: Glue here creates no Iceberg metadata; use SQL.")
    indexes = request.get("PartitionIndexes") or []
    table = _table(catalog, database_name, wanted, created=catalog.now, version=0)
    _save(catalog, table)
    for index in indexes:
        add_partition_index(catalog, table, index)
    return {}


def get_table(catalog: Catalog, request: Request) -> Answer:
    return {"Table": catalog.table(request["DatabaseName"], request["Name"])}


def update_table(catalog: Catalog, request: Request) -> Answer:
    wanted = _table_input(request)
    old = catalog.table(request["DatabaseName"], request.get("Name") or wanted["Name"])
    if wanted["Name"].lower() != old["Name"]:
        raise invalid_input("The table name in TableInput must be the table's own name.")
    if request.get("VersionId") not in (None, old["VersionId"]):
        raise concurrent_modification("Update table failed due to concurrent modifications.")
    table = _table(
        catalog,
        old["DatabaseName"],
        wanted,
        created=old["CreateTime"],
        version=int(old["VersionId"]) + 1,
    )
    if request.get("SkipArchive"):
        catalog.delete("version", path(old["DatabaseName"], old["Name"]), _key(old["VersionId"]))
    _save(catalog, table)
    return {}


def delete_table(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table(request["DatabaseName"], request["Name"])
    _remove(catalog, table["DatabaseName"], table["Name"])
    return {}


def batch_delete_table(catalog: Catalog, request: Request) -> Answer:
    database_name = catalog.database(request["DatabaseName"])["Name"]
    return each(
        request["TablesToDelete"],
        lambda name: _remove(catalog, database_name, catalog.table(database_name, name)["Name"]),
        lambda name: {"TableName": name},
    )


def get_table_version(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    body = catalog.get(
        "version", place_of(table), _key(request.get("VersionId", table["VersionId"]))
    )
    if body is None:
        raise not_found("Version not found.")
    return {"TableVersion": _version(table, body)}


def get_table_versions(catalog: Catalog, request: Request) -> Answer:
    """Newest first."""
    table = catalog.table_of(request)
    newest_first = [
        (_key(10**9 - int(body["VersionId"])), body)
        for _, body in reversed(catalog.items("version", place_of(table)))
    ]
    return paged_answer(
        "TableVersions", newest_first, request, 100, lambda body: _version(table, body)
    )


def delete_table_version(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    _delete_version(catalog, table, request["VersionId"])
    return {}


def batch_delete_table_version(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    return each(
        request["VersionIds"],
        lambda version: _delete_version(catalog, table, version),
        lambda version: {"TableName": table["Name"], "VersionId": version},
    )


def create_partition_index(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    add_partition_index(catalog, table, request["PartitionIndex"])
    return {}


def get_partition_indexes(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    return paged_answer(
        "PartitionIndexDescriptorList", catalog.items("index", place_of(table)), request, 100
    )


def delete_partition_index(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    if not catalog.delete("index", place_of(table), request["IndexName"]):
        raise not_found(f"Index with the given indexName : {request['IndexName']} does not exist")
    return {}


def add_partition_index(catalog: Catalog, table: Answer, index: Request) -> None:
    """Accepted and listed; every lookup here is by the primary key or a scan, as fast."""
    types = {key["Name"].lower(): key.get("Type", "string") for key in table["PartitionKeys"]}
    unknown = [key for key in index["Keys"] if key.lower() not in types]
    if unknown:
        raise invalid_input(f"Partition key : {unknown[0]} does not exist in table")
    present = catalog.items("index", place_of(table))
    if index["IndexName"] in dict(present):
        raise already_exists(f"Index with the given indexName : {index['IndexName']} exists")
    if len(present) >= PARTITION_INDEXES_ALLOWED:
        raise GlueError(
            "ResourceNumberLimitExceededException",
            f"Number of indexes exceeds the limit of {PARTITION_INDEXES_ALLOWED}.",
        )
    descriptor = {
        "IndexName": index["IndexName"],
        "Keys": [{"Name": key, "Type": types[key.lower()]} for key in index["Keys"]],
        "IndexStatus": "ACTIVE",
    }
    catalog.put("index", place_of(table), index["IndexName"], descriptor)


def storage_descriptor(wanted: Request) -> Answer:
    return STORAGE_DEFAULTS | without_none(wanted)


def _table_input(request: Request) -> Request:
    wanted: Request | None = request.get("TableInput")
    if wanted is None:
        raise invalid_input("TableInput must be provided.")
    return wanted


def _table(
    catalog: Catalog, database_name: str, wanted: Request, *, created: float, version: int
) -> Answer:
    described = wanted.get("StorageDescriptor")
    return without_none(
        {
            "Name": wanted["Name"].lower(),
            "DatabaseName": database_name,
            "CreateTime": created,
            "UpdateTime": catalog.now,
            "Retention": wanted.get("Retention", 0),
            "StorageDescriptor": None if described is None else storage_descriptor(described),
            "PartitionKeys": wanted.get("PartitionKeys") or [],
            "CreatedBy": f"arn:aws:iam::{catalog.account_id}:root",
            "IsRegisteredWithLakeFormation": False,
            "CatalogId": catalog.account_id,
            "VersionId": str(version),
            "IsMultiDialectView": False,
        }
        | {member: wanted.get(member) for member in KEPT}
        | {"Parameters": _parameters(wanted)}
    )


def _parameters(wanted: Request) -> dict[str, str] | None:
    given = wanted.get("Parameters")
    return None if given is None else as_java_orders(given)


def _save(catalog: Catalog, table: Answer) -> None:
    catalog.put("table", path(table["DatabaseName"]), table["Name"], table)
    catalog.put("version", place_of(table), _key(table["VersionId"]), table)


def _remove(catalog: Catalog, database_name: str, name: str) -> None:
    if not catalog.delete("table", path(database_name), name):
        raise table_not_found(name)
    catalog.store.delete_below(catalog.scope, path(database_name, name))


def _delete_version(catalog: Catalog, table: Answer, version: str) -> None:
    if version == table["VersionId"]:
        raise invalid_input(f"Version {version} is the table's current version.")
    if not catalog.delete("version", place_of(table), _key(version)):
        raise not_found("Version not found.")


def _key(version: str | int) -> str:
    """Versions in the order of their numbers."""
    if not str(version).isdigit():
        raise invalid_input(f"Version id {version} is not a number.")
    return str(version).zfill(10)


def _version(table: Answer, body: Answer) -> Answer:
    """An old version carries the name of today's database, which may have been renamed."""
    shown = body | {"DatabaseName": table["DatabaseName"]}
    return {"Table": shown, "VersionId": body["VersionId"]}


OPERATIONS: Operations = {
    "CreateTable": create_table,
    "GetTable": get_table,
    "UpdateTable": update_table,
    "DeleteTable": delete_table,
    "BatchDeleteTable": batch_delete_table,
    "GetTableVersion": get_table_version,
    "GetTableVersions": get_table_versions,
    "DeleteTableVersion": delete_table_version,
    "BatchDeleteTableVersion": batch_delete_table_version,
    "CreatePartitionIndex": create_partition_index,
    "GetPartitionIndexes": get_partition_indexes,
    "DeletePartitionIndex": delete_partition_index,
}
