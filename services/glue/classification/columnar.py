"""Formats that bring their schema: Parquet, ORC, Avro."""

from __future__ import annotations

import json
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.glue.classification.column_types import Array, Column, HiveType, Struct
from services.glue.classification.found import AVRO, ORC, PARQUET, Found, TableFormat

AVRO_MAGIC, PARQUET_MAGIC, ORC_MAGIC = b"Obj\x01", b"PAR1", b"ORC"

ARROW_NAMES = {
    "bool": "boolean",
    "int8": "tinyint",
    "uint8": "smallint",
    "int16": "smallint",
    "uint16": "int",
    "int32": "int",
    "uint32": "bigint",
    "int64": "bigint",
    "uint64": "decimal(20,0)",
    "halffloat": "float",
    "float": "float",
    "double": "double",
    "string": "string",
    "large_string": "string",
    "binary": "binary",
    "large_binary": "binary",
    "date32[day]": "date",
    "date64[ms]": "date",
    "null": "string",
}
AVRO_NAMES = {
    "null": "string",
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "bytes": "binary",
    "string": "string",
}
AVRO_LOGICAL = {"date": "date", "timestamp-millis": "timestamp", "timestamp-micros": "timestamp"}


def classify_columnar(beginning: bytes, file: IO[bytes]) -> Found | None:
    """The schema that the file itself declares, or None when it is neither of the three.

    `file` can seek: the schema of Parquet and ORC stands at the end."""
    try:
        if beginning.startswith(AVRO_MAGIC):
            return _avro(beginning)
        if beginning.startswith(PARQUET_MAGIC):
            return _parquet(file)
        if beginning.startswith(ORC_MAGIC):
            return _orc(file)
    except (pa.ArrowException, ValueError, KeyError, IndexError, TypeError, OSError):
        return None  # It only begins like one: damaged, or another format's magic by chance.
    return None


def arrow_type(kind: Any) -> HiveType:
    """Arrow's type as Hive's."""
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_map(kind):
        return f"map<{_text(kind.key_type)},{_text(kind.item_type)}>"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return Array(arrow_type(kind.value_type))
    if pa.types.is_struct(kind):
        return Struct(tuple((f.name, arrow_type(f.type)) for f in kind))
    if pa.types.is_dictionary(kind):
        return arrow_type(kind.value_type)
    if pa.types.is_fixed_size_binary(kind):
        return "binary"
    return ARROW_NAMES.get(str(kind), "string")


def _text(kind: Any) -> str:
    from services.glue.classification.column_types import hive_text

    return hive_text(arrow_type(kind))


def _columns(schema: Any) -> tuple[Column, ...]:
    return tuple(Column(field.name.lower(), arrow_type(field.type)) for field in schema)


def _parquet(file: IO[bytes]) -> Found:
    parquet = pq.ParquetFile(file)
    facts = parquet.metadata
    size = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
    columns = _columns(parquet.schema_arrow)
    compression = _parquet_compression(facts)
    return Found("parquet", columns, PARQUET, {}, facts.num_rows, size, compression=compression)


def _parquet_compression(facts: Any) -> str:
    if not facts.num_row_groups or not facts.row_group(0).num_columns:
        return "none"
    name = str(facts.row_group(0).column(0).compression).lower()
    return "none" if name == "uncompressed" else name


def _orc(file: IO[bytes]) -> Found:
    from pyarrow import orc

    reader = orc.ORCFile(file)
    compression = str(reader.compression).lower()
    return Found(
        "orc",
        _columns(reader.schema),
        ORC,
        {},
        reader.nrows,
        reader.content_length,
        compression="none" if compression == "uncompressed" else compression,
    )


def _avro(beginning: bytes) -> Found:
    metadata = _avro_metadata(beginning)
    literal = metadata["avro.schema"].decode()
    schema = json.loads(literal)
    named: dict[str, Any] = {}
    record = _avro_type(schema, named)
    if not isinstance(record, Struct):
        raise ValueError("an Avro file of something else than records")
    columns = tuple(Column(name.lower(), kind) for name, kind in record.fields)
    codec = metadata.get("avro.codec", b"null").decode()
    parameters = dict(AVRO.parameters) | {"avro.schema.literal": literal}
    table_format = TableFormat(
        AVRO.serialization_library, AVRO.input_format, AVRO.output_format, parameters
    )
    compression = "none" if codec == "null" else codec
    return Found(
        "avro", columns, table_format, {"avro.schema.literal": literal}, compression=compression
    )


def _avro_metadata(beginning: bytes) -> dict[str, bytes]:
    """The map at the head of a container file: counts and lengths are zigzag varints."""
    metadata: dict[str, bytes] = {}
    at = len(AVRO_MAGIC)
    while True:
        count, at = _varint(beginning, at)
        if count == 0:
            return metadata
        if count < 0:
            count = -count
            _, at = _varint(beginning, at)
        for _ in range(count):
            key, at = _bytes(beginning, at)
            metadata[key.decode()], at = _bytes(beginning, at)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = content[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _bytes(content: bytes, at: int) -> tuple[bytes, int]:
    length, at = _varint(content, at)
    if length < 0 or at + length > len(content):
        raise ValueError("an Avro header that ends too early")
    return content[at : at + length], at + length


def _avro_type(schema: Any, named: dict[str, Any]) -> HiveType:
    if isinstance(schema, list):
        kinds = [part for part in schema if part != "null"]
        return _avro_type(kinds[0], named) if len(kinds) == 1 else "string"
    if isinstance(schema, str):
        return _avro_type(named[schema], named) if schema in named else AVRO_NAMES[schema]
    kind = schema["type"]
    if "name" in schema:
        named[schema["name"]] = schema
    if kind == "record":
        fields = schema["fields"]
        return Struct(tuple((f["name"], _avro_type(f["type"], named)) for f in fields))
    if kind == "array":
        return Array(_avro_type(schema["items"], named))
    if kind == "map":
        from services.glue.classification.column_types import hive_text

        return f"map<string,{hive_text(_avro_type(schema['values'], named))}>"
    if schema.get("logicalType") == "decimal":
        return f"decimal({schema['precision']},{schema.get('scale', 0)})"
    if schema.get("logicalType") in AVRO_LOGICAL:
        return AVRO_LOGICAL[schema["logicalType"]]
    return {"enum": "string", "fixed": "binary"}.get(str(kind)) or _avro_type(kind, named)
