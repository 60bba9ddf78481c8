"""Partition values in paths and by projection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.athena import partition_values as values
from services.athena.errors import QueryFailed
from services.athena.partition_values import Injected
from tests.services.athena.conftest import AthenaInMemory

NOW = datetime(2020, 5, 10, 12, 34, tzinfo=UTC).timestamp()


@given(st.lists(st.text(min_size=1).filter(lambda text: ":" not in text), min_size=1, max_size=4))
def test_a_path_gives_back_its_values(given_values: list[str]) -> None:
    names = [f"k{i}" for i in range(len(given_values))]
    path = values.path_of(names, given_values) + "/data.json"
    assert values.found_in_path(path, names) == tuple(given_values)


@pytest.mark.parametrize("path", ["Year=2020/x", "2020/x", "year=10:30/x", "year=2020"])
def test_msck_passes_over_other_directories(path: str) -> None:
    assert values.found_in_path(path, ["year"]) is None


def projected(**properties: str) -> list[values.Dimension]:
    given_properties = {f"projection.c.{name}": text for name, text in properties.items()}
    return values.projected(given_properties, ["c"], NOW)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"type": "enum", "values": "a, b"}, ["a", "b"]),
        ({"type": "integer", "range": "8,11", "digits": "2"}, ["08", "09", "10", "11"]),
        ({"type": "integer", "range": "0,10", "interval": "5"}, ["0", "5", "10"]),
        (
            {"type": "date", "range": "NOW-2DAYS,NOW", "format": "yyyy-MM-dd"},
            ["2020-05-08", "2020-05-09", "2020-05-10"],
        ),
        (
            {"type": "date", "range": "2020/05/10/10,NOW", "format": "yyyy/MM/dd/HH"},
            ["2020/05/10/10", "2020/05/10/11", "2020/05/10/12"],
        ),
        (
            {"type": "date", "range": "2020-01,2020-03", "format": "yyyy-MM"},
            ["2020-01", "2020-02", "2020-03"],
        ),
    ],
)
def test_projection_types(properties: dict[str, str], expected: list[str]) -> None:
    assert projected(**properties) == [expected]


def test_an_injected_column_waits_for_the_query() -> None:
    assert projected(type="injected") == [Injected("c")]


@pytest.mark.parametrize(
    "properties",
    [{"type": "enum"}, {"type": "integer", "range": "a,b"}, {"type": "what"},
     {"type": "date", "range": "1,2", "format": "yyyy-MM-dd"}],
)  # fmt: skip
def test_a_wrong_property_is_named(properties: dict[str, str]) -> None:
    with pytest.raises(QueryFailed, match=r"INVALID_TABLE_PROPERTY: .* column c"):
        projected(**properties)


def test_a_location_template_takes_the_values() -> None:
    parameters = {"storage.location.template": "s3://b/${y}/${m}"}
    assert values.places(parameters, "s3://x/", ["y", "m"], ("2020", "05")) == ["s3://b/2020/05/"]


def test_a_projected_value_with_a_colon_is_read_from_both_spellings_of_its_folder(
    athena: AthenaInMemory,
) -> None:
    athena.put_json("t/at=2020-01-01 10:00/plain.json", [{"n": 1}])
    athena.put_json("t/at=2020-01-01 10%3A00/escaped.json", [{"n": 10}])
    athena.put_json("t/at=2020-01-01 11:00/later.json", [{"n": 100}])
    athena.run(r"""CREATE EXTERNAL TABLE t (n int) PARTITIONED BY (at string)
        ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://lake/t/'
        TBLPROPERTIES ('projection.enabled'='true', 'projection.at.type'='date', 'projection.at.format'='yyyy-MM-dd HH:mm',
        'projection.at.range'='2020-01-01 10:00,2020-01-01 11:00', 'projection.at.interval'='1',
        'projection.at.interval.unit'='HOURS')""")
    rows = athena.rows("SELECT at, sum(n) FROM t GROUP BY at ORDER BY at")
    assert rows == [["2020-01-01 10:00", "11"], ["2020-01-01 11:00", "100"]]
    assert athena.rows("SELECT n FROM t WHERE at = '2020-01-01 11:00'") == [["100"]]
