"""Partitions of a table: single, in batches, and by expression."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from services.glue.batches import each
from services.glue.catalog import Answer, Catalog, Operations, Request, place_of, without_none
from services.glue.errors import already_exists, invalid_input, not_found
from services.glue.paging import from_token, to_token
from services.glue.partition_expression import select
from services.glue.store import path
from services.glue.tables import storage_descriptor

PAGE_SIZE = 1000


def create_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    _create(catalog, table, request["PartitionInput"])
    return {}


def batch_create_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    return each(
        request["PartitionInputList"],
        lambda wanted: _create(catalog, table, wanted),
        lambda wanted: {"PartitionValues": wanted.get("Values") or []},
    )


def get_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    return {"Partition": _shown(table, partition_of(catalog, table, request["PartitionValues"]))}


def batch_get_partition(catalog: Catalog, request: Request) -> Answer:
    """What is not there is left out, as on AWS; nothing stays unprocessed."""
    table = catalog.table_of(request)
    wanted = [entry["Values"] for entry in request["PartitionsToGet"]]
    for values in wanted:
        _check_values(table, values)
    found = (catalog.get("partition", place_of(table), partition_key(values)) for values in wanted)
    return {
        "Partitions": [_shown(table, body) for body in found if body is not None],
        "UnprocessedKeys": [],
    }


def get_partitions(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    keys = [(key["Name"], key.get("Type", "string")) for key in table["PartitionKeys"]]
    chosen = select(request.get("Expression") or "", keys)
    segment, limit = request.get("Segment"), request.get("MaxResults") or PAGE_SIZE
    _check_segment(segment)
    answer: list[Answer] = []
    last = ""
    for name, body in _scan(catalog, place_of(table), from_token(request.get("NextToken"))):
        if _in_segment(name, segment) and chosen(body["Values"]):
            if len(answer) == limit:
                return {"Partitions": answer, "NextToken": to_token(last)}
            answer.append(_shown(table, body, bool(request.get("ExcludeColumnSchema"))))
            last = name
    return {"Partitions": answer}


def update_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    _update(catalog, table, request["PartitionValueList"], request["PartitionInput"])
    return {}


def batch_update_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    return each(
        request["Entries"],
        lambda entry: _update(catalog, table, entry["PartitionValueList"], entry["PartitionInput"]),
        lambda entry: {"PartitionValueList": entry["PartitionValueList"]},
    )


def delete_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    _delete(catalog, table, request["PartitionValues"])
    return {}


def batch_delete_partition(catalog: Catalog, request: Request) -> Answer:
    table = catalog.table_of(request)
    return each(
        request["PartitionsToDelete"],
        lambda entry: _delete(catalog, table, entry["Values"]),
        lambda entry: {"PartitionValues": entry["Values"]},
    )


def partition_key(values: list[str]) -> str:
    """The name of a partition in the store."""
    return json.dumps(values, ensure_ascii=False)


def partition_of(catalog: Catalog, table: Answer, values: list[str]) -> Answer:
    """The partition with these values, or EntityNotFoundException."""
    _check_values(table, values)
    found: Answer | None = catalog.get("partition", place_of(table), partition_key(values))
    if found is None:
        raise not_found("Cannot find partition.")
    return found


def _create(catalog: Catalog, table: Answer, wanted: Request) -> None:
    values = wanted.get("Values") or []
    _check_values(table, values)
    if catalog.get("partition", place_of(table), partition_key(values)) is not None:
        raise already_exists("Partition already exists.")
    _save(catalog, table, wanted, catalog.now)


def _update(catalog: Catalog, table: Answer, values: list[str], wanted: Request) -> None:
    old = partition_of(catalog, table, values)
    new_values = wanted.get("Values") or values
    _check_values(table, new_values)
    if new_values != values:
        if catalog.get("partition", place_of(table), partition_key(new_values)) is not None:
            raise already_exists("Partition already exists.")
        _delete(catalog, table, values)
    _save(catalog, table, wanted | {"Values": new_values}, old["CreationTime"])


def _delete(catalog: Catalog, table: Answer, values: list[str]) -> None:
    _check_values(table, values)
    if not catalog.delete("partition", place_of(table), partition_key(values)):
        raise not_found("Cannot find partition.")
    place = path(table["DatabaseName"], table["Name"], partition_key(values))
    catalog.store.delete_below(catalog.scope, place)


def _save(catalog: Catalog, table: Answer, wanted: Request, created: float) -> None:
    described = wanted.get("StorageDescriptor")
    body = without_none(
        {
            "Values": wanted["Values"],
            "CreationTime": created,
            "LastAccessTime": wanted.get("LastAccessTime"),
            "LastAnalyzedTime": wanted.get("LastAnalyzedTime"),
            "StorageDescriptor": None if described is None else storage_descriptor(described),
            "Parameters": wanted.get("Parameters"),
            "CatalogId": catalog.account_id,
        }
    )
    catalog.put("partition", place_of(table), partition_key(wanted["Values"]), body)


def _check_values(table: Answer, values: list[str]) -> None:
    if len(values) != len(table["PartitionKeys"]):
        raise invalid_input(
            "The number of partition keys do not match the number of partition values"
        )


def _shown(table: Answer, body: Answer, without_columns: bool = False) -> Answer:
    """With the names of where it is, which a renamed database changes."""
    shown = body | {"DatabaseName": table["DatabaseName"], "TableName": table["Name"]}
    if without_columns and "StorageDescriptor" in shown:
        storage = shown["StorageDescriptor"].items()
        shown["StorageDescriptor"] = {key: value for key, value in storage if key != "Columns"}
    return shown


def _scan(catalog: Catalog, place: str, after: str | None) -> Iterator[tuple[str, Any]]:
    """In chunks, so that a small page of a large table reads little."""
    while rows := catalog.items("partition", place, after, PAGE_SIZE):
        yield from rows
        after = rows[-1][0]


def _check_segment(segment: Request | None) -> None:
    if segment and segment["SegmentNumber"] >= segment["TotalSegments"]:
        raise invalid_input("SegmentNumber must be less than TotalSegments.")


def _in_segment(name: str, segment: Request | None) -> bool:
    """Segments share a table among parallel readers by a hash of the values."""
    if segment is None:
        return True
    number: int = segment["SegmentNumber"]
    return zlib.crc32(name.encode()) % int(segment["TotalSegments"]) == number


OPERATIONS: Operations = {
    "CreatePartition": create_partition,
    "BatchCreatePartition": batch_create_partition,
    "GetPartition": get_partition,
    "BatchGetPartition": batch_get_partition,
    "GetPartitions": get_partitions,
    "UpdatePartition": update_partition,
    "BatchUpdatePartition": batch_update_partition,
    "DeletePartition": delete_partition,
    "BatchDeletePartition": batch_delete_partition,
}
