"""Dates, times, timestamps, zones and intervals."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, expressions
from services.athena.dialect.casts import rounded
from services.athena.dialect.functions import function, mismatch, need, overloads, text_of
from services.athena.dialect.typed import Typed, text
from services.athena.trino_types import Type

_ZONED, _CLOCK_ZONED = "timestamp with time zone", "time with time zone"
MS, MONTHS = "interval day to second", "interval year to month"
V, B, D = t.VARCHAR, t.BIGINT, t.DOUBLE


def local(value: Typed) -> str:
    """The wall-clock timestamp of a moment, in its own zone."""
    match value.type.name:
        case "timestamp with time zone":
            return f"athena_local({value.sql})"
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


# --- arithmetic


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
    if operator == "-" and l == r and l in ("date", "timestamp", _ZONED, "time"):
        return _between(left, right)
    if operator == "-" and {l, r} <= {"date", "timestamp", _ZONED}:
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
    if x.type.name == _ZONED:
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
    return _add_micros(
        b, node, moment, f"{millis} * 1000" if operator == "+" else f"-({millis}) * 1000", 3
    )


def _add_micros(b: Any, node: Any, moment: Typed, micros: str, digits: int) -> Typed:
    """Exact distance on the time line; the result shows at least milliseconds only if asked."""
    kind = moment.type
    step = f"to_microseconds({micros})"
    if kind.name == "timestamp":
        wanted = t.timestamp(max(kind.precision, digits))
        return Typed(f"({moment.sql} + {step})", wanted)
    if kind.name == _ZONED:
        wanted = t.timestamp_tz(max(kind.precision, digits))
        return Typed(
            f"CASE WHEN {moment.sql} IS NOT NULL THEN {{'t': ({moment.sql}).t + {step}, 'z': ({moment.sql}).z}} END",
            wanted,
        )
    if kind.name == "time":
        wanted = Type("time", (max(kind.precision, digits),))
        return Typed(f"CAST(DATE '1970-01-01' + {moment.sql} + {step} AS TIME)", wanted)
    if kind.name == _CLOCK_ZONED:
        wanted = Type(_CLOCK_ZONED, (max(kind.precision, digits),))
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
    if kind.name == _ZONED:
        return Typed(rezoned(f"({local(moment)} + {step})", moment), kind)
    raise b.refused(node, f"Cannot add a year to month interval to {kind}", "TYPE_MISMATCH")


# --- parts


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
    if field not in _PARTS or kind not in ("date", "timestamp", _ZONED, "time", _CLOCK_ZONED):
        raise _bad_field(b, node, field, value)
    clock = kind in ("time", _CLOCK_ZONED)
    if (clock and field not in _DATE_PARTS) or (kind == "date" and field in _DATE_PARTS):
        raise _bad_field(b, node, field, value)
    moment = local(value)
    if field == "millisecond":
        return Typed(f"CAST(date_part('microsecond', {moment}) // 1000 % 1000 AS BIGINT)", B)
    return Typed(f"CAST(date_part('{_PARTS[field]}', {moment}) AS BIGINT)", B)


def _bad_field(b: Any, node: Any, field: str, value: Typed) -> Exception:
    error: Exception = b.refused(node, f"Cannot extract {field} from {value.type}", "TYPE_MISMATCH")
    return error


def _part_function(name: str) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 1)
        if args[0].type.name == "date" and name in _DATE_PARTS:
            return Typed(f"CASE WHEN {args[0].sql} IS NOT NULL THEN CAST(0 AS BIGINT) END", B)
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
    if value.type.name == _ZONED:
        minutes = f"((epoch_us(athena_local({value.sql})) - epoch_us(({value.sql}).t)) // 60000000)"
    elif value.type.name == _CLOCK_ZONED:
        minutes = f"athena_offset_minutes(({value.sql}).z)"
    else:
        raise _bad_field(b, node, field, value)
    word = f"{minutes} // 60" if field == "timezone_hour" else f"{minutes} % 60"
    return Typed(f"CAST({word} AS BIGINT)", B)


# --- date_trunc, date_add, date_diff


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
        raise b.refused(node, f"'{unit}' is not a valid DATE field", "INVALID_FUNCTION_ARGUMENT")
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
    if kind.name == _ZONED:
        if unit in ("millisecond", "second", "minute"):
            return Typed(
                f"CASE WHEN {value.sql} IS NOT NULL THEN {{'t': date_trunc('{unit}', ({value.sql}).t), 'z': ({value.sql}).z}} END",
                kind,
            )
        return Typed(rezoned(f"date_trunc('{unit}', {local(value)})", value), kind)
    if kind.name in ("time", _CLOCK_ZONED) and unit in ("day", "week", *_MONTHS):
        raise b.refused(node, f"'{unit}' is not a valid TIME field", "INVALID_FUNCTION_ARGUMENT")
    if kind.name == "time":
        return Typed(f"CAST(date_trunc('{unit}', DATE '1970-01-01' + {value.sql}) AS TIME)", kind)
    if kind.name == _CLOCK_ZONED:
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
    if kind.name not in ("date", "timestamp", _ZONED, "time", _CLOCK_ZONED):
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
    if kind.name in ("time", _CLOCK_ZONED) and unit in ("day", "week"):
        raise b.refused(node, f"'{unit}' is not a valid TIME field", "INVALID_FUNCTION_ARGUMENT")
    if kind.name == _ZONED and unit in ("day", "week"):
        step = f"to_days(CAST({count} * {7 if unit == 'week' else 1} AS INTEGER))"
        return Typed(rezoned(f"({local(value)} + {step})", value), kind)
    moved = _add_micros(b, node, value, f"{count} * {_MILLIS[unit] * 1000}", 0)
    if unit == "millisecond" and kind.precision < 3:  # the result keeps the argument's precision
        digits = kind.precision
        if kind.name == "timestamp":
            return Typed(rounded(moved.sql, 3, digits), kind)
        if kind.name == "time":
            return Typed(rounded(moved.sql, 3, digits, "TIME"), kind)
        return Typed(
            f"CASE WHEN {value.sql} IS NOT NULL THEN {{'t': {rounded(f'({moved.sql}).t', 3, digits, 'TIME' if kind.name == _CLOCK_ZONED else 'TIMESTAMP')}, 'z': ({value.sql}).z}} END",
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
    if x.type.name not in ("date", "timestamp", _ZONED, "time", _CLOCK_ZONED):
        raise mismatch(b, node, "date_diff", args)
    if x.type.name == _ZONED and unit in _MONTHS:
        first = f"athena_local({x.sql})"
        second = f"athena_local(CASE WHEN {y.sql} IS NOT NULL THEN {{'t': ({y.sql}).t, 'z': ({x.sql}).z}} END)"
    elif x.type.name == _ZONED:
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
    if args[0].type.name not in ("date", "timestamp", _ZONED, "unknown"):
        raise mismatch(b, node, "last_day_of_month", args)
    if args[0].type.name == "unknown":
        return Typed("CAST(NULL AS DATE)", t.DATE)
    return Typed(f"CAST(last_day({local(args[0])}) AS DATE)", t.DATE)


# --- now


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
        Type(_CLOCK_ZONED, (3,)),
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
    expressions._BARE_WORDS[_word] = lambda b, maker=_bound: maker(b, None, [])  # type: ignore[misc]


# --- zones


@function("at_timezone")
def at_timezone(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "at_timezone", args, 2)
    value = args[0]
    if value.type.name in ("timestamp", "date"):
        value = coercion.coerced(
            value, t.timestamp_tz(value.type.precision if value.type.name == "timestamp" else 0)
        )
    if value.type.name in ("time", _CLOCK_ZONED):
        return _clock_at(b, node, value, args[1])
    if value.type.name != _ZONED:
        raise mismatch(b, node, "at_timezone", args)
    zone = _zone(b, node, args[1])
    return Typed(
        f"CASE WHEN {value.sql} IS NOT NULL AND {zone} IS NOT NULL THEN {{'t': ({value.sql}).t, 'z': {zone}}} END",
        value.type,
    )


def _clock_at(b: Any, node: Any, value: Typed, zone: Typed) -> Typed:
    """A time in another zone: with the offset the zone has now."""
    name = _zone(b, node, zone)
    now = f"make_timestamp(CAST({int(b.now * 1_000_000)} AS BIGINT))"
    minutes = (
        f"((epoch_us(athena_local({{'t': {now}, 'z': {name}}})) - epoch_us({now})) // 60000000)"
    )
    clock, before = value.sql, "0"
    if value.type.name == _CLOCK_ZONED:
        clock, before = f"({value.sql}).t", f"athena_offset_minutes(({value.sql}).z)"
    moved = f"CAST(DATE '1970-01-01' + {clock} + to_minutes(CAST({minutes} - {before} AS INTEGER)) AS TIME)"
    return Typed(
        f"CASE WHEN {value.sql} IS NOT NULL AND {name} IS NOT NULL THEN {{'t': {moved}, 'z': athena_clock_offset({minutes})}} END",
        Type(_CLOCK_ZONED, (value.type.precision,)),
    )


def _zone(b: Any, node: Any, value: Typed) -> str:
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
        f"athena_from_local({value.sql}, {_zone(b, node, args[1])})",
        t.timestamp_tz(value.type.precision),
    )


@function("timezone")
def timezone(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "timezone", args, 1)
    kind = args[0].type.name
    if kind in (_ZONED, _CLOCK_ZONED):
        return Typed(f"({args[0].sql}).z", V)
    if kind not in ("date", "timestamp", "time", "unknown"):
        raise mismatch(b, node, "timezone", args)
    zone = "+00:00" if kind == "time" else "UTC"  # the session's
    return Typed(f"CASE WHEN {args[0].sql} IS NOT NULL THEN '{zone}' END", V)


# --- epochs and texts


@function("from_unixtime")
def from_unixtime(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "from_unixtime", args, 1, 2, 3)
    seconds = b.coerce(args[0], D, node).sql
    moment = f"make_timestamp(CAST(athena_round_half_up({seconds} * 1000) AS BIGINT) * 1000)"
    if len(args) == 1:
        return Typed(f"athena_at({moment}, 'UTC')", t.timestamp_tz(3))
    if len(args) == 2:
        zone = _zone(b, node, args[1])
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
    if value.type.name not in ("date", "timestamp", _ZONED):
        raise mismatch(b, node, "to_unixtime", args)
    moment = f"({value.sql}).t" if value.type.name == _ZONED else local(value)
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
    return Typed(
        f"athena_unpack_zoned(athena_iso_moment({text_of(b, node, args[0])}, 3))", t.timestamp_tz(3)
    )


@function("from_iso8601_timestamp_nanos")
def from_iso8601_timestamp_nanos(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(
        f"athena_unpack_zoned(athena_iso_moment({text_of(b, node, args[0])}, 6))", t.timestamp_tz(6)
    )


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
    if value.type.name == _ZONED:
        minutes = f"((epoch_us(athena_local({value.sql})) - epoch_us(({value.sql}).t)) // 60000000)"
        zone = f"CASE WHEN {minutes} = 0 THEN 'Z' ELSE athena_offset_name({minutes}) END"
        return Typed(f"({iso} || {zone})", t.varchar(28 + digits + (digits > 0)))
    if value.type.name != "timestamp":
        raise mismatch(b, node, "to_iso8601", args)
    return Typed(iso, t.varchar(22 + digits + (digits > 0)))


def _formatted(name: str, maker: str) -> None:
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
        if value.type.name not in ("date", "timestamp", _ZONED):
            raise mismatch(b, node, name, args)
        zone = f"({value.sql}).z" if value.type.name == _ZONED else "'UTC'"
        moment = local(value)
        if value.type.name != "date" and value.type.precision > 3:  # Joda counts milliseconds
            moment = rounded(moment, value.type.precision, 3)
        return Typed(f"{maker}({moment}, {pattern}, {zone})", V)


_formatted("date_format", "athena_date_format")
_formatted("format_datetime", "athena_format_datetime")


@function("date_parse")
def date_parse(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "date_parse", args, 2)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    return Typed(f"date_trunc('millisecond', athena_date_parse({x}, {pattern}))", t.timestamp(3))


@function("parse_datetime")
def parse_datetime(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "parse_datetime", args, 2)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    return Typed(f"athena_unpack_zoned(athena_parse_datetime({x}, {pattern}))", t.timestamp_tz(3))
