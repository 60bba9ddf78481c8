"""When the turns of a schedule come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.expression import (
    ExpressionRefused,
    Timing,
    next_turn,
    parse_expression,
    parse_timezone,
)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


def turn(
    expression: str,
    since: str,
    zone: str = "UTC",
    start: str | None = None,
    end: str | None = None,
    anchor: str = "2024-01-01T00:00:30",
) -> str | None:
    timing = Timing(
        expression,
        zone,
        None if start is None else seconds(start),
        None if end is None else seconds(end),
        seconds(anchor),
    )
    found = next_turn(timing, seconds(since))
    return None if found is None else f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("expression", "since", "zone", "expected"),
    [
        ("at(2024-05-01T10:00:00)", "2024-01-01T00:00:00", "UTC", "2024-05-01 10:00:00"),
        ("at(2024-05-01T10:00:00)", "2024-01-01T00:00:00", "Europe/Lisbon", "2024-05-01 09:00:00"),
        ("at(2024-05-01T10:00:00)", "2024-05-01T10:00:00", "UTC", None),
        ("rate(1 minute)", "2024-01-01T00:00:00", "UTC", "2024-01-01 00:00:30"),
        ("rate(1 minute)", "2024-01-01T00:00:30", "UTC", "2024-01-01 00:01:30"),
        ("rate(2 hours)", "2024-01-01T03:00:00", "UTC", "2024-01-01 04:00:30"),
        # A day of a rate has 24 hours, whatever the clocks on the wall do.
        ("rate(1 days)", "2024-03-31T00:00:30", "Europe/Berlin", "2024-04-01 00:00:30"),
        ("cron(0 8 ? * MON-FRI *)", "2024-02-02T09:00:00", "UTC", "2024-02-05 08:00:00"),
        ("cron(0 8 * * ? *)", "2024-07-01T00:00:00", "America/New_York", "2024-07-01 12:00:00"),
        ("cron(0 8 * * ? *)", "2024-12-01T00:00:00", "America/New_York", "2024-12-01 13:00:00"),
        ("cron(0 0 L * ? *)", "2024-02-01T00:00:00", "Asia/Kolkata", "2024-02-28 18:30:00"),
        # Spring skips 02:30 in Berlin on 31 March 2024.
        ("cron(30 2 * * ? *)", "2024-03-30T12:00:00", "Europe/Berlin", "2024-04-01 00:30:00"),
        # Autumn repeats 02:30 on 27 October 2024: once, in the first pass.
        ("cron(30 2 * * ? *)", "2024-10-26T12:00:00", "Europe/Berlin", "2024-10-27 00:30:00"),
        ("cron(30 2 * * ? *)", "2024-10-27T00:30:00", "Europe/Berlin", "2024-10-28 01:30:00"),
        ("cron(30 2 * * ? *)", "2024-10-27T01:10:00", "Europe/Berlin", "2024-10-28 01:30:00"),
        ("cron(0 0 1 1 ? 2020)", "2024-01-01T00:00:00", "UTC", None),
    ],
)
def test_the_next_turn(expression: str, since: str, zone: str, expected: str | None) -> None:
    assert turn(expression, since, zone) == expected


def test_a_recurring_schedule_runs_between_its_dates() -> None:
    start, end = "2024-02-01T00:00:10", "2024-02-01T00:02:10"
    rate, cron = "rate(1 minute)", "cron(* * * * ? *)"
    assert turn(rate, "2024-01-01T00:00:00", start=start) == "2024-02-01 00:00:10"
    assert turn(rate, "2024-02-01T00:01:10", start=start, end=end) == "2024-02-01 00:02:10"
    assert turn(rate, "2024-02-01T00:02:10", start=start, end=end) is None
    assert turn(cron, "2024-01-01T00:00:00", start=start) == "2024-02-01 00:01:00"
    assert turn(cron, "2024-02-01T00:02:00", start=start, end=end) is None


def test_the_calendar_ends() -> None:
    assert turn("cron(0 0 * * ? *)", "2024-01-01T00:00:00", start="9999-12-31T23:59:59") is None


def test_a_one_time_schedule_ignores_the_dates() -> None:
    once = "at(2024-05-01T10:00:00)"
    found = turn(
        once, "2024-01-01T00:00:00", start="2025-01-01T00:00:00", end="2024-02-01T00:00:00"
    )
    assert found == "2024-05-01 10:00:00"


@pytest.mark.parametrize(
    "expression",
    [
        "at(2024-05-01)",
        "at(2024-13-01T10:00:00)",
        "at(2024-05-01T10:00:00Z)",
        "rate(0 minutes)",
        "rate(1000000000 days)",
        "rate(1 second)",
        "rate(minute)",
        "cron(0 0 * * * *)",
        "cron(0 0 * * ?)",
        "tomorrow",
    ],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionRefused, match=r"Invalid Schedule Expression .*\."):
        parse_expression(expression)


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../etc/passwd", "Europe"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ExpressionRefused, match="Timezone"):
        parse_timezone(name)


MOMENTS = st.floats(1.5e9, 2.0e9)
EXPRESSIONS = st.one_of(
    st.tuples(st.integers(1, 500), st.sampled_from(["minutes", "hours", "days"])).map(
        lambda pair: f"rate({pair[0]} {pair[1]})"
    ),
    st.tuples(st.integers(0, 59), st.integers(0, 23)).map(
        lambda pair: f"cron({pair[0]} {pair[1]} * * ? *)"
    ),
    st.sampled_from(["cron(0/7 * ? * 2#1 *)", "cron(15 10 L * ? *)", "cron(*/30 1-3 * * ? *)"]),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])


@given(EXPRESSIONS, ZONES, MOMENTS, MOMENTS)
def test_turns_only_go_forward_and_none_is_left_out(
    expression: str, zone: str, anchor: float, since: float
) -> None:
    timing = Timing(expression, zone, None, None, anchor)
    first = next_turn(timing, since)
    assert first is not None
    assert first > since
    # Whoever asks from a moment in between finds the same turn.
    between = since + (first - since) / 2
    assert between == first or next_turn(timing, between) == first
    second = next_turn(timing, first)
    assert second is not None
    assert second > first
