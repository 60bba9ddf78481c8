"""Java DateTimeFormatter patterns, as `!{timestamp:...}` takes them.

Letters and widths: https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html
(locale en_US: a week starts on Sunday, and week 1 is the one that holds January 1st).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache


class InvalidPattern(ValueError):
    """A letter, a width or a quote that Java refuses."""


type Field = Callable[[datetime], str]

_MONTHS = [date(2000, month, 1).strftime("%B") for month in range(1, 13)]
_DAYS = [date(2001, 1, day).strftime("%A") for day in range(1, 8)]
_EXCEEDS_PAD = 4


def _year(value: int, width: int) -> str:
    if width == 2:
        return f"{value % 100:02d}"
    text = f"{value:0{width}d}"
    # Java marks a year that needs more digits than asked for with a plus sign.
    return f"+{text}" if width >= _EXCEEDS_PAD and len(text) > width else text


def _number(read: Callable[[datetime], int], widest: int) -> Callable[[int], Field | None]:
    def at(width: int) -> Field | None:
        if width > widest:
            return None
        return lambda when: f"{read(when):0{width}d}"

    return at


def _text(
    read: Callable[[datetime], int], names: Callable[[datetime], str], widest_number: int = 2
) -> Callable[[int], Field | None]:
    """Numbers for one and two letters, then short, full and one-letter names."""

    def at(width: int) -> Field | None:
        if width <= widest_number:
            return lambda when: f"{read(when):0{width}d}"
        forms: dict[int, Field] = {
            3: lambda when: names(when)[:3],
            4: names,
            5: lambda when: names(when)[:1],
        }
        return forms.get(width)

    return at


def _sunday_first(when: datetime) -> int:
    return when.isoweekday() % 7 + 1


def _week_start(day: date) -> date:
    return day - timedelta(days=day.isoweekday() % 7)


def week_based_year(day: date) -> int:
    """The US week-based year: the year whose January 1st lies in this week or an earlier one."""
    return (_week_start(day) + timedelta(days=6)).year


def week_of_week_based_year(day: date) -> int:
    """The US week number, 1 to 53."""
    first = _week_start(date(week_based_year(day), 1, 1))
    return (_week_start(day) - first).days // 7 + 1


def _week_of_month(when: datetime) -> int:
    day = when.date()
    return (_week_start(day) - _week_start(day.replace(day=1))).days // 7 + 1


def _quarter(when: datetime) -> int:
    return (when.month + 2) // 3


def _quarters(width: int) -> Field | None:
    forms: dict[int, Field] = {
        1: lambda when: f"{_quarter(when)}",
        2: lambda when: f"{_quarter(when):02d}",
        3: lambda when: f"Q{_quarter(when)}",
        4: lambda when: f"{('1st', '2nd', '3rd', '4th')[_quarter(when) - 1]} quarter",
        5: lambda when: f"{_quarter(when)}",
    }
    return forms.get(width)


def _era(width: int) -> Field | None:
    names = {1: "AD", 2: "AD", 3: "AD", 4: "Anno Domini", 5: "A"}
    return (lambda when: names[width]) if width in names else None


def _half_of_day(width: int) -> Field | None:
    return (lambda when: "AM" if when.hour < 12 else "PM") if width == 1 else None


def _period_of_day(width: int) -> Field | None:
    def name(when: datetime) -> str:
        exact = {(0, 0): "midnight", (12, 0): "noon"}.get((when.hour, when.minute))
        periods = ((6, "at night"), (12, "in the morning"), (18, "in the afternoon"))
        return exact or next(
            (word for until, word in periods if when.hour < until),
            "in the evening" if when.hour < 21 else "at night",
        )

    return name if width in (1, 4, 5) else None


def _fraction(width: int) -> Field | None:
    if width > 9:
        return None
    return lambda when: f"{when.microsecond * 1000:09d}"[:width]


def _milli_of_day(when: datetime) -> int:
    return ((when.hour * 60 + when.minute) * 60 + when.second) * 1000 + when.microsecond // 1000


def _nano_of_day(when: datetime) -> int:
    return _milli_of_day(when) * 1_000_000 + when.microsecond % 1000 * 1000


def _offset_seconds(when: datetime) -> int:
    offset = when.utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _offset(when: datetime, width: int, zero: str) -> str:
    total = _offset_seconds(when)
    if total == 0:
        return zero
    sign, (hours, rest) = "-" if total < 0 else "+", divmod(abs(total), 3600)
    minutes, seconds = divmod(rest, 60)
    colon = ":" if width in (3, 5) else ""
    text = f"{sign}{hours:02d}"
    if width > 1 or minutes:
        text += f"{colon}{minutes:02d}"
    if width > 3 and seconds:
        text += f"{colon}{seconds:02d}"
    return text


_ZERO = {1: "+00", 2: "+0000", 3: "+00:00", 4: "+0000", 5: "+00:00"}


def _offset_x(width: int) -> Field | None:
    return (lambda when: _offset(when, width, _ZERO[width])) if width in _ZERO else None


def _offset_capital_x(width: int) -> Field | None:
    return (lambda when: _offset(when, width, "Z")) if width in _ZERO else None


def _offset_capital_z(width: int) -> Field | None:
    if width <= 3:
        return lambda when: _offset(when, 2, "+0000")
    if width == 4:
        return _localized_offset(4)
    return (lambda when: _offset(when, 5, "Z")) if width == 5 else None


def _localized_offset(width: int) -> Field | None:
    def short(when: datetime) -> str:
        total = abs(_offset_seconds(when))
        sign = "-" if _offset_seconds(when) < 0 else "+"
        hours, minutes = divmod(total // 60, 60)
        return "GMT" + (f"{sign}{hours}" + (f":{minutes:02d}" if minutes else "") if total else "")

    def full(when: datetime) -> str:
        return "GMT" + (_offset(when, 3, "") if _offset_seconds(when) else "")

    return {1: short, 4: full}.get(width)


def _zone_name(width: int) -> Field | None:
    def full(when: datetime) -> str:
        name = when.tzname() or "UTC"
        return "Coordinated Universal Time" if name == "UTC" else str(when.tzinfo)

    return (lambda when: when.tzname() or "UTC") if width <= 3 else full if width == 4 else None


def _zone_id(width: int) -> Field | None:
    return (lambda when: str(when.tzinfo or "UTC")) if width == 2 else None


def _day_of_week_number(widest: int) -> Callable[[int], Field | None]:
    return _text(_sunday_first, lambda when: _DAYS[when.weekday()], widest)


def _day_name(width: int) -> Field | None:
    forms: dict[int, int | None] = {1: 3, 2: 3, 3: 3, 4: None, 5: 1}
    if width not in forms:
        return None
    return lambda when: _DAYS[when.weekday()][: forms[width]]


_LETTERS: dict[str, Callable[[int], Field | None]] = {
    "G": _era,
    "u": lambda width: lambda when: _year(when.year, width),
    "y": lambda width: lambda when: _year(when.year, width),
    "Y": lambda width: lambda when: _year(week_based_year(when.date()), width),
    "D": _number(lambda when: when.timetuple().tm_yday, 3),
    "M": _text(lambda when: when.month, lambda when: _MONTHS[when.month - 1]),
    "L": _text(lambda when: when.month, lambda when: _MONTHS[when.month - 1]),
    "d": _number(lambda when: when.day, 2),
    "g": _number(lambda when: when.toordinal() - 678576, 19),
    "Q": _quarters,
    "q": _quarters,
    "w": _number(lambda when: week_of_week_based_year(when.date()), 2),
    "W": _number(_week_of_month, 1),
    "E": _day_name,
    "e": _day_of_week_number(2),
    "c": lambda width: None if width == 2 else _day_of_week_number(1)(width),
    "F": _number(lambda when: (when.day - 1) // 7 + 1, 1),
    "a": _half_of_day,
    "B": _period_of_day,
    "h": _number(lambda when: (when.hour - 1) % 12 + 1, 2),
    "K": _number(lambda when: when.hour % 12, 2),
    "k": _number(lambda when: (when.hour - 1) % 24 + 1, 2),
    "H": _number(lambda when: when.hour, 2),
    "m": _number(lambda when: when.minute, 2),
    "s": _number(lambda when: when.second, 2),
    "S": _fraction,
    "A": _number(_milli_of_day, 19),
    "n": _number(lambda when: when.microsecond * 1000, 19),
    "N": _number(_nano_of_day, 19),
    "V": _zone_id,
    "v": lambda width: _zone_name(width) if width in (1, 4) else None,
    "z": _zone_name,
    "O": _localized_offset,
    "X": _offset_capital_x,
    "x": _offset_x,
    "Z": _offset_capital_z,
}


def _quoted(pattern: str, start: int) -> tuple[str, int]:
    """The text of the quote that opens at `start`, and where the pattern goes on."""
    text, at = "", start + 1
    while at < len(pattern):
        if pattern[at] != "'":
            text, at = text + pattern[at], at + 1
        elif pattern[at + 1 : at + 2] == "'":
            text, at = text + "'", at + 2
        else:
            # '' outside of quotes is one quote.
            return text or "'", at + 1
    raise InvalidPattern(f"Pattern ends with an incomplete string literal: {pattern}")


def _letters(pattern: str, start: int) -> tuple[Field, int]:
    letter, end = pattern[start], start
    while end < len(pattern) and pattern[end] == letter:
        end += 1
    if letter == "p":
        return _padded(pattern, start, end)
    make = _LETTERS.get(letter)
    field = make(end - start) if make else None
    if field is None:
        raise InvalidPattern(f"Unknown or too many pattern letters: {pattern[start:end]}")
    return field, end


def _padded(pattern: str, start: int, end: int) -> tuple[Field, int]:
    if end >= len(pattern) or not pattern[end].isalpha():
        raise InvalidPattern(f"Pad letter 'p' must be followed by valid pad pattern: {pattern}")
    field, after = _letters(pattern, end)
    return (lambda when: field(when).rjust(end - start)), after


def _literal(text: str) -> Field:
    return lambda when: text


@cache
def compile_pattern(pattern: str) -> tuple[Field, ...]:
    """The pattern's fields in order. Raises InvalidPattern."""
    fields: list[Field] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "'":
            text, at = _quoted(pattern, at)
            fields.append(_literal(text))
        elif sign.isascii() and sign.isalpha():
            field, at = _letters(pattern, at)
            fields.append(field)
        elif sign in "{}#":
            raise InvalidPattern(f"Pattern includes reserved character: {sign!r}")
        else:
            if sign not in "[]":  # optional sections always have a value when formatting
                fields.append(_literal(sign))
            at += 1
    return tuple(fields)


def format_timestamp(pattern: str, when: datetime) -> str:
    """The pattern at that instant, in the time zone `when` carries."""
    return "".join(field(when) for field in compile_pattern(pattern))
