"""What DuckDB reads and writes itself is what the slow, exact way reads and writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.bench.trino_cases import Bench
from services.athena import python_moments
from services.athena.dialect import native_moments
from services.athena.dialect.native_moments import Reader
from services.athena.errors import QueryFailed


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench(None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


_BETWEEN = st.sampled_from(["-", "/", ":", " ", " ", ".", "T", ", ", "", "'", "é", "_"])
MYSQL = [[["%Y"]], [["%m"], ["%c"], ["%M"], ["%b"]], [["%d"], ["%e"]],
         [[], ["%H", "%i"], ["%k", "%i", "%s"], ["%h", "%i", "%p"], ["%T"], ["%r"], ["%H", "%i", "%S", "%f"]],
         [[], [], ["%a"], ["%W"]]]  # fmt: skip
JODA = [[["yyyy"], ["YYYY"]], [["MM"], ["M"], ["MMM"], ["MMMM"]], [["dd"], ["d"]],
        [[], ["HH", "mm"], ["H", "m", "s"], ["hh", "mm", "a"], ["HH", "mm", "ss", "SSS"], ["HH", "ss", "SSSSSS"]],
        [[], [], ["EEE"], ["EEEE"]]]  # fmt: skip


@st.composite
def patterns(draw: st.DrawFn, choices: list[list[list[str]]]) -> list[str]:
    """Fields of a moment in any order, with something between them: field, literal, field …"""
    fields = [field for choice in choices for field in draw(st.sampled_from(choice))]
    ordered = draw(st.one_of(st.just(fields), st.permutations(fields)))
    parts = [part for field in ordered for part in (field, draw(_BETWEEN))]
    return parts if draw(st.booleans()) and parts[-1] != " " else parts[:-1]


_MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31, 23, 59, 59, 999999)
)
#: What DuckDB writes for a field, padded and not; what a pattern's letters are in it.
_WRITTEN = {
    "%Y": "%Y", "%m": "%m", "%c": "%-m", "%M": "%B", "%b": "%b", "%d": "%d", "%e": "%-d", "%H": "%H", "%k": "%-H",
    "%i": "%M", "%s": "%S", "%S": "%S", "%f": "%f", "%h": "%I", "%p": "%p", "%T": "%H:%M:%S", "%r": "%I:%M:%S %p",
    "%a": "%a", "%W": "%A", "yyyy": "%Y", "YYYY": "%Y", "MM": "%m", "M": "%-m", "MMM": "%b", "MMMM": "%B",
    "dd": "%d", "d": "%-d", "HH": "%H", "mm": "%M", "H": "%-H", "m": "%-M", "s": "%-S", "hh": "%I", "a": "%p",
    "ss": "%S", "SSS": "%f", "SSSSSS": "%f", "EEE": "%a", "EEEE": "%A",
}  # fmt: skip
_YEARS = st.sampled_from(
    ["0", "0000", "1", "020", "0999", "1000", "1969", "2024", "9999", "12345", "-5"]
)


@st.composite
def texts(draw: st.DrawFn, pattern: list[str]) -> str:
    """A moment as the pattern reads it, then up to two letters inserted, replaced or left out."""
    moment = draw(_MOMENTS)
    parts = []
    for place, part in enumerate(pattern):
        value = part
        if place % 2 == 0:
            value = moment.strftime(_WRITTEN[part]).zfill(
                4 if part in ("%Y", "yyyy", "YYYY") else 0
            )
            if value.isdigit() and draw(st.integers(0, 9)) == 0:
                value = draw(_YEARS if len(value) == 4 else st.integers(0, 99).map(str))
            elif value.isalpha() and draw(st.integers(0, 4)) == 0:
                value = draw(
                    st.sampled_from([value.lower(), value.upper(), value[:3], value + "s"])
                )
        parts.append(value)
    text = "".join(parts)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        letter = draw(st.sampled_from([*" \t\n\v\f\r\xa00019:-/aP٣", "", "  ", "infinity"]))
        text = text[:at] + letter + text[at + draw(st.integers(0, 1)) :]
    return text


def read(database: duckdb.DuckDBPyConnection, reader: Reader, text: str) -> datetime | None:
    sql = f"SELECT {reader.sql('x')} FROM (SELECT $x AS x)"
    found = database.execute(sql, {"x": text}).fetchone()
    assert found
    moment: datetime | None = found[0]
    return moment


@given(st.data(), patterns(MYSQL))
def test_texts_of_mysql_patterns_are_read_as_date_parse_reads_them(
    database: duckdb.DuckDBPyConnection, data: st.DataObject, pattern: list[str]
) -> None:
    reader = native_moments.mysql_reader("".join(pattern))
    if reader is None:
        return
    for text in data.draw(st.lists(texts(pattern), min_size=1, max_size=20)):
        if (native := read(database, reader, text)) is not None:
            assert native == python_moments.date_parse(text, "".join(pattern)), (reader, text)


_OWN = {
    "%Y-%m-%d %H:%i:%s": ["%Y", "-", "%m", "-", "%d", " ", "%H", ":", "%i", ":", "%s"],
    "%Y-%m-%d %T": ["%Y", "-", "%m", "-", "%d", " ", "%T"],
    "%Y-%m-%d": ["%Y", "-", "%m", "-", "%d"],
}


@given(st.data(), st.sampled_from(sorted(_OWN)))
def test_texts_as_duckdb_writes_moments_are_read_as_date_parse_reads_them(
    database: duckdb.DuckDBPyConnection, data: st.DataObject, pattern: str
) -> None:
    reader = native_moments.mysql_reader(pattern)
    assert reader
    assert reader.format in native_moments.OWN_TEXTS
    odd = st.sampled_from(["infinity", "-infinity", "epoch", "2020-01-01 24:00:00", "2020-01-01 00:00:60",
                           "2020-01-01 00:00:0Z", "2020-01-01T00:00:00", "2020-01-1  00:00:00", "10000-01-01",
                           "0044-03-15 (BC)", "0000-01-01", "0001-01-01 00:00:00", "2020/01/01", "2020-02-30"])  # fmt: skip
    for text in data.draw(st.lists(st.one_of(texts(_OWN[pattern]), odd), min_size=1, max_size=20)):
        if (native := read(database, reader, text)) is not None:
            assert native == python_moments.date_parse(text, pattern), (reader, text)


def test_a_moment_as_duckdb_writes_it_is_read_by_its_cast(
    database: duckdb.DuckDBPyConnection,
) -> None:
    reader = Reader("%Y-%m-%d %H:%M:%S", "no text passes")
    assert read(database, reader, "2020-02-29 23:59:59") == datetime(2020, 2, 29, 23, 59, 59)
    assert read(database, reader, "2020-02-29 23:59:59.0") is None


@given(st.data(), patterns(JODA))
def test_texts_of_joda_patterns_are_read_as_parse_datetime_reads_them(
    database: duckdb.DuckDBPyConnection, data: st.DataObject, pattern: list[str]
) -> None:
    reader = native_moments.joda_reader("".join(pattern))
    if reader is None:
        return
    for text in data.draw(st.lists(texts(pattern), min_size=1, max_size=20)):
        if (native := read(database, reader, text)) is not None:
            slow = python_moments.parse_datetime(text, "".join(pattern))
            assert {"t": native, "z": "UTC"} == slow, (reader, text)


def written(database: duckdb.DuckDBPyConnection, form: str, moment: datetime) -> Any:
    found = database.execute(
        "SELECT strftime($m::TIMESTAMP, $f)", {"m": moment, "f": form}
    ).fetchone()
    assert found
    return found[0]


@given(
    st.lists(
        st.sampled_from(
            [f"%{letter}" for letter in "YymcdeHkhIlisSfpMbaWTrjvx%"] + ["-", "%%", " ", "é", "T"]
        )
    ),
    _MOMENTS,
)
@example(["%Y", "-", "%y", " ", "%x", "", "%v", "", "%j"], datetime(5, 1, 1))
def test_mysql_patterns_are_written_as_date_format_writes_them(
    database: duckdb.DuckDBPyConnection, pattern: list[str], moment: datetime
) -> None:
    form = native_moments.mysql_writer("".join(pattern))
    assert (form is None) == (not pattern)
    if form is None:
        return
    slow = python_moments.date_format(moment, "".join(pattern), "UTC")
    assert written(database, form, moment) == slow


@given(
    st.lists(
        st.sampled_from(
            [
                *(field for choice in JODA for fields in choice for field in fields),
                "yy",
                "xxxx",
                "ww",
                "e",
                "DDD",
                "E",
                "'at%'",
                "-",
                " ",
            ]
        )
    ),
    _MOMENTS,
)
def test_joda_patterns_are_written_as_format_datetime_writes_them(
    database: duckdb.DuckDBPyConnection, pattern: list[str], moment: datetime
) -> None:
    form = native_moments.joda_writer("".join(pattern))
    if form is not None:
        slow = python_moments.format_datetime(moment, "".join(pattern), "UTC")
        assert written(database, form, moment) == slow


_ISO = st.one_of(
    st.builds(
        lambda moment, digits, zone: moment.isoformat(timespec=digits) + zone,
        _MOMENTS, st.sampled_from(["hours", "minutes", "seconds", "milliseconds", "microseconds"]),
        st.sampled_from(["", "Z", "+00:00", "-00:00", "+05:30", "+00", " Z", "z"]),
    ),
    st.from_regex(r"\A[0-2]\d\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d(\.(\d\d\d){1,2})?(Z|\+00:00)?\Z"),
)  # fmt: skip


@given(_ISO, st.sampled_from([3, 6]))
@example("2020-02-29T24:00:00Z", 3)
@example("0000-01-01T00:00:00Z", 3)
@example("1969-12-31T23:59:59.999999Z", 3)
def test_iso_texts_are_read_as_from_iso8601_timestamp_reads_them(
    bench: Bench, text: str, digits: int
) -> None:
    function = "from_iso8601_timestamp" if digits == 3 else "from_iso8601_timestamp_nanos"
    m = f"{function}(x)"
    wall = f"year({m}) * 100 + hour({m})"
    sql = f"SELECT try({m}), try({wall}) FROM (VALUES {literal(text)}, NULL) AS t(x)"
    _, rows = bench.rows(sql)
    try:
        slow = python_moments.iso_moment(text, digits)
    except ValueError:
        assert rows == [(None, None), (None, None)]
        return
    zone = python_moments.zone_of(slow["z"])
    there = slow["t"].replace(tzinfo=UTC).astimezone(zone)
    assert rows == [(slow, there.year * 100 + there.hour), (None, None)]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def test_texts_that_only_python_reads_stand_beside_others(bench: Bench) -> None:
    _, rows = (
        bench.texts("""SELECT date_parse(x, '%Y-%m-%d %H:%i:%s'), parse_datetime(x, 'yyyy-MM-dd HH:mm:ss')
        FROM (VALUES '2020-05-10 12:34:56', '0020-5-1 1:2:3', NULL) AS t(x)""")
    )
    assert rows == [
        ("2020-05-10 12:34:56.000", "2020-05-10 12:34:56.000 UTC"),
        ("0020-05-01 01:02:03.000", "0020-05-01 01:02:03.000 UTC"),
        (None, None),
    ]


@pytest.mark.parametrize(
    "text", ["2020-02-30 00:00:00", "2020-01-01  00:00:00", " 2020-01-01 00:00:00", "epoch", ""]
)
def test_what_is_no_moment_is_refused_with_the_text(bench: Bench, text: str) -> None:
    for function, pattern in (
        ("date_parse", "%Y-%m-%d %H:%i:%s"),
        ("parse_datetime", "yyyy-MM-dd HH:mm:ss"),
    ):
        sql = f"SELECT {function}(x, '{pattern}') FROM (VALUES {literal(text)}, '2020-01-01 00:00:00') AS t(x)"
        with pytest.raises(
            QueryFailed, match=f'INVALID_FUNCTION_ARGUMENT: Invalid format: "{text}"'
        ):
            bench.rows(sql)


def test_functions_of_functions_group_and_filter(bench: Bench) -> None:
    month = "date_format(date_parse(replace(x, '/', '-'), '%d-%m-%Y'), '%Y-%m')"
    inner = (
        "transform(ARRAY[x], v -> date_format(date_parse(replace(v, '/', '-'), '%d-%m-%Y'), '%M'))"
    )
    sql = f"""SELECT {month}, count(*), min({inner}) FROM (VALUES '01/02/2020', '02/02/2020', '1/3/2020') AS t(x)
        WHERE date_trunc('minute', parse_datetime(x, 'dd/MM/yyyy')) > date_parse('2019', '%Y')
        GROUP BY {month} HAVING {month} <> '' ORDER BY {month}"""
    _, rows = bench.rows(sql)
    assert rows == [("2020-02", 2, ["February"]), ("2020-03", 1, ["March"])]


def test_years_before_1_are_not_written_as_duckdb_writes_them(bench: Bench) -> None:
    with pytest.raises(QueryFailed):
        bench.rows("SELECT date_format(x, '%Y') FROM (VALUES date '-0005-01-01') AS t(x)")


def test_functions_of_aggregates_windows_and_subqueries_are_computed_once(bench: Bench) -> None:
    _, rows = bench.rows("""SELECT date_format(max(date_parse(x, '%Y-%m-%d')), '%d.%m.%Y'),
          CAST(to_unixtime(max(from_iso8601_timestamp(x))) AS bigint) / 86400 * (SELECT 2),
          CAST(to_unixtime(from_iso8601_timestamp(min(x))) AS bigint) / (SELECT 86400),
          date_format(from_iso8601_timestamp((SELECT '2021-05-06T00:00:00Z')), '%Y'),
          CAST(from_iso8601_timestamp(max(max(x)) OVER ()) AS date)
        FROM (VALUES '1970-01-02', '1970-01-03') AS t(x)""")
    assert rows == [("03.01.1970", 4, 1, "2021", date(1970, 1, 3))]


@pytest.mark.parametrize("keys", ["x", "x % 100"])
def test_map_agg_of_many_rows_is_quick_and_keeps_the_first_value(bench: Bench, keys: str) -> None:
    sql = f"""SELECT cardinality(m), m[7] FROM (SELECT map_agg({keys}, x * 2) AS m
        FROM UNNEST(sequence(1, 9000)) AS t(x), UNNEST(sequence(1, 2)))"""
    began = time.monotonic()
    _, rows = bench.rows(sql)
    assert rows == [(9000 if keys == "x" else 100, 14)]
    assert time.monotonic() - began < 10  # it took 15 s for as many


@pytest.mark.parametrize("keys", ["x", "x % 100", "ARRAY[CAST(x AS varchar), NULL]"])
def test_multimaps_of_many_rows_are_quick_and_keep_the_order_of_their_values(
    bench: Bench, keys: str
) -> None:
    sql = f"""SELECT cardinality(m), m[{keys}], cardinality(n), n[{keys}] FROM (
        SELECT multimap_agg({keys}, x + y ORDER BY y DESC, x) AS m,
          multimap_from_entries(array_agg(ROW({keys}, x + y) ORDER BY y DESC, x)) AS n
        FROM UNNEST(sequence(1, 8000)) AS t(x), UNNEST(ARRAY[90000, 10000]) AS u(y)), (SELECT 7 AS x)"""
    began = time.monotonic()
    _, rows = bench.rows(sql)
    values = [y + x for y in (90000, 10000) for x in range(7, 8001, 100 if "%" in keys else 8000)]
    assert rows == [(100 if "%" in keys else 8000, values, 100 if "%" in keys else 8000, values)]
    assert time.monotonic() - began < 10  # their square gave no answer in a minute


def test_a_multimap_keeps_its_keys_in_the_order_of_their_first_values(bench: Bench) -> None:
    _, rows = bench.rows("""SELECT map_keys(m), map_values(m) FROM (
        SELECT multimap_agg(k, v ORDER BY p) AS m FROM (VALUES (1, 'z', 1), (2, 'a', NULL), (3, 'z', 3), (4, NULL, 4),
          (5, 'm', 5), (6, 'a', 6)) AS t(p, k, v))""")
    assert rows == [(["z", "a", "m"], [[1, 3], [None, 6], [5]])]


@given(
    st.text(alphabet="ab\u00e9\U0001f600e\u0301 ", max_size=6),
    st.integers(-8, 8) | st.just(5_000_000_000),
    st.integers(-1, 8) | st.just(5_000_000_000),
)
def test_a_part_of_a_text_is_the_same_by_literals_and_by_columns(
    bench: Bench, text: str, start: int, many: int
) -> None:
    x, s, n = literal(text), f"CAST({start} AS bigint)", f"CAST({many} AS bigint)"
    _, rows = (
        bench.rows(f"""SELECT substr(x, {start}), substr(x, {start}, {many}), substr(x, s), substr(x, s, n)
        FROM (VALUES ({x}, {s}, {n})) AS t(x, s, n)""")
    )
    assert rows[0][:2] == rows[0][2:]
    if start > 0:
        assert rows[0][:2] == (text[start - 1 :], text[start - 1 :][: max(many, 0)])
