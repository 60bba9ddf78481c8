"""Trino's types: how they are written, what they become in DuckDB, what Hive calls them.

Three of them are stored as something else in DuckDB, because DuckDB's own type means less:
`timestamp with time zone` keeps its zone per value (STRUCT of UTC instant and zone name),
`interval day to second` is a BIGINT of milliseconds, `interval year to month` an INTEGER of months.
`json` is its text, `char(n)` its text without trailing blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


class TypeUnknown(ValueError):
    """A type name that neither Trino nor Hive knows."""


@dataclass(frozen=True)
class Type:
    """`params` are lengths and precisions, `args` element types, `fields` the names in a row."""

    name: str
    params: tuple[int, ...] = ()
    args: tuple[Type, ...] = ()
    fields: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        return _text(self)

    @property
    def element(self) -> Type:
        """Of an array: its element type."""
        return self.args[0]

    @property
    def precision(self) -> int:
        """Digits of a decimal, or fractional digits of a time or timestamp."""
        return self.params[0] if self.params else 3

    @property
    def scale(self) -> int:
        """Fractional digits of a decimal."""
        return self.params[1]


UNKNOWN = Type("unknown")
BOOLEAN, TINYINT, SMALLINT = Type("boolean"), Type("tinyint"), Type("smallint")
INTEGER, BIGINT, REAL, DOUBLE = Type("integer"), Type("bigint"), Type("real"), Type("double")
VARCHAR, VARBINARY, DATE, JSON = Type("varchar"), Type("varbinary"), Type("date"), Type("json")
UUID, IPADDRESS = Type("uuid"), Type("ipaddress")
DAY_TO_SECOND, YEAR_TO_MONTH = Type("interval day to second"), Type("interval year to month")
TIME, TIMESTAMP = Type("time", (3,)), Type("timestamp", (3,))
TIMESTAMP_TZ = Type("timestamp with time zone", (3,))
INTEGERS = ("tinyint", "smallint", "integer", "bigint")


def decimal(precision: int, scale: int = 0) -> Type:
    return Type("decimal", (min(max(precision, 1), 38), scale))


def varchar(length: int | None = None) -> Type:
    return VARCHAR if length is None else Type("varchar", (length,))


def timestamp(precision: int) -> Type:
    return Type("timestamp", (precision,))


def timestamp_tz(precision: int) -> Type:
    return Type("timestamp with time zone", (precision,))


def array(element: Type) -> Type:
    return Type("array", args=(element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", args=(key, value))


def row(types: tuple[Type, ...], fields: tuple[str | None, ...] | None = None) -> Type:
    return Type("row", args=types, fields=fields or (None,) * len(types))


def _text(kind: Type) -> str:
    match kind.name:
        case "decimal":
            return f"decimal({kind.params[0]},{kind.params[1]})"
        case "array":
            return f"array({kind.args[0]})"
        case "map":
            return f"map({kind.args[0]}, {kind.args[1]})"
        case "row":
            pairs = zip(kind.fields, kind.args, strict=True)
            parts = (f"{_field_name(n)} {t}" if n is not None else str(t) for n, t in pairs)
            return f"row({', '.join(parts)})"
        case "timestamp with time zone" | "time with time zone":
            head = kind.name.split(" ", 1)[0]
            return f"{head}({kind.precision}) with time zone"
    return f"{kind.name}({kind.params[0]})" if kind.params else kind.name


def _field_name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', '""') + '"'


_DUCK = {
    "unknown": "INTEGER", "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT",
    "integer": "INTEGER", "bigint": "BIGINT", "real": "FLOAT", "double": "DOUBLE",
    "varchar": "VARCHAR", "char": "VARCHAR", "varbinary": "BLOB", "date": "DATE",
    "json": "VARCHAR", "uuid": "UUID", "ipaddress": "VARCHAR", "time": "TIME",
    "timestamp with time zone": "STRUCT(t TIMESTAMP, z VARCHAR)",
    "time with time zone": "STRUCT(t TIME, z VARCHAR)",
    "interval day to second": "BIGINT", "interval year to month": "INTEGER",
}  # fmt: skip


@lru_cache(4096)
def duck_type(kind: Type) -> str:
    """The DuckDB type that stores values of this type."""
    match kind.name:
        case "decimal":
            return f"DECIMAL({kind.params[0]},{kind.params[1]})"
        case "timestamp":
            return "TIMESTAMP" if kind.precision <= 6 else "TIMESTAMP_NS"
        case "array":
            return duck_type(kind.args[0]) + "[]"
        case "map":
            return f"MAP({duck_type(kind.args[0])}, {duck_type(kind.args[1])})"
        case "row":
            parts = (
                f'"{n}" {duck_type(t)}' for n, t in zip(struct_names(kind), kind.args, strict=True)
            )
            return f"STRUCT({', '.join(parts)})"
    try:
        return _DUCK[kind.name]
    except KeyError:
        raise TypeUnknown(f"Unsupported type: {kind}") from None


def struct_names(kind: Type) -> tuple[str, ...]:
    """Field names of a row in DuckDB: always by position, so that rows of any names compare."""
    return tuple(f"f{i}" for i in range(1, len(kind.args) + 1))


_HIVE = {
    "string": VARCHAR, "int": INTEGER, "integer": INTEGER, "tinyint": TINYINT, "byte": TINYINT,
    "smallint": SMALLINT, "short": SMALLINT, "bigint": BIGINT, "long": BIGINT, "float": REAL,
    "real": REAL, "double": DOUBLE, "boolean": BOOLEAN, "binary": VARBINARY, "date": DATE,
    "varbinary": VARBINARY, "timestamp": TIMESTAMP, "varchar": VARCHAR, "json": VARCHAR,
    "timestamptz": TIMESTAMP_TZ, "timestamp with local time zone": TIMESTAMP_TZ, "time": TIME,
    "char": Type("char", (1,)), "uuid": UUID, "interval_day_time": DAY_TO_SECOND,
}  # fmt: skip


@lru_cache(4096)
def from_hive(text: str) -> Type:
    """`array<struct<a:int,b:decimal(10,2)>>` as a Trino type. Raises TypeUnknown."""
    text = text.strip()
    lower = text.lower()
    if lower.startswith("array<") and text.endswith(">"):
        return array(from_hive(text[6:-1]))
    if lower.startswith("map<") and text.endswith(">"):
        key, value = split_outside_brackets(text[4:-1])
        return map_of(from_hive(key), from_hive(value))
    if lower.startswith("struct<") and text.endswith(">"):
        pairs = [part.split(":", 1) for part in split_outside_brackets(text[7:-1])]
        names = tuple(pair[0].strip().strip("`").lower() for pair in pairs)
        return row(tuple(from_hive(pair[1]) for pair in pairs), names)
    if found := re.fullmatch(r"(decimal|numeric)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?", lower):
        return decimal(int(found[2] or 10), int(found[3] or 0))
    if found := re.fullmatch(r"(varchar|char)\s*\(\s*(\d+)\s*\)", lower):
        return Type(found[1], (int(found[2]),))
    if lower in _HIVE:
        return _HIVE[lower]
    raise TypeUnknown(f"Unknown type: {text}")


_TO_HIVE = {
    "integer": "int", "real": "float", "varbinary": "binary", "json": "string", "uuid": "string",
    "unknown": "string", "timestamp": "timestamp", "timestamp with time zone": "timestamp",
    "ipaddress": "string", "time": "string",
}  # fmt: skip


def to_hive(kind: Type) -> str:
    """What Glue records for a column of this type (CTAS, views)."""
    match kind.name:
        case "array":
            return f"array<{to_hive(kind.args[0])}>"
        case "map":
            return f"map<{to_hive(kind.args[0])},{to_hive(kind.args[1])}>"
        case "row":
            names = (n or f"field{i}" for i, n in enumerate(kind.fields))
            parts = (f"{n}:{to_hive(t)}" for n, t in zip(names, kind.args, strict=True))
            return f"struct<{','.join(parts)}>"
        case "varchar":
            return f"varchar({kind.params[0]})" if kind.params else "string"
    return _TO_HIVE.get(kind.name, str(kind))


def split_outside_brackets(text: str, separator: str = ",") -> list[str]:
    """Split at separators that stand outside `<…>` and `(…)`."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        depth += (letter in "<(") - (letter in ">)")
        if letter == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


#: Name, precision and scale as GetQueryResults gives them in ColumnInfo.
_COLUMN_INFO = {
    "boolean": ("boolean", 0, 0), "tinyint": ("tinyint", 3, 0), "smallint": ("smallint", 5, 0),
    "integer": ("integer", 10, 0), "bigint": ("bigint", 19, 0), "real": ("float", 17, 0),
    "double": ("double", 17, 0), "date": ("date", 0, 0), "timestamp": ("timestamp", 3, 0),
    "timestamp with time zone": ("timestamp with time zone", 3, 0), "time": ("time", 3, 0),
    "varbinary": ("varbinary", 1073741824, 0), "json": ("json", 0, 0), "array": ("array", 0, 0),
    "map": ("map", 0, 0), "row": ("row", 0, 0), "unknown": ("unknown", 0, 0),
    "uuid": ("uuid", 0, 0), "ipaddress": ("ipaddress", 0, 0),
    "interval day to second": ("interval day to second", 0, 0),
    "interval year to month": ("interval year to month", 0, 0),
    "time with time zone": ("time with time zone", 3, 0),
}  # fmt: skip


def column_info(kind: Type) -> tuple[str, int, int]:
    """(Type, Precision, Scale) of ColumnInfo."""
    if kind.name == "decimal":
        return "decimal", kind.params[0], kind.params[1]
    if kind.name in ("varchar", "char"):
        return kind.name, kind.params[0] if kind.params else 2147483647, 0
    return _COLUMN_INFO.get(kind.name, ("varchar", 2147483647, 0))
