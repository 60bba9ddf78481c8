"""Runs Hive DDL against the catalog and gives the lines Athena prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.athena import (
    hive_ddl as ddl,
)
from services.athena import (
    object_store,
    partition_values,
    show_create,
    table_files,
    table_format,
    trino_types,
)
from services.athena.catalog import Catalog
from services.athena.errors import QueryFailed
from services.athena.iceberg import ddl as iceberg_ddl
from services.athena.object_store import ObjectStore

Shape = dict[str, Any]


@dataclass(frozen=True)
class Lines:
    """The answer of a DDL or utility statement: names of its columns, and rows of text."""

    columns: tuple[str, ...] = ()
    rows: list[list[str]] = field(default_factory=list)
    substatement_type: str | None = None


@dataclass(frozen=True)
class HiveStatements:
    """`database` is the query's."""

    catalog: Catalog
    store: ObjectStore
    database: str
    now: float

    def run(self, sql: str) -> Lines:
        statement = ddl.parse(sql)
        if iceberg_ddl.run(self, statement):
            return Lines()
        return _RUN[type(statement)](self, statement)

    # --- finding things

    def _where(self, name: ddl.Name) -> tuple[str, str]:
        return name.database or self.database, name.name

    def _table(self, name: ddl.Name) -> Shape:
        database, table = self._where(name)
        found = self.catalog.table(database, table)
        if found is None:
            raise _semantic(10001, f"Table not found {database}.{table}")
        return found

    def _keys(self, table: Shape) -> list[str]:
        return [key["Name"].lower() for key in table.get("PartitionKeys") or []]

    def _values(self, table: Shape, spec: ddl.PartitionSpec) -> list[str]:
        keys = self._keys(table)
        if set(spec) != set(keys):
            raise _semantic(
                10006,
                f"Partition not found: specified columns {sorted(spec)}, the table has {keys}",
            )
        return [spec[key] for key in keys]

    def _update(self, table: Shape, **changes: Any) -> None:
        self.catalog.call("UpdateTable", DatabaseName=table["DatabaseName"],
                          TableInput=table_input({**table, **changes}))  # fmt: skip

    # --- databases

    def create_database(self, s: ddl.CreateDatabase) -> Lines:
        given = {"Name": s.name, "Description": s.comment, "LocationUri": s.location}
        shape: Shape = {key: value for key, value in given.items() if value is not None}
        try:
            self.catalog.call("CreateDatabase", DatabaseInput={**shape, "Parameters": s.properties})
        except Exception as error:
            if getattr(error, "code", "") != "AlreadyExistsException":
                raise
            if not s.if_not_exists:
                raise _ddl_task(
                    f"AlreadyExistsException(message:Database {s.name} already exists)"
                ) from None
        return Lines()

    def drop_database(self, s: ddl.DropDatabase) -> Lines:
        if self.catalog.database(s.name) is None:
            if s.if_exists:
                return Lines()
            raise _semantic(10072, f"Database does not exist: {s.name}")
        if not s.cascade and self.catalog.tables(s.name):
            raise _ddl_task(
                f"InvalidOperationException(message:Database {s.name} is not empty. One or more tables exist.)"
            )
        self.catalog.call("DeleteDatabase", Name=s.name)
        return Lines()

    def alter_database(self, s: ddl.AlterDatabase) -> Lines:
        found = self.catalog.database(s.name)
        if found is None:
            raise _semantic(10072, f"Database does not exist: {s.name}")
        parameters = {**(found.get("Parameters") or {}), **s.properties}
        given = {k: found[k] for k in ("Name", "Description", "LocationUri") if found.get(k)}
        self.catalog.call(
            "UpdateDatabase", Name=s.name, DatabaseInput={**given, "Parameters": parameters}
        )
        return Lines()

    def show_databases(self, s: ddl.ShowDatabases) -> Lines:
        names = sorted(entry["Name"] for entry in self.catalog.databases())
        return Lines(("database_name",), [[n] for n in names if _like(n, s.pattern)])

    def describe_database(self, s: ddl.DescribeDatabase) -> Lines:
        found = self.catalog.database(s.name)
        if found is None:
            raise _semantic(10072, f"Database does not exist: {s.name}")
        cells = [s.name, found.get("Description") or "", found.get("LocationUri") or ""]
        return Lines(("db_name", "comment", "location"), [["\t".join(cells)]])

    # --- tables

    def create_table(self, s: ddl.CreateTable) -> Lines:
        if not s.external:
            raise ddl.DdlRefused("missing EXTERNAL at 'TABLE' near '<EOF>'", 1, 8)
        database, name = self._where(s.name)
        if s.like:
            source = self._table(s.like)
            self._create(database, {**table_input(source), "Name": name}, s.if_not_exists)
            return Lines()
        if not s.location:
            raise QueryFailed(
                "FAILED: SemanticException Cannot create table: a LOCATION in S3 is required",
                error_type=1003,
            )
        object_store.split_location(s.location)
        self._create(database, _table_of(name, s, self.now), s.if_not_exists)
        return Lines()

    def _create(self, database: str, table: Shape, if_not_exists: bool) -> None:
        if self.catalog.database(database) is None:
            raise _ddl_task(f"NoSuchObjectException(message:Database {database} not found)", 10072)
        try:
            self.catalog.call("CreateTable", DatabaseName=database, TableInput=table)
        except Exception as error:
            if getattr(error, "code", "") != "AlreadyExistsException":
                raise
            if not if_not_exists:
                raise _ddl_task(
                    f"AlreadyExistsException(message:Table {table['Name']} already exists)"
                ) from None

    def drop_table(self, s: ddl.DropTable) -> Lines:
        database, name = self._where(s.name)
        found = self.catalog.table(database, name)
        if found is None:
            if s.if_exists:
                return Lines()
            raise _semantic(10001, f"Table not found {name}")
        if s.view and not table_files.is_view(found):
            raise _semantic(10001, f"Cannot drop a base table {name} with DROP VIEW")
        self.catalog.call("DeleteTable", DatabaseName=database, Name=name)
        return Lines()

    def show_tables(self, s: ddl.ShowTables) -> Lines:
        database = s.database or self.database
        if self.catalog.database(database) is None:
            raise _semantic(10072, f"Database does not exist: {database}")
        names = sorted(
            entry["Name"] for entry in self.catalog.tables(database)
            if not s.views or table_files.is_view(entry)
        )  # fmt: skip
        column = "views" if s.views else "tab_name"
        return Lines((column,), [[name] for name in names if _like(name, s.pattern)])

    def show_columns(self, s: ddl.ShowColumns) -> Lines:
        table = self._table(s.name)
        return Lines(("field",), [[f"{column['Name']:<20}"] for column in _all_columns(table)])

    def show_create(self, s: ddl.ShowCreate) -> Lines:
        table = self._table(s.name)
        if s.view:
            return Lines(("Create View",), [[line] for line in show_create.view(table).split("\n")])
        shown = show_create.table(
            table, ".".join(filter(None, (s.name.database, s.name.name)))
        ).split("\n")
        return Lines(("createtab_stmt",), [[line] for line in shown])

    def show_properties(self, s: ddl.ShowProperties) -> Lines:
        table = self._table(s.name)
        parameters = dict(table.get("Parameters") or {})
        if s.key is None:
            return Lines(
                ("prpt_name", "prpt_value"), [[f"{k}\t{v}"] for k, v in sorted(parameters.items())]
            )
        missing = f"Table {table['DatabaseName']}.{table['Name']} does not have property: {s.key}"
        return Lines(("prpt_name", "prpt_value"), [[parameters.get(s.key, missing)]])

    def describe(self, s: ddl.Describe) -> Lines:
        table = self._table(s.name)
        return Lines(
            ("col_name", "data_type", "comment"),
            [[line] for line in show_create.described(table, s)],
        )

    def set_properties(self, s: ddl.SetProperties) -> Lines:
        table = self._table(s.name)
        self._update(table, Parameters={**(table.get("Parameters") or {}), **s.properties})
        return Lines()

    def unset_properties(self, s: ddl.UnsetProperties) -> Lines:
        table = self._table(s.name)
        parameters = dict(table.get("Parameters") or {})
        missing = [key for key in s.keys if key not in parameters]
        if missing and not s.if_exists:
            raise _semantic(10215, f"Please use the following syntax if not sure whether the property existed or not: UNSET TBLPROPERTIES IF EXISTS ({missing[0]})")  # fmt: skip
        self._update(table, Parameters={k: v for k, v in parameters.items() if k not in s.keys})
        return Lines()

    # --- columns

    def add_columns(self, s: ddl.AddColumns) -> Lines:
        table = self._table(s.name)
        known = {column["Name"] for column in _all_columns(table)}
        for column in s.columns:
            if column.name in known:
                raise _ddl_task(f"Duplicate column name: {column.name}")
        return self._set_columns(table, table["StorageDescriptor"]["Columns"] + _columns(s.columns))

    def replace_columns(self, s: ddl.ReplaceColumns) -> Lines:
        return self._set_columns(self._table(s.name), _columns(s.columns))

    def change_column(self, s: ddl.ChangeColumn) -> Lines:
        table = self._table(s.name)
        columns = list(table["StorageDescriptor"]["Columns"])
        place = self._column_place(columns, s.old)
        columns[place] = {**columns[place], **_columns((s.column,))[0]}
        return self._set_columns(table, columns)

    def drop_column(self, s: ddl.DropColumn) -> Lines:
        table = self._table(s.name)
        columns = list(table["StorageDescriptor"]["Columns"])
        del columns[self._column_place(columns, s.column)]
        return self._set_columns(table, columns)

    def _column_place(self, columns: list[Shape], name: str) -> int:
        for place, column in enumerate(columns):
            if column["Name"] == name:
                return place
        raise _semantic(10002, f"Invalid column reference {name}")

    def _set_columns(self, table: Shape, columns: list[Shape]) -> Lines:
        self._update(table, StorageDescriptor={**table["StorageDescriptor"], "Columns": columns})
        return Lines()

    # --- partitions

    def add_partitions(self, s: ddl.AddPartitions) -> Lines:
        table = self._table(s.name)
        if not self._keys(table):
            raise _semantic(10241, f"Table {table['Name']} is not partitioned")
        inputs = [
            self._partition_input(table, self._values(table, spec), where)
            for spec, where in s.partitions
        ]
        errors = self.catalog.add_partitions(table["DatabaseName"], table["Name"], inputs)
        errors = [e for e in errors if not (s.if_not_exists and _is_duplicate(e))]
        if errors:
            message = errors[0]["ErrorDetail"]["ErrorMessage"]
            raise _ddl_task(
                f"AlreadyExistsException(message:{message})"
                if _is_duplicate(errors[0])
                else message
            )
        return Lines()

    def _partition_input(self, table: Shape, values: list[str], location: str | None) -> Shape:
        descriptor = table["StorageDescriptor"]
        default = (
            descriptor["Location"].rstrip("/")
            + "/"
            + partition_values.path_of(self._keys(table), values)
        )
        if location:
            object_store.split_location(location)
        return {
            "Values": values,
            "StorageDescriptor": {**descriptor, "Location": location or default},
        }

    def drop_partitions(self, s: ddl.DropPartitions) -> Lines:
        table = self._table(s.name)
        keys = self._keys(table)
        for spec in s.partitions:
            if not {column for column, _, _ in spec} <= set(keys):
                raise _semantic(10006, f"Partition not found {spec}")
            found = [
                part["Values"] for part in self.catalog.partitions(table["DatabaseName"], table["Name"])
                if all(_holds(part["Values"][keys.index(c)], op, v) for c, op, v in spec)
            ]  # fmt: skip
            if not found and not s.if_exists:
                shown = ", ".join(f"{c}{op}{v}" for c, op, v in spec)
                raise _semantic(10006, f"Partition not found ({shown})")
            for values in found:
                self.catalog.call("DeletePartition", DatabaseName=table["DatabaseName"],
                                  TableName=table["Name"], PartitionValues=values)  # fmt: skip
        return Lines()

    def rename_partition(self, s: ddl.RenamePartition) -> Lines:
        table = self._table(s.name)
        old, new = self._values(table, s.old), self._values(table, s.new)
        found = self.catalog.partition(table["DatabaseName"], table["Name"], old)
        if found is None:
            raise _semantic(10006, f"Partition not found {s.old}")
        self._replace_partition(table, old, {**found, "Values": new})
        return Lines()

    def _replace_partition(self, table: Shape, values: list[str], partition: Shape) -> None:
        given = {
            k: partition[k] for k in ("Values", "StorageDescriptor", "Parameters") if k in partition
        }
        self.catalog.call("UpdatePartition", DatabaseName=table["DatabaseName"], TableName=table["Name"],
                          PartitionValueList=values, PartitionInput=given)  # fmt: skip

    def set_location(self, s: ddl.SetLocation) -> Lines:
        table = self._table(s.name)
        object_store.split_location(s.location)
        if s.partition is None:
            self._update(
                table, StorageDescriptor={**table["StorageDescriptor"], "Location": s.location}
            )
            return Lines()
        values = self._values(table, s.partition)
        found = self.catalog.partition(table["DatabaseName"], table["Name"], values)
        if found is None:
            raise _semantic(10006, f"Partition not found {s.partition}")
        descriptor = {**found["StorageDescriptor"], "Location": s.location}
        self._replace_partition(table, values, {**found, "StorageDescriptor": descriptor})
        return Lines()

    def show_partitions(self, s: ddl.ShowPartitions) -> Lines:
        table = self._table(s.name)
        keys = self._keys(table)
        if not keys:
            raise _semantic(10241, f"Table {table['Name']} is not a partitioned table")
        rows = []
        for part in self.catalog.partitions(table["DatabaseName"], table["Name"]):
            values = dict(zip(keys, part["Values"], strict=True))
            if all(values.get(c) == v for c, v in (s.partition or {}).items()):
                rows.append([partition_values.path_of(keys, part["Values"])])
        return Lines(("partition",), rows)

    def repair_table(self, s: ddl.RepairTable) -> Lines:
        """Adds only. https://docs.aws.amazon.com/athena/latest/ug/msck-repair-table.html"""
        table = self._table(s.name)
        keys = self._keys(table)
        if not keys:
            raise _ddl_task(f"Table {table['Name']} is not a partitioned table")
        location = table["StorageDescriptor"]["Location"]
        bucket, root = object_store.folder(location)
        known = {
            tuple(p["Values"])
            for p in self.catalog.partitions(table["DatabaseName"], table["Name"])
        }
        found: dict[tuple[str, ...], str] = {}
        for entry in self.store.list(bucket, root):
            path = entry.key[len(root) :]
            values = partition_values.found_in_path(path, keys)
            if values is not None and values not in known:
                found.setdefault(
                    values, f"s3://{bucket}/{root}" + "/".join(path.split("/")[: len(keys)])
                )
        inputs = [
            self._partition_input(table, list(v), where) for v, where in sorted(found.items())
        ]
        self.catalog.add_partitions(table["DatabaseName"], table["Name"], inputs)
        return Lines(("result",), _repaired(table["Name"], keys, sorted(found)))


def _repaired(name: str, keys: list[str], found: list[tuple[str, ...]]) -> list[list[str]]:
    paths = [partition_values.path_of(keys, values) for values in found]
    missing = (
        ["Partitions not in metastore:\t" + "\t".join(f"{name}:{path}" for path in paths)]
        if paths
        else []
    )
    return [
        [line]
        for line in missing + [f"Repair: Added partition to metastore {name}:{p}" for p in paths]
    ]


def _semantic(number: int, text: str) -> QueryFailed:
    return QueryFailed(f"FAILED: SemanticException [Error {number}]: {text}", error_type=1003)


def _ddl_task(text: str, number: int = 1) -> QueryFailed:
    return QueryFailed(
        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
        + text,
        error_type=1003,
    )


def _is_duplicate(error: Shape) -> bool:
    return bool(error["ErrorDetail"]["ErrorCode"] == "AlreadyExistsException")


def _like(name: str, pattern: str | None) -> bool:
    """Hive's patterns: `*` is anything, `|` is or; `%` is anything too, as in Athena's examples."""
    if pattern is None:
        return True
    shapes = (
        re.escape(part).replace(r"\*", ".*").replace("%", ".*") for part in pattern.split("|")
    )
    return any(re.fullmatch(shape, name, re.IGNORECASE) for shape in shapes)


def _holds(actual: str, operator: str, wanted: str) -> bool:
    try:
        order = (float(actual) > float(wanted)) - (float(actual) < float(wanted))
    except ValueError:
        order = (actual > wanted) - (actual < wanted)
    return {"=": order == 0, "<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0,
            "<>": order != 0, "!=": order != 0}[operator]  # fmt: skip


def _all_columns(table: Shape) -> list[Shape]:
    columns: list[Shape] = (table.get("StorageDescriptor") or {}).get("Columns") or []
    return columns + (table.get("PartitionKeys") or [])


_INPUT_KEYS = (
    "Name", "Description", "Owner", "LastAccessTime", "Retention", "StorageDescriptor",
    "PartitionKeys", "ViewOriginalText", "ViewExpandedText", "TableType", "Parameters",
)  # fmt: skip


def table_input(table: Shape) -> Shape:
    """What CreateTable and UpdateTable take of a table."""
    return {key: table[key] for key in _INPUT_KEYS if table.get(key) is not None}


def _columns(columns: tuple[ddl.ColumnDefinition, ...]) -> list[Shape]:
    found = []
    for column in columns:
        try:
            trino_types.from_hive(column.type)
        except (trino_types.TypeUnknown, ValueError):
            raise QueryFailed(
                f"FAILED: ParseException cannot recognize input near '{column.type}' in column type",
                error_type=1006,
            ) from None
        kind = {"integer": "int", "real": "float"}.get(column.type, column.type)
        shape = {"Name": column.name, "Type": kind}
        found.append({**shape, "Comment": column.comment} if column.comment is not None else shape)
    return found


def _table_of(name: str, s: ddl.CreateTable, now: float) -> Shape:
    stored = s.stored_as or ("TEXTFILE" if not s.serde else None)
    serde, formats = s.serde, table_format.serde_alone(s.serde or "")
    if stored is not None:
        if stored not in table_format.STORED_AS:
            raise QueryFailed(f"FAILED: SemanticException Unrecognized file format in STORED AS clause: '{stored}'", error_type=1006)  # fmt: skip
        default, *_ = table_format.STORED_AS[stored]
        serde, formats = s.serde or default, table_format.STORED_AS[stored][1:3]
    if s.input_format and s.output_format:
        formats = (s.input_format, s.output_format)
    properties = dict(s.serde_properties)
    if serde == table_format.LAZY_SIMPLE:
        properties.setdefault("serialization.format", properties.get("field.delim", "1"))
    else:
        properties.setdefault("serialization.format", "1")
    descriptor = table_format.descriptor(
        _columns(s.columns),
        (s.location or "").rstrip("/"),
        serde or "",
        formats,
        properties,
    )
    if s.clustered_by:
        descriptor |= {"BucketColumns": list(s.clustered_by), "NumberOfBuckets": s.buckets}
    parameters = {"EXTERNAL": "TRUE", "transient_lastDdlTime": str(int(now)), **s.properties}
    if s.comment is not None:
        parameters["comment"] = s.comment
    return {
        "Name": name,
        "Owner": "hadoop",
        "LastAccessTime": now,
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": descriptor,
        "PartitionKeys": _columns(s.partitioned_by),
        "Parameters": parameters,
    }


_RUN: dict[type, Callable[[HiveStatements, Any], Lines]] = {
    ddl.CreateDatabase: HiveStatements.create_database,
    ddl.DropDatabase: HiveStatements.drop_database,
    ddl.AlterDatabase: HiveStatements.alter_database,
    ddl.CreateTable: HiveStatements.create_table,
    ddl.DropTable: HiveStatements.drop_table,
    ddl.AddPartitions: HiveStatements.add_partitions,
    ddl.DropPartitions: HiveStatements.drop_partitions,
    ddl.RenamePartition: HiveStatements.rename_partition,
    ddl.SetLocation: HiveStatements.set_location,
    ddl.AddColumns: HiveStatements.add_columns,
    ddl.ReplaceColumns: HiveStatements.replace_columns,
    ddl.ChangeColumn: HiveStatements.change_column,
    ddl.DropColumn: HiveStatements.drop_column,
    ddl.SetProperties: HiveStatements.set_properties,
    ddl.UnsetProperties: HiveStatements.unset_properties,
    ddl.RepairTable: HiveStatements.repair_table,
    ddl.ShowDatabases: HiveStatements.show_databases,
    ddl.ShowTables: HiveStatements.show_tables,
    ddl.ShowColumns: HiveStatements.show_columns,
    ddl.ShowPartitions: HiveStatements.show_partitions,
    ddl.ShowCreate: HiveStatements.show_create,
    ddl.ShowProperties: HiveStatements.show_properties,
    ddl.Describe: HiveStatements.describe,
    ddl.DescribeDatabase: HiveStatements.describe_database,
}
