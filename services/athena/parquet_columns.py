"""Columns of Parquet, ORC and Avro files, and how each becomes the table's type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow
import pyarrow.parquet

from services.athena import trino_types
from services.athena.trino_types import Type


class FileColumn(NamedTuple):
    name: str
    type: pyarrow.DataType


class FileColumns:
    """The columns of the files, by position and by name without case."""

    def __init__(self, columns: Sequence[FileColumn]) -> None:
        self._columns = list(columns)
        self._by_name = {column.name.lower(): column for column in reversed(self._columns)}

    def at(self, position: int) -> FileColumn | None:
        return self._columns[position] if position < len(self._columns) else None

    def named(self, name: str) -> FileColumn | None:
        return self._by_name.get(name.lower())


def columns(files: Sequence[str], by_index: bool) -> FileColumns:
    """Columns of the first file; by name those of up to 64 files together."""
    found: dict[str, FileColumn] = {}
    step = max(1, len(files) // 64)
    for path in files[:1] if by_index else files[::step]:
        for field in pyarrow.parquet.read_schema(path):
            found.setdefault(field.name.lower(), FileColumn(field.name, field.type))
    return FileColumns(list(found.values()))


def arrow_columns(table: Any) -> FileColumns:
    return FileColumns([FileColumn(field.name, field.type) for field in table.schema])


def convert(sql: str, actual: pyarrow.DataType, kind: Type, depth: int = 0) -> str:
    """A file's value as the table's type; nested fields are matched by name."""
    v = f"_p{depth}"
    is_list = pyarrow.types.is_list(actual) or pyarrow.types.is_large_list(actual)
    if kind.name == "array" and is_list:
        inner = convert(v, actual.value_type, kind.args[0], depth + 1)
        return sql if inner == v else f"list_transform({sql}, lambda {v}: {inner})"
    if kind.name == "map" and pyarrow.types.is_map(actual):
        key = convert(f"{v}.key", actual.key_type, kind.args[0], depth + 1)
        value = convert(f"{v}.value", actual.item_type, kind.args[1], depth + 1)
        if key == f"{v}.key" and value == f"{v}.value":
            return sql
        entry = f"{{'key': {key}, 'value': {value}}}"
        return f"map_from_entries(list_transform(map_entries({sql}), lambda {v}: {entry}))"
    if kind.name == "row" and pyarrow.types.is_struct(actual):
        return _row(sql, actual, kind, depth)
    return _scalar(sql, actual, kind)


def _row(sql: str, actual: pyarrow.DataType, kind: Type, depth: int) -> str:
    names = {actual.field(i).name.lower(): actual.field(i) for i in range(actual.num_fields)}
    parts = []
    for stored, wanted, inner in zip(
        trino_types.struct_names(kind), kind.fields, kind.args, strict=True
    ):
        field = names.get((wanted or "").lower())
        if field is None:
            parts.append(f"'{stored}': CAST(NULL AS {trino_types.duck_type(inner)})")
        else:
            quoted = "'" + field.name.replace("'", "''") + "'"
            value = convert(f"struct_extract({sql}, {quoted})", field.type, inner, depth + 1)
            parts.append(f"'{stored}': {value}")
    return f"CASE WHEN {sql} IS NOT NULL THEN {{{', '.join(parts)}}} END"


def _scalar(sql: str, actual: pyarrow.DataType, kind: Type) -> str:
    if kind.name == "timestamp with time zone":
        utc = f"CAST(timezone('UTC', CAST({sql} AS TIMESTAMPTZ)) AS TIMESTAMP)"
        return f"CASE WHEN {sql} IS NOT NULL THEN {{'t': {utc}, 'z': 'UTC'}} END"
    if kind.name == "timestamp" and pyarrow.types.is_timestamp(actual) and actual.tz:
        return f"CAST(timezone('UTC', {sql}) AS TIMESTAMP)"
    if kind.name == "varbinary" and pyarrow.types.is_string(actual):
        return f"encode({sql})"
    if kind.name == "varchar" and pyarrow.types.is_binary(actual):
        return f"decode({sql})"
    if _same(actual, kind):
        return sql
    return f"CAST({sql} AS {trino_types.duck_type(kind)})"


def _same(actual: pyarrow.DataType, kind: Type) -> bool:
    same: dict[str, bool] = {
        "bigint": actual == pyarrow.int64(), "integer": actual == pyarrow.int32(),
        "double": actual == pyarrow.float64(), "real": actual == pyarrow.float32(),
        "varchar": pyarrow.types.is_string(actual) and not kind.params,
        "boolean": pyarrow.types.is_boolean(actual), "date": pyarrow.types.is_date32(actual),
        "varbinary": pyarrow.types.is_binary(actual),
    }  # fmt: skip
    return same.get(kind.name, False)
