"""The two input deserializers of a format conversion: OpenX's and Hive's JSON SerDe.

https://docs.aws.amazon.com/firehose/latest/dev/enable-record-format-conversion.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import orjson

from services.firehose.hive_type import ReadTimestamp, ValueDoesNotFit

#: From here on a plain number is milliseconds since 1970, below seconds.
_MILLIS_FROM = 100_000_000_000


class MalformedRecord(ValueError):
    """The record is not one or several JSON objects."""


def documents(data: bytes) -> list[dict[str, Any]]:
    """The JSON objects of a record: one, or several one after the other; a list is none.

    Raises MalformedRecord.
    """
    try:
        found: Any = [orjson.loads(data)]
    except orjson.JSONDecodeError:
        found = _concatenated(data)
    if not all(isinstance(document, dict) for document in found):
        raise MalformedRecord("A record must be a JSON object, a JSON array is not accepted.")
    return list(found)


def _concatenated(data: bytes) -> list[Any]:
    decoder, at, found = json.JSONDecoder(), 0, []
    try:
        text = data.decode()
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            document, at = decoder.raw_decode(text, at)
            found.append(document)
    except ValueError as error:
        raise MalformedRecord(f"One or more records contain syntax error: {error}") from None
    if not found:
        raise MalformedRecord("One or more records contain syntax error: the record is empty")
    return found


class JsonSerDe:
    """How a record's keys become a table's columns and its texts timestamps."""

    def __init__(self, deserializer: Mapping[str, Any]) -> None:
        openx, hive = deserializer.get("OpenXJsonSerDe"), deserializer.get("HiveJsonSerDe")
        options = openx if openx is not None else {}
        self.case_insensitive = hive is not None or options.get("CaseInsensitive", True)
        self._mappings: Mapping[str, str] = options.get("ColumnToJsonKeyMappings") or {}
        self._convert_dots = options.get("ConvertDotsInJsonKeysToUnderscores", False)
        formats = (hive or {}).get("TimestampFormats") or ()
        self.read_timestamp = openx_timestamp if hive is None else hive_timestamp(tuple(formats))

    def key_of(self, column: str) -> str:
        """The JSON key that this column reads, as `keys` spells it."""
        key = self._mappings.get(column, column)
        return key.lower() if self.case_insensitive else key

    def keys(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with its keys as columns look for them."""
        if self._convert_dots:
            document = {key.replace(".", "_"): value for key, value in document.items()}
        if self.case_insensitive:
            document = {key.lower(): value for key, value in document.items()}
        return document


def _misfit(value: Any) -> ValueDoesNotFit:
    return ValueDoesNotFit(f"{orjson.dumps(value).decode()[:200]} is not a timestamp")


def openx_timestamp(value: Any) -> datetime:
    """ISO 8601 or java.sql.Timestamp's form; a number is seconds or milliseconds since 1970."""
    if isinstance(value, str):
        return _plain_timestamp(value) or _from_number(value)
    return _from_number(value)


def _from_number(value: Any) -> datetime:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _misfit(value) from None
    if isinstance(value, bool):
        raise _misfit(value)
    seconds = number / 1000 if abs(number) >= _MILLIS_FROM else number
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _plain_timestamp(text: str) -> datetime | None:
    """Without a zone, in UTC; None when it is none."""
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


def hive_timestamp(formats: Sequence[str]) -> ReadTimestamp:
    """Joda patterns in order, `millis` for a number of milliseconds; java.sql.Timestamp's form
    when there are none."""
    readers: list[Callable[[Any], datetime | None]] = [
        _millis if text == "millis" else _reader_of(text) for text in formats
    ] or [lambda value: _plain_timestamp(value) if isinstance(value, str) else None]

    def read(value: Any) -> datetime:
        for reader in readers:
            if (when := reader(value)) is not None:
                return when
        raise _misfit(value)

    return read


def _millis(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        return None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DIGITS = {"y": "year", "Y": "year", "x": "year", "d": "day", "H": "hour", "m": "minute"}
_DIGITS |= {"s": "second", "h": "half_hour", "D": "day_of_year"}


#: A quoted text, a run of one letter, or any other character.
_JODA_PART = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|.", re.DOTALL)


class InvalidJodaPattern(ValueError):
    """A letter that this reader has no meaning for."""


def _reader_of(pattern: str) -> Callable[[Any], datetime | None]:
    expression = joda_expression(pattern)

    def read(value: Any) -> datetime | None:
        match = expression.fullmatch(str(value)) if isinstance(value, (str, int)) else None
        try:
            return _from_fields(match.groupdict()) if match else None
        except ValueError:
            return None

    return read


@cache
def joda_expression(pattern: str) -> re.Pattern[str]:
    """A regular expression with the pattern's fields as groups. Raises InvalidJodaPattern."""
    parts = [match.group(0) for match in _JODA_PART.finditer(pattern)]
    following = [*parts[1:], ""]
    return re.compile(
        "".join(_expression(part, after) for part, after in zip(parts, following, strict=True)),
        re.IGNORECASE,
    )


def _expression(part: str, following: str) -> str:
    letter = part[0]
    if letter == "'":
        return re.escape(part[1:-1].replace("''", "'") or "'")
    if not (letter.isascii() and letter.isalpha()):
        return re.escape(part)
    if letter == "M":
        return r"(?P<month_name>[a-z]+)" if len(part) >= 3 else _digits("month", part, following)
    if letter in _DIGITS:
        return _digits(_DIGITS[letter], part, following)
    fixed = {
        "S": rf"(?P<fraction>\d{{1,{max(len(part), 9)}}})",
        "a": r"(?P<half>am|pm)",
        "Z": r"(?P<offset>Z|[+-]\d{2}:?\d{2})",
        "z": r"(?P<zone>[a-z]+)",
        "E": r"[a-z]+",
    }
    if letter not in fixed:
        raise InvalidJodaPattern(f"{part!r} is not a part of a timestamp that can be read.")
    return fixed[letter]


def _digits(name: str, part: str, following: str) -> str:
    # Exactly as many digits as letters where another number follows without a separator.
    is_followed_by_digits = following[:1].isalpha()
    least = len(part) if is_followed_by_digits else 1
    most = len(part) if is_followed_by_digits else max(len(part), 4)
    return rf"(?P<{name}>\d{{{least},{most}}})"


def _from_fields(fields: Mapping[str, str | None]) -> datetime:
    number = {name: int(text) for name, text in fields.items() if text and text.isdigit()}
    month = number.get("month", 1)
    if name := fields.get("month_name"):
        month = _MONTHS.index(name[:3].lower()) + 1
    hour = number.get("hour", 0)
    if "half_hour" in number:
        is_afternoon = (fields.get("half") or "").lower() == "pm"
        hour = number["half_hour"] % 12 + 12 * is_afternoon
    year = number.get("year", 1970)
    when = datetime(
        year + 2000 if year < 100 else year,
        month,
        number.get("day", 1),
        hour,
        number.get("minute", 0),
        number.get("second", 0),
        int(f"{fields.get('fraction') or '0':0<6}"[:6]),
    )
    if "day_of_year" in number:
        when = when.replace(month=1, day=1) + timedelta(days=number["day_of_year"] - 1)
    return _to_utc(when, fields.get("offset"))


def _to_utc(when: datetime, offset: str | None) -> datetime:
    if not offset or offset in "Zz":
        return when
    digits = offset[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    zone = timezone(-ahead if offset[0] == "-" else ahead)
    return when.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def rows(serde: JsonSerDe, data: bytes) -> Iterator[dict[str, Any]]:
    """A record's documents, keyed as `key_of` spells columns. Raises MalformedRecord."""
    yield from (serde.keys(document) for document in documents(data))
