"""date_trunc, date_add, date_diff, last_day_of_month."""

from __future__ import annotations

from typing import Any

from services.athena import trino_types as t
from services.athena.dialect.casts import rounded
from services.athena.dialect.functions import function, mismatch, need
from services.athena.dialect.moment_arithmetic import (
    CLOCK_ZONED,
    ZONED,
    add_micros,
    add_months,
    local,
    rezoned,
)
from services.athena.dialect.typed import Typed, once
from services.athena.errors import QueryFailed

B = t.BIGINT


def _unit(b: Any, node: Any, value: Typed) -> str:
    if not isinstance(value.constant, str):
        raise b.unsupported(node, "a unit that is no literal")
    unit = value.constant.lower()
    if unit not in (
        "millisecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ):
        raise QueryFailed(f"INVALID_FUNCTION_ARGUMENT: '{unit}' is not a valid DATE field")
    return unit


@function("date_trunc")
def date_trunc(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "date_trunc", args, 2)
    unit, value = _unit(b, node, args[0]), args[1]
    kind = value.type
    if kind.name == "date":
        if unit in ("millisecond", "second", "minute", "hour"):
            raise b.refused(
                node, f"'{unit}' is not a valid DATE field", "INVALID_FUNCTION_ARGUMENT"
            )
        return Typed(f"CAST(date_trunc('{unit}', {value.sql}) AS DATE)", kind)
    if kind.name == "timestamp":
        return Typed(f"date_trunc('{unit}', {value.sql})", kind)
    if kind.name == ZONED:
        if unit in ("millisecond", "second", "minute"):
            return Typed(
                once(
                    value.sql,
                    lambda v: (
                        f"CASE WHEN {v} IS NOT NULL THEN {{'t': date_trunc('{unit}', ({v}).t), 'z': ({v}).z}} END"
                    ),
                ),
                kind,
            )
        return Typed(rezoned(f"date_trunc('{unit}', {local(value)})", value), kind)
    if kind.name in ("time", CLOCK_ZONED) and unit in ("day", "week", *_MONTHS):
        raise b.refused(node, f"'{unit}' is not a valid TIME field", "INVALID_FUNCTION_ARGUMENT")
    if kind.name == "time":
        return Typed(f"CAST(date_trunc('{unit}', DATE '1970-01-01' + {value.sql}) AS TIME)", kind)
    if kind.name == CLOCK_ZONED:
        return Typed(
            f"CASE WHEN {value.sql} IS NOT NULL THEN {{'t': CAST(date_trunc('{unit}', DATE '1970-01-01' + ({value.sql}).t) AS TIME), 'z': ({value.sql}).z}} END",
            kind,
        )
    if kind.name == "unknown":
        return Typed("CAST(NULL AS DATE)", t.DATE)
    raise mismatch(b, node, "date_trunc", args)


_MILLIS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@function("date_add")
def date_add(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "date_add", args, 3)
    unit, value = _unit(b, node, args[0]), args[2]
    count = b.coerce(args[1], B, node).sql
    kind = value.type
    if kind.name not in ("date", "timestamp", ZONED, "time", CLOCK_ZONED):
        raise mismatch(b, node, "date_add", args)
    if unit in _MONTHS:
        return add_months(b, node, value, f"{count} * {_MONTHS[unit]}")
    if kind.name == "date":
        if unit not in ("day", "week"):
            raise b.refused(
                node, f"'{unit}' is not a valid DATE field", "INVALID_FUNCTION_ARGUMENT"
            )
        return Typed(
            f"CAST({value.sql} + to_days(CAST({count} * {7 if unit == 'week' else 1} AS INTEGER)) AS DATE)",
            kind,
        )
    if kind.name in ("time", CLOCK_ZONED) and unit in ("day", "week"):
        raise b.refused(node, f"'{unit}' is not a valid TIME field", "INVALID_FUNCTION_ARGUMENT")
    if kind.name == ZONED and unit in ("day", "week"):
        step = f"to_days(CAST({count} * {7 if unit == 'week' else 1} AS INTEGER))"
        return Typed(rezoned(f"({local(value)} + {step})", value), kind)
    moved = add_micros(b, node, value, f"{count} * {_MILLIS[unit] * 1000}", 0)
    if unit == "millisecond" and kind.precision < 3:  # the result keeps the argument's precision
        digits = kind.precision
        if kind.name == "timestamp":
            return Typed(rounded(moved.sql, 3, digits), kind)
        if kind.name == "time":
            return Typed(rounded(moved.sql, 3, digits, "TIME"), kind)
        return Typed(
            f"CASE WHEN {value.sql} IS NOT NULL THEN {{'t': {rounded(f'({moved.sql}).t', 3, digits, 'TIME' if kind.name == CLOCK_ZONED else 'TIMESTAMP')}, 'z': ({value.sql}).z}} END",
            kind,
        )
    return Typed(moved.sql, kind)


@function("date_diff")
def date_diff(b: Any, node: Any, args: list[Typed]) -> Typed:
    """Full units between, towards zero."""
    need(b, node, "date_diff", args, 3)
    unit = _unit(b, node, args[0])
    x, y = b.unify(args[1:], node)
    if x.type.name == "unknown":
        return Typed("CAST(NULL AS BIGINT)", B)
    if x.type.name not in ("date", "timestamp", ZONED, "time", CLOCK_ZONED):
        raise mismatch(b, node, "date_diff", args)
    if x.type.name == ZONED and unit in _MONTHS:
        first = f"athena_local({x.sql})"
        second = f"athena_local(CASE WHEN {y.sql} IS NOT NULL THEN {{'t': ({y.sql}).t, 'z': ({x.sql}).z}} END)"
    elif x.type.name == ZONED:
        first, second = (
            f"make_timestamp(athena_floor_div(epoch_us(({v.sql}).t), 1000) * 1000)" for v in (x, y)
        )
    else:
        first, second = local(x), local(y)
    if unit in _MILLIS:
        return Typed(
            f"((epoch_us({second}) - epoch_us({first})) // 1000 // {_MILLIS[unit]})"
            if unit == "millisecond"
            else f"athena_units(epoch_us({first}), epoch_us({second}), {_MILLIS[unit] * 1000})",
            B,
        )
    return Typed(f"CAST(athena_months_between({first}, {second}) // {_MONTHS[unit]} AS BIGINT)", B)


@function("last_day_of_month")
def last_day_of_month(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "last_day_of_month", args, 1)
    if args[0].type.name not in ("date", "timestamp", ZONED, "unknown"):
        raise mismatch(b, node, "last_day_of_month", args)
    if args[0].type.name == "unknown":
        return Typed("CAST(NULL AS DATE)", t.DATE)
    return Typed(f"CAST(last_day({local(args[0])}) AS DATE)", t.DATE)
