"""AWS's schedules: `cron(Minutes Hours Day-of-month Month Day-of-week Year)`. Pure."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
#: AWS counts the days of the week from Sunday as 1.
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
YEARS = (1970, 2199)
#: No rule that can ever be met waits longer than 29 February over a century's end.
LONGEST_WAIT_DAYS = 366 * 9


class ScheduleRefused(ValueError):
    """The text is no cron expression of AWS's."""


@dataclass(frozen=True)
class Schedule:
    """A parsed expression. Days are rules, because `L`, `W` and `#` depend on the month."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: str
    months: frozenset[int]
    days_of_week: str
    years: frozenset[int]

    def next_after(self, moment: float) -> float | None:
        """The first whole minute later than `moment` (seconds since 1970), or None."""
        start = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0)
        start += timedelta(minutes=1)
        for ahead in range(LONGEST_WAIT_DAYS):
            day = (start + timedelta(days=ahead)).date()
            if not self._is_day(day.year, day.month, day.day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                    if at >= start:
                        return at.timestamp()
        return None

    def _is_day(self, year: int, month: int, day: int) -> bool:
        if year not in self.years or month not in self.months:
            return False
        by_month, by_week = self.days_of_month, self.days_of_week
        return (by_month in "*?" or _is_day_of_month(by_month, year, month, day)) and (
            by_week in "*?" or _is_day_of_week(by_week, year, month, day)
        )


@lru_cache(maxsize=256)
def parse_schedule(text: str) -> Schedule:
    """Read `cron(…)`. Raises ScheduleRefused with one sentence."""
    match = re.fullmatch(r"\s*cron\((.*)\)\s*", text)
    fields = match[1].split() if match else []
    if len(fields) != 6:
        raise ScheduleRefused(f"Schedule expression {text} is not valid.")
    minutes, hours, day, month, week_day, year = (field.upper() for field in fields)
    if (day == "?") == (week_day == "?"):
        raise ScheduleRefused(
            f"Schedule expression {text} is not valid: one of day-of-month and day-of-week, and "
            "not both, must be '?'."
        )
    try:
        schedule = Schedule(
            _numbers(minutes, 0, 59),
            _numbers(hours, 0, 23),
            day,
            _numbers(_named(month, MONTHS), 1, 12),
            _named(week_day, DAYS),
            _numbers(year, *YEARS),
        )
        # Every rule must be readable, whichever day comes first.
        schedule._is_day(2024, min(schedule.months), 1)
        day in "*?" or _is_day_of_month(day, 2024, 1, 31)
        week_day in "*?" or _is_day_of_week(schedule.days_of_week, 2024, 1, 31)
    except (ValueError, KeyError):
        raise ScheduleRefused(f"Schedule expression {text} is not valid.") from None
    return schedule


def _named(text: str, names: list[str]) -> str:
    for position, name in enumerate(names):
        text = text.replace(name, str(position + 1))
    return text


def _numbers(text: str, low: int, high: int) -> frozenset[int]:
    """`*`, `5`, `1-5`, `0/15`, `*/10`, and lists of them."""
    chosen: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = int(first)
            end = int(last) if dash else high if step else start
        every = int(step) if step else 1
        if not low <= start <= end <= high or every < 1:
            raise ValueError(part)
        chosen.update(range(start, end + 1, every))
    return frozenset(chosen)


def _is_day_of_month(rule: str, year: int, month: int, day: int) -> bool:
    last = calendar.monthrange(year, month)[1]
    if rule == "L":
        return day == last
    if rule == "LW":
        return day == _nearest_weekday(year, month, last)
    if rule.endswith("W"):
        return day == _nearest_weekday(year, month, min(int(rule[:-1]), last))
    return day in _numbers(rule, 1, 31)


def _is_day_of_week(rule: str, year: int, month: int, day: int) -> bool:
    number = (calendar.weekday(year, month, day) + 1) % 7 + 1
    if rule == "L":
        return number == 7
    if rule.endswith("L"):
        return number == int(rule[:-1]) and day + 7 > calendar.monthrange(year, month)[1]
    if "#" in rule:
        wanted, _, nth = rule.partition("#")
        return number == int(wanted) and (day - 1) // 7 + 1 == int(nth)
    return number in _numbers(rule, 1, 7)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    last = calendar.monthrange(year, month)[1]
    weekday = calendar.weekday(year, month, day)
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < last else day - 2
    return day
