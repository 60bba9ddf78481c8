"""When a schedule's turns come: `at(…)`, `rate(…)` and `cron(…)` in a time zone. Pure.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil
from zoneinfo import ZoneInfo

from services.cron import Schedule, ScheduleRefused, parse_schedule

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE = re.compile(r"rate\(([1-9]\d{0,8}) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


class ExpressionRefused(ValueError):
    """A schedule's expression or time zone that AWS would not take; one sentence."""


@dataclass(frozen=True)
class At:
    """Once. `moment` is wall-clock time."""

    moment: datetime


@dataclass(frozen=True)
class Rate:
    """Every so many seconds."""

    seconds: int


@dataclass(frozen=True)
class Timing:
    """All that decides when a schedule's turns come. Times are seconds since 1970.

    A rate counts from `start`, or from `anchor`, when the schedule was made or last changed:
    without a StartDate AWS begins immediately.
    """

    expression: str
    timezone: str
    start: float | None
    end: float | None
    anchor: float

    @property
    def is_once(self) -> bool:
        return self.expression.startswith("at(")


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> At | Rate | Schedule:
    """Read an expression. Raises ExpressionRefused."""
    try:
        if found := _AT.fullmatch(text):
            return At(datetime.fromisoformat(found[1]))
        if found := _RATE.fullmatch(text):
            return Rate(int(found[1]) * _SECONDS[found[2]])
        return parse_schedule(text)
    except (ScheduleRefused, ValueError):
        raise ExpressionRefused(f"Invalid Schedule Expression {text}.") from None


def parse_timezone(name: str) -> ZoneInfo:
    """The zone of that name. Raises ExpressionRefused."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ExpressionRefused(f"Invalid Schedule Expression Timezone {name}.") from None


@lru_cache(maxsize=4096)
def next_turn(timing: Timing, since: float) -> float | None:
    """The first turn later than `since`, or None when there is none any more."""
    rule, zone = parse_expression(timing.expression), parse_timezone(timing.timezone)
    if isinstance(rule, At):
        # AWS ignores StartDate and EndDate for one-time schedules.
        moment = rule.moment.replace(tzinfo=zone).timestamp()
        return moment if moment > since else None
    turn: float | None
    if isinstance(rule, Rate):
        turn = _next_of_rate(rule.seconds, timing, since)
    else:
        earliest = since if timing.start is None else max(since, timing.start - 0.001)
        try:
            turn = _next_of_cron(rule, zone, earliest)
        except (OverflowError, ValueError):
            return None  # A StartDate at the calendar's end.
    return None if turn is None or (timing.end is not None and turn > timing.end) else turn


def _next_of_rate(seconds: int, timing: Timing, since: float) -> float:
    first = timing.anchor if timing.start is None else timing.start
    if since < first:
        return first
    turn = first + ceil((since - first) / seconds) * seconds
    return turn if turn > since else turn + seconds


def _next_of_cron(rule: Schedule, zone: ZoneInfo, since: float) -> float | None:
    """Wall-clock turns as moments. What falls into the hour that spring skips does not run, and
    what falls into the hour that autumn repeats runs in its first pass alone.
    """
    wall = rule.next_after(_wall(since, zone))
    while wall is not None:
        local = datetime.fromtimestamp(wall, UTC).replace(tzinfo=zone, fold=0)
        turn = local.timestamp()
        if turn > since and _wall(turn, zone) == wall:
            return turn
        wall = rule.next_after(wall)
    return None


def _wall(moment: float, zone: ZoneInfo) -> float:
    """What a clock on that wall shows, as if it hung in UTC."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=UTC).timestamp()
