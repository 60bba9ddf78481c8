"""GROUP BY: keys, ROLLUP, CUBE, GROUPING SETS, AUTO; and where aggregates stand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from services.athena.dialect import comparison
from services.athena.dialect.expressions import canonical, written
from services.athena.dialect.functions import AGGREGATES
from services.athena.dialect.set_operations import SetOperationBinder
from services.athena.dialect.typed import Scope, Typed


@dataclass
class SelectState:
    """What is known while one SELECT is bound."""

    node: exp.Select
    scope: Scope
    from_sql: str = ""
    where_sql: str = ""
    computed: list[str] = field(default_factory=list)
    group_sql: str = ""
    outputs: list[tuple[str, Typed, bool]] = field(default_factory=list)


class GroupingBinder(SetOperationBinder):
    """Afterwards `grouped` maps each key's SQL to its column."""

    def _aggregates(self, node: exp.Select) -> bool:
        if node.args.get("group") is not None or node.args.get("having") is not None:
            return True
        order = node.args.get("order")
        return any(
            _has_aggregate(part)
            for part in [*node.expressions, *(order.expressions if order else [])]
        )

    def _group(self, state: SelectState) -> None:
        """Bind the grouping; afterwards `grouped` maps each key's SQL to its column."""
        grouped: dict[str, Typed] = {}

        def key(node: Any) -> str:
            bound = self._group_key(node, state)
            text = canonical(bound.sql)
            if text not in grouped:
                name = self.fresh("k_")
                shown = bound.sql
                if comparison.holds_zones(bound.type):  # equal instants are one group
                    same = comparison.key(shown, bound.type)
                    shown = f"first_value({shown}) OVER (PARTITION BY {same})"
                state.computed.append(f"{shown} AS {name}")
                grouped[text] = Typed(name, bound.type)
            return grouped[text].sql

        group = state.node.args.get("group")
        if group is not None and self._has_sets(group):
            self._check_columns(group, state)
        if group is not None and self._needs_expansion(group, state):
            sets = grouping_sets(
                [self._element(part, state, key) for part in _group_parts(group)],
                distinct=group.args.get("all") is False,
            )
            if len(sets) > _MOST_SETS:
                raise self.refused(group, f"GROUP BY has {len(sets)} grouping sets but can have at most {_MOST_SETS}",
                                   "TOO_MANY_GROUPING_SETS")  # fmt: skip
            listed = ", ".join(f"({', '.join(one)})" for one in sets)
            state.group_sql = f" GROUP BY GROUPING SETS ({listed})"
            self.grouped = grouped
            return
        items = self._group_items(group, key) if group is not None else []
        state.group_sql = f" GROUP BY {', '.join(items)}" if items else ""
        self.grouped = grouped

    def _needs_expansion(self, group: exp.Group, state: SelectState) -> bool:
        """AUTO, and DISTINCT over several sets: the sets are written out."""
        parts = _group_parts(group)
        simple = len(parts) == 1 and isinstance(parts[0], exp.Column)
        return any(self._is_auto(p, state) for p in parts) or (
            group.args.get("all") is False and not simple
        )

    def _has_sets(self, group: exp.Group) -> bool:
        return any(
            isinstance(p, (exp.GroupingSets, exp.Rollup, exp.Cube)) for p in _group_parts(group)
        )

    def _check_columns(self, group: exp.Group, state: SelectState) -> None:
        """Beside ROLLUP, CUBE and GROUPING SETS only columns are grouped: no place, no expression."""
        for part in _group_parts(group):
            nested = [
                n
                for s in part.expressions
                for n in (s.expressions if isinstance(s, exp.Tuple) else [s])
            ]
            for node in (
                nested if isinstance(part, (exp.GroupingSets, exp.Rollup, exp.Cube)) else []
            ):
                inner = node
                while isinstance(inner, exp.Paren):
                    inner = inner.this
                if not isinstance(
                    inner, (exp.Column, exp.Dot, exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)
                ):
                    raise self.refused(
                        inner,
                        f"GROUP BY expression must be a column reference: {written(inner)}",
                        "INVALID_COLUMN_REFERENCE",
                    )

    def _is_auto(self, part: Any, state: SelectState) -> bool:
        return (
            isinstance(part, exp.Column)
            and len(part.parts) == 1
            and part.name.upper() == "AUTO"
            and not part.this.quoted
            and self.resolve(["auto"], state.scope) is None
        )

    def _element(self, part: Any, state: SelectState, key: Any) -> list[list[str]]:
        """The grouping sets one element of GROUP BY stands for."""
        if isinstance(part, exp.GroupingSets):
            return [one for inner in part.expressions for one in self._element(inner, state, key)]
        if isinstance(part, (exp.Rollup, exp.Cube)):
            parts = [self._element(p, state, key)[0] for p in part.expressions]
            return rolled_up(parts) if isinstance(part, exp.Rollup) else cubed(parts)
        if isinstance(part, exp.Tuple):
            return [[key(p) for p in part.expressions]]
        if self._is_auto(part, state):
            return [self._auto_keys(state, key)]
        return [[key(part.this if isinstance(part, exp.Paren) else part)]]

    def _auto_keys(self, state: SelectState, key: Any) -> list[str]:
        """GROUP BY AUTO: every selected expression that holds no aggregate."""
        keys = []
        for item in state.node.expressions:
            inner = item.this if isinstance(item, exp.Alias) else item
            if isinstance(inner, exp.Star):
                names = [c.name for r in state.scope.relations for c in r.columns if not c.hidden]
                keys += [key(exp.column(name, quoted=True)) for name in names]
            elif not _has_aggregate(inner):
                keys.append(key(inner))
        return keys

    def _group_items(self, group: exp.Group, key: Any) -> list[str]:
        items = []
        for part in _group_parts(group):
            if isinstance(part, exp.GroupingSets):
                items.append(
                    f"GROUPING SETS ({', '.join(self._group_set(p, key) for p in part.expressions)})"
                )
            elif isinstance(part, (exp.Rollup, exp.Cube)):
                word = "ROLLUP" if isinstance(part, exp.Rollup) else "CUBE"
                items.append(
                    f"{word} ({', '.join(self._group_set(p, key) for p in part.expressions)})"
                )
            elif isinstance(part, exp.Tuple):
                items.append(
                    "()" if not part.expressions else ", ".join(key(p) for p in part.expressions)
                )
            else:
                items.append(key(part))
        return items

    def _group_set(self, part: Any, key: Any) -> str:
        if isinstance(part, exp.Tuple):
            return "(" + ", ".join(key(p) for p in part.expressions) + ")"
        if isinstance(part, (exp.Rollup, exp.Cube, exp.GroupingSets)):
            word = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE"}.get(type(part), "GROUPING SETS")
            return f"{word} ({', '.join(self._group_set(p, key) for p in part.expressions)})"
        inner = part.this if isinstance(part, exp.Paren) else part
        return f"({key(inner)})"

    def _group_key(self, node: Any, state: SelectState) -> Typed:
        if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
            place = int(node.this)
            if not 1 <= place <= len(state.node.expressions):
                raise self.refused(
                    node,
                    f"GROUP BY position {place} is not in select list",
                    "INVALID_COLUMN_REFERENCE",
                )
            chosen = state.node.expressions[place - 1]
            if isinstance(chosen, exp.Star):
                columns = [c for r in state.scope.relations for c in r.columns if not c.hidden]
                return Typed(columns[place - 1].sql, columns[place - 1].type)
            node = chosen.this if isinstance(chosen, exp.Alias) else chosen
        if _has_aggregate(node):
            raise self.refused(
                node,
                "GROUP BY clause cannot contain aggregations, window functions or grouping operations",
                "EXPRESSION_NOT_SCALAR",
            )
        return self.bind(node, state.scope)


_MOST_SETS = 2048


def _group_parts(group: exp.Group) -> list[Any]:
    return [
        *group.expressions,
        *(group.args.get("grouping_sets") or []),
        *(group.args.get("rollup") or []),
        *(group.args.get("cube") or []),
    ]


def grouping_sets(elements: Sequence[Sequence[list[str]]], distinct: bool) -> list[list[str]]:
    """The sets of GROUP BY a, ROLLUP (b, c): every element's sets with every other's."""
    sets = [list(itertools.chain(*chosen)) for chosen in itertools.product(*elements)]
    unique = [list(dict.fromkeys(one)) for one in sets]
    if not distinct:
        return unique
    seen: dict[frozenset[str], list[str]] = {}
    for one in unique:
        seen.setdefault(frozenset(one), one)
    return list(seen.values())


def rolled_up(parts: Sequence[list[str]]) -> list[list[str]]:
    """ROLLUP (a, b): (a, b), (a), ()"""
    return [list(itertools.chain(*parts[:count])) for count in range(len(parts), -1, -1)]


def cubed(parts: Sequence[list[str]]) -> list[list[str]]:
    """CUBE (a, b): (a, b), (a), (b), ()"""
    chosen = (c for size in range(len(parts), -1, -1) for c in itertools.combinations(parts, size))
    return [list(itertools.chain(*one)) for one in chosen]


def aggregate_in(node: Any) -> Any:
    """The aggregate or window call of a condition, outside sub-queries."""
    for found in node.walk(prune=lambda n: isinstance(n, (exp.Subquery, exp.Select, exp.Exists))):
        if isinstance(found, (exp.Window, exp.GroupConcat)):
            return found
        if isinstance(found, exp.Anonymous) and str(found.this).lower() in AGGREGATES:
            return found
    return None


def _has_aggregate(node: Any) -> bool:
    """Is there an aggregate call outside sub-queries and windows?"""
    if isinstance(node, (exp.Subquery, exp.Select, exp.Exists)):
        return False
    if isinstance(node, exp.Window):
        inner = node.this
        while isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
            inner = inner.this
        children = list(inner.iter_expressions()) + [
            n for k in ("partition_by",) for n in node.args.get(k) or []
        ]
        if node.args.get("order") is not None:
            children.append(node.args["order"])
        return any(_has_aggregate(child) for child in children)
    if isinstance(node, exp.In) and node.args.get("query") is not None:
        return _has_aggregate(node.this)
    if isinstance(node, exp.Anonymous) and str(node.this).lower() in AGGREGATES:
        return True
    if isinstance(node, exp.GroupConcat):
        return True
    return any(_has_aggregate(child) for child in node.iter_expressions())
