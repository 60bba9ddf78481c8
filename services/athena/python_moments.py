"""Dates and times in Python: MySQL and Joda patterns, ISO 8601, zones."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from services.athena.python_errors import invalid_argument


@lru_cache(1024)
def zone_of(name: str) -> tzinfo:
    found = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", name)
    if found:
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        if minutes > 14 * 60:
            raise invalid_argument(f"'{name}' is not a valid time zone")
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    if name in ("UTC", "Z"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid_argument(f"'{name}' is not a valid time zone") from None


def is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except ValueError:
        return False
    return True


def zone_name(name: str) -> str:
    from services.athena.dialect.literals import zone_name as canonical

    found = canonical(name)
    zone_of(found)
    return found


def offset_minutes(zone: str) -> int:
    found = re.fullmatch(r"([+-])(\d{2}):(\d{2})", zone)
    if not found:
        return 0
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


def from_text(value: str) -> datetime:
    """`2020-05-10[ 12:34:56.123[ zone]]` or a time."""
    found = re.match(r"(\d{4}-\d\d-\d\d)?[ T]?(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?", value)
    day = date.fromisoformat(found[1]) if found and found[1] else date(1970, 1, 1)
    clock = found[2] if found and found[2] else "00:00:00"
    head, _, part = clock.partition(".")
    numbers = [int(n) for n in head.split(":")] + [0, 0]
    return datetime(
        day.year, day.month, day.day, numbers[0], numbers[1], numbers[2], int((part + "000000")[:6])
    )


_SHAPE = re.compile(
    r"\s*([+-]?\d{1,6})-(\d{1,2})-(\d{1,2})(?: +(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?\s*(Z|[+-]\d{1,2}:?\d{2}|[+-]\d{1,2}|[A-Za-z][\w/+-]*)?\s*$"
)


def _parsed(x: str) -> tuple[datetime, str | None] | None:
    found = _SHAPE.match(x)
    if not found:
        return None
    year, month, day, hour, minute, second, part, zone = found.groups()
    digits = (part or "") + "0000000"
    micros = int(digits[:6]) + (1 if digits[6] >= "5" else 0)
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        return None
    return moment + timedelta(microseconds=micros), zone


def parse_timestamp(x: str) -> datetime | None:
    found = _parsed(x)
    if found is None:
        return None
    return found[0]


def parse_zoned(x: str) -> dict[str, Any] | None:
    found = _parsed(x)
    if found is None:
        return None
    from services.athena.dialect.literals import zone_name as canonical

    name = canonical(found[1]) if found[1] else "UTC"
    if not is_zone(name):
        return None
    return zoned(found[0], name)


def zoned(local: datetime, name: str) -> dict[str, Any]:
    """As the struct that stands for a timestamp with time zone."""
    utc = local.replace(tzinfo=zone_of(name)).astimezone(UTC).replace(tzinfo=None)
    return {"t": utc, "z": name}


# --- ISO 8601

_ISO = re.compile(
    r"([+-]?\d{4,})(?:-(\d{1,2})(?:-(\d{1,2}))?|-W(\d{2})(?:-(\d))?|-(\d{3}))?"
    r"(?:T(?:(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$"
)


def _iso(x: str) -> tuple[datetime, str | None]:
    found = _ISO.match(x)
    if not found:
        raise invalid_argument(f'Invalid format: "{x}"')
    year, month, day, week, weekday, yearday, hour, minute, second, part, zone = found.groups()
    try:
        if week:
            start = date.fromisocalendar(int(year), int(week), int(weekday or 1))
        elif yearday:
            start = date(int(year), 1, 1) + timedelta(days=int(yearday) - 1)
        else:
            start = date(int(year), int(month or 1), int(day or 1))
        micros = int(((part or "") + "000000")[:6])
        return datetime(
            start.year,
            start.month,
            start.day,
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            micros,
        ), zone
    except ValueError:
        raise invalid_argument(f'Invalid format: "{x}"') from None


def iso_date(x: str) -> date:
    return _iso(x)[0].date()


def iso_moment(x: str, digits: int) -> dict[str, Any]:
    moment, zone = _iso(x)
    step = 10 ** (6 - digits)
    moment = moment.replace(microsecond=moment.microsecond // step * step)
    from services.athena.dialect.literals import zone_name as canonical

    return zoned(moment, canonical(zone) if zone else "UTC")


# --- MySQL patterns: date_format, date_parse


def date_format(moment: datetime, pattern: str, zone: str) -> str:
    return "".join(
        _mysql(moment, letter) if letter else literal for literal, letter in mysql_parts(pattern)
    )


@lru_cache(512)
def mysql_parts(pattern: str) -> list[tuple[str, str]]:
    """(literal, "") or ("", letter) each."""
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "%" and at + 1 < len(pattern):
            parts.append(("", pattern[at + 1]))
            at += 2
        else:
            parts.append((pattern[at], ""))
            at += 1
    return parts


_MYSQL = {
    "a": "%a", "b": "%b", "d": "%d", "H": "%H", "h": "%I", "I": "%I", "i": "%M", "j": "%j", "M": "%B", "m": "%m",
    "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S", "T": "%H:%M:%S", "W": "%A", "Y": "%Y", "y": "%y",
    "v": "%V",
}  # fmt: skip
_MYSQL_REFUSED = "DUuVXw"


def _mysql(moment: datetime, letter: str) -> str:
    match letter:
        case "c":
            return str(moment.month)
        case "e":
            return str(moment.day)
        case "k":
            return str(moment.hour)
        case "l":
            return str(moment.hour % 12 or 12)
        case "f":
            return f"{moment.microsecond:06d}"
        case "Y" | "x":
            return f"{moment.year if letter == 'Y' else moment.isocalendar()[0]:04d}"
        case "%":
            return "%"
    if letter in _MYSQL_REFUSED:
        raise invalid_argument(f"%{letter} not supported in date format string")
    return moment.strftime(_MYSQL[letter]) if letter in _MYSQL else letter


_MONTH_NAMES = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAY_NAMES = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def date_parse(x: str, pattern: str) -> datetime:
    fields: dict[str, Any] = {}
    shape, names = _mysql_shape(pattern)
    found = re.fullmatch(shape, x, re.IGNORECASE)
    if not found:
        raise invalid_argument(f'Invalid format: "{x}"')
    for name, value in zip(names, found.groups(), strict=True):
        fields[name] = value
    return _assembled(fields, x)


#: Letters of a MySQL pattern that stand for digits.
_DIGITS = frozenset("ymcdeHkhIlisSfjvx")


@lru_cache(512)
def _mysql_shape(pattern: str) -> tuple[str, list[str]]:
    shapes = {
        "Y": ("Y", r"(-?\d{1,4})"), "y": ("y", r"(\d{2})"), "m": ("m", r"(\d{1,2})"), "c": ("m", r"(\d{1,2})"),
        "d": ("d", r"(\d{1,2})"), "e": ("d", r"(\d{1,2})"), "H": ("H", r"(\d{1,2})"), "k": ("H", r"(\d{1,2})"),
        "h": ("I", r"(\d{1,2})"), "I": ("I", r"(\d{1,2})"), "l": ("I", r"(\d{1,2})"), "i": ("M", r"(\d{1,2})"),
        "s": ("S", r"(\d{1,2})"), "S": ("S", r"(\d{1,2})"), "f": ("f", r"(\d{1,9})"), "p": ("p", r"(AM|PM)"),
        "M": ("B", r"([A-Za-z]+)"), "b": ("B", r"([A-Za-z]{3,})"), "a": ("A", r"([A-Za-z]{3})"), "W": ("A", r"([A-Za-z]+)"),
        "j": ("j", r"(\d{1,3})"), "v": ("V", r"(\d{1,2})"), "x": ("G", r"(\d{4})"),
    }  # fmt: skip
    expanded = pattern.replace("%T", "%H:%i:%S").replace("%r", "%h:%i:%S %p")
    out, names = [], []
    listed = mysql_parts(expanded)
    for place, (literal, letter) in enumerate(listed):
        following = listed[place + 1][1] if place + 1 < len(listed) else ""
        if letter == "Y" and following in _DIGITS:  # `%Y%m%d`: four digits are the year
            names.append("Y")
            out.append(r"(-?\d{1,4})")
        elif not letter:
            out.append(re.escape(literal))
        elif letter == "%":
            out.append("%")
        elif letter in shapes:
            names.append(shapes[letter][0])
            out.append(shapes[letter][1])
        elif letter in _MYSQL_REFUSED:
            raise invalid_argument(f"%{letter} not supported in date format string")
        else:
            out.append(re.escape(letter))
    return "".join(out), names


def _named(names: list[str], value: str, x: str) -> int:
    for place, name in enumerate(names):
        if name == value.lower() or (len(value) == 3 and name.startswith(value.lower())):
            return place + 1
    raise invalid_argument(f'Invalid format: "{x}"')


def _assembled(fields: dict[str, Any], x: str) -> datetime:
    try:
        year = int(fields.get("Y") or 1970)
        if fields.get("y"):
            year = int(fields["y"]) + (2000 if int(fields["y"]) < 70 else 1900)
        month = (
            _named(_MONTH_NAMES, fields["B"], x) if fields.get("B") else int(fields.get("m") or 1)
        )
        hour = int(fields.get("H") or 0)
        if fields.get("I"):
            hour = int(fields["I"]) % 12 + (12 if (fields.get("p") or "").upper() == "PM" else 0)
        elif fields.get("p"):
            hour = hour % 12 + (12 if fields["p"].upper() == "PM" else 0)
        micros = int(((fields.get("f") or "") + "000000")[:6])
        if fields.get("j"):
            day = date(year, 1, 1) + timedelta(days=int(fields["j"]) - 1)
            month, dom = day.month, day.day
        elif fields.get("V"):
            weekday = (
                _named(_DAY_NAMES, fields["A"], x) if fields.get("A") else int(fields.get("u") or 1)
            )
            day = date.fromisocalendar(int(fields.get("G") or year), int(fields["V"]), weekday)
            year, month, dom = day.year, day.month, day.day
        else:
            dom = int(fields.get("d") or 1)
        return datetime(
            year, month, dom, hour, int(fields.get("M") or 0), int(fields.get("S") or 0), micros
        )
    except ValueError as error:
        if "[[" in str(error):
            raise
        raise invalid_argument(f'Invalid format: "{x}"') from None


# --- Joda patterns: format_datetime, parse_datetime


@lru_cache(512)
def joda_parts(pattern: str) -> list[tuple[str, str]]:
    """(literal, "") or ("", run of a letter) each. Raises ValueError for an open quote."""
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(pattern):
        c = pattern[at]
        if c == "'":
            end = pattern.find("'", at + 1)
            if end == at + 1:
                parts.append(("'", ""))
            elif end < 0:
                raise invalid_argument(f"Unterminated quote in pattern {pattern}")
            else:
                parts.append((pattern[at + 1 : end], ""))
            at = end + 1
        elif c.isalpha() and c.isascii():
            end = at
            while end < len(pattern) and pattern[end] == c:
                end += 1
            parts.append(("", pattern[at:end]))
            at = end
        else:
            parts.append((c, ""))
            at += 1
    return parts


def format_datetime(moment: datetime, pattern: str, zone: str) -> str:
    return "".join(
        _joda(moment, run, zone) if run else literal for literal, run in joda_parts(pattern)
    )


def _joda(moment: datetime, run: str, zone: str) -> str:
    letter, width = run[0], len(run)
    numbers = {
        "d": moment.day, "H": moment.hour, "k": moment.hour or 24, "K": moment.hour % 12, "h": moment.hour % 12 or 12,
        "m": moment.minute, "s": moment.second, "D": moment.timetuple().tm_yday, "w": moment.isocalendar()[1],
        "e": moment.isoweekday(), "C": moment.year // 100,
    }  # fmt: skip
    if letter in numbers:
        return str(numbers[letter]).zfill(width)
    if letter in "yYx":
        year = moment.isocalendar()[0] if letter == "x" else moment.year
        return f"{year % 100:02d}" if width == 2 else str(year).zfill(width)
    if letter == "M":
        if width >= 3:
            return moment.strftime("%B" if width > 3 else "%b")
        return str(moment.month).zfill(width)
    if letter == "E":
        return moment.strftime("%A" if width > 3 else "%a")
    if letter == "a":
        return "AM" if moment.hour < 12 else "PM"
    if letter == "S":
        return f"{moment.microsecond:06d}".ljust(width, "0")[:width]
    if letter == "G":
        return "AD"
    if letter in "zZ":
        return _zone_text(moment, letter, width, zone)
    raise invalid_argument(f"Illegal pattern component: {run}")


def _zone_text(moment: datetime, letter: str, width: int, zone: str) -> str:
    at = moment.replace(tzinfo=zone_of(zone))
    if letter == "Z" and width >= 3:
        return zone
    offset = at.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign, size = ("-" if minutes < 0 else "+"), abs(minutes)
    if letter == "Z":
        return f"{sign}{size // 60:02d}{':' if width == 2 else ''}{size % 60:02d}"
    if zone == "UTC":
        return "UTC" if width < 4 else "Coordinated Universal Time"
    if zone[0] in "+-":
        return f"{sign}{size // 60:02d}:{size % 60:02d}"
    return at.tzname() or zone


def parse_datetime(x: str, pattern: str) -> dict[str, Any]:
    shape, names = _joda_shape(pattern)
    found = re.fullmatch(shape, x, re.IGNORECASE)
    if not found:
        raise invalid_argument(f'Invalid format: "{x}"')
    fields = dict(zip(names, found.groups(), strict=True))
    zone = fields.pop("zone", None)
    moment = _assembled(fields, x)
    from services.athena.dialect.literals import zone_name as canonical

    return zoned(moment, canonical(zone) if zone else "UTC")


@lru_cache(512)
def _joda_shape(pattern: str) -> tuple[str, list[str]]:
    shapes = {
        "d": "d",
        "H": "H",
        "h": "I",
        "K": "I",
        "k": "H",
        "m": "M",
        "s": "S",
        "D": "j",
        "w": "V",
        "e": "u",
    }
    out, names = [], []
    listed = joda_parts(pattern)
    for place, (literal, run) in enumerate(listed):
        if not run:
            out.append(re.escape(literal))
            continue
        letter, width = run[0], len(run)
        following = listed[place + 1][1] if place + 1 < len(listed) else ""
        numeric = following and following[0] not in "EaGzZ" and not following.startswith("MMM")
        if letter in "yYx":
            names.append("y" if width == 2 else "G" if letter == "x" else "Y")
            most = width if numeric else 9
            out.append(r"(\d{2})" if width == 2 else rf"([+-]?\d{{1,{most}}})")
        elif letter == "M":
            names.append("B" if width >= 3 else "m")
            out.append(r"([A-Za-z]+)" if width >= 3 else r"(\d{1,2})")
        elif letter == "E":
            names.append("A")
            out.append(r"([A-Za-z]+)")
        elif letter == "a":
            names.append("p")
            out.append("(AM|PM)")
        elif letter == "S":
            names.append("f")
            out.append(r"(\d{1,9})")
        elif letter in "zZ":
            names.append("zone")
            out.append(r"(Z|[+-]\d{2}:?\d{2}|[A-Za-z][\w/+-]*)")
        elif letter in shapes:
            names.append(shapes[letter])
            out.append(r"(\d{1,3})" if letter == "D" else r"(\d{1,2})")
        else:
            raise invalid_argument(f"Illegal pattern component: {run}")
    return "".join(out), names
