"""JSON to Parquet and ORC with a table's schema."""

from __future__ import annotations

import base64
import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from services.clock import FixedClock
from services.firehose.conversion import FormatConversion, Schema
from services.firehose.destinations.s3 import ConversionUnavailable, Converted
from services.firehose.record import KinesisMetadata, Record, pack

TABLE = {"databaseName": "db", "tableName": "t", "region": "us-east-1", "versionId": "LATEST"}
PARQUET: dict[str, Any] = {"ParquetSerDe": {}}
ORC: dict[str, Any] = {"OrcSerDe": {}}


def convert(
    columns: dict[str, str],
    *documents: Any,
    serializer: dict[str, Any] = PARQUET,
    deserializer: dict[str, Any] | None = None,
) -> Converted:
    configuration = {
        "InputFormatConfiguration": {"Deserializer": deserializer or {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": serializer},
    }
    schema = Schema(tuple(columns.items()), TABLE)
    conversion = FormatConversion(configuration, lambda: schema, FixedClock())
    records = [
        Record(d if isinstance(d, bytes) else json.dumps(d).encode(), 1.5) for d in documents
    ]
    return conversion.convert([pack(records).content], 2.5)


def rows(converted: Converted) -> list[dict[str, Any]]:
    assert converted.content is not None
    found: list[dict[str, Any]] = pq.read_table(pa.BufferReader(converted.content)).to_pylist()
    return found


def test_every_primitive_type_has_its_column() -> None:
    columns = {
        "b": "boolean",
        "t": "tinyint",
        "s": "smallint",
        "i": "int",
        "l": "bigint",
        "f": "float",
        "d": "double",
        "n": "decimal(10,2)",
        "c": "char(3)",
        "v": "varchar(4)",
        "x": "string",
        "y": "binary",
        "day": "date",
        "at": "timestamp",
    }
    document = {
        "b": True,
        "t": 1,
        "s": 2,
        "i": 3,
        "l": 1 << 60,
        "f": 0.5,
        "d": 0.1,
        "n": 12.345,
        "c": "abcdef",
        "v": "wxyz1",
        "x": "text",
        "y": base64.b64encode(b"raw").decode(),
        "day": "2026-02-03",
        "at": "2026-02-03 04:05:06.789",
    }
    (row,) = rows(convert(columns, document))
    assert row == {
        **document,
        "n": Decimal("12.34"),
        "c": "abc",
        "v": "wxyz",
        "y": b"raw",
        "day": date(2026, 2, 3),
        "at": datetime(2026, 2, 3, 4, 5, 6, 789000),
    }


def test_nested_types_arrive_nested() -> None:
    columns = {
        "items": "array<struct<sku:string,price:double>>",
        "counts": "map<string,int>",
        "deep": "struct<a:array<array<int>>,b:struct<c:string>>",
    }
    document = {
        "items": [{"SKU": "x", "price": 1.5}, {"sku": "y"}],
        "counts": {"a": 1, "b": None},
        "deep": {"a": [[1], [], [2, 3]], "b": {"c": "z"}},
    }
    (row,) = rows(convert(columns, document))
    assert row["items"] == [{"sku": "x", "price": 1.5}, {"sku": "y", "price": None}]
    assert dict(row["counts"]) == {"a": 1, "b": None}
    assert row["deep"] == {"a": [[1], [], [2, 3]], "b": {"c": "z"}}


def test_unknown_keys_are_ignored_and_missing_ones_are_null() -> None:
    assert rows(convert({"a": "int", "b": "string"}, {"a": 1, "z": 2}, {})) == [
        {"a": 1, "b": None},
        {"a": None, "b": None},
    ]


def test_a_record_may_hold_several_objects() -> None:
    converted = convert({"a": "int"}, b'{"a":1}{"a":2}\n {"a":3}')
    assert [row["a"] for row in rows(converted)] == [1, 2, 3]
    assert converted.records == 1


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (b'[{"a":1}]', "MalformedData", "a JSON array is not accepted"),
        (b'{"a":', "MalformedData", "syntax error"),
        (b"", "MalformedData", "the record is empty"),
        (b"\xff", "MalformedData", "syntax error"),
        (b'{"a":"no number"}', "ParseError", 'Column a: "no number" is not a 32-bit integer.'),
        (b'{"a":1.5}', "ParseError", "1.5 is not a 32-bit integer"),
        (b'{"a":3000000000}', "ParseError", "3000000000 is not a 32-bit integer"),
        (b'{"a":true}', "ParseError", "true is not a 32-bit integer"),
    ],
)
def test_a_record_that_does_not_fit_fails_alone_and_whole(
    record: bytes, code: str, message: str
) -> None:
    converted = convert({"a": "int"}, {"a": 1}, b'{"a":2}' + record if record else record, {"a": 3})
    assert [row["a"] for row in rows(converted)] == [1, 3]
    (failure,) = converted.failed
    assert failure.error_output_type == "format-conversion-failed"
    line = json.loads(failure.line)
    assert line["lastErrorCode"] == f"DataFormatConversion.{code}"
    assert message in line["lastErrorMessage"]
    assert base64.b64decode(line["rawData"]).endswith(record)
    assert line["arrivalTimestamp"] == 1500
    assert line["attemptEndingTimestamp"] == 2500
    assert line["dataCatalogTable"] == TABLE


def test_an_error_line_names_the_kinesis_record() -> None:
    configuration = {
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": PARQUET},
    }
    conversion = FormatConversion(
        configuration, lambda: Schema((("a", "int"),), TABLE), FixedClock()
    )
    record = Record(b"?", 1.0, KinesisMetadata("495", 7, "key", "shardId-000000000000"))
    converted = conversion.convert([pack([record]).content], 2.0)
    assert converted.content is None
    line = json.loads(converted.failed[0].line)
    assert (line["sequenceNumber"], line["subSequenceNumber"]) == ("495", 7)


def test_openx_maps_names_and_dots_and_ignores_case() -> None:
    serde = {
        "OpenXJsonSerDe": {
            "ConvertDotsInJsonKeysToUnderscores": True,
            "ColumnToJsonKeyMappings": {"ts": "timestamp"},
        }
    }
    converted = convert(
        {"ts": "bigint", "a_b": "int", "name": "string"},
        {"Timestamp": 5, "a.b": 6, "NAME": "x"},
        deserializer=serde,
    )
    assert rows(converted) == [{"ts": 5, "a_b": 6, "name": "x"}]


def test_openx_may_heed_case() -> None:
    serde = {"OpenXJsonSerDe": {"CaseInsensitive": False}}
    converted = convert({"name": "string"}, {"NAME": "x"}, {"name": "y"}, deserializer=serde)
    assert [row["name"] for row in rows(converted)] == [None, "y"]


@pytest.mark.parametrize(
    ("formats", "value", "read"),
    [
        ([], "2026-02-03 04:05:06", datetime(2026, 2, 3, 4, 5, 6)),
        (["millis"], 1770091506000, datetime(2026, 2, 3, 4, 5, 6)),
        (["yyyy-MM-dd'T'HH:mm:ss.SSSZ"], "2026-02-03T04:05:06.700+0100", None),
        (["dd/MMM/yyyy:HH:mm:ss Z"], "03/Feb/2026:04:05:06 +0000", datetime(2026, 2, 3, 4, 5, 6)),
        (["yyyyMMddHHmmss"], "20260203040506", datetime(2026, 2, 3, 4, 5, 6)),
        (["millis", "yyyy-MM-dd hh:mm a"], "2026-02-03 04:05 PM", datetime(2026, 2, 3, 16, 5)),
        (["yyyy-DDD"], "2026-034", datetime(2026, 2, 3)),
    ],
)
def test_hive_reads_timestamps_by_their_formats(
    formats: list[str], value: Any, read: datetime | None
) -> None:
    serde = {"HiveJsonSerDe": {"TimestampFormats": formats}}
    (row,) = rows(convert({"at": "timestamp"}, {"at": value}, deserializer=serde))
    assert row["at"] == (read or datetime(2026, 2, 3, 3, 5, 6, 700000))


def test_hive_refuses_a_timestamp_of_no_given_format() -> None:
    serde = {"HiveJsonSerDe": {"TimestampFormats": ["yyyy-MM-dd"]}}
    converted = convert({"at": "timestamp"}, {"at": "yesterday"}, deserializer=serde)
    assert "is not a timestamp" in json.loads(converted.failed[0].line)["lastErrorMessage"]


@pytest.mark.parametrize("value", ["2026-02-03T04:05:06Z", 1770091506, 1770091506000, "1770091506"])
def test_openx_reads_iso_and_numbers_as_timestamps(value: Any) -> None:
    (row,) = rows(convert({"at": "timestamp"}, {"at": value}))
    assert row["at"] == datetime(2026, 2, 3, 4, 5, 6)


def test_parquet_is_what_pandas_and_duckdb_open(tmp_path: Any) -> None:
    converted = convert(
        {"id": "bigint", "moment": "timestamp"}, *[{"id": n, "moment": n} for n in range(9)]
    )
    assert converted.content is not None
    file = tmp_path / "part.parquet"
    file.write_bytes(converted.content)
    assert list(pd.read_parquet(file)["id"]) == list(range(9))
    counted = duckdb.execute(f"SELECT sum(id), max(moment) FROM '{file}'").fetchone()
    assert counted == (36, datetime(1970, 1, 1, 0, 0, 8))
    metadata = pq.ParquetFile(io.BytesIO(converted.content)).metadata
    assert metadata.row_group(0).column(0).compression == "SNAPPY"


@pytest.mark.parametrize("compression", ["NONE", "ZLIB", "SNAPPY"])
def test_orc_holds_the_same_rows(compression: str) -> None:
    serializer = {"OrcSerDe": {"Compression": compression, "BloomFilterColumns": ["id"]}}
    columns = {"id": "bigint", "tags": "array<string>"}
    converted = convert(columns, {"id": 1, "tags": ["a"]}, serializer=serializer)
    assert converted.content is not None
    table = orc.ORCFile(pa.BufferReader(converted.content)).read()
    assert table.to_pylist() == [{"id": 1, "tags": ["a"]}]


def test_the_same_records_make_the_same_file() -> None:
    # A delivery that is repeated after a kill writes the object again.
    documents = [{"id": n} for n in range(100)]
    assert convert({"id": "int"}, *documents) == convert({"id": "int"}, *documents)


@pytest.mark.parametrize("bad", ["strin", "array<int", "map<int>", "struct<a int>", "int>", "int;"])
def test_a_schema_that_is_none_keeps_the_records_waiting(bad: str) -> None:
    with pytest.raises(ConversionUnavailable) as unavailable:
        convert({"a": bad}, {"a": 1})
    assert unavailable.value.error.code == "DataFormatConversion.InvalidSchema"
