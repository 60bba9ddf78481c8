"""What a crawl changes in the catalog. Pure: tables found and tables there in, changes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.glue.classification.column_types import hive_text
from services.glue.classification.found import Found
from services.glue.crawling.object_paths import S3Path, distinct_name, parse_s3_path, table_name
from services.glue.crawling.table_layout import FoundPartition, FoundTable

DEPRECATED = "DEPRECATED_BY_CRAWLER"
UPDATED_BY = "UPDATED_BY_CRAWLER"
TableBody = Mapping[str, Any]


@dataclass(frozen=True)
class Policy:
    """How a crawler treats what changed: SchemaChangePolicy and the configuration JSON."""

    crawler_name: str
    table_prefix: str = ""
    updates: bool = True
    #: LOG, DELETE_FROM_DATABASE or DEPRECATE_IN_DATABASE.
    delete_behavior: str = "DEPRECATE_IN_DATABASE"
    merges_new_columns: bool = False
    partitions_inherit: bool = False
    #: Only what is new was looked at, so nothing can be missed.
    new_folders_only: bool = False


@dataclass(frozen=True)
class Changes:
    """TableInputs to create and update, names to delete, and partitions by table name."""

    create: tuple[dict[str, Any], ...] = ()
    update: tuple[dict[str, Any], ...] = ()
    delete: tuple[str, ...] = ()
    deprecate: tuple[dict[str, Any], ...] = ()
    add_partitions: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    update_partitions: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    delete_partitions: Mapping[str, Sequence[list[str]]] = field(default_factory=dict)
    #: New counts of what is otherwise as it was: no new version, not counted as an update.
    recount: tuple[dict[str, Any], ...] = ()
    recount_partitions: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    #: One sentence each, for the crawl's log.
    notes: tuple[str, ...] = ()


@dataclass
class _Plan:
    create: list[dict[str, Any]] = field(default_factory=list)
    update: list[dict[str, Any]] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    deprecate: list[dict[str, Any]] = field(default_factory=list)
    add_partitions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    update_partitions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    delete_partitions: dict[str, list[list[str]]] = field(default_factory=dict)
    recount: list[dict[str, Any]] = field(default_factory=list)
    recount_partitions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def done(self) -> Changes:
        return Changes(
            tuple(self.create),
            tuple(self.update),
            tuple(self.delete),
            tuple(self.deprecate),
            self.add_partitions,
            self.update_partitions,
            self.delete_partitions,
            tuple(self.recount),
            self.recount_partitions,
            tuple(self.notes),
        )


def plan_changes(
    found: Sequence[FoundTable],
    existing: Sequence[TableBody],
    partitions: Mapping[str, Sequence[Mapping[str, Any]]],
    crawled: Sequence[S3Path],
    policy: Policy,
    now: float,
) -> Changes:
    """Compare. `existing` are all tables of the database, `partitions` theirs by table name,
    `crawled` the include paths: tables of this crawler there that were not found are gone."""
    plan = _Plan()
    by_location = {_location(table): table for table in existing}
    taken = {table["Name"] for table in existing}
    seen: set[str] = set()
    for table in found:
        known = by_location.get(_normal(str(table.location)))
        if known is None:
            name = _free_name(table, taken, policy)
            taken.add(name)
            _plan_new(plan, name, table, policy)
        else:
            seen.add(known["Name"])
            _plan_known(plan, known, table, partitions.get(known["Name"], ()), policy)
    if not policy.new_folders_only:
        gone = [t for t in existing if t["Name"] not in seen and _is_ours(t, crawled, policy)]
        _plan_gone(plan, gone, policy, now)
    return plan.done()


def table_input(name: str, table: FoundTable, policy: Policy) -> dict[str, Any]:
    """A new table as CreateTable takes it, with everything a crawler notes."""
    parameters = table_parameters(table.found, table.object_count, table.size, policy)
    keys = [{"Name": key, "Type": "string"} for key in table.partition_keys]
    return {
        "Name": name,
        "Owner": "owner",
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters | ({"partition_filtering.enabled": "true"} if keys else {}),
        "PartitionKeys": keys,
        "StorageDescriptor": storage_descriptor(
            table.location, table.found, columns_of(table.found, keys), parameters
        ),
    }


def table_parameters(found: Found, object_count: int, size: int, policy: Policy) -> dict[str, str]:
    """Glue's own properties. Counts of what was only sampled are estimates, as there."""
    average = found.record_bytes / found.records if found.records else 0
    records = found.records * size / found.read_bytes if found.read_bytes else 0
    return {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        UPDATED_BY: policy.crawler_name,
        "averageRecordSize": str(round(average)),
        "classification": found.classification,
        "compressionType": found.compression,
        "objectCount": str(object_count),
        "recordCount": str(round(records)),
        "sizeKey": str(size),
        "typeOfData": "file",
        **found.parameters,
    }


def storage_descriptor(
    location: S3Path, found: Found, columns: list[dict[str, str]], parameters: Mapping[str, str]
) -> dict[str, Any]:
    form = found.table_format
    return {
        "Columns": columns,
        "Location": str(location),
        "InputFormat": form.input_format,
        "OutputFormat": form.output_format,
        "Compressed": found.compression != "none",
        "NumberOfBuckets": -1,
        "SerdeInfo": {
            "SerializationLibrary": form.serialization_library,
            "Parameters": dict(form.parameters),
        },
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": {key: value for key, value in parameters.items() if key != UPDATED_BY}
        | {UPDATED_BY: parameters[UPDATED_BY]},
        "StoredAsSubDirectories": False,
    }


def columns_of(found: Found, keys: Sequence[Mapping[str, str]] = ()) -> list[dict[str, str]]:
    """Columns as the catalog writes them; a partition key hides a column of its name."""
    hidden = {key["Name"] for key in keys}
    return [
        {"Name": column.name, "Type": hive_text(column.type)}
        for column in found.columns
        if column.name not in hidden
    ]


def _plan_new(plan: _Plan, name: str, table: FoundTable, policy: Policy) -> None:
    wanted = table_input(name, table, policy)
    plan.create.append(wanted)
    if table.partitions:
        plan.add_partitions[name] = [
            _partition_input(part, wanted, policy) for part in table.partitions
        ]


def _plan_known(
    plan: _Plan,
    known: TableBody,
    table: FoundTable,
    partitions: Sequence[Mapping[str, Any]],
    policy: Policy,
) -> None:
    name = known["Name"]
    wanted = _updated(known, table, policy)
    if _differs(known, wanted):
        if policy.updates:
            plan.update.append(wanted)
        else:
            plan.notes.append(f"The schema of table {name} has changed; it is not updated.")
    elif policy.updates and known.get("Parameters") != wanted["Parameters"]:
        plan.recount.append({"Name": name, "Parameters": wanted["Parameters"]})
    if len(table.partition_keys) != len(known.get("PartitionKeys", [])):
        plan.notes.append(f"Table {name} has other partition keys now; none was changed.")
        return
    _plan_partitions(plan, known, wanted, table, partitions, policy)


def _plan_partitions(
    plan: _Plan,
    known: TableBody,
    wanted: dict[str, Any],
    table: FoundTable,
    partitions: Sequence[Mapping[str, Any]],
    policy: Policy,
) -> None:
    name = known["Name"]
    # Without the right to update the table, partitions follow the table that is there.
    schema_of = wanted if policy.updates else _as_input(known)
    there = {tuple(partition["Values"]): partition for partition in partitions}
    for part in table.partitions:
        new = _partition_input(part, schema_of, policy)
        old = there.pop(part.values, None)
        if old is None:
            plan.add_partitions.setdefault(name, []).append(new)
        elif policy.updates and _schema(old) != _schema(new):
            plan.update_partitions.setdefault(name, []).append(new)
        elif policy.updates and old.get("Parameters") != new["Parameters"]:
            plan.recount_partitions.setdefault(name, []).append(new)
    if policy.new_folders_only or policy.delete_behavior == "LOG":
        return
    gone = [list(values) for values, old in there.items() if _is_below(old, known)]
    if gone:
        plan.delete_partitions[name] = gone


def _plan_gone(plan: _Plan, gone: Sequence[TableBody], policy: Policy, now: float) -> None:
    for table in gone:
        if policy.delete_behavior == "DELETE_FROM_DATABASE":
            plan.delete.append(table["Name"])
        elif policy.delete_behavior == "LOG":
            plan.notes.append(f"The data of table {table['Name']} is gone; the table stays.")
        elif DEPRECATED not in table.get("Parameters", {}):
            marked = _as_input(table)
            marked["Parameters"] = marked.get("Parameters", {}) | {DEPRECATED: str(int(now * 1000))}
            plan.deprecate.append(marked)


def _updated(known: TableBody, table: FoundTable, policy: Policy) -> dict[str, Any]:
    """The table as the crawl saw it. Names of partition keys that somebody changed stay, and
    with MergeNewColumns so does every column."""
    wanted = table_input(known["Name"], table, policy)
    if len(known.get("PartitionKeys", [])) == len(table.partition_keys):
        wanted["PartitionKeys"] = known.get("PartitionKeys", [])
    storage = wanted["StorageDescriptor"]
    storage["Columns"] = columns_of(table.found, wanted["PartitionKeys"])
    if policy.merges_new_columns:
        old = known.get("StorageDescriptor", {})
        names = {column["Name"] for column in old.get("Columns", [])}
        new = [column for column in storage["Columns"] if column["Name"] not in names]
        wanted["StorageDescriptor"] = old | {"Columns": [*old.get("Columns", []), *new]}
    return _as_input(known) | {
        "PartitionKeys": wanted["PartitionKeys"],
        "StorageDescriptor": wanted["StorageDescriptor"],
        "Parameters": {
            key: value
            for key, value in (known.get("Parameters", {}) | wanted["Parameters"]).items()
            if key != DEPRECATED
        },
    }


def _as_input(table: TableBody) -> dict[str, Any]:
    """A table as UpdateTable takes it back."""
    answered_only = {
        "DatabaseName",
        "CreateTime",
        "UpdateTime",
        "CreatedBy",
        "IsRegisteredWithLakeFormation",
        "CatalogId",
        "VersionId",
        "IsMultiDialectView",
    }
    return {key: value for key, value in table.items() if key not in answered_only}


def _differs(known: TableBody, wanted: Mapping[str, Any]) -> bool:
    """Counts alone make no new version of a table."""
    return (
        _schema(known) != _schema(wanted)
        or known.get("PartitionKeys", []) != wanted["PartitionKeys"]
        or DEPRECATED in known.get("Parameters", {})
        or UPDATED_BY not in known.get("Parameters", {})
    )


def _schema(body: Mapping[str, Any]) -> Any:
    storage = body.get("StorageDescriptor", {})
    return (
        [(column["Name"], column.get("Type")) for column in storage.get("Columns", [])],
        storage.get("SerdeInfo", {}).get("SerializationLibrary"),
        storage.get("InputFormat"),
    )


def _partition_input(
    part: FoundPartition, table: Mapping[str, Any], policy: Policy
) -> dict[str, Any]:
    parameters = table_parameters(part.found, part.object_count, part.size, policy)
    storage = table["StorageDescriptor"]
    if policy.partitions_inherit:
        described = storage | {"Location": str(part.location)}
    else:
        columns = columns_of(part.found, table["PartitionKeys"])
        described = storage_descriptor(part.location, part.found, columns, parameters)
    return {
        "Values": list(part.values),
        "StorageDescriptor": described,
        "Parameters": parameters,
    }


def _free_name(table: FoundTable, taken: set[str], policy: Policy) -> str:
    name = table_name(table.location, policy.table_prefix)
    return distinct_name(name, table.location) if name in taken else name


def _is_ours(table: TableBody, crawled: Sequence[S3Path], policy: Policy) -> bool:
    """Made by this crawler, and lying where it has just looked."""
    if table.get("Parameters", {}).get(UPDATED_BY) != policy.crawler_name:
        return False
    place = parse_s3_path(_location(table))
    return place is not None and any(
        place.bucket == path.bucket and f"{place.key}/".startswith(path.key) for path in crawled
    )


def _is_below(partition: Mapping[str, Any], table: TableBody) -> bool:
    place = _normal(partition.get("StorageDescriptor", {}).get("Location", ""))
    return place.startswith(_location(table))


def _location(table: TableBody) -> str:
    return _normal(table.get("StorageDescriptor", {}).get("Location", ""))


def _normal(location: str) -> str:
    return location.rstrip("/")
