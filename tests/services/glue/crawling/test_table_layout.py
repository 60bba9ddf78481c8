"""Folders and files in, tables and partitions out."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.glue.classification.classify import classify
from services.glue.classification.found import Found
from services.glue.crawling.object_paths import (
    S3Path,
    exclusion_pattern,
    is_hidden,
    parse_s3_path,
    table_name,
)
from services.glue.crawling.table_layout import CrawledFile, FoundTable, Grouping, find_tables


def json_of(*names: str) -> Found:
    return classify(json.dumps(dict.fromkeys(names, 1)).encode(), False, "a")


A, B = json_of("a", "b", "c"), json_of("x", "y")
NEARLY_A = json_of("a", "b", "c", "d")
CSV = classify(b"1,2\n3,4\n", False, "a")
UNKNOWN = classify(b"one line", False, "a")


def tables(files: Mapping[str, Found | None], **grouping: object) -> dict[str, FoundTable]:
    crawled = [CrawledFile(key, 10, found) for key, found in files.items()]
    found = find_tables("lake", "", crawled, Grouping(**grouping))  # type: ignore[arg-type]
    return {table.location.key: table for table in found}


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ({"z/a.json": A, "z/b.json": A}, {"": ["partition_0"]}),
        ({"z/1/a": A, "z/2/a": NEARLY_A}, {"": ["partition_0", "partition_1"]}),
        ({"z/1/a": A, "z/2/a": B}, {"z/1/": [], "z/2/": []}),
        ({"z/1/a": A, "z/2/a": CSV}, {"z/1/": [], "z/2/": []}),
        ({"z/k=1/a": A, "z/k=2/a": B}, {"z/": ["k"]}),
        ({"z/k=1/a": A, "z/j=2/a": A}, {"": ["partition_0", "partition_1"]}),
        ({"z/a": A, "z/b": B}, {"z/a": [], "z/b": []}),
        ({"z/a": A, "z/2/b": A}, {"z/a": [], "z/2/": []}),
        ({"z/1/a": A, "z/2/a": UNKNOWN}, {"": ["partition_0", "partition_1"]}),
        ({"y/1/a": A, "z/b": B}, {"y/": ["partition_0"], "z/": []}),
    ],
)
def test_folders_become_tables_or_partitions(
    files: dict[str, Found], places: dict[str, list[str]]
) -> None:
    found = tables(files)
    assert {place: list(table.partition_keys) for place, table in found.items()} == places


def test_compatible_schemas_are_combined_when_asked() -> None:
    files = {"z/1/a": A, "z/2/a": B}
    (table,) = tables(files, combines_compatible=True).values()
    assert [column.name for column in table.found.columns] == ["a", "b", "c", "x", "y"]
    assert len(tables({"z/1/a": A, "z/2/a": CSV}, combines_compatible=True)) == 2


def test_a_table_that_is_there_never_becomes_a_partition() -> None:
    files = {"z/1/a": A, "z/2/a": A}
    assert set(tables(files, tables_there=frozenset({"z/1/"}))) == {"z/1/", "z/2/"}


def test_the_table_level_counts_from_the_bucket() -> None:
    files = {"z/1/x/a": A, "z/2/x/a": A}
    assert set(tables(files, table_level=1)) == {""}
    assert set(tables(files, table_level=2)) == {"z/"}
    assert set(tables(files, table_level=3)) == {"z/1/", "z/2/"}
    assert set(tables(files, table_level=9)) == {"z/1/x/", "z/2/x/"}


def test_partition_values_are_unescaped() -> None:
    (table,) = tables({"t/k=a%2Fb/x": A, "t/k=c/x": A}).values()
    assert [part.values for part in table.partitions] == [("a/b",), ("c",)]


KEYS = st.lists(
    st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=2), min_size=1, max_size=4),
    min_size=1,
    max_size=12,
    unique_by=tuple,
)


@given(KEYS, st.data())
def test_every_file_is_in_exactly_one_table(keys: list[list[str]], data: st.DataObject) -> None:
    files = {"/".join([*key, "f.x"]): data.draw(st.sampled_from([A, B, CSV])) for key in keys}
    found = tables(files)
    assert sum(table.object_count for table in found.values()) == len(files)
    for table in found.values():
        in_partitions = sum(part.object_count for part in table.partitions)
        assert in_partitions == (table.object_count if table.partition_keys else 0)
        values = [part.values for part in table.partitions]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "d/a.csv", False),
        ("**.csv", "d/a.csv", True),
        ("d/**", "d/e/f", True),
        ("?.txt", "ab.txt", False),
        ("[a-c].txt", "b.txt", True),
        ("[!a-c].txt", "b.txt", False),
        ("*.{csv,txt}", "a.txt", True),
        ("a,b", "a,b", True),
        ("a+b", "a+b", True),
        ("{a", "{a", True),
    ],
)
def test_exclusions(pattern: str, path: str, excluded: bool) -> None:
    compiled = exclusion_pattern([pattern])
    assert compiled is not None
    assert bool(compiled.fullmatch(path)) is excluded


def test_hidden_things_and_names() -> None:
    assert is_hidden("a/_SUCCESS")
    assert is_hidden(".x/a")
    assert is_hidden("a_$folder$")
    assert not is_hidden("a_b/c.d")
    assert parse_s3_path("s3://lake/a/b") == S3Path("lake", "a/b")
    assert parse_s3_path("lake/a") is None
    assert table_name(S3Path("my-lake", "")) == "my_lake"
    assert table_name(S3Path("lake", "a/Raw Data-1/"), "t_") == "t_raw_data_1"
