"""From a table in the catalog to the files of a scan: partitions, pruning, listing, fetching."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.athena import object_store, partition_values, table_format, trino_types
from services.athena.errors import QueryFailed
from services.athena.execution_engine import QueryContext
from services.athena.object_cache import ObjectCache, uri_of_path
from services.athena.object_packs import ObjectPacks
from services.athena.object_store import ObjectStore, StoredObject
from services.athena.partition_values import Injected, Values
from services.athena.table_scan import Scan
from services.athena.trino_types import Type

Shape = dict[str, Any]
#: Above this many partitions below one location, one listing beats one per partition.
_LIST_ONCE_FROM = 8


@dataclass(frozen=True)
class PartitionFilter:
    """What the query says of a table's partition columns.

    `allowed`: columns held to certain values by `=` and IN. `keep`: the values that pass the
    whole predicate, evaluated by the engine; None when there is none.
    """

    allowed: Mapping[str, frozenset[str]]
    keep: Callable[[Sequence[Values]], list[Values]] | None = None


def column_types(entries: Iterable[Shape]) -> dict[str, Type]:
    """Glue's columns as Trino types. Raises QueryFailed for an unknown type."""
    found = {}
    for entry in entries:
        try:
            found[entry["Name"].lower()] = trino_types.from_hive(entry.get("Type") or "string")
        except (trino_types.TypeUnknown, ValueError):
            raise QueryFailed(
                f"HIVE_UNSUPPORTED_FORMAT: Unsupported Hive type: {entry.get('Type')} "
                f"of column {entry['Name']}", error_type=1004,
            ) from None  # fmt: skip
    return found


class TableFiles:
    """Finds and fetches. One for all queries; holds no query's state."""

    def __init__(self, store: ObjectStore, cache: ObjectCache) -> None:
        self._store, self._cache = store, cache
        self._packs = ObjectPacks(cache)

    def scan(
        self,
        table: Shape,
        context: QueryContext,
        chosen: PartitionFilter,
        register: Callable[[Any], str],
        *,
        names_objects: bool = True,
    ) -> Scan:
        """List and fetch what the query needs; small objects may share a file unless the query
        names objects (`"$path"` and the like). Raises QueryFailed, QueryCancelled."""
        descriptor = table.get("StorageDescriptor") or {}
        keys = column_types(table.get("PartitionKeys") or [])
        found = self.objects(table, context, chosen)
        for entry, _ in found:
            context.scanned(entry.size)
        context.check()
        names = list(keys)
        wanted = [(e, [*zip(names, v, strict=True)]) for e, v in found]
        lines = table_format.lines(descriptor, table.get("Parameters") or {})
        if lines and not names_objects:
            files = self._packs.fetch(wanted, lines)
        else:
            files = self._cache.fetch(wanted, lines)
        return Scan(
            descriptor=descriptor,
            parameters=table.get("Parameters") or {},
            columns=column_types(descriptor.get("Columns") or []),
            partition_columns=keys,
            files=files,
            path_sql=uri_of_path(self._cache.folder),
            register=register,
            objects=[entry for entry, _ in found],
        )

    def objects(
        self, table: Shape, context: QueryContext, chosen: PartitionFilter
    ) -> list[tuple[StoredObject, Values]]:
        """The objects of the partitions that pass, each with its partition's values."""
        location = (table.get("StorageDescriptor") or {}).get("Location") or ""
        if not table.get("PartitionKeys"):
            return [(entry, ()) for entry in self._below(location)] if location else []
        parts = self.partitions(table, context, chosen)
        listed = self._listed_once(location, [where for _, where in parts])
        found = []
        for values, where in parts:
            entries = listed(where) if listed else self._below(where)
            found += [(entry, values) for entry in entries]
        return found

    def partitions(
        self, table: Shape, context: QueryContext, chosen: PartitionFilter
    ) -> list[tuple[Values, str]]:
        """(values, location) of every partition that passes; a projected one may have two."""
        parameters = table.get("Parameters") or {}
        names = [key["Name"].lower() for key in table["PartitionKeys"]]
        if partition_values.is_projected(parameters):
            located = self._projected(table, names, context.now, chosen)
        else:
            found = context.catalog.partitions(table["DatabaseName"], table["Name"])
            located = {
                tuple(part["Values"]): [(part.get("StorageDescriptor") or {}).get("Location") or ""]
                for part in found
            }
        allowed = [chosen.allowed.get(name) for name in names]
        values = [
            v for v in located
            if all(a is None or _same_value(x, a) for x, a in zip(v, allowed, strict=True))
        ]  # fmt: skip
        if chosen.keep:
            values = chosen.keep(values)
        return [(v, where) for v in values for where in located[v]]

    def _projected(
        self, table: Shape, names: Sequence[str], now: float, chosen: PartitionFilter
    ) -> dict[Values, list[str]]:
        parameters = table.get("Parameters") or {}
        location = table["StorageDescriptor"].get("Location") or ""
        dimensions = []
        for dimension, name in zip(
            partition_values.projected(parameters, names, now), names, strict=True
        ):
            allowed = chosen.allowed.get(name)
            if isinstance(dimension, Injected):
                if allowed is None:
                    raise QueryFailed(
                        "CONSTRAINT_VIOLATION: For the injected projected partition column "
                        f"{name}, the WHERE clause must contain only static equality conditions, "
                        "and at least one such condition must be present."
                    )
                dimensions.append(sorted(allowed))
            else:
                dimensions.append(
                    [v for v in dimension if allowed is None or _same_value(v, allowed)]
                )
        return {
            values: partition_values.places(parameters, location, names, values)
            for values in itertools.product(*dimensions)
        }

    def _below(self, location: str) -> list[StoredObject]:
        bucket, prefix = object_store.folder(location)
        return [e for e in self._store.list(bucket, prefix) if _is_data(e, prefix)]

    def _listed_once(
        self, location: str, wheres: Sequence[str]
    ) -> Callable[[str], list[StoredObject]] | None:
        """One listing for many partitions below the table's own location."""
        if len(wheres) < _LIST_ONCE_FROM or not location:
            return None
        bucket, root = object_store.folder(location)
        by_folder: dict[str, list[StoredObject]] = {}
        for entry in self._store.list(bucket, root):
            by_folder.setdefault(entry.key.rpartition("/")[0] + "/", []).append(entry)
        folders = sorted(by_folder)

        def entries(where: str) -> list[StoredObject]:
            where_bucket, prefix = object_store.folder(where)
            if where_bucket != bucket or not prefix.startswith(root):
                return self._below(where)
            import bisect

            found = []
            for folder in folders[bisect.bisect_left(folders, prefix) :]:
                if not folder.startswith(prefix):
                    break
                found += [e for e in by_folder[folder] if _is_data(e, prefix)]
            return found

        return entries


def _same_value(value: str, allowed: frozenset[str]) -> bool:
    """`01` passes `month = 1`: numbers compare as numbers."""
    return value in allowed or (value.lstrip("0") or "0") in allowed


def _is_data(entry: StoredObject, prefix: str) -> bool:
    """Hive ignores empty files, and names that begin with `_` or `.`"""
    if entry.size == 0:
        return False
    return not any(part.startswith(("_", ".")) for part in entry.key[len(prefix) :].split("/"))


def is_view(table: Shape) -> bool:
    return table.get("TableType") == "VIRTUAL_VIEW"


def is_iceberg(table: Shape) -> bool:
    kind: str = (table.get("Parameters") or {}).get("table_type", "")
    return kind.upper() == "ICEBERG"
