"""Literals: `TIMESTAMP '…'`, `INTERVAL '…'`, numbers, as typed SQL."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from services.athena import trino_types as t
from services.athena.dialect.typed import Typed, text
from services.athena.trino_types import Type


class LiteralRefused(ValueError):
    """The text is no literal of the type; the message is Trino's."""


def string(value: str) -> Typed:
    return Typed(text(value), t.varchar(len(value)), value)


def number(value: str) -> Typed:
    """`1` integer or bigint, `1.5` decimal, `1e5` double."""
    if re.fullmatch(r"\d+", value):
        whole = int(value)
        if whole < 1 << 31:
            return Typed(f"CAST({value} AS INTEGER)", t.INTEGER, whole)
        if whole < 1 << 63:
            return Typed(f"CAST({value} AS BIGINT)", t.BIGINT, whole)
        if len(value.lstrip("0")) <= 38:
            return decimal(value)
        raise LiteralRefused(f"Invalid numeric literal: {value}")
    if "e" in value.lower():
        return Typed(f"CAST('{value}' AS DOUBLE)", t.DOUBLE, float(value))
    return decimal(value)


def decimal(value: str) -> Typed:
    found = re.fullmatch(r"\s*([+-]?)(\d*)(?:\.(\d*))?\s*", value)
    if not found or not (found[2] or found[3]):
        raise LiteralRefused(f"Invalid decimal literal: {value}")
    whole, part = found[2].lstrip("0"), found[3] or ""
    precision = max(len(whole) + len(part), 1)
    if precision > 38:
        raise LiteralRefused(f"Invalid decimal literal: {value}")
    kind = t.decimal(precision, len(part))
    return Typed(
        f"CAST('{found[1]}{whole or '0'}.{part or '0'}' AS {t.duck_type(kind)})", kind, value
    )


_DATE = r"([+-]?\d{1,6})-(\d{1,2})-(\d{1,2})"
_TIME = r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?"
_ZONE = r"(Z|[+-]\d{1,2}(?::?\d{2})?|[A-Za-z][\w/+-]*(?:\s*[+-]\d{1,2}:\d{2})?)"


def zone_name(zone: str) -> str:
    """`+7:09` as `+07:09`, `Z` and `+00:00` as `UTC`."""
    if zone.upper() in ("Z", "UTC", "GMT", "UT"):
        return "UTC"
    zone = re.sub(r"^(?:UTC|GMT|UT)\s*(?=[+-])", "", zone)
    found = re.fullmatch(r"([+-])(\d{1,2})(?::?(\d{2}))?", zone)
    if not found:
        return zone
    shown = f"{found[1]}{int(found[2]):02d}:{int(found[3] or 0):02d}"
    return "UTC" if shown in ("+00:00", "-00:00") else shown


def moment(value: str) -> Typed:
    """`TIMESTAMP '…'` with or without a zone, to the precision it is written with."""
    found = re.fullmatch(rf"\s*{_DATE}(?:[ T]+{_TIME})?\s*{_ZONE}?\s*", value)
    if not found:
        raise LiteralRefused(f"'{value}' is not a valid TIMESTAMP literal")
    year, month, day, hour, minute, second, part, zone = found.groups()
    digits = len(part or "")
    if digits > 9:
        raise LiteralRefused(f"TIMESTAMP precision {digits} is not supported")
    day_text = _checked_date(year, month, day, value, "TIMESTAMP")
    clock = f"{int(hour or 0):02d}:{int(minute or 0):02d}:{int(second or 0):02d}"
    if int(hour or 0) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise LiteralRefused(f"'{value}' is not a valid TIMESTAMP literal")
    kind = "TIMESTAMP_NS" if digits > 6 else "TIMESTAMP"
    sql = f"{kind} '{day_text} {clock}{'.' + part if part else ''}'"
    if zone is None:
        return Typed(sql, t.timestamp(digits))
    if 1 <= int(year) <= 9999 and _in_gap(f"{day_text} {clock}", zone_name(zone)):
        raise LiteralRefused(f"'{value}' is not a valid TIMESTAMP literal")
    return Typed(f"athena_zoned({sql}, {text(zone_name(zone))})", t.timestamp_tz(digits))


def _in_gap(local: str, zone: str) -> bool:
    """Does the clock of a zone never show this time, for summer time begins?"""
    from services.athena.python_moments import is_zone, zone_of

    if not is_zone(zone):
        return False
    at = datetime.fromisoformat(local).replace(tzinfo=zone_of(zone))
    return at.astimezone(UTC).astimezone(at.tzinfo).replace(tzinfo=None) != at.replace(tzinfo=None)


def _checked_date(year: str, month: str, day: str, value: str, kind: str = "DATE") -> str:
    try:
        if 1 <= int(year) <= 9999:
            date(int(year), int(month), int(day))
    except ValueError:
        raise LiteralRefused(f"'{value}' is not a valid {kind} literal") from None
    if int(year) <= 0:
        return f"{1 - int(year):04d}-{int(month):02d}-{int(day):02d} (BC)"
    return f"{int(year):04d}-{int(month):02d}-{int(day):02d}"


def day(value: str) -> Typed:
    found = re.fullmatch(rf"\s*{_DATE}\s*", value)
    if not found:
        raise LiteralRefused(f"'{value}' is not a valid DATE literal")
    return Typed(f"DATE '{_checked_date(found[1], found[2], found[3], value)}'", t.DATE)


def clock(value: str) -> Typed:
    """`TIME '…'`, with or without an offset."""
    found = re.fullmatch(rf"\s*{_TIME}\s*([+-]\d{{1,2}}:?\d{{2}})?\s*", value)
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        raise LiteralRefused(f"'{value}' is not a valid TIME literal")
    part = found[4] or ""
    if len(part) > 6:
        raise LiteralRefused(f"TIME precision {len(part)} is not supported")
    sql = f"TIME '{int(found[1]):02d}:{int(found[2]):02d}:{int(found[3] or 0):02d}{'.' + part if part else ''}'"
    if not found[5]:
        return Typed(sql, Type("time", (len(part),)))
    offset = re.sub(r"^([+-])(\d{2}):?(\d{2})$", r"\1\2:\3", found[5])
    return Typed(f"{{'t': {sql}, 'z': '{offset}'}}", Type("time with time zone", (len(part),)))


_UNIT_MILLIS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000}
_ORDER = ("DAY", "HOUR", "MINUTE", "SECOND")


def interval(value: str, first: str, last: str | None, sign: int = 1) -> Typed:
    """`INTERVAL '3 04:05' DAY TO MINUTE`: milliseconds, or months."""
    first, last = first.upper().rstrip("S"), (last or first).upper().rstrip("S")
    body = value.strip()
    if body.startswith(("-", "+")):
        sign, body = (-sign if body[0] == "-" else sign), body[1:].strip()
    if first in ("YEAR", "MONTH"):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", body)
        if not found or (found[2] and first == last):
            raise LiteralRefused(f"Invalid INTERVAL YEAR TO MONTH value: {value}")
        months = int(found[1]) * (12 if first == "YEAR" else 1) + int(found[2] or 0)
        return Typed(f"CAST({sign * months} AS INTEGER)", t.YEAR_TO_MONTH, sign * months)
    if first == "WEEK":
        return Typed(f"CAST({sign * int(body) * 7 * 86_400_000} AS BIGINT)", t.DAY_TO_SECOND)
    if first not in _ORDER or last not in _ORDER:
        raise LiteralRefused(f"Invalid interval: {value} {first}")
    units = _ORDER[_ORDER.index(first) : _ORDER.index(last) + 1]
    parts = re.split(r"[ :]+", body)
    if len(parts) > len(units) or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise LiteralRefused(f"Invalid INTERVAL DAY TO SECOND value: {value}")
    millis = sum(
        round(float(part) * _UNIT_MILLIS[unit]) for part, unit in zip(parts, units, strict=False)
    )
    return Typed(f"CAST({sign * millis} AS BIGINT)", t.DAY_TO_SECOND, sign * millis)


def hex_string(value: str) -> Typed:
    digits = re.sub(r"\s+", "", value)
    if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        raise LiteralRefused("Binary literal must contain an even number of hexadecimal digits")
    return Typed(f"unhex('{digits}')" if digits else "CAST('' AS BLOB)", t.VARBINARY)


def unicode_string(value: str, escape: str = "\\") -> Typed:
    out = re.sub(
        re.escape(escape) + r"(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))",
        lambda found: chr(int(found[1] or found[2], 16)),
        value,
    )
    return string(out)
