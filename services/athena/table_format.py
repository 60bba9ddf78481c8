"""How a table's files are written: SerDe, formats and Glue's StorageDescriptor."""

from __future__ import annotations

from typing import Any

from services.athena.line_files import Lines

Shape = dict[str, Any]

LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_TEXT_IN = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_JSON_OUT = "org.apache.hadoop.hive.ql.io.IgnoreKeyTextOutputFormat"

#: STORED AS … → SerDe, input format, output format.
STORED_AS = {
    "TEXTFILE": (LAZY_SIMPLE, _TEXT_IN, _TEXT_OUT),
    "JSONFILE": (HIVE_JSON, _TEXT_IN, _TEXT_OUT),
    "JSON": (HIVE_JSON, _TEXT_IN, _TEXT_OUT),
    "PARQUET": (
        PARQUET,
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    ),
    "ORC": (
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
    ),
    "AVRO": (
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
    ),
}


def serde_alone(serde: str) -> tuple[str, str]:
    """Input and output format of ROW FORMAT SERDE without STORED AS, as AWS writes them into Glue."""
    is_json = serde.rpartition(".")[2].lower() == "jsonserde"
    return _TEXT_IN, _JSON_OUT if is_json else _TEXT_OUT


#: A SerDe's class (its last part, lower case) → the reader.
_READERS = {
    "lazysimpleserde": "text", "opencsvserde": "csv", "regexserde": "regex", "grokserde": "grok",
    "jsonserde": "json", "parquethiveserde": "parquet", "orcserde": "orc", "avroserde": "avro",
    "openxjsonserde": "json", "multidelimitserde": "text", "csvserde": "csv",
}  # fmt: skip


def reader(descriptor: Shape) -> str:
    """`text`, `csv`, `regex`, `grok`, `json`, `parquet`, `orc`, `avro`; '' for an unknown SerDe."""
    library = (descriptor.get("SerdeInfo") or {}).get("SerializationLibrary") or ""
    found = _READERS.get(library.rsplit(".", 1)[-1].lower())
    if found:
        return found
    input_format = (descriptor.get("InputFormat") or "").lower()
    by_input = [kind for kind in ("parquet", "orc", "avro") if kind in input_format]
    return by_input[0] if by_input else ("" if library else "text")


def lines(descriptor: Shape, parameters: dict[str, str]) -> Lines | None:
    """How a text format's objects are prepared; None for the others.

    OpenX JSON gives NULLs for an empty line, as an empty object does. Hive's JSON refuses it, and so
    does DuckDB the mark.
    """
    kind = reader(descriptor)
    if kind == "json":
        return Lines(b"{}") if is_openx(descriptor) else Lines()
    if kind not in ("text", "csv", "regex", "grok"):
        return None
    given = {**((descriptor.get("SerdeInfo") or {}).get("Parameters") or {}), **parameters}
    count = given.get("skip.header.line.count") or "0"
    return Lines(skip=max(0, int(count)) if count.strip().isdigit() else 0)


def is_openx(descriptor: Shape) -> bool:
    """Is it the OpenX JSON SerDe (rather than Hive's)?"""
    return (
        "openx" in ((descriptor.get("SerdeInfo") or {}).get("SerializationLibrary") or "").lower()
    )


def descriptor(
    columns: list[Shape],
    location: str,
    serde: str,
    formats: tuple[str, str],
    properties: dict[str, str],
) -> Shape:
    """Glue's StorageDescriptor."""
    return {
        "Columns": columns,
        "Location": location,
        "InputFormat": formats[0],
        "OutputFormat": formats[1],
        "Compressed": False,
        "NumberOfBuckets": -1,
        "SerdeInfo": {"SerializationLibrary": serde, "Parameters": properties},
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": {},
        "StoredAsSubDirectories": False,
    }
