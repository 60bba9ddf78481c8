"""Tables over every format: what SELECT sees."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.athena.line_files import Lines
from tests.services.athena.conftest import AthenaInMemory

JSON = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
CSV = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"


def create(athena: AthenaInMemory, name: str, columns: str, format_: str) -> None:
    athena.rows(f"CREATE EXTERNAL TABLE {name} ({columns}) {format_} LOCATION 's3://lake/{name}/'")


def test_json_keys_match_without_case_and_missing_ones_are_null(shared: AthenaInMemory) -> None:
    shared.put_json("j1/a.json.gz", [{"InvoiceNo": "7", "Item": {"Sku": "x"}}, {"Qty": 3}])
    create(shared, "j1", "invoiceno string, qty int, item struct<sku:string,price:double>", JSON)
    assert shared.rows("SELECT invoiceno, qty, item.sku, item.price FROM j1") == [
        ["7", None, "x", None],
        [None, "3", None, None],
    ]


def test_json_keys_spelled_in_two_ways_are_one_column(shared: AthenaInMemory) -> None:
    shared.put_json("j2/a.json", [{"Name": "a"}, {"name": "b"}, {"NAME": "c"}])
    create(shared, "j2", "name string", JSON)
    assert shared.rows("SELECT name FROM j2 ORDER BY 1") == [["a"], ["b"], ["c"]]


def test_json_nested_values_keep_their_shape(shared: AthenaInMemory) -> None:
    shared.put_json("j3/a.json", [{"tags": ["x", "y"], "m": {"k": 1}, "raw": {"a": [1]}}])
    create(shared, "j3", "tags array<string>, m map<string,int>, raw string", JSON)
    assert shared.rows("SELECT tags, m, raw, cardinality(tags), m['k'] FROM j3") == [
        ["[x, y]", "{k=1}", '{"a":[1]}', "2", "1"]
    ]


def test_malformed_json_fails_the_query_and_names_the_object(shared: AthenaInMemory) -> None:
    shared.put("j4/a.json", '{"a": 1}\n{"a": \n')
    create(shared, "j4", "a int", JSON)
    reason = shared.reason("SELECT * FROM j4")
    assert reason.startswith("HIVE_CURSOR_ERROR: Row is not a valid JSON Object")
    assert "s3://lake/j4/a.json" in reason


def test_malformed_json_may_be_ignored(shared: AthenaInMemory) -> None:
    shared.put("j5/a.json", '{"a": 1}\nnot json\n{"a": 2}\n')
    create(shared, "j5", "a int", JSON + " WITH SERDEPROPERTIES ('ignore.malformed.json'='true')")
    assert [row for row in shared.rows("SELECT a FROM j5") if row != [None]] == [["1"], ["2"]]


def test_delimited_text_reads_what_fits_and_nulls_the_rest(shared: AthenaInMemory) -> None:
    shared.put("t1/a.csv", "id|n\r\n1|2\r\nx|\\N\r\n3|1.5\r\n")
    create(
        shared, "t1", "id int, n int",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'",
    )  # fmt: skip
    shared.rows("ALTER TABLE t1 SET TBLPROPERTIES ('skip.header.line.count'='1')")
    assert shared.rows("SELECT id, n FROM t1") == [["1", "2"], [None, None], ["3", None]]


def test_delimited_text_splits_collections(shared: AthenaInMemory) -> None:
    shared.put("t2/a.txt", "a;b,k:1;l:2\n")
    create(
        shared, "t2", "tags array<string>, m map<string,int>",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' COLLECTION ITEMS TERMINATED BY '\\073' "
        "MAP KEYS TERMINATED BY ':'",
    )  # fmt: skip
    assert shared.rows("SELECT tags, m['l'] FROM t2") == [["[a, b]", "2"]]


def test_open_csv_reads_quoted_fields(shared: AthenaInMemory) -> None:
    shared.put("c1/a.csv", '1,"a, b","say ""hi"""\n2,c,\n')
    create(shared, "c1", "id int, name string, note string", CSV)
    assert shared.rows("SELECT * FROM c1") == [["1", "a, b", 'say "hi"'], ["2", "c", ""]]


def test_open_csv_refuses_a_number_that_is_none(shared: AthenaInMemory) -> None:
    shared.put("c2/a.csv", "x\n")
    create(shared, "c2", "id int", CSV)
    assert shared.reason("SELECT * FROM c2").startswith(
        "HIVE_BAD_DATA: Error parsing field value 'x' for field 0"
    )


def test_regex_groups_become_columns_and_other_lines_null(shared: AthenaInMemory) -> None:
    shared.put("r1/a.log", "GET /a 200\nbroken\n")
    create(
        shared, "r1", "method string, path string, status int",
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES "
        r"('input.regex'='(\\S+) (\\S+) (\\d+)')",
    )  # fmt: skip
    assert shared.rows("SELECT * FROM r1") == [["GET", "/a", "200"], [None, None, None]]


def test_grok_patterns_become_columns(shared: AthenaInMemory) -> None:
    shared.put("g1/a.log", "192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] 200\n")
    create(
        shared, "g1", "ip string, who string, at string, status int",
        "ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe' WITH SERDEPROPERTIES ('input.format'="
        r"'%{IP:ip} - %{USER:who} \\[%{HTTPDATE:at}\\] %{NUMBER:status}')",
    )  # fmt: skip
    assert shared.rows("SELECT * FROM g1") == [
        ["192.0.2.1", "frank", "10/Oct/2000:13:55:36 -0700", "200"]
    ]


@pytest.mark.parametrize("format_", ["PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE"])
def test_what_ctas_writes_select_reads(shared: AthenaInMemory, format_: str) -> None:
    table = f"made_{format_.lower()}"
    shared.rows(
        f"CREATE TABLE {table} WITH (format = '{format_}', external_location = 's3://lake/{table}/', "
        "partitioned_by = ARRAY['p']) AS SELECT 1 AS id, 'x' AS name, 1.5 AS n, "
        "TIMESTAMP '2020-01-02 03:04:05' AS at, DATE '2020-01-02' AS d, 'p1' AS p"
    )
    assert shared.rows(f"SELECT id, name, n, at, d, p FROM {table}") == [
        ["1", "x", "1.5", "2020-01-02 03:04:05.000", "2020-01-02", "p1"]
    ]
    assert shared.rows(f"SHOW PARTITIONS {table}") == [["p=p1"]]


def test_unload_writes_parquet_as_athena_does(shared: AthenaInMemory) -> None:
    shared.rows(
        "UNLOAD (SELECT 1 AS id, TIMESTAMP '2020-01-02 03:04:05' AS at) TO 's3://lake/unloaded/' "
        "WITH (format = 'PARQUET', compression = 'SNAPPY')"
    )
    [found] = shared.store.list("lake", "unloaded/")
    schema = pq.ParquetFile(io.BytesIO(shared.store.read("lake", found.key))).schema
    assert [schema.column(i).physical_type for i in (0, 1)] == ["INT32", "INT96"]
    assert all(field.nullable for field in schema.to_arrow_schema())
    create(shared, "unloaded", "id int, at timestamp", "STORED AS PARQUET")
    assert shared.rows("SELECT id, at FROM unloaded") == [["1", "2020-01-02 03:04:05.000"]]


def test_parquet_is_read_by_name(shared: AthenaInMemory) -> None:
    shared.rows(
        "CREATE TABLE source WITH (format = 'PARQUET', external_location = 's3://lake/byname/') AS "
        "SELECT 1 AS a, 'x' AS b, CAST(ROW(1, 'z') AS ROW(u integer, v varchar)) AS r"
    )
    create_sql = (
        "CREATE EXTERNAL TABLE byname (b string, missing int, a bigint, r struct<v:string>) "
    )
    shared.rows(create_sql + "STORED AS PARQUET LOCATION 's3://lake/byname/'")
    assert shared.rows("SELECT b, missing, a, r.v FROM byname") == [["x", None, "1", "z"]]


def test_the_path_of_a_row_is_its_object(shared: AthenaInMemory) -> None:
    shared.put_json("p1/day one/a=1.json", [{"x": 1}])
    create(shared, "p1", "x int", JSON)
    assert shared.rows('SELECT "$path" FROM p1') == [["s3://lake/p1/day one/a=1.json"]]


def test_names_that_begin_with_a_dot_or_underscore_are_ignored(shared: AthenaInMemory) -> None:
    shared.put_json("h1/a.json", [{"x": 1}])
    shared.put_json("h1/_tmp/a.json", [{"x": 2}])
    shared.put_json("h1/.hidden.json", [{"x": 3}])
    create(shared, "h1", "x int", JSON)
    assert shared.rows("SELECT x FROM h1") == [["1"]]


# --- empty lines: each SerDe makes a row of them in its own way


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_empty_line_of_delimited_text_is_an_empty_first_field(
    shared: AthenaInMemory, end: str
) -> None:
    table = f"e1_{len(end)}"
    shared.put(f"{table}/a.tsv", end.join(["", "true\tfalse", "false", "", "", ""]))
    delimited = "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t'"
    create(shared, table, "a boolean, b boolean", delimited)
    none = [None, None]
    assert shared.rows(f"SELECT * FROM {table}") == [none, ["true", "false"], ["false", None], none, none]  # fmt: skip
    shared.rows(f"DROP TABLE {table}")
    create(shared, table, "a string, b string", delimited)
    assert shared.rows(f"SELECT a FROM {table} WHERE b IS NULL") == [[""], ["false"], [""], [""]]


def test_where_null_is_the_empty_text_an_empty_line_is_null(shared: AthenaInMemory) -> None:
    shared.put("e2/a.csv", "x\n\ny\n")
    create(
        shared, "e2", "a string",
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' "
        "WITH SERDEPROPERTIES ('field.delim'=',', 'serialization.null.format'='')",
    )  # fmt: skip
    assert shared.rows("SELECT a FROM e2") == [["x"], [None], ["y"]]


def test_an_empty_line_of_open_csv_is_a_row_of_nulls(shared: AthenaInMemory) -> None:
    shared.put("e3/a.csv", '"a","b"\n\n"c","d"\n\n')
    create(shared, "e3", "x string, y string", CSV)
    assert shared.rows("SELECT * FROM e3") == [["a", "b"], [None, None], ["c", "d"], [None, None]]


def test_an_empty_line_of_openx_json_is_a_row_of_nulls(shared: AthenaInMemory) -> None:
    shared.put("e4/a.json", '{"a": 1}\n\n{"a": 2}\n')
    create(shared, "e4", "a int", JSON)
    assert shared.rows("SELECT a FROM e4") == [["1"], [None], ["2"]]
    for number in range(20):  # enough to share a file
        shared.put(f"e5/{number:02d}.json.gz", gzip.compress(b'{"a": 1}\n\n{"a": 2}'))
    create(shared, "e5", "a int", JSON)
    assert shared.rows("SELECT count(*), count(a), sum(a) FROM e5") == [["60", "40", "60"]]


def test_an_empty_line_of_hives_json_is_refused(shared: AthenaInMemory) -> None:
    shared.put("e6/a.json", '{"a": 1}\n\n{"a": 2}\n')
    create(shared, "e6", "a int", "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'")
    assert shared.reason("SELECT a FROM e6").startswith("HIVE_CURSOR_ERROR: Row is not a valid")


def test_an_empty_line_matches_no_pattern_unless_the_pattern_may_be_empty(
    shared: AthenaInMemory,
) -> None:
    serde = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES "
    shared.put("e7/a.log", "x 1\n\ny 2\n")
    create(shared, "e7", "a string", serde + r"('input.regex'='(\\w) \\d')")
    assert shared.rows("SELECT a FROM e7") == [["x"], [None], ["y"]]
    create(shared, "e8", "a string", serde + "('input.regex'='(.*)')")
    shared.put("e8/a.log", "x 1\n\ny 2\n")
    assert shared.rows("SELECT a FROM e8") == [["x 1"], [""], ["y 2"]]


def test_headers_of_many_small_files_are_left_out_of_each(shared: AthenaInMemory) -> None:
    for number in range(20):
        shared.put(f"e9/{number:02d}.csv", f"id,n\n{number},1")
    properties = "TBLPROPERTIES ('skip.header.line.count'='1')"
    shared.rows(
        "CREATE EXTERNAL TABLE e9 (id int, n int) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        f"LOCATION 's3://lake/e9/' {properties}"
    )
    assert shared.rows("SELECT count(*), sum(id), sum(n) FROM e9") == [["20", "190", "20"]]
    assert shared.rows('SELECT count(DISTINCT "$path"), count(*) FROM e9') == [["20", "20"]]


def _zstd(body: bytes) -> bytes:
    packed: bytes = pyarrow.compress(body, codec="zstd", asbytes=True)
    return packed


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [("gz", gzip.compress), ("zst", _zstd), ("deflate", zlib.compress), ("gz", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]))],
)  # fmt: skip
def test_compressed_text_is_opened(shared: AthenaInMemory, suffix: str, compress: Any) -> None:
    table = f"z_{suffix}_{compress.__name__.strip('_<>')}"
    shared.put(f"{table}/a.csv.{suffix}", compress(b"1,2\n\n3,4\n"))
    create(shared, table, "a int, b int", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','")
    assert shared.rows(f"SELECT * FROM {table}") == [["1", "2"], [None, None], ["3", "4"]]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"this is no gzip", "Not in GZIP format"),
        (gzip.compress(b'{"a": 1}' * 100)[:-12], "Unexpected end of ZLIB input stream"),
    ],
    ids=["no gzip", "cut off"],
)
def test_a_broken_gzip_object_fails_the_query_by_its_name(
    shared: AthenaInMemory, body: bytes, words: str
) -> None:
    table = f"b{len(body)}"
    shared.put(f"{table}/a.json.gz", body)
    create(shared, table, "a int", JSON)
    assert shared.reason(f"SELECT a FROM {table}") == (
        f"HIVE_CURSOR_ERROR: Failed to read file at s3://lake/{table}/a.json.gz: {words}"
    )
    assert shared.rows("SELECT 1") == [["1"]]


@given(
    st.lists(st.binary(max_size=6).map(lambda b: b.replace(b"\r", b"")), max_size=30),
    st.integers(0, 3),
)
def test_lines_are_prepared_alike_however_they_come_in_pieces(
    pieces: list[bytes], skip: int
) -> None:
    text = b"".join(pieces)
    lines = [line or b"{}" for line in text.removesuffix(b"\n").split(b"\n")] if text else []
    wanted = b"".join(line + b"\n" for line in lines[skip:])
    assert b"".join(Lines(b"{}", skip).prepared(iter(pieces))) == wanted
