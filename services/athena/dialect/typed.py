"""What binding gives: SQL for DuckDB with its Trino type, and the names in scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.athena.trino_types import Type

_NOTHING = object()


@dataclass(frozen=True)
class Typed:
    """`constant` is the Python value of a literal, where it is one.

    `wall` is a moment's own wall clock, where it costs less than taking it out of `sql`.
    """

    sql: str
    type: Type
    constant: Any = _NOTHING
    wall: str = ""

    @property
    def is_constant(self) -> bool:
        return self.constant is not _NOTHING


@dataclass(frozen=True)
class ScopeColumn:
    """A column in scope: `sql` is unique in the whole statement. Hidden ones are not in `*`."""

    name: str
    type: Type
    sql: str
    hidden: bool = False


@dataclass
class Relation:
    """One item of FROM. `alias` is what qualifies; `database` may stand before it."""

    alias: str | None
    columns: list[ScopeColumn]
    database: str | None = None
    partition_columns: frozenset[str] = frozenset()


@dataclass
class Scope:
    """Names, innermost first: lambda parameters, this query's relations, then the outer query's."""

    relations: list[Relation] = field(default_factory=list)
    parent: Scope | None = None
    lambdas: dict[str, Typed] = field(default_factory=dict)
    #: USING: a name without qualifier that stands for both sides.
    merged: dict[str, ScopeColumn] = field(default_factory=dict)
    outputs: dict[str, Typed] = field(default_factory=dict)

    def inner(self, lambdas: dict[str, Typed]) -> Scope:
        """The same names under a lambda's parameters."""
        return Scope(
            self.relations, self.parent, {**self.lambdas, **lambdas}, self.merged, self.outputs
        )


@dataclass(frozen=True)
class OutputColumn:
    """`name` as the user sees it (`_col0` where it has none)."""

    name: str
    type: Type
    hidden: bool = False


@dataclass(frozen=True)
class Query:
    """A bound query: its SQL gives exactly these columns, in order."""

    sql: str
    columns: list[OutputColumn]


def once(sql: str, make: Callable[[str], str]) -> str:
    """`make(sql)`, where a value that stands in it several times and costs something is computed once."""
    if len(sql) < 100 and not _COSTLY.search(sql):
        return make(sql)
    number = 1 + max((int(n) for n in re.findall(r"_once(\d+)", sql)), default=-1)
    return f"list_transform([{sql}], lambda _once{number}: {make(f'_once{number}')})[1]"


_COSTLY = re.compile(r"athena_|lambda|regexp_|json|CASE|strptime")


def text(value: str) -> str:
    """A SQL string literal."""
    if "\0" in value:
        return "(" + " || chr(0) || ".join(text(part) for part in value.split("\0")) + ")"
    return "'" + value.replace("'", "''") + "'"
