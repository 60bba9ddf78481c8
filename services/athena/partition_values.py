"""Partition values: in paths, from listings, and by projection instead of a catalog."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.athena.errors import QueryFailed

Values = tuple[str, ...]
#: More than this many projected partitions are refused, as Athena does.
MAX_PROJECTED = 1_000_000
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def escape(value: str) -> str:
    """A value as Hive writes it into a path: `2020-01-01 00%3A00`."""
    return "".join(f"%{ord(c):02X}" if c in "\"#%'*/:=?\\{[]^\x7f" or c < " " else c for c in value)


def unescape(text: str) -> str:
    return urllib.parse.unquote(text)


def path_of(names: Sequence[str], values: Sequence[str]) -> str:
    """`year=2020/month=01`."""
    return "/".join(f"{n}={escape(v)}" for n, v in zip(names, values, strict=True))


def found_in_path(path: str, names: Sequence[str]) -> Values | None:
    """The values in a path below the table's location, or None.

    MSCK REPAIR TABLE takes only directories `key=value` whose keys are the lower-case columns in
    order, and skips values with a colon without a word:
    https://docs.aws.amazon.com/athena/latest/ug/msck-repair-table.html
    """
    segments = path.split("/")[:-1]
    if len(segments) < len(names):
        return None
    values = []
    for segment, name in zip(segments, names, strict=False):
        key, equals, value = segment.partition("=")
        if not equals or key != name or ":" in value:
            return None
        values.append(unescape(value))
    return tuple(values)


@dataclass(frozen=True)
class Injected:
    """A column whose values only the query's predicate can name."""

    column: str


Dimension = list[str] | Injected


def is_projected(parameters: Mapping[str, str]) -> bool:
    return _lower_keys(parameters).get("projection.enabled", "").lower() == "true"


def projected(parameters: Mapping[str, str], columns: Sequence[str], now: float) -> list[Dimension]:
    """Each column's values. Raises QueryFailed where a property is missing or wrong.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    """
    properties = _lower_keys(parameters)
    return [_dimension(properties, column.lower(), now) for column in columns]


def _lower_keys(parameters: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in parameters.items()}


def _invalid(column: str, text: str) -> QueryFailed:
    return QueryFailed(
        f"INVALID_TABLE_PROPERTY: Partition projection of column {column}: {text}", error_type=1004
    )


def _dimension(properties: Mapping[str, str], column: str, now: float) -> Dimension:
    def get(name: str, default: str | None = None) -> str:
        value = properties.get(f"projection.{column}.{name}", default)
        if value is None:
            raise _invalid(column, f"projection.{column}.{name} is missing")
        return value

    kind = get("type").lower()
    if kind == "enum":
        return [value.strip() for value in get("values").split(",")]
    if kind == "injected":
        return Injected(column)
    bounds = [part.strip() for part in get("range").split(",")]
    if len(bounds) != 2:
        raise _invalid(column, f"range {get('range')!r} is not two values with a comma between")
    if kind == "integer":
        return _integers(column, bounds, get("interval", "1"), get("digits", "0"))
    if kind == "date":
        unit = properties.get(f"projection.{column}.interval.unit")
        return _dates(column, bounds, get("format"), get("interval", "1"), unit, now)
    raise _invalid(column, f"type {kind!r} is none of enum, integer, date, injected")


def _integers(column: str, bounds: list[str], interval: str, digits: str) -> list[str]:
    try:
        first, last, step, width = int(bounds[0]), int(bounds[1]), int(interval), int(digits)
    except ValueError:
        raise _invalid(column, f"range {','.join(bounds)} is not two integers") from None
    return [f"{n:0{width}d}" if width else str(n) for n in range(first, last + 1, max(step, 1))]


_JAVA_DATE = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M",
    "ss": "%S", "SSS": "%f", "MMM": "%b", "MMMM": "%B", "EEE": "%a", "DDD": "%j",
}  # fmt: skip


def strftime_format(pattern: str) -> str:
    """`yyyy/MM/dd'T'HH` as Python's strftime writes it. Raises ValueError for other letters."""
    out = []
    for quoted, letters, other in re.findall(r"'((?:[^']|'')*)'|([A-Za-z]+)|([^A-Za-z'])", pattern):
        if letters:
            for run in re.findall(r"((.)\2*)", letters):
                if run[0] not in _JAVA_DATE:
                    raise ValueError(f"Unknown pattern letter in {pattern!r}: {run[0]}")
                out.append(_JAVA_DATE[run[0]])
        else:
            out.append((quoted or other).replace("%", "%%"))
    return "".join(out)


def _dates(
    column: str, bounds: list[str], pattern: str, interval: str, unit: str | None, now: float
) -> list[str]:
    try:
        form = strftime_format(pattern)
        first, last = (_moment(bound, form, now) for bound in bounds)
    except ValueError as error:
        raise _invalid(column, str(error)) from None
    step = max(int(interval), 1)
    unit = (unit or _smallest_unit(form)).upper().rstrip("S")
    found, moment = [], first
    while moment <= last:
        found.append(moment.strftime(form))
        if len(found) > MAX_PROJECTED:
            raise _invalid(column, f"more than {MAX_PROJECTED} values")
        moment = _later(moment, step, unit)
    return list(dict.fromkeys(found))


def _smallest_unit(form: str) -> str:
    for letter, unit in (("%S", "SECOND"), ("%M", "MINUTE"), ("%H", "HOUR"), ("%d", "DAY"),
                         ("%m", "MONTH")):  # fmt: skip
        if letter in form:
            return unit
    return "YEAR"


def _moment(text: str, form: str, now: float) -> datetime:
    found = re.fullmatch(r"NOW(?:\s*([+-])\s*(\d+)\s*([A-Z]+?)S?)?", text, re.IGNORECASE)
    if not found:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    moment = datetime.fromtimestamp(now, UTC)
    if found[1]:
        moment = _later(moment, int(found[1] + found[2]), found[3].upper())
    # The same grain as the format, so that the last projected value is the current one.
    return datetime.strptime(moment.strftime(form), form).replace(tzinfo=UTC)


def _later(moment: datetime, count: int, unit: str) -> datetime:
    if unit in ("MONTH", "YEAR"):
        months = moment.month - 1 + count * (12 if unit == "YEAR" else 1)
        return moment.replace(
            year=moment.year + months // 12, month=months % 12 + 1, day=min(moment.day, 28)
        )
    names = {"WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLI", "MILLISECOND"}
    if unit not in names:
        raise ValueError(
            f"unit {unit!r} is none of YEARS, MONTHS, WEEKS, DAYS, HOURS, MINUTES, SECONDS"
        )
    if unit.startswith("MILLI"):
        return moment + timedelta(milliseconds=count)
    return moment + timedelta(**{unit.lower() + "s": count})


def places(
    parameters: Mapping[str, str], location: str, columns: Sequence[str], values: Values
) -> list[str]:
    """Where a projected partition may lie: by `storage.location.template`, or Hive's way.

    Hive escapes a colon in a folder's name, and so do INSERT and Trino; AWS SDK for pandas writes
    the value as it is, and its tests read it back from AWS. Both are looked for.
    """
    template = _lower_keys(parameters).get("storage.location.template")
    if not template:
        plain = "/".join(f"{n}={v}" for n, v in zip(columns, values, strict=True))
        below = dict.fromkeys((plain, path_of(columns, values)))
        return [f"{location.rstrip('/')}/{each}/" for each in below]
    by_column = dict(zip(columns, values, strict=True))
    template = re.sub(
        r"\$\{([^}]+)\}", lambda found: by_column.get(found[1].lower(), found[0]), template
    )
    return [template if template.endswith("/") else template + "/"]
