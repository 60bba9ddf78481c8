"""AWS's cron expressions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.cron import ScheduleRefused, parse_schedule


def next_after(expression: str, moment: str) -> str | None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    found = parse_schedule(expression).next_after(at)
    return None if found is None else f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("cron(15 12 * * ? *)", "2024-02-28T12:15:00", "2024-02-29 12:15"),
        ("cron(15 12 * * ? *)", "2024-02-28T12:14:59", "2024-02-28 12:15"),
        ("cron(0/5 * * * ? *)", "2024-01-31T23:57:00", "2024-02-01 00:00"),
        ("cron(0 8 ? * MON-FRI *)", "2024-02-02T09:00:00", "2024-02-05 08:00"),
        ("cron(0 8 ? * 1 *)", "2024-02-02T09:00:00", "2024-02-04 08:00"),
        ("cron(0 0 L * ? *)", "2024-02-01T00:00:00", "2024-02-29 00:00"),
        ("cron(0 0 1W * ? *)", "2024-05-31T00:00:00", "2024-06-03 00:00"),
        ("cron(0 0 LW * ? *)", "2024-06-01T00:00:00", "2024-06-28 00:00"),
        ("cron(0 0 ? * 6#3 *)", "2024-02-01T00:00:00", "2024-02-16 00:00"),
        ("cron(0 0 ? * 6L *)", "2024-02-01T00:00:00", "2024-02-23 00:00"),
        ("cron(30 6 29 FEB ? 2027-2032)", "2024-01-01T00:00:00", "2028-02-29 06:30"),
        ("cron(0 0 1 1 ? 2020)", "2024-01-01T00:00:00", None),
    ],
)
def test_the_next_turn_of_a_schedule(expression: str, moment: str, expected: str | None) -> None:
    assert next_after(expression, moment) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "every day",
        "cron(0 0 * * *)",
        "cron(60 0 * * ? *)",
        "cron(0 0 * * * *)",
        "cron(0 0 ? * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 ? * XYZ *)",
        "rate(5 minutes)",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleRefused, match="is not valid"):
        parse_schedule(expression)
