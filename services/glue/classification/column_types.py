"""Hive's types: read from values, merged over rows and files, written as the catalog does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

INT_MAX, BIGINT_MAX = 2**31 - 1, 2**63 - 1
#: Each fits into those after it.
NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double")

WHOLE = re.compile(r"[-+]?\d+")
DECIMAL = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Array:
    """`array<element>`; None while only empty ones were seen."""

    element: HiveType | None


@dataclass(frozen=True)
class Struct:
    """`struct<name:type,…>` in the order in which fields were seen."""

    fields: tuple[tuple[str, HiveType | None], ...]


#: A scalar's name, or a nested type. None, where it is allowed, is "only NULLs so far".
HiveType = str | Array | Struct


@dataclass(frozen=True)
class Column:
    """A column as found: `type` None means that no value was seen."""

    name: str
    type: HiveType | None


def hive_text(kind: HiveType | None) -> str:
    """As the catalog writes it; what held only NULLs becomes a string."""
    if kind is None:
        return "string"
    if isinstance(kind, Array):
        return f"array<{hive_text(kind.element)}>"
    if isinstance(kind, Struct):
        return "struct<" + ",".join(f"{n}:{hive_text(k)}" for n, k in kind.fields) + ">"
    return kind


def text_type(value: str) -> HiveType | None:
    """The type of a value in CSV or a log: bigint, double, boolean or string; None when empty.

    Dates stay strings, as Glue's own CSV classifier leaves them."""
    value = value.strip()
    if not value:
        return None
    if WHOLE.fullmatch(value):
        return "bigint" if abs(int(value)) <= BIGINT_MAX else "string"
    if DECIMAL.fullmatch(value):
        return "double"
    return "boolean" if value.lower() in ("true", "false") else "string"


def json_type(value: Any) -> HiveType | None:
    """The type of a parsed JSON value."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return (
            "int" if abs(value) <= INT_MAX else "bigint" if abs(value) <= BIGINT_MAX else "double"
        )
    if isinstance(value, float):
        return "double"
    if isinstance(value, list):
        return Array(merge_all(json_type(item) for item in value))
    if isinstance(value, dict):
        return Struct(tuple((name, json_type(item)) for name, item in value.items()))
    return "string"


def merge(one: HiveType | None, other: HiveType | None) -> HiveType | None:
    """The narrowest type that holds both; string holds everything."""
    if one is None or one == other:
        return other
    if other is None:
        return one
    if isinstance(one, Array) and isinstance(other, Array):
        return Array(merge(one.element, other.element))
    if isinstance(one, Struct) and isinstance(other, Struct):
        return Struct(_merge_fields(one.fields, other.fields))
    if one in NUMBERS and other in NUMBERS:
        wider = max(NUMBERS.index(str(one)), NUMBERS.index(str(other)))
        # A float holds no bigint: both go into a double.
        return "double" if wider >= NUMBERS.index("float") else NUMBERS[wider]
    return "string"


def merge_all(kinds: Iterable[HiveType | None]) -> HiveType | None:
    merged: HiveType | None = None
    for kind in kinds:
        merged = merge(merged, kind)
    return merged


def merge_columns(some: Iterable[Column], others: Iterable[Column]) -> tuple[Column, ...]:
    """The columns of both by name, in the order seen."""
    merged = _merge_fields(
        tuple((column.name, column.type) for column in some),
        tuple((column.name, column.type) for column in others),
    )
    return tuple(Column(name, kind) for name, kind in merged)


def are_similar(some: Iterable[Column], others: Iterable[Column], threshold: float = 0.7) -> bool:
    """Whether two schemas look like one table: most columns agree in name and kind.

    AWS says "the majority"; its exact measure is not published."""
    left = {column.name: column.type for column in some}
    right = {column.name: column.type for column in others}
    if not left or not right:
        return left == right
    agreeing = sum(_agree(left[name], right[name]) for name in left.keys() & right.keys())
    return agreeing / max(len(left), len(right)) >= threshold


def _agree(one: HiveType | None, other: HiveType | None) -> bool:
    if one is None or other is None:
        return True
    return merge(one, other) != "string" or "string" == one == other


def _merge_fields(
    some: tuple[tuple[str, HiveType | None], ...], others: tuple[tuple[str, HiveType | None], ...]
) -> tuple[tuple[str, HiveType | None], ...]:
    merged = dict(some)
    for name, kind in others:
        merged[name] = merge(merged[name], kind) if name in merged else kind
    return tuple(merged.items())
