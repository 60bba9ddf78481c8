"""CREATE, ALTER and DROP TABLE of Iceberg tables; every other statement is Hive's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from services.athena import hive_ddl, object_store, table_files
from services.athena.errors import QueryFailed

if TYPE_CHECKING:
    from services.athena.hive_statements import HiveStatements
    from services.athena.iceberg.tables import IcebergTables

Shape = dict[str, Any]


def run(hive: HiveStatements, statement: Any) -> bool:
    """Do it, if it is about an Iceberg table."""
    if isinstance(statement, hive_ddl.CreateTable):
        if statement.properties.get("table_type", "").upper() != "ICEBERG":
            return False
        _create(hive, statement)
        return True
    alter = _ALTER.get(type(statement))
    if alter is None and not isinstance(statement, hive_ddl.RenameTable):
        return False
    database, name = statement.name.database or hive.database, statement.name.name
    if isinstance(statement, hive_ddl.RenameTable):
        _rename(hive, (database, name), statement)
        return True
    entry = hive.catalog.table(database, name)
    if entry is None or not table_files.is_iceberg(entry):
        return False
    assert alter is not None
    alter(_tables(hive), entry, statement)
    return type(statement) is not hive_ddl.DropTable


def _tables(hive: HiveStatements) -> IcebergTables:
    from services.athena.iceberg.tables import IcebergTables  # PyIceberg takes a second to load

    return IcebergTables(hive.catalog, hive.store)


def _create(hive: HiveStatements, s: hive_ddl.CreateTable) -> None:
    database, name = s.name.database or hive.database, s.name.name
    if s.external:
        raise QueryFailed(
            "FAILED: SemanticException Iceberg tables cannot be EXTERNAL", error_type=1003
        )
    if not s.location:
        raise QueryFailed(
            "FAILED: SemanticException Cannot create table: a LOCATION in S3 is required",
            error_type=1003,
        )
    object_store.split_location(s.location)
    if hive.catalog.database(database) is None:
        raise QueryFailed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {database}", error_type=1003)  # fmt: skip
    if hive.catalog.table(database, name) is not None:
        if s.if_not_exists:
            return
        raise QueryFailed(
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            f"AlreadyExistsException(message:Table {name} already exists)", error_type=1003,
        )  # fmt: skip
    given = [{"Name": c.name, "Type": c.type} for c in (*s.columns, *s.partitioned_by)]
    properties = {
        k: v for k, v in s.properties.items() if k.lower() not in ("table_type", "format")
    }
    if s.comment:
        properties["comment"] = s.comment
    _tables(hive).create(
        database, name, s.location, table_files.column_types(given),
        comments={c.name: c.comment for c in s.columns},
        transforms=(*(c.name for c in s.partitioned_by), *s.partition_transforms),
        properties=properties,
    )  # fmt: skip


def _rename(hive: HiveStatements, where: tuple[str, str], s: hive_ddl.RenameTable) -> None:
    from services.athena.hive_statements import table_input

    entry = hive.catalog.table(*where)
    if entry is None:
        raise QueryFailed(f"FAILED: SemanticException [Error 10001]: Table not found {where[0]}.{where[1]}", error_type=1003)  # fmt: skip
    if not table_files.is_iceberg(entry):
        raise QueryFailed(
            "NOT_SUPPORTED: ALTER TABLE RENAME TO is only supported for Iceberg tables"
        )
    database, name = s.new.database or where[0], s.new.name
    if hive.catalog.table(database, name) is not None:
        raise QueryFailed(f"FAILED: SemanticException Table already exists: {database}.{name}", error_type=1003)  # fmt: skip
    hive.catalog.call(
        "CreateTable", DatabaseName=database, TableInput={**table_input(entry), "Name": name}
    )
    hive.catalog.call("DeleteTable", DatabaseName=where[0], Name=where[1])


def _types(columns: Any) -> dict[str, Any]:
    from services.athena.iceberg.iceberg_types import to_iceberg

    ids = iter(range(1, 10_000))  # PyIceberg gives each its own
    given = table_files.column_types([{"Name": c.name, "Type": c.type} for c in columns])
    return {name: to_iceberg(kind, ids) for name, kind in given.items()}


def _add_columns(tables: IcebergTables, entry: Shape, s: hive_ddl.AddColumns) -> None:
    def change(update: Any) -> None:
        for column, kind in zip(s.columns, _types(s.columns).values(), strict=True):
            update.add_column(column.name, kind, column.comment)

    _changed(tables, entry, change)


def _replace_columns(tables: IcebergTables, entry: Shape, s: hive_ddl.ReplaceColumns) -> None:
    wanted = _types(s.columns)

    def change(update: Any) -> None:
        known = tables.columns(entry)
        for name in known:
            if name not in wanted:
                update.delete_column(name)
        for name, kind in wanted.items():
            if name not in known:
                update.add_column(name, kind)

    _changed(tables, entry, change)


def _change_column(tables: IcebergTables, entry: Shape, s: hive_ddl.ChangeColumn) -> None:
    kind = next(iter(_types((s.column,)).values()))

    def change(update: Any) -> None:
        update.update_column(s.old, field_type=kind, doc=s.column.comment)
        if s.column.name != s.old:
            update.rename_column(s.old, s.column.name)

    _changed(tables, entry, change)


def _drop_column(tables: IcebergTables, entry: Shape, s: hive_ddl.DropColumn) -> None:
    _changed(tables, entry, lambda update: update.delete_column(s.column))


def _changed(tables: IcebergTables, entry: Shape, change: Callable[[Any], None]) -> None:
    from pyiceberg.exceptions import ResolveError, ValidationError

    try:
        tables.change_schema(entry, change)
    except (ValueError, ResolveError, ValidationError) as error:
        raise QueryFailed(
            f"FAILED: Execution Error, return code 1 from DDLTask. {error}", error_type=1003
        ) from None


def _set_properties(tables: IcebergTables, entry: Shape, s: hive_ddl.SetProperties) -> None:
    tables.set_properties(entry, s.properties)


def _unset_properties(tables: IcebergTables, entry: Shape, s: hive_ddl.UnsetProperties) -> None:
    tables.set_properties(entry, {}, s.keys)


def _drop_files(tables: IcebergTables, entry: Shape, s: hive_ddl.DropTable) -> None:
    """The table's entry is dropped as Hive's are."""
    try:
        tables.delete_files(entry)
    except QueryFailed:  # its metadata is gone already: the entry must still go
        return


_ALTER: dict[type, Callable[[IcebergTables, Shape, Any], None]] = {
    hive_ddl.AddColumns: _add_columns,
    hive_ddl.ReplaceColumns: _replace_columns,
    hive_ddl.ChangeColumn: _change_column,
    hive_ddl.DropColumn: _drop_column,
    hive_ddl.SetProperties: _set_properties,
    hive_ddl.UnsetProperties: _unset_properties,
    hive_ddl.DropTable: _drop_files,
}
