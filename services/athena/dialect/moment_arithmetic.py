"""Moments and intervals with `+ - * /`."""

from __future__ import annotations

from typing import Any

from services.athena import trino_types as t
from services.athena.dialect import coercion
from services.athena.dialect.typed import Typed, once
from services.athena.trino_types import Type

ZONED, CLOCK_ZONED = "timestamp with time zone", "time with time zone"
MS, MONTHS = "interval day to second", "interval year to month"


def local(value: Typed) -> str:
    """The wall-clock timestamp of a moment, in its own zone."""
    match value.type.name:
        case "timestamp with time zone":
            return value.wall or once(value.sql, lambda v: f"athena_local({v})")
        case "date":
            return f"CAST({value.sql} AS TIMESTAMP)"
        case "time":
            return f"(DATE '1970-01-01' + {value.sql})"
        case "time with time zone":
            return f"(DATE '1970-01-01' + ({value.sql}).t)"
    return value.sql


def rezoned(moment: str, value: Typed) -> str:
    """A wall-clock timestamp back as a moment in the zone of `value`."""
    return f"athena_from_local({moment}, ({value.sql}).z)"


def arithmetic(b: Any, node: Any, operator: str, left: Typed, right: Typed) -> Typed:
    """Moments and intervals with `+ - * /`."""
    intervals = (MS, MONTHS)
    l, r = left.type.name, right.type.name  # noqa: E741
    if l in intervals and r in intervals and l == r and operator in "+-":
        return Typed(f"({left.sql} {operator} {right.sql})", left.type)
    if operator == "*" and r in intervals and coercion.is_numeric(left.type):
        return _scaled(right, left, "*")
    if l in intervals and coercion.is_numeric(right.type) and operator in "*/":
        return _scaled(left, right, operator)
    if l in intervals and operator == "+" and r not in intervals:
        return _moved(b, node, right, left, "+")
    if r in intervals and operator in "+-":
        return _moved(b, node, left, right, operator)
    if operator == "-" and l == r and l in ("date", "timestamp", ZONED, "time"):
        return _between(left, right)
    if operator == "-" and {l, r} <= {"date", "timestamp", ZONED}:
        x, y = b.unify([left, right], node)
        return _between(x, y)
    if "unknown" in (l, r) and operator in "+-":
        other = left if r == "unknown" else right
        if operator == "-" and l == "unknown" and r not in intervals:
            return Typed("CAST(NULL AS BIGINT)", t.DAY_TO_SECOND)
        return Typed(f"CAST(NULL AS {t.duck_type(other.type)})", other.type)
    raise b.refused(
        node, f"Cannot apply operator: {left.type} {operator} {right.type}", "TYPE_MISMATCH"
    )


def _scaled(interval: Typed, number: Typed, operator: str) -> Typed:
    kind = t.duck_type(interval.type)
    if coercion.is_integer(number.type) and operator == "*":
        return Typed(f"CAST({interval.sql} * {number.sql} AS {kind})", interval.type)
    word = f"CAST({interval.sql} AS DOUBLE) {operator} CAST({number.sql} AS DOUBLE)"
    return Typed(f"CAST(trunc({word}) AS {kind})", interval.type)


def _between(x: Typed, y: Typed) -> Typed:
    if x.type.name == ZONED:
        return Typed(
            f"athena_round_millis(epoch_us(({x.sql}).t) - epoch_us(({y.sql}).t))", t.DAY_TO_SECOND
        )
    a, c = local(x), local(y)
    return Typed(f"athena_round_millis(epoch_us({a}) - epoch_us({c}))", t.DAY_TO_SECOND)


def _moved(b: Any, node: Any, moment: Typed, interval: Typed, operator: str) -> Typed:
    if interval.type.name == MONTHS:
        return add_months(
            b, node, moment, f"({operator}{interval.sql})" if operator == "-" else interval.sql
        )
    millis = interval.sql
    kind = moment.type
    if kind.name == "date":
        fits = f"{millis} % 86400000 <> 0"
        problem = b.fail(
            "'INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date'"
        )
        moved = (
            f"CAST({moment.sql} {operator} to_days(CAST({millis} // 86400000 AS INTEGER)) AS DATE)"
        )
        return Typed(f"CASE WHEN {fits} THEN CAST({problem} AS DATE) ELSE {moved} END", kind)
    return add_micros(
        b, node, moment, f"{millis} * 1000" if operator == "+" else f"-({millis}) * 1000", 3
    )


def add_micros(b: Any, node: Any, moment: Typed, micros: str, digits: int) -> Typed:
    """Exact distance on the time line; the result shows at least milliseconds only if asked."""
    kind = moment.type
    step = f"to_microseconds({micros})"
    if kind.name == "timestamp":
        wanted = t.timestamp(max(kind.precision, digits))
        return Typed(f"({moment.sql} + {step})", wanted)
    if kind.name == ZONED:
        wanted = t.timestamp_tz(max(kind.precision, digits))
        return Typed(
            f"CASE WHEN {moment.sql} IS NOT NULL THEN {{'t': ({moment.sql}).t + {step}, 'z': ({moment.sql}).z}} END",
            wanted,
        )
    if kind.name == "time":
        wanted = Type("time", (max(kind.precision, digits),))
        return Typed(f"CAST(DATE '1970-01-01' + {moment.sql} + {step} AS TIME)", wanted)
    if kind.name == CLOCK_ZONED:
        wanted = Type(CLOCK_ZONED, (max(kind.precision, digits),))
        return Typed(
            f"CASE WHEN {moment.sql} IS NOT NULL THEN {{'t': CAST(DATE '1970-01-01' + ({moment.sql}).t + {step} AS TIME), 'z': ({moment.sql}).z}} END",
            wanted,
        )
    raise b.refused(node, f"Cannot add an interval to {kind}", "TYPE_MISMATCH")


def add_months(b: Any, node: Any, moment: Typed, months: str) -> Typed:
    """Months on the calendar; the day is cut to the month's last."""
    kind = moment.type
    step = f"to_months(CAST({months} AS INTEGER))"
    if kind.name == "date":
        return Typed(f"CAST({moment.sql} + {step} AS DATE)", kind)
    if kind.name == "timestamp":
        return Typed(f"({moment.sql} + {step})", kind)
    if kind.name == ZONED:
        return Typed(rezoned(f"({local(moment)} + {step})", moment), kind)
    raise b.refused(node, f"Cannot add a year to month interval to {kind}", "TYPE_MISMATCH")
