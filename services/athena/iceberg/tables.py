"""Iceberg tables of one query's catalog: made, read, changed, compacted, and what they tell of themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from services.athena import trino_types as trino
from services.athena.catalog import Catalog
from services.athena.errors import QueryFailed
from services.athena.iceberg import iceberg_types
from services.athena.iceberg.glue_catalog import OurCatalog
from services.athena.object_store import ObjectStore
from services.athena.trino_types import Type

#: Athena's properties of VACUUM and their defaults.
#: https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-creating-tables.html
_KEPT_SECONDS, _KEPT_SNAPSHOTS = 432_000, 1
_TEXTS = trino.map_of(trino.VARCHAR, trino.VARCHAR)
_TIME = trino.timestamp_tz(3)
#: `"table$name"` → its columns. https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-table-metadata.html
METADATA_TABLES: dict[str, dict[str, Type]] = {
    "snapshots": {
        "committed_at": _TIME, "snapshot_id": trino.BIGINT, "parent_id": trino.BIGINT,
        "operation": trino.VARCHAR, "manifest_list": trino.VARCHAR, "summary": _TEXTS,
    },
    "history": {
        "made_current_at": _TIME, "snapshot_id": trino.BIGINT, "parent_id": trino.BIGINT,
        "is_current_ancestor": trino.BOOLEAN,
    },
    "files": {
        "content": trino.INTEGER, "file_path": trino.VARCHAR, "file_format": trino.VARCHAR,
        "record_count": trino.BIGINT, "file_size_in_bytes": trino.BIGINT,
    },
    "manifests": {
        "path": trino.VARCHAR, "length": trino.BIGINT, "partition_spec_id": trino.INTEGER,
        "added_snapshot_id": trino.BIGINT, "added_data_files_count": trino.INTEGER,
        "existing_data_files_count": trino.INTEGER, "deleted_data_files_count": trino.INTEGER,
    },
    "partitions": {"record_count": trino.BIGINT, "file_count": trino.BIGINT},
    "refs": {"name": trino.VARCHAR, "type": trino.VARCHAR, "snapshot_id": trino.BIGINT},
}  # fmt: skip


@contextlib.contextmanager
def committing() -> Iterator[None]:
    """Two writers at once: the second one's commit fails, as Trino says it."""
    try:
        yield
    except CommitFailedException as error:
        raise QueryFailed(f"ICEBERG_COMMIT_ERROR: {error}", error_type=1000) from None


class IcebergTables:
    """Cheap to make; every call reads the table's newest metadata."""

    def __init__(self, catalog: Catalog, store: ObjectStore) -> None:
        self._store = store
        self._catalog = OurCatalog(catalog, store)

    def load(self, entry: Mapping[str, Any]) -> Table:
        """The table of a Glue entry. Raises QueryFailed where its metadata is gone."""
        where = (entry["DatabaseName"], entry["Name"])
        try:
            return self._catalog.load_table(where)
        except FileNotFoundError:
            location = (entry.get("Parameters") or {}).get("metadata_location")
            raise QueryFailed(
                f"ICEBERG_MISSING_METADATA: Metadata not found in metadata location for table "
                f"{'.'.join(where)}: {location}"
            ) from None

    def create(
        self, database: str, name: str, location: str, columns: Mapping[str, Type],
        *, comments: Mapping[str, str | None], transforms: Sequence[str],
        properties: Mapping[str, str],
    ) -> Table:  # fmt: skip
        """A table without rows."""
        schema = iceberg_types.schema(columns, comments)
        return self._catalog.create_table(
            (database, name),
            schema,
            location.rstrip("/"),
            iceberg_types.partition_spec(schema, transforms),
            properties={"format-version": "2", **properties},
        )

    def columns(self, entry: Mapping[str, Any]) -> dict[str, Type]:
        return iceberg_types.columns(self.load(entry).schema())

    # --- reading

    def rows(self, table: Table, columns: Sequence[str], snapshot_id: int | None) -> Any:
        """(pyarrow.Table of these columns, bytes of the files behind it)."""
        scan = table.scan(
            selected_fields=tuple(columns) or ("*",), snapshot_id=snapshot_id, case_sensitive=False
        )
        scanned = sum(task.file.file_size_in_bytes for task in scan.plan_files())
        return scan.to_arrow(), scanned

    def snapshot_at(self, table: Table, millis: int) -> int:
        """FOR TIMESTAMP AS OF. Raises QueryFailed where the table is younger."""
        found = table.snapshot_as_of_timestamp(millis)
        if found is None:
            raise QueryFailed(
                f"INVALID_ARGUMENTS: No version history table {'.'.join(table.name())} at or before "
                f"{millis} milliseconds"
            )
        return found.snapshot_id

    def snapshot(self, table: Table, snapshot_id: int) -> int:
        """FOR VERSION AS OF."""
        if table.snapshot_by_id(snapshot_id) is None:
            raise QueryFailed(
                f"INVALID_ARGUMENTS: Iceberg snapshot ID does not exists: {snapshot_id}"
            )
        return snapshot_id

    def metadata(self, table: Table, name: str) -> pyarrow.Table:
        """The rows of `"table$name"`."""
        found: pyarrow.Table = getattr(table.inspect, name)()
        if name == "history":
            times = found.column("made_current_at").cast(pyarrow.timestamp("ms", "UTC"))
            found = found.set_column(0, "made_current_at", times)
        if name == "partitions" and "file_count" in found.column_names:
            found = found.set_column(
                found.column_names.index("file_count"),
                "file_count",
                found.column("file_count").cast(pyarrow.int64()),
            )
        return found

    # --- writing

    def append(self, table: Table, rows: pyarrow.Table) -> None:
        with committing():
            table.append(_fitted(table, rows))

    def replace(self, table: Table, rows: pyarrow.Table) -> None:
        """All rows anew, in one commit: copy on write."""
        with committing():
            table.overwrite(_fitted(table, rows))

    def data_files(self, table: Table) -> int:
        return len(list(table.scan().plan_files()))

    # --- schema and properties

    def change_schema(self, entry: Mapping[str, Any], change: Any) -> None:
        """`change` gets PyIceberg's UpdateSchema."""
        with committing(), self.load(entry).update_schema(case_sensitive=False) as update:
            change(update)

    def set_properties(
        self, entry: Mapping[str, Any], properties: Mapping[str, str], removed: Sequence[str] = ()
    ) -> None:
        with committing(), self.load(entry).transaction() as transaction:
            if properties:
                transaction.set_properties(dict(properties))
            if removed:
                transaction.remove_properties(*removed)

    # --- VACUUM, DROP

    def vacuum(self, table: Table, now_millis: int) -> None:
        """Old snapshots go by the table's properties, then every file that none names."""
        properties = table.properties
        age = int(properties.get("vacuum_max_snapshot_age_seconds", _KEPT_SECONDS))
        keep = int(properties.get("vacuum_min_snapshots_to_keep", _KEPT_SNAPSHOTS))
        newest = sorted(table.snapshots(), key=lambda s: s.timestamp_ms, reverse=True)
        old = [s.snapshot_id for s in newest[keep:] if s.timestamp_ms < now_millis - age * 1000]
        if old:
            with committing():
                table.maintenance.expire_snapshots().by_ids(old).commit()
        fresh = table.refresh()
        self._delete_unnamed(fresh, now_millis - age * 1000)

    def _delete_unnamed(self, table: Table, before_millis: int) -> None:
        bucket, _, prefix = table.location().removeprefix("s3://").partition("/")
        named = _named_files(table)
        gone = [
            each.key for each in self._store.list(bucket, prefix.rstrip("/") + "/")
            if each.uri not in named and each.modified * 1000 < before_millis
        ]  # fmt: skip
        self._store.delete(bucket, gone)

    def delete_files(self, entry: Mapping[str, Any]) -> None:
        """DROP TABLE of an Iceberg table removes its data, too."""
        location = self.load(entry).location()
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        found = [each.key for each in self._store.list(bucket, prefix.rstrip("/") + "/")]
        self._store.delete(bucket, found)


def _named_files(table: Table) -> set[str]:
    """Everything that the table's metadata leads to."""
    named = {table.metadata_location, *(log.metadata_file for log in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            named.add(manifest.manifest_path)
            entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            named |= {entry.data_file.file_path for entry in entries}
    return named


def _fitted(table: Table, rows: pyarrow.Table) -> pyarrow.Table:
    """The rows under the table's names and types."""
    wanted = table.schema().as_arrow()
    return rows.rename_columns(wanted.names).cast(wanted)
