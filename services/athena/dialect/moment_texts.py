"""Moments from and to numbers and texts: epochs, ISO 8601, MySQL's and Joda's patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.athena import trino_types as t
from services.athena.dialect import native_moments
from services.athena.dialect.casts import rounded
from services.athena.dialect.functions import function, mismatch, need, text_of
from services.athena.dialect.moment_arithmetic import ZONED, local
from services.athena.dialect.moment_zones import zone_of
from services.athena.dialect.typed import Typed, once, text

V, B, D = t.VARCHAR, t.BIGINT, t.DOUBLE


@function("from_unixtime")
def from_unixtime(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "from_unixtime", args, 1, 2, 3)
    seconds = b.coerce(args[0], D, node).sql
    moment = f"make_timestamp(CAST(athena_round_half_up({seconds} * 1000) AS BIGINT) * 1000)"
    if len(args) == 1:
        return Typed(f"athena_at({moment}, 'UTC')", t.timestamp_tz(3))
    if len(args) == 2:
        zone = zone_of(b, node, args[1])
    else:
        hours, minutes = (b.coerce(a, B, node).sql for a in args[1:])
        zone = f"athena_offset_name({hours} * 60 + {minutes})"
    return Typed(f"athena_at({moment}, {zone})", t.timestamp_tz(3))


@function("from_unixtime_nanos")
def from_unixtime_nanos(b: Any, node: Any, args: list[Typed]) -> Typed:
    nanos = b.coerce(args[0], B, node).sql
    finer = b.fail("'NOT_SUPPORTED: from_unixtime_nanos: a moment finer than a microsecond'")
    return Typed(
        f"CASE WHEN {nanos} % 1000 <> 0 THEN CAST({finer} AS {t.duck_type(t.TIMESTAMP_TZ)}) "
        f"ELSE athena_at(make_timestamp({nanos} // 1000), 'UTC') END",
        t.timestamp_tz(9),
    )


@function("to_unixtime")
def to_unixtime(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "to_unixtime", args, 1)
    value = args[0]
    if value.type.name == "unknown":
        return Typed("CAST(NULL AS DOUBLE)", D)
    if value.type.name not in ("date", "timestamp", ZONED):
        raise mismatch(b, node, "to_unixtime", args)
    moment = f"({value.sql}).t" if value.type.name == ZONED else local(value)
    return Typed(f"(CAST(epoch_us({moment}) AS DOUBLE) / 1000000)", D)


@function("to_milliseconds")
def to_milliseconds(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(b.coerce(args[0], t.DAY_TO_SECOND, node).sql, B)


@function("date")
def date(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "date", args, 1)
    found: Typed = b.cast(args[0], t.DATE, node)
    return found


@function("from_iso8601_date")
def from_iso8601_date(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"CAST(athena_iso_date({text_of(b, node, args[0])}) AS DATE)", t.DATE)


@function("from_iso8601_timestamp")
def from_iso8601_timestamp(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "from_iso8601_timestamp", args, 1)
    return _iso_moment(text_of(b, node, args[0]), 3)


@function("from_iso8601_timestamp_nanos")
def from_iso8601_timestamp_nanos(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _iso_moment(text_of(b, node, args[0]), 6)


def _iso_moment(x: str, digits: int) -> Typed:
    """What machines write, in UTC, is read natively."""
    globs = " ".join(f"WHEN {size} THEN {text(g)}" for size, g in native_moments.ISO_IN_UTC.items())
    kind = t.timestamp_tz(digits)

    def is_native(v: str) -> str:
        # T24:00 is the next day's midnight for DuckDB
        return f"{v} GLOB CASE strlen({v}) {globs} END AND NOT contains({v}, 'T24')"

    def native(v: str) -> str:
        cut = (
            f"date_trunc('millisecond', TRY_CAST({v} AS TIMESTAMP))"
            if digits == 3
            else f"TRY_CAST({v} AS TIMESTAMP)"
        )
        return f"coalesce({cut}, (athena_iso_moment({v}, {digits})).t)"

    def local_of(v: str) -> str:
        return once(f"athena_iso_moment({v}, {digits})", lambda m: f"athena_local({m})")

    return Typed(
        once(x, lambda v: f"CASE WHEN {is_native(v)} THEN {{'t': {native(v)}, 'z': 'UTC'}} "
             f"ELSE athena_iso_moment({v}, {digits}) END"),
        kind,
        wall=once(x, lambda v: f"CASE WHEN {is_native(v)} THEN {native(v)} ELSE {local_of(v)} END"),
    )  # fmt: skip


@function("to_iso8601")
def to_iso8601(b: Any, node: Any, args: list[Typed]) -> Typed:
    from services.athena import rendering

    need(b, node, "to_iso8601", args, 1)
    value = args[0]
    if value.type.name in ("date", "unknown"):
        shown = (
            rendering.rendered(value.sql, t.DATE)
            if value.type.name == "date"
            else "CAST(NULL AS VARCHAR)"
        )
        return Typed(shown, t.varchar(16))
    digits = value.type.precision
    shown = rendering.timestamp_text(local(value), digits)
    iso = f"replace({shown}, ' ', 'T')"
    if value.type.name == ZONED:
        minutes = f"((epoch_us(athena_local({value.sql})) - epoch_us(({value.sql}).t)) // 60000000)"
        zone = f"CASE WHEN {minutes} = 0 THEN 'Z' ELSE athena_offset_name({minutes}) END"
        return Typed(f"({iso} || {zone})", t.varchar(28 + digits + (digits > 0)))
    if value.type.name != "timestamp":
        raise mismatch(b, node, "to_iso8601", args)
    return Typed(iso, t.varchar(22 + digits + (digits > 0)))


def _formatted(name: str, maker: str, writer: Callable[[str], str | None]) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 2)
        value, pattern = args[0], text_of(b, node, args[1])
        if value.type.name == "unknown":
            return Typed("CAST(NULL AS VARCHAR)", V)
        if name == "format_datetime" and value.type.name in ("date", "timestamp"):
            zoned = f"regexp_matches(regexp_replace({pattern}, chr(39) || '[^' || chr(39) || ']*' || chr(39), '', 'g'), '[zZ]')"
            problem = b.fail(
                "'INVALID_FUNCTION_ARGUMENT: format_datetime for TIMESTAMP type, cannot use ''Z'' nor ''z'' in format, as this type does not contain TZ information'"
            )
            pattern = f"CASE WHEN {zoned} THEN {problem} ELSE {pattern} END"
        if value.type.name not in ("date", "timestamp", ZONED):
            raise mismatch(b, node, name, args)
        zone = f"({value.sql}).z" if value.type.name == ZONED else "'UTC'"
        moment = local(value)
        if value.type.name != "date" and value.type.precision > 3:  # Joda counts milliseconds
            moment = rounded(moment, value.type.precision, 3)
        form = writer(args[1].constant) if isinstance(args[1].constant, str) else None
        if form is None:
            return Typed(f"{maker}({moment}, {pattern}, {zone})", V)
        # Java writes years before 1 otherwise than DuckDB.
        return Typed(
            once(moment, lambda v: f"CASE WHEN {v} >= TIMESTAMP '0001-01-01' THEN strftime({v}, {text(form)}) "
                 f"ELSE {maker}({v}, {pattern}, 'UTC') END"),
            V,
        )  # fmt: skip


_formatted("date_format", "athena_date_format", native_moments.mysql_writer)
_formatted("format_datetime", "athena_format_datetime", native_moments.joda_writer)


@function("date_parse")
def date_parse(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "date_parse", args, 2)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    moment = f"athena_date_parse({x}, {pattern})"
    if reader := _reader(args[1], native_moments.mysql_reader):
        moment = once(x, lambda v: f"coalesce({reader.sql(v)}, athena_date_parse({v}, {pattern}))")
    return Typed(f"date_trunc('millisecond', {moment})", t.timestamp(3))


def _reader(
    pattern: Typed, find: Callable[[str], native_moments.Reader | None]
) -> native_moments.Reader | None:
    return find(pattern.constant) if isinstance(pattern.constant, str) else None


@function("parse_datetime")
def parse_datetime(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "parse_datetime", args, 2)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    asked = "athena_parse_datetime({}, {})"
    reader = _reader(args[1], native_moments.joda_reader)
    if reader is None:
        return Typed(asked.format(x, pattern), t.timestamp_tz(3))

    def utc(v: str) -> str:
        return f"coalesce({reader.sql(v)}, ({asked.format(v, pattern)}).t)"

    zoned = once(x, lambda v: f"CASE WHEN {v} IS NOT NULL THEN {{'t': {utc(v)}, 'z': 'UTC'}} END")
    return Typed(zoned, t.timestamp_tz(3), wall=once(x, utc))
