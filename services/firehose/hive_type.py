"""Hive column types as Glue's tables name them: parsed, and how JSON values become them.

`struct<a:int,b:array<map<string,decimal(10,2)>>>` is a tree of `HiveType`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa


class UnknownHiveType(ValueError):
    """A column type that is none of Hive's."""


class ValueDoesNotFit(ValueError):
    """A JSON value that cannot be the column's type."""


@dataclass(frozen=True)
class HiveType:
    """`name` in lower case; `arguments` of decimal, char and varchar; `children` of containers,
    with the field names of a struct."""

    name: str
    arguments: tuple[int, ...] = ()
    children: tuple[HiveType, ...] = ()
    field_names: tuple[str, ...] = ()


#: Reads a timestamp; the deserializer decides which forms it may have.
type ReadTimestamp = Callable[[Any], datetime]
type Convert = Callable[[Any], Any]

_TOKEN = re.compile(r"\s*([\w.\-]+|[<>(),:])")
_ALIASES = {"integer": "int", "dec": "decimal", "numeric": "decimal", "double precision": "double"}
_INTEGER_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "char": pa.string(),
    "varchar": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ns"),
}


def parse(text: str) -> HiveType:
    """Raises UnknownHiveType."""
    tokens = [match.group(1) for match in _TOKEN.finditer(text)]
    if "".join(tokens) != "".join(text.split()):
        raise UnknownHiveType(f"{text!r} is not a Hive type.")
    rest = iter([*tokens, ""])
    try:
        found, following = _type(next(rest), rest)
    except StopIteration:
        raise UnknownHiveType(f"{text!r} ends too early to be a Hive type.") from None
    if following:
        raise UnknownHiveType(f"{text!r} goes on after the type, at {following!r}.")
    return found


def _type(token: str, rest: Iterator[str]) -> tuple[HiveType, str]:
    """A type from its first token on, and the token after it."""
    name = _ALIASES.get(token.lower(), token.lower())
    if name in ("array", "map", "struct"):
        return _container(name, rest)
    if name != "decimal" and name not in _ARROW:
        raise UnknownHiveType(f"{token!r} is not a Hive type.")
    following = next(rest)
    arguments: list[int] = []
    while following in ("(", ","):
        if following == "," and not arguments:
            break
        arguments.append(_number(next(rest)))
        following = next(rest)
        if following == ")":
            return HiveType(name, tuple(arguments)), next(rest)
    return HiveType(name), following


def _number(token: str) -> int:
    if not token.isdigit():
        raise UnknownHiveType(f"{token!r} is not a number of digits.")
    return int(token)


def _container(name: str, rest: Iterator[str]) -> tuple[HiveType, str]:
    if next(rest) != "<":
        raise UnknownHiveType(f"{name} must be followed by <.")
    children, names, following = [], [], ","
    while following == ",":
        token = next(rest)
        if name == "struct":
            names.append(token)
            if next(rest) != ":":
                raise UnknownHiveType(f"Field {token} of a struct has no type.")
            token = next(rest)
        child, following = _type(token, rest)
        children.append(child)
    wanted = {"array": 1, "map": 2}.get(name, len(children))
    if following != ">" or len(children) != wanted:
        raise UnknownHiveType(f"{name} takes {wanted} types between < and >.")
    return HiveType(name, (), tuple(children), tuple(names)), next(rest)


def arrow_type(hive_type: HiveType) -> Any:
    """The type of the column in a Parquet or ORC file."""
    children = [arrow_type(child) for child in hive_type.children]
    match hive_type.name:
        case "decimal":
            precision, scale = (*hive_type.arguments, *(10, 0)[len(hive_type.arguments) :])
            return pa.decimal128(precision, scale)
        case "array":
            return pa.list_(children[0])
        case "map":
            return pa.map_(*children)
        case "struct":
            return pa.struct(list(zip(hive_type.field_names, children, strict=True)))
    return _ARROW[hive_type.name]


def converter(
    hive_type: HiveType, read_timestamp: ReadTimestamp, case_insensitive: bool
) -> Convert:
    """A function from a JSON value (never None) to what Arrow takes. It raises ValueDoesNotFit."""
    children = [converter(c, read_timestamp, case_insensitive) for c in hive_type.children]
    match hive_type.name:
        case "array":
            return _array(children[0])
        case "map":
            return _map(*children)
        case "struct":
            return _struct(hive_type.field_names, children, case_insensitive)
        case "decimal":
            return _decimal(arrow_type(hive_type))
        case "timestamp":
            return read_timestamp
        case "char" | "varchar" if hive_type.arguments:
            return lambda value: _string(value)[: hive_type.arguments[0]]
    if hive_type.name in _INTEGER_BITS:
        return _integer(_INTEGER_BITS[hive_type.name])
    return _SIMPLE[hive_type.name]


def _misfit(value: Any, kind: str) -> ValueDoesNotFit:
    shown = orjson.dumps(value).decode()
    return ValueDoesNotFit(f"{shown[:200]} is not a {kind}")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _misfit(value, "boolean")


def _integer(bits: int) -> Convert:
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def convert(value: Any) -> int:
        if isinstance(value, str):
            try:
                value = int(value)
            except ValueError:
                raise _misfit(value, f"{bits}-bit integer") from None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _misfit(value, f"{bits}-bit integer")
        return value

    return convert


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _misfit(value, "number")
    try:
        return float(value)
    except ValueError:
        raise _misfit(value, "number") from None


def _string(value: Any) -> str:
    # The SerDes keep what is not a string as its JSON text.
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _binary(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise _misfit(value, "base64 text") from None


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        raise _misfit(value, "date") from None


def _decimal(kind: Any) -> Convert:
    step, most = Decimal(1).scaleb(-kind.scale), Decimal(10) ** (kind.precision - kind.scale)

    def convert(value: Any) -> Decimal:
        try:
            exact = Decimal(str(value)).quantize(step)
        except (InvalidOperation, ValueError):
            raise _misfit(value, str(kind)) from None
        if isinstance(value, bool) or abs(exact) >= most:
            raise _misfit(value, str(kind))
        return exact

    return convert


def _array(item: Convert) -> Convert:
    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _misfit(value, "list")
        return [None if x is None else item(x) for x in value]

    return convert


def _map(key: Convert, item: Convert) -> Convert:
    def convert(value: Any) -> list[tuple[Any, Any]]:
        if not isinstance(value, dict):
            raise _misfit(value, "map")
        return [(key(k), None if x is None else item(x)) for k, x in value.items()]

    return convert


def _struct(names: tuple[str, ...], items: list[Convert], case_insensitive: bool) -> Convert:
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _misfit(value, "struct")
        if case_insensitive:
            value = {key.lower(): item for key, item in value.items()}
        found = ((name, value.get(name.lower() if case_insensitive else name)) for name in names)
        return {
            name: None if x is None else item(x)
            for (name, x), item in zip(found, items, strict=True)
        }

    return convert


_SIMPLE: dict[str, Convert] = {
    "boolean": _boolean,
    "float": _float,
    "double": _float,
    "string": _string,
    "char": _string,
    "varchar": _string,
    "binary": _binary,
    "date": _date,
}
