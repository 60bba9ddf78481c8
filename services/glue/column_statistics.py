"""Column statistics of tables and partitions, which a query planner writes and reads."""

from __future__ import annotations

from services.glue.catalog import Answer, Catalog, Operations, Request, place_of
from services.glue.errors import not_found
from services.glue.partitions import partition_key, partition_of
from services.glue.store import path


def get_for_table(catalog: Catalog, request: Request) -> Answer:
    return _get(catalog, _table_place(catalog, request), request["ColumnNames"])


def update_for_table(catalog: Catalog, request: Request) -> Answer:
    return _update(catalog, _table_place(catalog, request), request)


def delete_for_table(catalog: Catalog, request: Request) -> Answer:
    return _delete(catalog, _table_place(catalog, request), request["ColumnName"])


def get_for_partition(catalog: Catalog, request: Request) -> Answer:
    return _get(catalog, _partition_place(catalog, request), request["ColumnNames"])


def update_for_partition(catalog: Catalog, request: Request) -> Answer:
    return _update(catalog, _partition_place(catalog, request), request)


def delete_for_partition(catalog: Catalog, request: Request) -> Answer:
    return _delete(catalog, _partition_place(catalog, request), request["ColumnName"])


def _table_place(catalog: Catalog, request: Request) -> str:
    table = catalog.table_of(request)
    return place_of(table)


def _partition_place(catalog: Catalog, request: Request) -> str:
    table = catalog.table_of(request)
    partition_of(catalog, table, request["PartitionValues"])
    return path(table["DatabaseName"], table["Name"], partition_key(request["PartitionValues"]))


def _get(catalog: Catalog, place: str, names: list[str]) -> Answer:
    """A column without statistics is simply absent, which is what query engines expect."""
    found = (catalog.get("statistics", place, name.lower()) for name in names)
    return {"ColumnStatisticsList": [body for body in found if body is not None], "Errors": []}


def _update(catalog: Catalog, place: str, request: Request) -> Answer:
    for statistics in request["ColumnStatisticsList"]:
        catalog.put("statistics", place, statistics["ColumnName"].lower(), statistics)
    return {"Errors": []}


def _delete(catalog: Catalog, place: str, name: str) -> Answer:
    if not catalog.delete("statistics", place, name.lower()):
        raise not_found(f"Column statistics of {name} not found.")
    return {}


OPERATIONS: Operations = {
    "GetColumnStatisticsForTable": get_for_table,
    "UpdateColumnStatisticsForTable": update_for_table,
    "DeleteColumnStatisticsForTable": delete_for_table,
    "GetColumnStatisticsForPartition": get_for_partition,
    "UpdateColumnStatisticsForPartition": update_for_partition,
    "DeleteColumnStatisticsForPartition": delete_for_partition,
}
