"""What files are taken for: formats, headers, types, compressions, in a crawler's order."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import struct

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.glue.classification.classify import classify
from services.glue.classification.column_types import (
    Column,
    hive_text,
    json_type,
    merge,
    text_type,
)
from services.glue.classification.compression import plain_beginning
from services.glue.classification.found import Found
from services.glue.classification.grok import GrokRefused, compile_grok


def of(content: str | bytes, key: str = "a", **settings: object) -> Found:
    raw = content.encode() if isinstance(content, str) else content
    return classify(raw, False, key, **settings)  # type: ignore[arg-type]


def columns(found: Found) -> list[tuple[str, str]]:
    return [(column.name, hive_text(column.type)) for column in found.columns]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,name\n1,ana\n", [("id", "bigint"), ("name", "string")]),
        ("1,ana\n2,bia\n", [("col0", "bigint"), ("col1", "string")]),
        ("id,name\nx,ana\ny,bia\n", [("col0", "string"), ("col1", "string")]),
        ("a|b\n1|2.5\n", [("a", "bigint"), ("b", "double")]),
        ("a\tb\n1\ttrue\n", [("a", "bigint"), ("b", "boolean")]),
        ("a;b\n1;2\n", [("a", "bigint"), ("b", "bigint")]),
        ("a\x01b\n1\x012\n", [("a", "bigint"), ("b", "bigint")]),
        ("ID,Order Date\n1,2024-01-31\n", [("id", "bigint"), ("order date", "string")]),
        ('a,b\n1,"x,y"\n2,"z"\n', [("a", "bigint"), ("b", "string")]),
        ("a,b\r\n1,2\r\n3,4\r\n", [("a", "bigint"), ("b", "bigint")]),
        ("a,b,\n1,2,\n3,4,\n", [("a", "bigint"), ("b", "bigint"), ("col2", "string")]),
        ("a,a\n1,2\n", [("a", "bigint"), ("a_1", "bigint")]),
        ("1,\n,2\n3,\n", [("col0", "bigint"), ("col1", "bigint")]),
        ("1,2\n3,4.5\n5,x\n", [("col0", "bigint"), ("col1", "string")]),
        (f"{'h' * 150},b\n1,2\n", [("col0", "string"), ("col1", "string")]),
    ],
)
def test_csv_with_and_without_header(content: str, expected: list[tuple[str, str]]) -> None:
    found = of(content)
    assert (found.classification, columns(found)) == ("csv", expected)


@pytest.mark.parametrize(
    "content", ["", "   \n", "one line, only", "one column\nonly\n", "\x00\x01"]
)
def test_what_nobody_knows_is_unknown(content: str) -> None:
    assert of(content).is_unknown


def test_json_in_every_layout_gives_the_same_columns() -> None:
    events = [{"Id": 1, "at": {"lat": 1.5}}, {"Id": 3_000_000_000, "at": None, "tags": []}]
    expected = [("id", "bigint"), ("at", "struct<lat:double>"), ("tags", "array<string>")]
    for text in (
        "\n".join(map(json.dumps, events)),
        "".join(map(json.dumps, events)),
        "\n".join(json.dumps(event, indent=2) for event in events),
        ",\n".join(map(json.dumps, events)),
    ):
        assert columns(of(text)) == expected
    whole = of(json.dumps(events))
    assert columns(whole) == [
        ("array", "array<struct<Id:bigint,at:struct<lat:double>,tags:array<string>>>")
    ]


def test_a_json_path_selects_the_rows() -> None:
    custom = [{"JsonClassifier": {"Name": "j", "JsonPath": "$.records[*]"}}]
    found = of(json.dumps({"records": [{"a": 1}, {"b": "x"}]}), custom=custom)
    assert columns(found) == [("a", "int"), ("b", "string")]


def test_a_long_file_cut_anywhere_is_known_by_its_beginning() -> None:
    lines = "".join(json.dumps({"n": i, "s": "x" * 50}) + "\n" for i in range(1000)).encode()
    for cut in (200, 5000, len(lines) - 7):
        found = classify(lines[:cut], True, "a.json")
        assert columns(found) == [("n", "int"), ("s", "string")]
        packed = gzip.compress(lines)
        found = classify(packed[: len(packed) // 2], True, "a.json.gz")
        assert (found.compression, columns(found)[0]) == ("gzip", ("n", "int"))
    whole_array = b"[" + b",".join(lines.splitlines()) + b"]"
    assert classify(whole_array[:3000], True, "a.json").classification == "json"


def hadoop_snappy(content: bytes) -> bytes:
    packed: bytes = pa.Codec("snappy").compress(content, asbytes=True)
    return struct.pack(">II", len(content), len(packed)) + packed


@pytest.mark.parametrize(
    ("name", "key", "pack"),
    [
        ("gzip", "a.gz", gzip.compress),
        ("bzip2", "a.bz2", bz2.compress),
        ("zstd", "a.zst", lambda c: pa.Codec("zstd").compress(c, asbytes=True)),
        ("snappy", "a.snappy", lambda c: pa.Codec("snappy").compress(c, asbytes=True)),
        ("snappy", "a.snappy", hadoop_snappy),
    ],
)
def test_compressed_text_is_read(name: str, key: str, pack: object) -> None:
    found = of(pack(b"a,b\n1,2\n3,4\n" * 3), key)  # type: ignore[operator]
    assert (found.classification, found.compression) == ("csv", name)
    assert len(columns(found)) == 2


def test_two_gzip_members_are_one_file() -> None:
    content = gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"b": 2}\n')
    assert columns(of(content)) == [("a", "int"), ("b", "int")]


@given(st.binary(max_size=300), st.sampled_from(["a", "a.gz", "a.snappy", "a.sz", "a.zst"]))
def test_no_bytes_whatever_break_a_crawl(content: bytes, key: str) -> None:
    found = classify(content, False, key)
    assert found.classification


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_the_beginning_of_a_compressed_file_is_a_beginning_of_the_file(
    content: bytes, data: st.DataObject
) -> None:
    packed = gzip.compress(content)
    cut = data.draw(st.integers(3, len(packed)))
    plain = plain_beginning(packed[:cut], cut < len(packed), "a.gz")
    assert content.startswith(plain.content)
    assert plain.is_cut or plain.content == content


def test_columnar_files_bring_their_schema() -> None:
    table = pa.table({"id": [1, 2], "at": pa.array([1, 2], pa.timestamp("ms")), "l": [[1], []]})
    expected = [("id", "bigint"), ("at", "timestamp"), ("l", "array<bigint>")]
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="snappy")
    found = of(sink.getvalue())
    assert (found.classification, found.compression, found.records) == ("parquet", "snappy", 2)
    assert columns(found) == expected
    sink = io.BytesIO()
    pyarrow.orc.write_table(table, sink)
    assert (of(sink.getvalue()).classification, columns(of(sink.getvalue()))) == ("orc", expected)


def avro_file(schema: dict[str, object]) -> bytes:
    def zigzag(number: int) -> bytes:
        number, out = number << 1, b""
        while number >= 0x80:
            out += bytes([number & 0x7F | 0x80])
            number >>= 7
        return out + bytes([number])

    text = json.dumps(schema).encode()
    pairs = [(b"avro.codec", b"deflate"), (b"avro.schema", text)]
    head = zigzag(len(pairs))
    for key, value in pairs:
        head += zigzag(len(key)) + key + zigzag(len(value)) + value
    return b"Obj\x01" + head + b"\x00" + bytes(16)


def test_an_avro_file_brings_its_schema() -> None:
    fields = [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "tags", "type": {"type": "map", "values": "int"}},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A"]}},
    ]
    found = of(avro_file({"type": "record", "name": "R", "fields": fields}))
    assert (found.classification, found.compression) == ("avro", "deflate")
    assert columns(found) == [
        ("id", "bigint"),
        ("name", "string"),
        ("day", "date"),
        ("tags", "map<string,int>"),
        ("kind", "string"),
    ]


@pytest.mark.parametrize(
    ("classification", "line", "field"),
    [
        (
            "combined_apache",
            '192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a.png HTTP/1.1" 200 203 "-" "curl"',
            ("clientip", "string"),
        ),
        (
            "apache",
            '192.0.2.7 - ana [17/May/2015:10:05:03 +0000] "GET / HTTP/1.0" 404 -',
            ("response", "string"),
        ),
        (
            "linux_kernel",
            "Jan 31 05:06:07 host kernel: [ 12.345678] usb 1-1: new device",
            ("message", "string"),
        ),
        (
            "ruby_logger",
            "I, [2024-01-31T05:06:07.123456 #4242]  INFO -- main: started",
            ("loglevel", "string"),
        ),
        (
            "squid",
            "1706677567.123    45 192.0.2.9 TCP_MISS/200 1234 GET http://x.test/ - DIRECT/x a/b",
            ("status", "string"),
        ),
        ("redislog", "1:M 31 Jan 2024 05:06:07.123 * Ready to accept", ("message", "string")),
        (
            "redismonlog",
            '1706677567.123456 [0 127.0.0.1:60866] "keys" "*"',
            ("command", "string"),
        ),
    ],
)
def test_logs_are_known_by_their_lines(
    classification: str, line: str, field: tuple[str, str]
) -> None:
    found = of(f"{line}\n" * 3)
    assert found.classification == classification
    assert field in columns(found)


def test_xml_has_rows_when_a_row_tag_says_so() -> None:
    text = (
        "<?xml version='1.0'?><all><row id='1'><n>2.5</n><t>x</t><t>y</t></row>"
        "<row id='2'><n>3</n></row></all>"
    )
    custom = [{"XMLClassifier": {"Name": "x", "Classification": "books", "RowTag": "row"}}]
    found = of(text, custom=custom)
    assert found.classification == "books"
    assert columns(found) == [("id", "bigint"), ("n", "double"), ("t", "array<string>")]
    assert (of(text).classification, of(text).columns) == ("xml", ())


def test_an_xml_bomb_is_not_expanded() -> None:
    bomb = '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY c "&a;&a;">]><b>&c;</b>'
    assert of(bomb).is_unknown


def test_a_users_csv_classifier_names_types_and_serde() -> None:
    rules = {
        "Name": "c",
        "Delimiter": ",",
        "QuoteSymbol": '"',
        "ContainsHeader": "ABSENT",
        "Header": ["id", "price"],
        "CustomDatatypeConfigured": True,
        "CustomDatatypes": ["LONG", "DECIMAL"],
        "Serde": "OpenCSVSerDe",
    }
    found = of('"1","2"\n"3","4"\n', custom=[{"CsvClassifier": rules}])
    assert columns(found) == [("id", "bigint"), ("price", "decimal")]
    assert found.table_format.serialization_library.endswith("OpenCSVSerde")
    single = {"Name": "s", "AllowSingleColumn": True, "ContainsHeader": "PRESENT"}
    assert columns(of("word\nx\n", custom=[{"CsvClassifier": single}])) == [("word", "string")]


def test_a_grok_pattern_that_cannot_be_is_refused() -> None:
    for pattern, custom in (("%{NOPE:x}", ""), ("%{LOOP:x}", "LOOP %{LOOP}"), ("(%{INT:x}", "")):
        with pytest.raises(GrokRefused):
            compile_grok(pattern, custom)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES, VALUES)
def test_merging_types_does_not_depend_on_the_order(a: object, b: object, c: object) -> None:
    one, two, three = json_type(a), json_type(b), json_type(c)
    assert merge(one, one) == one
    left = merge(merge(one, two), three)
    right = merge(one, merge(two, three))
    assert sorted(hive_text(left)) == sorted(hive_text(right))


@given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=20))
def test_whole_numbers_are_bigint_whatever_their_order(numbers: list[int]) -> None:
    random.shuffle(numbers)
    assert {text_type(str(number)) for number in numbers} == {"bigint"}
    assert Column("n", merge("bigint", "double")).type == "double"
