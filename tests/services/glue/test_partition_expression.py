"""GetPartitions' filter language against tables of cases and a second way to compute it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.glue.errors import GlueError
from services.glue.partition_expression import select

KEYS = [
    ("year", "int"),
    ("name", "string"),
    ("day", "date"),
    ("at", "timestamp"),
    ("price", "decimal(10,2)"),
]
ROW = ["2024", "ana's", "2024-02-29", "2024-02-29 10:00:00.5", "12.50"]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "year = 2024",
        "year='2024'",
        "2025 > year",
        "(year) = (2024)",
        "YEAR >= 2024 and year <= 2024",
        "year <> 2023",
        "year != 2023 OR year = 1",
        "year in (1, 2024)",
        "year not in (1, 2)",
        "year between 2020 and 2030",
        "year NOT BETWEEN 1 AND 2",
        "name = 'ana''s'",
        "name like 'a%'",
        "name like 'an_''s'",
        "name not like 'b%'",
        "\"name\" > 'a'",
        "`name` is not null",
        "not (name is null)",
        "not name = 'x' and not year = 1",
        "day = '2024-02-29'",
        "day > date '2024-02-28'",
        "at = '2024-02-29 10:00:00.500'",
        "at < '2024-02-29 10:00:00.500000001'",
        "price = 12.5",
        "price in (12.50)",
        "year = 1 or year = 2024 and name = 'ana''s'",
        "(year = 1 or year = 2024) and (price > -1)",
    ],
)
def test_an_expression_that_selects_the_partition(expression: str) -> None:
    assert select(expression, KEYS)(ROW)


@pytest.mark.parametrize(
    "expression",
    [
        "year = 2023",
        "year = 2024 and name = 'x'",
        "year not in (2024)",
        "name like 'n%'",
        "name like 'ana_s_'",
        "name is null",
        "day < '2024-02-29'",
        "not year = 2024",
        "year > 2024 or price < 12.5",
    ],
)
def test_an_expression_that_leaves_the_partition_out(expression: str) -> None:
    assert not select(expression, KEYS)(ROW)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("month = 1", "Unknown column 'month'"),
        ("year = 'abc'", '"abc" is not an integer.'),
        ("day = 'abc'", "abc is not a date."),
        ("price = 'abc'", "abc is not a decimal."),
        (
            "at = '2024'",
            "Timestamp format must be yyyy-mm-dd hh:mm:ss[.fffffffff] 2024 is not a timestamp.",
        ),
        ("year like '2%'", "Integral data type doesn't support operation 'LIKE'"),
        ("day like '2%'", "Date data type doesn't support operation 'LIKE'"),
        ("year =", "Unsupported expression 'year ='"),
        ("year = 2024 )", "Unsupported expression 'year = 2024 )'"),
        ("year = 2024; drop table x", "Unsupported expression 'year = 2024; drop table x'"),
        ("year 2024", "Unsupported expression 'year 2024'"),
        ("year not = 2024", "Unsupported expression 'year not = 2024'"),
    ],
)
def test_what_is_no_expression_is_refused_in_awss_words(expression: str, message: str) -> None:
    with pytest.raises(GlueError) as refused:
        select(expression, KEYS)
    assert (refused.value.code, refused.value.message) == ("InvalidInputException", message)


def test_a_stored_value_that_is_not_of_its_type_is_an_invalid_state() -> None:
    with pytest.raises(GlueError) as refused:
        select("year = 1", KEYS)(["not a year", *ROW[1:]])
    assert refused.value.code == "InvalidStateException"


def test_a_key_of_an_unknown_type_cannot_be_compared() -> None:
    with pytest.raises(GlueError, match="Unknown type : 'array<int>'"):
        select("a = 1", [("a", "array<int>")])


def test_hives_null_partition_is_null_and_neither_equal_nor_unequal() -> None:
    null = ["__HIVE_DEFAULT_PARTITION__", *ROW[1:]]
    assert select("year is null", KEYS)(null)
    assert not select("year = 2024", KEYS)(null)
    assert not select("not year = 2024", KEYS)(null)
    assert select("year = 2024 or name like 'a%'", KEYS)(null)


SIGNS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
SMALL = st.integers(-3, 3)


@given(st.lists(st.tuples(SIGNS, SMALL, st.booleans(), st.booleans()), min_size=1), SMALL)
def test_and_binds_tighter_than_or_as_in_python(
    terms: list[tuple[str, int, bool, bool]], value: int
) -> None:
    python_signs = {"=": "==", "<>": "!="}
    glue, python = "", ""
    for position, (sign, number, negate, both) in enumerate(terms):
        joint = "" if position == 0 else (" and " if both else " or ")
        negation = "not " if negate else ""
        glue += f"{joint}{negation}x {sign} {number}"
        python += f"{joint}{negation}x {python_signs.get(sign, sign)} {number}"
    expected = eval(python, {"x": value})
    assert select(glue, [("x", "bigint")])([str(value)]) is expected


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_can_be_compared_and_never_leaves_its_quotes(stored: str, wanted: str) -> None:
    quoted = wanted.replace("'", "''")
    assert select(f"name = '{quoted}'", [("name", "string")])([stored]) is (stored == wanted)


@given(st.text(max_size=30))
def test_no_text_whatever_breaks_the_parser(expression: str) -> None:
    code = "none"
    try:
        select(expression, KEYS)(ROW)
    except GlueError as refused:
        code = refused.code
    assert code in ("none", "InvalidInputException", "InvalidStateException")
