"""EXTRACT, and the functions year(), day_of_week() …"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect.functions import function, mismatch, need
from services.athena.dialect.moment_arithmetic import CLOCK_ZONED, MONTHS, MS, ZONED, local
from services.athena.dialect.typed import Typed

B = t.BIGINT


_PARTS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "day",
    "day_of_month": "day", "day_of_week": "isodow", "dow": "isodow", "day_of_year": "doy", "doy": "doy",
    "year_of_week": "isoyear", "yow": "isoyear", "hour": "hour", "minute": "minute", "second": "second",
    "millisecond": "millisecond", "week_of_year": "week",
}  # fmt: skip
#: What EXTRACT takes, in the order of Trino's message.
_EXTRACTED = (
    "year", "quarter", "month", "week", "day", "day_of_month", "day_of_week", "dow", "day_of_year", "doy",
    "year_of_week", "yow", "hour", "minute", "second", "timezone_minute", "timezone_hour",
)  # fmt: skip
_DATE_PARTS = {"hour", "minute", "second", "millisecond"}


def extract(b: Any, node: Any, field: str, value: Typed) -> Typed:
    """EXTRACT, and the functions year(), day_of_week() …"""
    field = {
        "dayofweek": "dow",
        "dayofyear": "doy",
        "weekofyear": "week",
        "dayofmonth": "day",
        "yearofweek": "yow",
        "week_of_year": "week",
    }.get(field, field)
    if isinstance(node, exp.Extract) and (field not in _EXTRACTED or value.type.name == "unknown"):
        if field not in _EXTRACTED:
            valid = ", ".join(_EXTRACTED).upper()
            raise b.refused(node, f"Invalid EXTRACT field {field}, valid fields are: {valid}")
        raise b.refused(
            node.expression, f"Cannot extract {field.upper()} from unknown", "TYPE_MISMATCH"
        )
    if field in ("timezone_hour", "timezone_minute"):
        return zone_part(b, node, field, value)
    kind = value.type.name
    if kind == "unknown":
        return Typed("CAST(NULL AS BIGINT)", B)
    if kind == MS:
        divisors = {
            "day": (86_400_000, None),
            "hour": (3_600_000, 24),
            "minute": (60_000, 60),
            "second": (1000, 60),
            "millisecond": (1, 1000),
        }
        if field not in divisors:
            raise _bad_field(b, node, field, value)
        by, modulo = divisors[field]
        return Typed(f"({value.sql} // {by})" + (f" % {modulo}" if modulo else ""), B)
    if kind == MONTHS:
        if field not in ("year", "month"):
            raise _bad_field(b, node, field, value)
        word = f"{value.sql} // 12" if field == "year" else f"{value.sql} % 12"
        return Typed(f"CAST({word} AS BIGINT)", B)
    if field not in _PARTS or kind not in ("date", "timestamp", ZONED, "time", CLOCK_ZONED):
        raise _bad_field(b, node, field, value)
    clock = kind in ("time", CLOCK_ZONED)
    if (clock and field not in _DATE_PARTS) or (kind == "date" and field in _DATE_PARTS):
        raise _bad_field(b, node, field, value)
    moment = local(value)
    if field == "millisecond":
        return Typed(f"CAST(date_part('microsecond', {moment}) // 1000 % 1000 AS BIGINT)", B)
    return Typed(f"CAST(date_part('{_PARTS[field]}', {moment}) AS BIGINT)", B)


def _bad_field(b: Any, node: Any, field: str, value: Typed) -> Exception:
    place, shown = node, field
    if isinstance(node, exp.Extract):
        place, shown = node.expression, field.upper()
    error: Exception = b.refused(
        place, f"Cannot extract {shown} from {value.type}", "TYPE_MISMATCH"
    )
    return error


_MOMENTS = frozenset(("date", "timestamp", ZONED, "time", CLOCK_ZONED, MS, MONTHS, "unknown"))


def _part_function(name: str) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 1)
        if args[0].type.name == "date" and name in _DATE_PARTS:
            return Typed(f"CASE WHEN {args[0].sql} IS NOT NULL THEN CAST(0 AS BIGINT) END", B)
        if args[0].type.name not in _MOMENTS:
            raise mismatch(b, node, name, args)
        return extract(b, node, name, args[0])


for _name in _PARTS:
    if _name not in ("dow", "doy", "yow"):
        _part_function(_name)
_part_function("dow")
_part_function("doy")
_part_function("yow")


@function("timezone_hour")
def timezone_hour(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _zone_function(b, node, "timezone_hour", args)


@function("timezone_minute")
def timezone_minute(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _zone_function(b, node, "timezone_minute", args)


def _zone_function(b: Any, node: Any, name: str, args: list[Typed]) -> Typed:
    """What has no zone is in the session's, which is UTC."""
    need(b, node, name, args, 1)
    if args[0].type.name in ("date", "timestamp", "time", "unknown"):
        return Typed(f"CASE WHEN {args[0].sql} IS NOT NULL THEN CAST(0 AS BIGINT) END", B)
    return zone_part(b, node, name, args[0])


def zone_part(b: Any, node: Any, field: str, value: Typed) -> Typed:
    if value.type.name == ZONED:
        minutes = f"((epoch_us(athena_local({value.sql})) - epoch_us(({value.sql}).t)) // 60000000)"
    elif value.type.name == CLOCK_ZONED:
        minutes = f"athena_offset_minutes(({value.sql}).z)"
    else:
        raise _bad_field(b, node, field, value)
    word = f"{minutes} // 60" if field == "timezone_hour" else f"{minutes} % 60"
    return Typed(f"CAST({word} AS BIGINT)", B)
