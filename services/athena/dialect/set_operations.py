"""UNION, INTERSECT, EXCEPT, CORRESPONDING."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from services.athena.dialect import coercion, comparison
from services.athena.dialect.ordering import OrderingBinder
from services.athena.dialect.typed import OutputColumn, Query, Scope
from services.athena.trino_types import Type

SET_WORDS = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}


class SetOperationBinder(OrderingBinder):
    """Two queries as one."""

    def _set_operation(self, node: Any, outer: Scope | None) -> Query:
        left, right = self.query(node.this, outer), self.query(node.expression, outer)
        if node.args.get("by_name"):
            left, right = self._corresponding(node, left, right)
        if len(left.columns) != len(right.columns):
            raise self.refused(
                node,
                f"{SET_WORDS[type(node)]} query has different number of fields: {len(left.columns)}, {len(right.columns)}",
                "TYPE_MISMATCH",
            )
        if node.args.get("on"):
            raise self.unsupported(node, "CORRESPONDING BY")
        columns = []
        for place, (a, b) in enumerate(zip(left.columns, right.columns, strict=True), 1):
            kind = coercion.common(a.type, b.type)
            if kind is None:
                raise self.refused(
                    node,
                    f"column {place} in {SET_WORDS[type(node)]} query has incompatible types: {a.type}, {b.type}",
                    "TYPE_MISMATCH",
                )
            columns.append(OutputColumn(a.name, kind))
        kinds = [c.type for c in columns]
        distinct = bool(node.args.get("distinct", True))
        if any(comparison.holds_zones(kind) for kind in kinds) and (
            distinct or not isinstance(node, exp.Union)
        ):
            query = self._set_of_moments(node, left, right, columns, distinct)
        else:
            word = SET_WORDS[type(node)] + ("" if distinct else " ALL")
            sql = f"({self.converted(left, kinds)}) {word} ({self.converted(right, kinds)})"
            query = Query(sql, columns)
        if any(node.args.get(k) for k in ("order", "limit", "offset")):
            return self._ordered_rows(node, query, outer)
        return query

    def _set_of_moments(
        self, node: Any, left: Query, right: Query, columns: list[OutputColumn], distinct: bool
    ) -> Query:
        """Set operations on columns whose equal values may look different."""
        if not distinct:
            raise self.unsupported(node, f"{SET_WORDS[type(node)]} ALL of {columns[0].type}")
        kinds = [c.type for c in columns]
        names = [self.fresh("c_") for _ in columns]
        keys = ", ".join(comparison.key(n, k) for n, k in zip(names, kinds, strict=True))
        ours, theirs = (self.converted(q, kinds) for q in (left, right))
        listed = f"({', '.join(names)})"
        if isinstance(node, exp.Union):
            side = self.fresh("c_")
            both = f"(SELECT 1, * FROM ({ours}) UNION ALL SELECT 2, * FROM ({theirs}))"
            named = f"{self.fresh('q')}({side}, {', '.join(names)})"
            return Query(  # of equal moments the left query's is kept
                f"SELECT DISTINCT ON ({keys}) {', '.join(names)} FROM {both} AS {named} ORDER BY {keys}, {side}",
                columns,
            )
        others = [self.fresh("c_") for _ in columns]
        tests = " AND ".join(
            f"{comparison.key(a, k)} IS NOT DISTINCT FROM {comparison.key(b, k)}"
            for a, b, k in zip(names, others, kinds, strict=True)
        )
        inside = f"EXISTS (SELECT 1 FROM ({theirs}) AS {self.fresh('q')}({', '.join(others)}) WHERE {tests})"
        word = "" if isinstance(node, exp.Intersect) else "NOT "
        return Query(
            f"SELECT DISTINCT ON ({keys}) * FROM ({ours}) AS {self.fresh('q')}{listed} WHERE {word}{inside}",
            columns,
        )

    def _corresponding(self, node: Any, left: Query, right: Query) -> tuple[Query, Query]:
        """CORRESPONDING: the columns both have, in the left query's order."""
        ours = {c.name.lower(): i for i, c in enumerate(left.columns)}
        theirs = {c.name.lower(): i for i, c in enumerate(right.columns)}
        shared = [name for name in ours if name in theirs]
        if not shared:
            raise self.refused(
                node, "No corresponding columns between left and right side of set operation",
                "SYNTAX_ERROR",
            )  # fmt: skip
        return (
            self._picked(left, [ours[n] for n in shared]),
            self._picked(right, [theirs[n] for n in shared]),
        )

    def _picked(self, query: Query, places: Sequence[int]) -> Query:
        names = [self.fresh("c_") for _ in query.columns]
        items = ", ".join(names[i] for i in places)
        sql = f"SELECT {items} FROM ({query.sql}) AS {self.fresh('q')}({', '.join(names)})"
        return Query(sql, [query.columns[i] for i in places])

    def converted(self, query: Query, kinds: Sequence[Type]) -> str:
        """The query with its columns brought to these types."""
        if [c.type for c in query.columns] == list(kinds):
            return f"SELECT * FROM ({query.sql}) AS {self.fresh('q')}"
        names = [self.fresh("c_") for _ in query.columns]
        items = [
            coercion.convert(n, c.type, kind)
            for n, c, kind in zip(names, query.columns, kinds, strict=True)
        ]
        return (
            f"SELECT {', '.join(items)} FROM ({query.sql}) AS {self.fresh('q')}({', '.join(names)})"
        )
