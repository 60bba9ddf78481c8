"""Java's DateTimeFormatter letters, against values that Java 17 prints (locale en_US)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firehose.timestamp_pattern import (
    InvalidPattern,
    compile_pattern,
    format_timestamp,
    week_based_year,
    week_of_week_based_year,
)

WHEN = datetime(2016, 2, 25, 13, 5, 9, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy/MM/dd/HH", "2016/02/25/13"),
        ("yy y yyyyy", "16 2016 02016"),
        ("M MM MMM MMMM MMMMM", "2 02 Feb February F"),
        ("d dd D DDD", "25 25 56 056"),
        ("E EEEE EEEEE e c", "Thu Thursday T 5 5"),
        ("h hh K k H a", "1 01 1 13 13 PM"),
        ("m mm s ss", "5 05 9 09"),
        ("S SSS SSSSSS SSSSSSSSS", "1 123 123456 123456000"),
        ("A n N", "47109123 123456000 47109123456000"),
        ("Q QQ QQQ QQQQ", "1 01 Q1 1st quarter"),
        ("w W F", "9 4 4"),
        ("G GGGG", "AD Anno Domini"),
        ("X XX XXX x xx xxx Z ZZZZ ZZZZZ", "Z Z Z +00 +0000 +00:00 +0000 GMT Z"),
        ("z zzzz VV O", "UTC Coordinated Universal Time UTC GMT"),
        ("B", "in the afternoon"),
        ("'year='yyyy'/month='MM", "year=2016/month=02"),
        ("''yy h 'o''clock'", "'16 1 o'clock"),
        ("[yyyy]", "2016"),
        ("pppd ppppH", " 25   13"),
        ("g", "57443"),
        ("", ""),
        ("2016-ç_!", "2016-ç_!"),
    ],
)
def test_a_pattern_formats_as_in_java(pattern: str, text: str) -> None:
    assert format_timestamp(pattern, WHEN) == text


@pytest.mark.parametrize(
    ("day", "year", "week"),
    [
        (datetime(2015, 12, 27), 2016, 1),
        (datetime(2015, 12, 26), 2015, 52),
        (datetime(2016, 1, 2), 2016, 1),
        (datetime(2016, 1, 3), 2016, 2),
        (datetime(2024, 12, 29), 2025, 1),
    ],
)
def test_capital_y_is_the_week_based_year(day: datetime, year: int, week: int) -> None:
    # The reason for "YYYY" surprises at the turn of the year.
    assert (week_based_year(day.date()), week_of_week_based_year(day.date())) == (year, week)
    assert format_timestamp("YYYY-w", day) == f"{year}-{week}"


def test_offsets_are_those_of_the_time_zone() -> None:
    new_york = WHEN.astimezone(ZoneInfo("America/New_York"))
    assert format_timestamp("HH XXX xx O OOOO VV z", new_york) == (
        "08 -05:00 -0500 GMT-5 GMT-05:00 America/New_York EST"
    )
    odd = WHEN.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert format_timestamp("X XX O", odd) == "+0545 +0545 GMT+5:45"


@pytest.mark.parametrize("letter", list("CIJPRTUbfijlort"))
def test_letters_that_java_does_not_know_are_refused(letter: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(letter)


@pytest.mark.parametrize(
    "pattern",
    ["HHH", "ddd", "DDDD", "MMMMMM", "V", "VVV", "aa", "cc", "p", "p-", "'open", "{", "#"],
)
def test_widths_and_quotes_that_java_refuses_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)


@given(st.text(alphabet=st.characters(exclude_characters="'"), min_size=1))
def test_quoted_text_stands_as_it_is(text: str) -> None:
    assert format_timestamp(f"'{text}'", WHEN) == text


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30)))
def test_the_default_prefix_is_the_hour(when: datetime) -> None:
    assert format_timestamp("yyyy/MM/dd/HH/", when) == when.strftime("%Y/%m/%d/%H/")
