"""Trino's implicit conversions: which types meet where, and the SQL that brings a value there."""

from __future__ import annotations

from services.athena import trino_types as t
from services.athena.dialect.typed import Typed
from services.athena.trino_types import Type, duck_type

_NUMERIC = ("tinyint", "smallint", "integer", "bigint", "decimal", "real", "double")
_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}


def is_numeric(kind: Type) -> bool:
    return kind.name in _NUMERIC


def is_integer(kind: Type) -> bool:
    return kind.name in t.INTEGERS


def as_decimal(kind: Type) -> Type:
    """The decimal that holds every value of an integer type."""
    return t.decimal(_DIGITS[kind.name]) if kind.name in _DIGITS else kind


def common(a: Type, b: Type) -> Type | None:
    """The type both become in a comparison, CASE, UNION …; None where there is none."""
    if a == b:
        return a
    if a.name == "unknown":
        return b
    if b.name == "unknown":
        return a
    if is_numeric(a) and is_numeric(b):
        return _numeric(a, b)
    return _other(a, b)


def _numeric(a: Type, b: Type) -> Type:
    names = {a.name, b.name}
    if "decimal" in names and not names & {"real", "double"}:
        a, b = as_decimal(a), as_decimal(b)
        scale = max(a.scale, b.scale)
        return t.decimal(max(a.precision - a.scale, b.precision - b.scale) + scale, scale)
    return max(a, b, key=lambda kind: _NUMERIC.index(kind.name))


_MOMENTS = ("date", "timestamp", "timestamp with time zone")


def _other(a: Type, b: Type) -> Type | None:
    if a.name in ("varchar", "char") and b.name in ("varchar", "char"):
        return _texts(a, b)
    if a.name in _MOMENTS and b.name in _MOMENTS:
        kind = max(a.name, b.name, key=_MOMENTS.index)
        digits = [x.precision for x in (a, b) if x.name != "date"]
        return Type(kind, (max(digits),))
    if a.name == b.name and a.name in ("time", "time with time zone"):
        return Type(a.name, (max(a.precision, b.precision),))
    if {a.name, b.name} == {"time", "time with time zone"}:
        return Type("time with time zone", (max(a.precision, b.precision),))
    if a.name == b.name and a.args and len(a.args) == len(b.args):
        args = [common(x, y) for x, y in zip(a.args, b.args, strict=True)]
        if any(arg is None for arg in args):
            return None
        fields = a.fields
        if a.name == "row":
            fields = tuple(x if x == y else None for x, y in zip(a.fields, b.fields, strict=True))
        return Type(a.name, (), tuple(arg for arg in args if arg is not None), fields)
    return None


def _texts(a: Type, b: Type) -> Type:
    if a.name == b.name == "varchar":
        return t.varchar(max(a.params[0], b.params[0])) if a.params and b.params else t.VARCHAR
    lengths = [x.params[0] for x in (a, b) if x.params]
    if len(lengths) < 2:
        return (
            t.VARCHAR
            if not all(x.name == "char" for x in (a, b))
            else Type("char", (max(lengths or [1]),))
        )
    return Type("char", (max(lengths),))


def accepts(given: Type, wanted: Type) -> bool:
    """May `given` stand where `wanted` is asked for?"""
    found = common(given, wanted)
    return found is not None and (found == wanted or found.name == wanted.name)


def coerced(value: Typed, wanted: Type) -> Typed:
    """The value as `wanted`, which `accepts` allowed."""
    if value.type == wanted:
        return value
    return Typed(convert(value.sql, value.type, wanted), wanted, value.constant)


def convert(sql: str, given: Type, wanted: Type, depth: int = 0) -> str:
    """SQL of an implicit conversion."""
    if given == wanted or (
        given.name == wanted.name
        and not given.args
        and given.name in ("varchar", "time", "timestamp with time zone")
    ):
        return sql
    v = f"_k{depth}"
    match wanted.name:
        case "timestamp with time zone":
            moment = sql if given.name == "timestamp" else f"CAST({sql} AS TIMESTAMP)"
            return (
                f"athena_zoned({moment}, 'UTC')"
                if given.name != "unknown"
                else f"CAST(NULL AS {duck_type(wanted)})"
            )
        case "array" if given.name == "array":
            inner = convert(v, given.args[0], wanted.args[0], depth + 1)
            if inner == v:
                return sql
            if given.args[0].name == "unknown":
                return f"CAST({sql} AS {duck_type(wanted)})"
            return f"list_transform({sql}, lambda {v}: {inner})"
        case "map" if given.name == "map":
            key = convert(f"{v}.key", given.args[0], wanted.args[0], depth + 1)
            value = convert(f"{v}.value", given.args[1], wanted.args[1], depth + 1)
            if key == f"{v}.key" and value == f"{v}.value":
                return sql
            if "unknown" in (given.args[0].name, given.args[1].name) and not given.args[1].args:
                return f"CAST({sql} AS {duck_type(wanted)})"
            entry = f"{{'key': {key}, 'value': {value}}}"
            return f"map_from_entries(list_transform(map_entries({sql}), lambda {v}: {entry}))"
        case "row" if given.name == "row":
            parts = []
            for name, x, y in zip(t.struct_names(wanted), given.args, wanted.args, strict=True):
                parts.append((name, f"({sql}).{name}", convert(f"({sql}).{name}", x, y, depth + 1)))
            if all(before == after for _, before, after in parts):
                return sql
            fields = ", ".join(f"'{name}': {after}" for name, _, after in parts)
            return f"CASE WHEN {sql} IS NOT NULL THEN {{{fields}}} END"
        case "varchar" if given.name == "char":
            return f"rpad({sql}, {given.params[0]}, ' ')"
        case "char" if given.name == "varchar":
            return f"rtrim({sql}, ' ')"
        case "char" if given.name == "char":
            return sql
        case "real" | "double" if given.name == "decimal":
            return f"CAST({sql} AS {duck_type(wanted)})"
    if duck_type(given) == duck_type(wanted) and given.name != "unknown":
        return sql
    return f"CAST({sql} AS {duck_type(wanted)})"
