"""Comparisons with SQL's three values, also inside arrays, maps and rows."""

from __future__ import annotations

from services.athena import trino_types as t
from services.athena.trino_types import Type

_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def key(sql: str, kind: Type, depth: int = 0) -> str:
    """What stands for a value where DuckDB compares natively (ORDER BY, joins, DISTINCT)."""
    if kind.name == "timestamp with time zone":
        return f"({sql}).t"
    if kind.name == "time with time zone":
        return f"athena_time_utc({sql})"
    if kind.name == "row" and holds_zones(kind):
        parts = ", ".join(
            f"'{n}': {key(f'({sql}).{n}', x, depth + 1)}"
            for n, x in zip(t.struct_names(kind), kind.args, strict=True)
        )
        return f"CASE WHEN {sql} IS NOT NULL THEN {{{parts}}} END"
    if kind.name == "array" and holds_zones(kind):
        item = f"_z{depth}"
        return f"list_transform({sql}, lambda {item}: {key(item, kind.args[0], depth + 1)})"
    return sql


def order_key(sql: str, kind: Type, nulls_first: bool) -> str:
    """What ORDER BY sorts by: beside NULLS FIRST a NaN is the smallest, else the largest."""
    if nulls_first and kind.name in ("real", "double"):
        return f"CASE WHEN {sql} IS NOT NULL THEN {{'n': NOT isnan({sql}), 'v': {sql}}} END"
    return key(sql, kind)


def needs_care(kind: Type) -> bool:
    """Does DuckDB's `=` say something else than SQL's for this type?"""
    return kind.name in ("array", "map", "row")


def equal(a: str, b: str, kind: Type, depth: int = 0) -> str:
    """`a = b`: NULL inside makes the answer NULL unless another part differs."""
    i = f"_e{depth}"
    match kind.name:
        case "real" | "double":
            return f"({a} = {b} AND NOT isnan({a}))"
        case "array":
            inner = equal(f"({a})[{i}]", f"({b})[{i}]", kind.args[0], depth + 1)
            pairs = f"list_transform(range(1, len({a}) + 1), lambda {i}: {inner})"
            return f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN len({a}) <> len({b}) THEN false ELSE athena_all({pairs}) END"
        case "map":
            value = f"({a})[{i}]"
            other = f"({b})[{i}]"
            inner = f"CASE WHEN NOT map_contains({b}, {i}) THEN false ELSE {equal(value, other, kind.args[1], depth + 1)} END"
            pairs = f"list_transform(map_keys({a}), lambda {i}: {inner})"
            return f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN cardinality({a}) <> cardinality({b}) THEN false ELSE athena_all({pairs}) END"
        case "row":
            parts = [
                equal(f"({a}).{n}", f"({b}).{n}", x, depth + 1)
                for n, x in zip(t.struct_names(kind), kind.args, strict=True)
            ]
            return f"CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN ({' AND '.join(parts)}) END"
    return f"({key(a, kind)} = {key(b, kind)})"


def compare(operator: str, a: str, b: str, kind: Type) -> str:
    """`=`, `<>`, `<`, `<=`, `>`, `>=` of two values of one type."""
    if operator == "=":
        return equal(a, b, kind)
    if operator == "<>":
        if kind.name in ("real", "double"):
            return f"({a} <> {b} OR (isnan({a}) AND {b} IS NOT NULL))"
        return (
            f"(NOT {equal(a, b, kind)})"
            if needs_care(kind)
            else f"({key(a, kind)} <> {key(b, kind)})"
        )
    if kind.name in ("real", "double"):  # every order with NaN is false, DuckDB puts it last
        return f"({a} {operator} {b} AND NOT isnan({a}) AND NOT isnan({b}))"
    if kind.name == "row":
        return _row_order(operator, a, b, kind)
    return f"({key(a, kind)} {operator} {key(b, kind)})"


def _row_order(operator: str, a: str, b: str, kind: Type) -> str:
    """Field by field."""
    names = t.struct_names(kind)
    strict = operator.rstrip("=")
    parts = []
    for place, (name, inner) in enumerate(zip(names, kind.args, strict=True)):
        before = [
            equal(f"({a}).{n}", f"({b}).{n}", x)
            for n, x in zip(names[:place], kind.args[:place], strict=True)
        ]
        last = operator if place == len(names) - 1 else strict
        here = compare(last, f"({a}).{name}", f"({b}).{name}", inner)
        parts.append("(" + " AND ".join([*before, here]) + ")")
    return "(" + " OR ".join(parts) + ")"


def holds_zones(kind: Type) -> bool:
    """Are there values that are equal and still look different, by their zones?"""
    return kind.name.endswith("with time zone") or any(holds_zones(x) for x in kind.args)


def holds_floats(kind: Type) -> bool:
    return kind.name in ("real", "double") or any(holds_floats(x) for x in kind.args)


def largest(items: str, kind: Type) -> str:
    """The largest of a list of arrays or rows: a NaN inside them is below every number.

    DuckDB puts NaN above; for the smallest that is already as Trino has it.
    """
    if not holds_floats(kind):
        return f"list_max({items})"
    pairs = f"list_transform({items}, lambda _g: {{'k': {_nan_first('_g', kind)}, 'v': _g}})"
    return f"list_max({pairs}).v"


def _nan_first(sql: str, kind: Type, depth: int = 0) -> str:
    if kind.name in ("real", "double"):
        return f"{{'n': NOT isnan({sql}), 'v': {sql}}}"
    if not holds_floats(kind):
        return sql
    if kind.name == "array":
        item = f"_g{depth}"
        return f"list_transform({sql}, lambda {item}: {_nan_first(item, kind.args[0], depth + 1)})"
    parts = [
        f"'{n}': {_nan_first(f'({sql}).{n}', x, depth + 1)}"
        for n, x in zip(t.struct_names(kind), kind.args, strict=True)
    ]
    return f"{{{', '.join(parts)}}}"


def distinct(a: str, b: str, kind: Type) -> str:
    """`a IS DISTINCT FROM b`."""
    return f"({key(a, kind)} IS DISTINCT FROM {key(b, kind)})"


def orderable(kind: Type) -> bool:
    return kind.name not in ("map", "json", "unknown") and all(orderable(x) for x in kind.args)
