"""What a classifier found out about a file, and how tables of each format are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.glue.classification.column_types import Column, are_similar, merge_columns

TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"


@dataclass(frozen=True)
class TableFormat:
    """Hive's three class names, and the SerDe's parameters."""

    serialization_library: str
    input_format: str = TEXT_INPUT
    output_format: str = TEXT_OUTPUT
    parameters: Mapping[str, str] = field(default_factory=dict)


LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
GROK = "com.amazonaws.glue.serde.GrokSerDe"
PARQUET = TableFormat(
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    {"serialization.format": "1"},
)
ORC = TableFormat(
    "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
    "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
    "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
)
AVRO = TableFormat(
    "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
    "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
    "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
    {"serialization.format": "1"},
)
NO_FORMAT = TableFormat("", "", "")


@dataclass(frozen=True)
class Found:
    """One file's, or one folder's, classification.

    `parameters` go into the table as they are. `records` and `record_bytes` count what was
    looked at, uncompressed, and `read_bytes` as it is stored: they give the averages and
    estimates that a crawler notes.
    """

    classification: str
    columns: tuple[Column, ...]
    table_format: TableFormat
    parameters: Mapping[str, str] = field(default_factory=dict)
    records: int = 0
    record_bytes: int = 0
    read_bytes: int = 0
    compression: str = "none"

    @property
    def is_unknown(self) -> bool:
        return self.classification == UNKNOWN


UNKNOWN = "UNKNOWN"


def unknown(compression: str = "none") -> Found:
    """No classifier knew it."""
    return Found(UNKNOWN, (), NO_FORMAT, compression=compression)


def can_combine(one: Found, other: Found) -> bool:
    """Whether one table can hold both: the same format, read in the same way."""
    return one.classification == other.classification and (
        one.parameters.get("delimiter") == other.parameters.get("delimiter")
    )


def look_alike(one: Found, other: Found) -> bool:
    """Whether a crawler would take both for the same table."""
    return can_combine(one, other) and are_similar(one.columns, other.columns)


def combine(one: Found, other: Found) -> Found:
    """Both as one: merged columns, added counts, the first one's way of being read."""
    columns = merge_columns(one.columns, other.columns)
    table_format = one.table_format
    if "paths" in table_format.parameters:
        paths = {
            **dict.fromkeys(one.table_format.parameters["paths"].split(",")),
            **dict.fromkeys(other.table_format.parameters.get("paths", "").split(",")),
        }
        named = ",".join(sorted(path for path in paths if path))
        table_format = replace(
            table_format, parameters=dict(table_format.parameters) | {"paths": named}
        )
    return replace(
        one,
        columns=columns,
        table_format=table_format,
        records=one.records + other.records,
        record_bytes=one.record_bytes + other.record_bytes,
        read_bytes=one.read_bytes + other.read_bytes,
    )
