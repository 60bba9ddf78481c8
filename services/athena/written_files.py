"""Rows as files: Parquet, JSON lines, delimited text, ORC, Avro; by partition, compressed."""

from __future__ import annotations

import gzip
import shutil
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.athena import table_format, trino_types
from services.athena.dialect.typed import Query
from services.athena.errors import QueryFailed
from services.athena.table_scan import file_type, has_row, name
from services.athena.trino_types import Type

_DEFAULT_COMPRESSION = {
    "PARQUET": "GZIP",
    "ORC": "ZLIB",
    "AVRO": "GZIP",
    "JSON": "GZIP",
    "TEXTFILE": "GZIP",
}

#: Rows of one row group.
_PARQUET_ROWS = 100_000


@dataclass(frozen=True)
class Format:
    """`compression` as Athena names it; '' for none. `delimiter` of text files only.

    `int96`: Parquet as UNLOAD writes it, with timestamps of 96 bits and every column nullable.
    """

    stored_as: str
    compression: str
    delimiter: str | None = None
    int96: bool = False

    @staticmethod
    def of(options: dict[str, Any]) -> Format:
        """From the properties of CTAS or UNLOAD."""
        stored = str(options.get("format", "PARQUET")).upper()
        if stored not in _DEFAULT_COMPRESSION:
            raise QueryFailed(
                f"INVALID_TABLE_PROPERTY: Unable to set table property 'format' to '{stored}'"
            )
        given = (
            options.get("write_compression")
            or options.get("compression")
            or options.get(f"{stored.lower()}_compression")
        )
        compression = str(given or _DEFAULT_COMPRESSION[stored]).upper()
        compression = "" if compression in ("NONE", "UNCOMPRESSED") else compression
        delimiter = str(options.get("field_delimiter", "\x01")) if stored == "TEXTFILE" else None
        return Format(
            stored, compression, delimiter.encode().decode("unicode_escape") if delimiter else None
        )

    @staticmethod
    def of_table(table: dict[str, Any]) -> Format:
        """As INSERT writes into an existing table."""
        stored = {
            "json": "JSON",
            "parquet": "PARQUET",
            "orc": "ORC",
            "avro": "AVRO",
            "text": "TEXTFILE",
        }
        kind = table_format.reader(table["StorageDescriptor"])
        if kind not in stored:
            raise QueryFailed(
                "HIVE_UNSUPPORTED_FORMAT: Writing to this table's SerDe is not supported"
            )
        parameters = table.get("Parameters") or {}
        serde = (table["StorageDescriptor"].get("SerdeInfo") or {}).get("Parameters") or {}
        found = stored[kind]
        compression = (
            parameters.get("parquet.compression")
            or parameters.get("write.compression")
            or _DEFAULT_COMPRESSION[found]
        )
        return Format(
            found,
            compression.upper(),
            serde.get("field.delim", "\x01") if found == "TEXTFILE" else None,
        )


def write(
    connection: Any, sql: str, query: Query, how: Format, folder: Path, partitioned: Sequence[str]
) -> int:
    """Files below `folder`, partitions in directories `key=value`. Returns the number of rows."""
    names = [f"o{i}" for i in range(len(query.columns))]
    items = [
        f"{to_file(n, c.type, how)} AS {name(c.name.lower())}"
        for n, c in zip(names, query.columns, strict=True)
    ]
    text = f"SELECT {', '.join(items)} FROM ({sql}) AS o({', '.join(names)})"
    if how.stored_as in ("ORC", "AVRO"):
        return _write_arrow(connection, text, how, folder, partitioned)
    options = [_OPTIONS[how.stored_as](how)]
    target = folder / "data" / f"part{_SUFFIX[how.stored_as]}"
    if partitioned:
        options.append(
            f"PARTITION_BY ({', '.join(name(p) for p in partitioned)}), WRITE_PARTITION_COLUMNS false"
        )
        target = folder / "data"
    else:
        target.parent.mkdir()
    if how.int96 and how.stored_as == "PARQUET" and not partitioned:
        return _write_parquet(connection, text, how, target)
    path = str(target).replace("'", "''")
    count: int = connection.execute(f"COPY ({text}) TO '{path}' ({', '.join(options)})").fetchall()[
        0
    ][0]
    if count == 0 and not partitioned:
        target.unlink(missing_ok=True)
    return count


def _write_parquet(connection: Any, sql: str, how: Format, path: Path) -> int:
    """DuckDB makes a column without NULLs a required one, and knows no timestamps of 96 bits."""
    import pyarrow.parquet

    reader = connection.sql(sql).to_arrow_reader(_PARQUET_ROWS)
    codec = {"lz4_raw": "lz4", "uncompressed": "none"}.get(_codec(how), _codec(how))
    count = 0
    with pyarrow.parquet.ParquetWriter(
        path, reader.schema, compression=codec, use_deprecated_int96_timestamps=True
    ) as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    if not count:
        path.unlink()
    return count


def _codec(how: Format) -> str:
    codec = {
        "GZIP": "gzip",
        "SNAPPY": "snappy",
        "ZSTD": "zstd",
        "LZ4": "lz4_raw",
        "": "uncompressed",
    }
    if how.compression not in codec:
        raise QueryFailed(
            f"INVALID_TABLE_PROPERTY: Unsupported compression {how.compression} for PARQUET"
        )
    return codec[how.compression]


def _parquet(how: Format) -> str:
    return f"FORMAT parquet, COMPRESSION {_codec(how)}"


def _text(how: Format) -> str:
    delimiter = (how.delimiter or "\x01").replace("'", "''")
    return f"FORMAT csv, HEADER false, DELIMITER '{delimiter}', QUOTE '', ESCAPE '', NULLSTR '\\N'"


_OPTIONS = {"PARQUET": _parquet, "JSON": lambda how: "FORMAT json", "TEXTFILE": _text}
_SUFFIX = {"PARQUET": ".parquet", "JSON": ".json", "TEXTFILE": ".txt"}


def _write_arrow(
    connection: Any, sql: str, how: Format, folder: Path, partitioned: Sequence[str]
) -> int:
    """ORC and Avro through PyArrow and fastavro; partitions one after the other."""
    table = connection.sql(sql).to_arrow_table()
    groups: dict[tuple[str, ...], list[int]] = {}
    keys = [table.column(p).to_pylist() for p in partitioned]
    for row in range(table.num_rows):
        values = tuple(
            "__HIVE_DEFAULT_PARTITION__" if k[row] is None else str(k[row]) for k in keys
        )
        groups.setdefault(values, []).append(row)
    plain = table.drop_columns(list(partitioned)) if partitioned else table
    for values, rows in groups.items():
        below = "/".join(
            f"{p}={urllib.parse.quote(v, safe='')}"
            for p, v in zip(partitioned, values, strict=True)
        )
        path = folder / "data" / below / f"part.{how.stored_as.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = plain.take(rows) if partitioned else plain
        (_write_orc if how.stored_as == "ORC" else _write_avro)(part, path, how)
    return int(table.num_rows)


def _write_orc(table: Any, path: Path, how: Format) -> None:
    import pyarrow.orc

    pyarrow.orc.write_table(table, str(path), compression=how.compression.lower() or "uncompressed")


def _write_avro(table: Any, path: Path, how: Format) -> None:
    import fastavro

    fields = [{"name": f.name, "type": ["null", _avro_type(f.type)]} for f in table.schema]
    schema = fastavro.parse_schema({"type": "record", "name": "hive_record", "fields": fields})
    with path.open("wb") as file:
        fastavro.writer(
            file, schema, table.to_pylist(), codec="null" if not how.compression else "deflate"
        )


def _avro_type(kind: Any) -> Any:
    import pyarrow

    table = {
        pyarrow.bool_(): "boolean",
        pyarrow.float32(): "float",
        pyarrow.float64(): "double",
        pyarrow.int64(): "long",
    }
    if kind in table:
        return table[kind]
    if pyarrow.types.is_integer(kind):
        return "int"
    if pyarrow.types.is_date(kind):
        return {"type": "int", "logicalType": "date"}
    if pyarrow.types.is_timestamp(kind):
        return {"type": "long", "logicalType": "timestamp-micros"}
    if pyarrow.types.is_decimal(kind):
        return {
            "type": "bytes",
            "logicalType": "decimal",
            "precision": kind.precision,
            "scale": kind.scale,
        }
    if pyarrow.types.is_list(kind):
        return {"type": "array", "items": ["null", _avro_type(kind.value_type)]}
    if pyarrow.types.is_binary(kind):
        return "bytes"
    if pyarrow.types.is_string(kind):
        return "string"
    raise QueryFailed(f"NOT_SUPPORTED: Avro files cannot hold {kind}")


def to_file(sql: str, kind: Type, how: Format, depth: int = 0) -> str:
    """A stored value under the names and types of a file."""
    v = f"_w{depth}"
    if kind.name == "unknown":
        return "CAST(NULL AS VARCHAR)"
    if kind.name in ("interval day to second", "interval year to month", "time with time zone"):
        raise QueryFailed(f"NOT_SUPPORTED: Unsupported Hive type: {kind}")
    if how.stored_as == "TEXTFILE" and kind.name == "varbinary":
        return f"to_base64({sql})"
    if not has_row(kind):
        return sql
    match kind.name:
        case "timestamp with time zone":
            return f"({sql}).t"
        case "array":
            return f"list_transform({sql}, lambda {v}: {to_file(v, kind.args[0], how, depth + 1)})"
        case "map":
            entry = f"{{'key': {to_file(f'{v}.key', kind.args[0], how, depth + 1)}, 'value': {to_file(f'{v}.value', kind.args[1], how, depth + 1)}}}"
            return f"map_from_entries(list_transform(map_entries({sql}), lambda {v}: {entry}))"
    fields = zip(trino_types.struct_names(kind), kind.fields, kind.args, strict=True)
    parts = [
        f"'{(shown or f'field{i}')}': {to_file(f'({sql}).{stored}', inner, how, depth + 1)}"
        for i, (stored, shown, inner) in enumerate(fields)
    ]
    return f"CASE WHEN {sql} IS NOT NULL THEN {{{', '.join(parts)}}} END"


def values_of(path: Path, folder: Path) -> list[str]:
    """Partition values from a written file's directories."""
    parts = path.relative_to(folder).parts[1:-1]
    return [urllib.parse.unquote(part.partition("=")[2]) for part in parts]


def suffix(path: Path) -> str:
    return {".parquet": ".parquet", ".orc": ".orc", ".avro": ".avro"}.get(path.suffix, ".gz")


def body(path: Path, how: Format) -> bytes:
    """The file's bytes; text formats are gzipped here."""
    if how.stored_as in ("JSON", "TEXTFILE"):
        return gzip.compress(path.read_bytes(), 6)
    return path.read_bytes()


__all__ = ["file_type", "shutil"]
