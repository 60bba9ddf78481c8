"""JSON records into one Parquet or ORC file with a table's schema; what does not fit, apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from services.clock import Clock
from services.firehose import error_record
from services.firehose.destinations.destination import DeliveryError, FailedRecord
from services.firehose.destinations.s3 import ConversionUnavailable, Converted
from services.firehose.hive_type import (
    Convert,
    UnknownHiveType,
    ValueDoesNotFit,
    arrow_type,
    converter,
    parse,
)
from services.firehose.json_serde import JsonSerDe, MalformedRecord, rows
from services.firehose.record import Record, unpack

FORMAT_CONVERSION_FAILED = "format-conversion-failed"
_SCHEMA_SECONDS = 60.0
_BATCH_ROWS = 20_000
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ParquetSerDe.html
_PARQUET_BLOCK_BYTES = 256 * 1024 * 1024
_PARQUET_PAGE_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_OrcSerDe.html
_ORC_STRIPE_BYTES = 64 * 1024 * 1024
_ORC_BLOCK_BYTES = 64 * 1024
_ORC_ROW_INDEX_STRIDE = 10_000


@dataclass(frozen=True)
class Schema:
    """Column names with Hive types, and what identifies the table in error records."""

    columns: tuple[tuple[str, str], ...]
    data_catalog_table: Mapping[str, Any]


@dataclass(frozen=True)
class _Column:
    name: str
    key: str
    convert: Convert
    arrow: Any


class _Rows:
    """Rows that become Arrow's batches as they come: 128 MiB of JSON are a gigabyte of Python."""

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._schema = pa.schema([(column.name, column.arrow) for column in columns])
        self._values: list[list[Any]] = [[] for _ in columns]
        self._batches: list[Any] = []
        self._waiting = 0

    def add(self, found: Sequence[Sequence[Any]]) -> None:
        for row in found:
            for place, value in zip(self._values, row, strict=True):
                place.append(value)
        self._waiting += len(found)
        if self._waiting >= _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        arrays = [
            pa.array(values, kind)
            for values, kind in zip(self._values, self._schema.types, strict=True)
        ]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._values, self._waiting = [[] for _ in self._values], 0

    def table(self) -> Any:
        if self._waiting:
            self._flush()
        return pa.Table.from_batches(self._batches, self._schema)


class FormatConversion:
    """One DataFormatConversionConfiguration at work. `read_schema` raises ConversionUnavailable."""

    def __init__(
        self, configuration: Mapping[str, Any], read_schema: Callable[[], Schema], clock: Clock
    ) -> None:
        self._serde = JsonSerDe(configuration["InputFormatConfiguration"]["Deserializer"])
        self._serializer = configuration["OutputFormatConfiguration"]["Serializer"]
        self._read_schema = read_schema
        self._clock = clock
        self._known: tuple[float, Schema, list[_Column]] | None = None

    def convert(self, contents: Iterable[bytes], now: float) -> Converted:
        """Packed groups of records into one file."""
        schema, columns = self._columns()
        rows_of_file = _Rows(columns)
        failed: list[FailedRecord] = []
        converted = 0
        for content in contents:
            for record in unpack(content):
                try:
                    found = [_row(columns, row) for row in rows(self._serde, record.data)]
                except (MalformedRecord, ValueDoesNotFit) as error:
                    failed.append(_failure(record, error, schema, now))
                    continue
                converted += 1
                rows_of_file.add(found)
        file = self._file(rows_of_file.table()) if converted else None
        return Converted(file, converted, failed)

    def _columns(self) -> tuple[Schema, list[_Column]]:
        now = self._clock.now()
        if self._known is None or now - self._known[0] >= _SCHEMA_SECONDS:
            schema = self._read_schema()
            self._known = now, schema, [self._column(*column) for column in schema.columns]
        return self._known[1:]

    def _column(self, name: str, type_text: str) -> _Column:
        try:
            hive = parse(type_text)
        except UnknownHiveType as error:
            raise ConversionUnavailable(
                DeliveryError(
                    "DataFormatConversion.InvalidSchema", f"The schema is invalid: {error}"
                )
            ) from None
        convert = converter(hive, self._serde.read_timestamp, self._serde.case_insensitive)
        return _Column(name, self._serde.key_of(name), convert, arrow_type(hive))

    def _file(self, table: Any) -> bytes:
        target = pa.BufferOutputStream()
        if self._serializer.get("OrcSerDe") is not None:
            _write_orc(table, target, self._serializer["OrcSerDe"])
        else:
            _write_parquet(table, target, self._serializer.get("ParquetSerDe") or {})
        content: bytes = target.getvalue().to_pybytes()
        return content


def _row(columns: Sequence[_Column], document: Mapping[str, Any]) -> list[Any]:
    row = []
    for column in columns:
        value = document.get(column.key)
        try:
            row.append(None if value is None else column.convert(value))
        except ValueDoesNotFit as error:
            raise ValueDoesNotFit(f"Column {column.name}: {error}.") from None
    return row


def _failure(record: Record, error: ValueError, schema: Schema, now: float) -> FailedRecord:
    is_malformed = isinstance(error, MalformedRecord)
    line = error_record.format_conversion_failed(
        record,
        error_code=(
            "DataFormatConversion.MalformedData"
            if is_malformed
            else "DataFormatConversion.ParseError"
        ),
        message=str(error),
        ended_at=now,
        data_catalog_table=schema.data_catalog_table,
    )
    return FailedRecord(FORMAT_CONVERSION_FAILED, line, len(record.data))


def _write_parquet(table: Any, target: Any, options: Mapping[str, Any]) -> None:
    block = options.get("BlockSizeBytes", _PARQUET_BLOCK_BYTES)
    bytes_per_row = max(1, table.nbytes // max(1, table.num_rows))
    compression = options.get("Compression", "SNAPPY")
    pq.write_table(
        table,
        target,
        row_group_size=max(1, block // bytes_per_row),
        version="1.0",
        data_page_version="2.0" if options.get("WriterVersion") == "V2" else "1.0",
        data_page_size=options.get("PageSizeBytes", _PARQUET_PAGE_BYTES),
        compression="NONE" if compression == "UNCOMPRESSED" else compression,
        use_dictionary=options.get("EnableDictionaryCompression", False),
        # Hive's writer, which AWS uses, stores timestamps so.
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    )


def _write_orc(table: Any, target: Any, options: Mapping[str, Any]) -> None:
    names = table.schema.names
    compression = options.get("Compression", "SNAPPY")
    orc.write_table(
        table,
        target,
        file_version="0.11" if options.get("FormatVersion") == "V0_11" else "0.12",
        stripe_size=options.get("StripeSizeBytes", _ORC_STRIPE_BYTES),
        compression="UNCOMPRESSED" if compression == "NONE" else compression,
        compression_block_size=_ORC_BLOCK_BYTES,
        row_index_stride=options.get("RowIndexStride", _ORC_ROW_INDEX_STRIDE),
        padding_tolerance=options.get("PaddingTolerance", 0.05),
        dictionary_key_size_threshold=options.get("DictionaryKeyThreshold", 0.0),
        bloom_filter_columns=[
            names.index(name) for name in options.get("BloomFilterColumns", ()) if name in names
        ],
        bloom_filter_fpp=options.get("BloomFilterFalsePositiveProbability", 0.05),
    )


def glue_schema(configuration: Mapping[str, Any], client_of: Callable[[str], Any]) -> Schema:
    """The table of a SchemaConfiguration; `client_of` makes a Glue client for a region.

    Raises ConversionUnavailable.
    """
    place = {"DatabaseName": configuration["DatabaseName"]}
    if catalog_id := configuration.get("CatalogId"):
        place["CatalogId"] = catalog_id
    version_id = configuration.get("VersionId", "LATEST")
    try:
        glue = client_of(configuration["Region"])
        if version_id == "LATEST":
            table = glue.get_table(Name=configuration["TableName"], **place)["Table"]
        else:
            table = glue.get_table_version(
                TableName=configuration["TableName"], VersionId=version_id, **place
            )["TableVersion"]["Table"]
    except ClientError as error:
        raise ConversionUnavailable(_schema_error(error)) from None
    except BotoCoreError as error:
        raise ConversionUnavailable(
            DeliveryError("DataFormatConversion.ServiceUnavailable", str(error))
        ) from None
    columns = tuple((c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"])
    return Schema(columns, _data_catalog_table(configuration, version_id))


def _data_catalog_table(configuration: Mapping[str, Any], version_id: str) -> dict[str, Any]:
    return {
        "databaseName": configuration["DatabaseName"],
        "tableName": configuration["TableName"],
        "region": configuration["Region"],
        "versionId": version_id,
        "catalogId": configuration.get("CatalogId"),
        "roleArn": configuration["RoleARN"],
    }


def _schema_error(error: ClientError) -> DeliveryError:
    code = error.response["Error"]["Code"]
    if code == "EntityNotFoundException":
        return DeliveryError(
            "DataFormatConversion.EntityNotFound",
            "The specified table/database could not be found. Please ensure that the "
            "table/database exists and that the values provided in the schema configuration are "
            "correct, especially with regards to casing.",
        )
    return DeliveryError(f"DataFormatConversion.{code}", error.response["Error"].get("Message", ""))
