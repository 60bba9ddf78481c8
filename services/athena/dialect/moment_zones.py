"""Now, and time zones."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, expressions
from services.athena.dialect.functions import function, mismatch, need, overloads, text_of
from services.athena.dialect.moment_arithmetic import CLOCK_ZONED, MS, ZONED
from services.athena.dialect.typed import Typed, text
from services.athena.trino_types import Type

V, B = t.VARCHAR, t.BIGINT


def _now(b: Any) -> str:
    micros = int(b.now * 1_000_000)
    return f"make_timestamp(CAST({micros} AS BIGINT))"


@function("current_timestamp", "now")
def current_timestamp(b: Any, node: Any, args: list[Typed]) -> Typed:
    digits = args[0].constant if args and isinstance(args[0].constant, int) else 3
    step = 10 ** (6 - min(digits, 6))
    return Typed(
        f"athena_zoned(make_timestamp(epoch_us({_now(b)}) // {step} * {step}), 'UTC')",
        t.timestamp_tz(min(digits, 6)),
    )


@function("localtimestamp")
def localtimestamp(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"date_trunc('millisecond', {_now(b)})", t.TIMESTAMP)


@function("localtime")
def localtime(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"CAST(date_trunc('millisecond', {_now(b)}) AS TIME)", t.TIME)


@function("current_time")
def current_time(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(
        f"{{'t': CAST(date_trunc('millisecond', {_now(b)}) AS TIME), 'z': '+00:00'}}",
        Type(CLOCK_ZONED, (3,)),
    )


@function("current_date")
def current_date(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"CAST({_now(b)} AS DATE)", t.DATE)


overloads("current_timezone", ([], V, "'UTC'"))

for _word, _bound in (
    ("current_date", current_date),
    ("current_timestamp", current_timestamp),
    ("localtimestamp", localtimestamp),
    ("localtime", localtime),
    ("current_time", current_time),
):
    expressions.BARE_WORDS[_word] = lambda b, maker=_bound: maker(b, None, [])  # type: ignore[misc]


@function("at_timezone")
def at_timezone(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "at_timezone", args, 2)
    value = args[0]
    if isinstance(node, exp.AtTimeZone) and value.type.name in ("date", "unknown"):
        raise b.refused(
            node,
            f"Type of value must be a time or timestamp with or without time zone (actual {value.type})",
            "TYPE_MISMATCH",
        )
    if value.type.name in ("timestamp", ZONED) and value.type.precision > 6:
        raise b.unsupported(node, f"{value.type} in another zone: more than 6 fractional digits")
    if value.type.name in ("timestamp", "date"):
        value = coercion.coerced(
            value, t.timestamp_tz(value.type.precision if value.type.name == "timestamp" else 0)
        )
    if value.type.name in ("time", CLOCK_ZONED):
        return _clock_at(b, node, value, args[1])
    if value.type.name != ZONED:
        raise mismatch(b, node, "at_timezone", args)
    zone = zone_of(b, node, args[1])
    return Typed(
        f"CASE WHEN {value.sql} IS NOT NULL AND {zone} IS NOT NULL THEN {{'t': ({value.sql}).t, 'z': {zone}}} END",
        value.type,
    )


def _clock_at(b: Any, node: Any, value: Typed, zone: Typed) -> Typed:
    """A time in another zone: with the offset the zone has now."""
    name = zone_of(b, node, zone)
    now = f"make_timestamp(CAST({int(b.now * 1_000_000)} AS BIGINT))"
    minutes = (
        f"((epoch_us(athena_local({{'t': {now}, 'z': {name}}})) - epoch_us({now})) // 60000000)"
    )
    clock, before = value.sql, "0"
    if value.type.name == CLOCK_ZONED:
        clock, before = f"({value.sql}).t", f"athena_offset_minutes(({value.sql}).z)"
    moved = f"CAST(DATE '1970-01-01' + {clock} + to_minutes(CAST({minutes} - {before} AS INTEGER)) AS TIME)"
    return Typed(
        f"CASE WHEN {value.sql} IS NOT NULL AND {name} IS NOT NULL THEN {{'t': {moved}, 'z': athena_clock_offset({minutes})}} END",
        Type(CLOCK_ZONED, (value.type.precision,)),
    )


def zone_of(b: Any, node: Any, value: Typed) -> str:
    if value.type.name == MS:
        return f"athena_offset_name({value.sql} // 60000)"
    if isinstance(value.constant, str):
        from services.athena.dialect.literals import zone_name
        from services.athena.python_moments import is_zone

        name = zone_name(value.constant)
        if not is_zone(name):
            raise b.refused(
                node, f"'{value.constant}' is not a valid time zone", "INVALID_FUNCTION_ARGUMENT"
            )
        return text(name)
    return f"athena_zone_name({text_of(b, node, value)})"


@function("with_timezone")
def with_timezone(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "with_timezone", args, 2)
    value = args[0] if args[0].type.name == "timestamp" else b.coerce(args[0], t.timestamp(0), node)
    return Typed(
        f"athena_from_local({value.sql}, {zone_of(b, node, args[1])})",
        t.timestamp_tz(value.type.precision),
    )


@function("timezone")
def timezone(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "timezone", args, 1)
    kind = args[0].type.name
    if kind in (ZONED, CLOCK_ZONED):
        return Typed(f"({args[0].sql}).z", V)
    if kind not in ("date", "timestamp", "time", "unknown"):
        raise mismatch(b, node, "timezone", args)
    zone = "+00:00" if kind == "time" else "UTC"  # the session's
    return Typed(f"CASE WHEN {args[0].sql} IS NOT NULL THEN '{zone}' END", V)
