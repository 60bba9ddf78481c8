"""Trino's types and partition transforms as Iceberg's, and back. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pyiceberg import types as iceberg
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform

from services.athena import trino_types as trino
from services.athena.errors import QueryFailed
from services.athena.trino_types import Type

_SIMPLE: dict[str, iceberg.PrimitiveType] = {
    "boolean": iceberg.BooleanType(), "tinyint": iceberg.IntegerType(),
    "smallint": iceberg.IntegerType(), "integer": iceberg.IntegerType(),
    "bigint": iceberg.LongType(), "real": iceberg.FloatType(), "double": iceberg.DoubleType(),
    "varchar": iceberg.StringType(), "char": iceberg.StringType(), "date": iceberg.DateType(),
    "varbinary": iceberg.BinaryType(), "timestamp": iceberg.TimestampType(),
    "timestamp with time zone": iceberg.TimestamptzType(), "time": iceberg.TimeType(),
}  # fmt: skip
_BACK: dict[type, Type] = {
    iceberg.BooleanType: trino.BOOLEAN, iceberg.IntegerType: trino.INTEGER,
    iceberg.LongType: trino.BIGINT, iceberg.FloatType: trino.REAL, iceberg.DoubleType: trino.DOUBLE,
    iceberg.StringType: trino.VARCHAR, iceberg.DateType: trino.DATE,
    iceberg.BinaryType: trino.VARBINARY, iceberg.FixedType: trino.VARBINARY,
    iceberg.TimestampType: trino.timestamp(6), iceberg.TimestamptzType: trino.timestamp_tz(6),
}  # fmt: skip


def to_iceberg(kind: Type, ids: Iterator[int]) -> iceberg.IcebergType:
    """Raises QueryFailed for a type that Iceberg has not."""
    if kind.name == "decimal":
        return iceberg.DecimalType(kind.params[0], kind.params[1])
    if kind.name == "array":
        return iceberg.ListType(next(ids), to_iceberg(kind.args[0], ids), False)
    if kind.name == "map":
        key, value = (to_iceberg(each, ids) for each in kind.args)
        return iceberg.MapType(next(ids), key, next(ids), value, False)
    if kind.name == "row":
        fields = [
            iceberg.NestedField(next(ids), name or f"field{i}", to_iceberg(each, ids), False)
            for i, (name, each) in enumerate(zip(kind.fields, kind.args, strict=True))
        ]
        return iceberg.StructType(*fields)
    if kind.name not in _SIMPLE:
        raise QueryFailed(f"NOT_SUPPORTED: Type not supported for Iceberg: {kind}")
    return _SIMPLE[kind.name]


def to_trino(kind: iceberg.IcebergType) -> Type:
    """Raises QueryFailed for a type nobody here reads."""
    match kind:
        case iceberg.DecimalType():
            return trino.decimal(kind.precision, kind.scale)
        case iceberg.ListType():
            return trino.array(to_trino(kind.element_type))
        case iceberg.MapType():
            return trino.map_of(to_trino(kind.key_type), to_trino(kind.value_type))
        case iceberg.StructType():
            types = tuple(to_trino(field.field_type) for field in kind.fields)
            return trino.row(types, tuple(field.name for field in kind.fields))
    if type(kind) not in _BACK:
        raise QueryFailed(f"NOT_SUPPORTED: Iceberg type {kind} is not supported by this engine")
    return _BACK[type(kind)]


def schema(columns: Mapping[str, Type], comments: Mapping[str, str | None]) -> Schema:
    """All columns may be NULL, as Athena declares them."""
    ids = itertools.count(1)
    return Schema(*[
        iceberg.NestedField(next(ids), name, to_iceberg(kind, ids), False, comments.get(name))
        for name, kind in columns.items()
    ])  # fmt: skip


def partition_spec(schema: Schema, transforms: Sequence[str]) -> PartitionSpec:
    """`day(ts)`, `bucket(16, id)`, `truncate(4, s)` or a column's name. Raises QueryFailed."""
    fields = [
        _partition_field(schema, text, number) for number, text in enumerate(transforms, 1000)
    ]
    return PartitionSpec(*fields)


def _partition_field(schema: Schema, text: str, number: int) -> PartitionField:
    found = re.fullmatch(r"\s*(\w+)\s*\(\s*(.+?)\s*\)\s*", text)
    name, column, width = "identity", text.strip(' "`'), ""
    if found:
        name, arguments = found[1].lower(), [a.strip(' "`') for a in found[2].split(",")]
        column = next((a for a in arguments if not a.isdigit()), "")
        width = next((f"[{a}]" for a in arguments if a.isdigit()), "")
    column = column.lower()
    field = _field(schema, column)
    named = {"years": "year", "months": "month", "days": "day", "hours": "hour"}.get(name, name)
    try:
        transform = parse_transform(f"{named}{width}")
    except ValueError:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: Invalid partition field: {text}") from None
    label = (
        column if named == "identity" else f"{column}_{'trunc' if named == 'truncate' else named}"
    )
    return PartitionField(field.field_id, number, transform, label)


def _field(schema: Schema, column: str) -> iceberg.NestedField:
    try:
        return schema.find_field(column, case_sensitive=False)
    except ValueError:
        raise QueryFailed(
            f"INVALID_TABLE_PROPERTY: Cannot find source column '{column}' for a partition field"
        ) from None


def columns(schema: Schema) -> dict[str, Type]:
    """Name → Trino's type, in the table's order."""
    return {field.name.lower(): to_trino(field.field_type) for field in schema.fields}


def names(fields: Iterable[iceberg.NestedField]) -> list[str]:
    return [field.name for field in fields]
