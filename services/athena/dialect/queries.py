"""Queries: SELECT, set operations, VALUES, WITH, bound into DuckDB SQL with typed columns.

Every column in FROM gets a name that is unique in the whole statement (`c_17`), so nothing in the
SQL for DuckDB is ever ambiguous or needs a qualifier.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison, windows
from services.athena.dialect.expressions import canonical, field_of, written
from services.athena.dialect.function_calls import CallBinder
from services.athena.dialect.functions import AGGREGATES
from services.athena.dialect.pattern_queries import pattern_source
from services.athena.dialect.relations import RelationBinder
from services.athena.dialect.typed import OutputColumn, Query, Scope, ScopeColumn, Typed
from services.athena.trino_types import Type

_SELECT_PARTS = frozenset({
    "expressions", "from_", "joins", "laterals", "where", "group", "having", "order", "limit", "offset",
    "distinct", "windows", "with_", "kind", "hint", "operation_modifiers",
})  # fmt: skip
_SET_WORDS = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}


@dataclass
class _Select:
    """What is known while one SELECT is bound."""

    node: exp.Select
    scope: Scope
    from_sql: str = ""
    where_sql: str = ""
    computed: list[str] = field(default_factory=list)
    group_sql: str = ""
    outputs: list[tuple[str, Typed, bool]] = field(default_factory=list)


class QueryBinder(RelationBinder, CallBinder):
    """The whole language of queries. One per statement."""

    def query(self, node: Any, outer: Scope | None = None) -> Query:
        """Any query expression."""
        if isinstance(node, exp.Subquery):
            inner = self._with_modifiers(node, outer)
            return inner if inner is not None else self.query(node.this, outer)
        with_ = node.args.get("with_") or node.args.get("with")
        if with_ is None:
            return self._body(node, outer)
        saved = dict(self.ctes)
        try:
            definitions = [
                self._common_table(cte, bool(with_.args.get("recursive")), outer)
                for cte in with_.expressions
            ]
            body = self._body(node, outer)
        finally:
            self.ctes = saved
        word = "WITH RECURSIVE" if with_.args.get("recursive") else "WITH"
        return Query(f"{word} {', '.join(definitions)} {body.sql}", body.columns)

    def subquery(self, node: Any, scope: Scope) -> Query:
        """A query inside an expression: names of the outer query are visible."""
        saved = (self.grouped, self.in_aggregate)
        pattern, self.pattern = self.pattern, None
        if pattern is not None:
            scope = Scope(parent=scope.parent)
            pattern.queried = True
        outer = scope
        if self.grouped and not self.in_aggregate:
            outer = self._grouped_scope(scope)
        self.grouped, self.in_aggregate = None, False
        try:
            return self.query(node, outer)
        finally:
            self.grouped, self.in_aggregate = saved
            self.pattern = pattern

    def _grouped_scope(self, scope: Scope) -> Scope:
        """Outer columns as an aggregated query's sub-query sees them: by their group's column."""
        grouped = self.grouped or {}
        relations = []
        for relation in scope.relations:
            columns = [
                ScopeColumn(
                    c.name, c.type, grouped[c.sql].sql if c.sql in grouped else c.sql, c.hidden
                )
                for c in relation.columns
            ]
            relations.append(type(relation)(relation.alias, columns, relation.database))
        return Scope(relations, scope.parent, scope.lambdas, scope.merged, scope.outputs)

    def _with_modifiers(self, node: exp.Subquery, outer: Scope | None) -> Query | None:
        """`(SELECT …) ORDER BY … LIMIT …`"""
        if not any(node.args.get(k) for k in ("order", "limit", "offset")):
            return None
        inner = self.query(node.this, outer)
        return self._ordered_rows(node, inner, outer)

    def _body(self, node: Any, outer: Scope | None) -> Query:
        if isinstance(node, exp.Select):
            return self._select(node, outer)
        if type(node) in _SET_WORDS:
            return self._set_operation(node, outer)
        if isinstance(node, exp.Values):
            return self._values_query(node, outer)
        if isinstance(node, exp.Subquery):
            return self.query(node, outer)
        if isinstance(node, exp.Table):
            return self._select(
                exp.Select(expressions=[exp.Star()], from_=exp.From(this=node)), outer
            )
        raise self.unsupported(node, f"{type(node).__name__} as a query")

    def _values_query(self, node: exp.Values, outer: Scope | None) -> Query:
        columns, sql = self.values(node, Scope(parent=outer))
        query = Query(sql, [OutputColumn(f"_col{i}", kind) for i, kind in enumerate(columns)])
        if any(node.args.get(k) for k in ("order", "limit", "offset")):
            return self._ordered_rows(node, query, outer)
        return query

    # --- set operations

    def _set_operation(self, node: Any, outer: Scope | None) -> Query:
        left, right = self.query(node.this, outer), self.query(node.expression, outer)
        if node.args.get("by_name"):
            left, right = self._corresponding(node, left, right)
        if len(left.columns) != len(right.columns):
            raise self.refused(
                node,
                f"{_SET_WORDS[type(node)]} query has different number of fields: {len(left.columns)}, {len(right.columns)}",
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
                    f"column {place} in {_SET_WORDS[type(node)]} query has incompatible types: {a.type}, {b.type}",
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
            word = _SET_WORDS[type(node)] + ("" if distinct else " ALL")
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
            raise self.unsupported(node, f"{_SET_WORDS[type(node)]} ALL of {columns[0].type}")
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

    def _ordered_rows(self, node: Any, query: Query, outer: Scope | None) -> Query:
        """ORDER BY, OFFSET, LIMIT over a finished query: only its own columns are in scope."""
        names = [self.fresh("c_") for _ in query.columns]
        typed = [Typed(n, c.type) for n, c in zip(names, query.columns, strict=True)]
        named = {c.name.lower(): v for c, v in zip(query.columns, typed, strict=True)}
        scope = Scope(parent=outer, outputs=named)
        order = self._order_items(node.args.get("order"), scope, typed, named)
        sql = f"SELECT * FROM ({query.sql}) AS {self.fresh('q')}({', '.join(names)})"
        return Query(self._limited(node, sql, order), query.columns)

    # --- SELECT

    def _select(self, node: exp.Select, outer: Scope | None) -> Query:
        self.check_parts(node, _SELECT_PARTS)
        state = _Select(node, Scope(parent=outer))
        saved = (self.grouped, self.in_aggregate, self.windows, self.pattern_windows)
        self.grouped, self.in_aggregate = None, False
        self.pattern_windows = {}
        self.windows = {w.this.name.lower(): w for w in node.args.get("windows") or []}
        try:
            state.from_sql = self.from_clause(node, state.scope)
            state.where_sql = self._where(node, state.scope)
            if self._aggregates(node):
                self._group(state)
            self.ungrouped = []
            self._output_list(state)
            return self._assembled(state)
        finally:
            self.grouped, self.in_aggregate, self.windows, self.pattern_windows = saved

    def _where(self, node: exp.Select, scope: Scope) -> str:
        where = node.args.get("where")
        if where is None:
            return ""
        found = _aggregate_in(where.this)
        if found is not None:
            raise self.refused(
                where.this,
                f"WHERE clause cannot contain aggregations, window functions or grouping operations: [{written(found)}]",
                "EXPRESSION_NOT_SCALAR",
            )
        return " WHERE " + " AND ".join(self.conjuncts(where.this, scope))

    def _aggregates(self, node: exp.Select) -> bool:
        if node.args.get("group") is not None or node.args.get("having") is not None:
            return True
        order = node.args.get("order")
        return any(
            _has_aggregate(part)
            for part in [*node.expressions, *(order.expressions if order else [])]
        )

    def _group(self, state: _Select) -> None:
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

    def _needs_expansion(self, group: exp.Group, state: _Select) -> bool:
        """AUTO, and DISTINCT over several sets: the sets are written out."""
        parts = _group_parts(group)
        simple = len(parts) == 1 and isinstance(parts[0], exp.Column)
        return any(self._is_auto(p, state) for p in parts) or (
            group.args.get("all") is False and not simple
        )

    def _is_auto(self, part: Any, state: _Select) -> bool:
        return (
            isinstance(part, exp.Column)
            and len(part.parts) == 1
            and part.name.upper() == "AUTO"
            and not part.this.quoted
            and self.resolve(["auto"], state.scope) is None
        )

    def _element(self, part: Any, state: _Select, key: Any) -> list[list[str]]:
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

    def _auto_keys(self, state: _Select, key: Any) -> list[str]:
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

    def _group_key(self, node: Any, state: _Select) -> Typed:
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

    # --- outputs

    def _output_list(self, state: _Select) -> None:
        for item in state.node.expressions:
            if isinstance(item, exp.Star):
                self._star(item, state, None)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                self._star(item.this, state, item)
            elif isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
                self._row_star(item, state)
            elif isinstance(item, exp.Aliases):
                self._aliased_star(item, state)
            else:
                self._output(item, state)

    def _star(self, star: exp.Star, state: _Select, qualifier: Any) -> None:
        excluded = {c.name.lower() for c in star.args.get("except_") or []}
        relations = state.scope.relations
        if qualifier is not None:
            names = [p.name.lower() for p in qualifier.parts[:-1]]
            relations = self._named_relations(names, state.scope)
            if not relations:
                row = self.resolve(names, state.scope)
                if row is None or row.type.name != "row":
                    raise self.refused(
                        qualifier,
                        f"Unable to resolve reference {'.'.join(names)}",
                        "TABLE_NOT_FOUND",
                    )
                self._row_outputs(row, state)
                return
        elif not relations:
            raise self.refused(
                state.node,
                "SELECT * not allowed in queries without FROM clause",
                "COLUMN_NOT_FOUND",
            )
        if qualifier is None:
            for name, column in state.scope.merged.items():
                self._column_output(name, column, state, excluded)
        for relation in relations:
            for column in relation.columns:
                hidden_by_merge = column.name.lower() in state.scope.merged
                if not column.hidden and not hidden_by_merge:
                    self._column_output(column.name, column, state, excluded)

    def _named_relations(self, names: list[str], scope: Scope | None) -> list[Any]:
        while scope is not None:
            found = [
                r for r in scope.relations if r.alias is not None and r.alias.lower() == names[-1]
            ]
            if found:
                return found
            scope = scope.parent
        return []

    def _column_output(
        self, name: str, column: ScopeColumn, state: _Select, excluded: set[str]
    ) -> None:
        if name.lower() in excluded:
            return
        value = Typed(column.sql, column.type)
        if self.grouped is not None:
            if column.sql not in self.grouped:
                raise self.refused(
                    state.node,
                    f"'{name}' must be an aggregate expression or appear in GROUP BY clause",
                    "EXPRESSION_NOT_AGGREGATE",
                )
            value = self.grouped[column.sql]
        state.outputs.append((name, value, False))

    def _aliased_star(self, item: exp.Aliases, state: _Select) -> None:
        """`row.* AS (a, b)`"""
        start = len(state.outputs)
        inner = item.this
        if isinstance(inner, exp.Column):
            self._star(inner.this, state, inner)
        elif isinstance(inner, exp.Star):
            self._star(inner, state, None)
        else:
            self._row_star(inner, state)
        names = [a.name for a in item.expressions]
        if len(names) != len(state.outputs) - start:
            raise self.refused(
                item,
                f"Column alias list has {len(names)} entries but relation has {len(state.outputs) - start} columns",
                "MISMATCHED_COLUMN_ALIASES",
            )
        for place, name in enumerate(names, start):
            state.outputs[place] = (name, state.outputs[place][1], True)

    def _row_star(self, item: exp.Dot, state: _Select) -> None:
        value = self.bind(item.this, state.scope)
        if value.type.name != "row":
            raise self.refused(item, f"Expected a row for .*, found {value.type}", "TYPE_MISMATCH")
        self._row_outputs(value, state)

    def _row_outputs(self, value: Typed, state: _Select) -> None:
        if self.grouped is not None:
            value = self.grouped.get(canonical(value.sql), value)
        pairs = zip(t.struct_names(value.type), value.type.fields, value.type.args, strict=True)
        for stored, name, kind in pairs:
            shown = name or f"_col{len(state.outputs)}"
            state.outputs.append((shown, Typed(f"({value.sql}).{stored}", kind), False))

    def _output(self, item: Any, state: _Select) -> None:
        bound = self.bind(item, state.scope)
        self.check_grouped(item)
        state.outputs.append(
            (_name_of(item, len(state.outputs)), bound, isinstance(item, exp.Alias))
        )

    # --- putting it together

    def _assembled(self, state: _Select) -> Query:
        node = state.node
        having = node.args.get("having")
        having_sql = ""
        if having is not None:
            having_sql = f" HAVING {self.bind(having.this, state.scope).sql}"
            self.check_grouped(having.this)
        aliases = [self.fresh("o_") for _ in state.outputs]
        typed = [v for _, v, _ in state.outputs]
        named: dict[str, Typed] = {}
        for name, value, aliased in state.outputs:
            if aliased or name.lower() not in named:
                named[name.lower()] = value
        distinct = node.args.get("distinct") is not None
        order = self._order(node, state, typed, named, aliases, distinct)
        items = [f"{v.sql} AS {a}" for v, a in zip(typed, aliases, strict=True)]
        word = "SELECT DISTINCT" if distinct else "SELECT"
        if distinct and any(comparison.holds_zones(v.type) for v in typed):
            keys = ", ".join(comparison.key(v.sql, v.type) for v in typed)
            word = f"SELECT DISTINCT ON ({keys})"
        source = self._source(state)
        sql = f"{word} {', '.join(items)}{source}{state.group_sql}{having_sql}"
        columns = [OutputColumn(n, v.type) for n, v, _ in state.outputs]
        return Query(self._limited(node, sql, order), columns)

    def _source(self, state: _Select) -> str:
        if state.computed:
            star = "*, " if state.from_sql else ""
            inner = f"SELECT {star}{', '.join(state.computed)}{state.from_sql}{state.where_sql}"
            return f" FROM ({inner}) AS {self.fresh('g')}"
        if self.pattern_windows:
            sql = f"(SELECT *{state.from_sql}{state.where_sql})"
            for bound in self.pattern_windows.values():
                sql = pattern_source(self, bound, sql)
            return f" FROM {sql}"
        return state.from_sql + state.where_sql

    def _order(
        self, node: Any, state: _Select, typed: list[Typed], named: dict[str, Typed],
        aliases: list[str], distinct: bool,
    ) -> list[str]:  # fmt: skip
        scope = Scope(
            state.scope.relations,
            state.scope.parent,
            state.scope.lambdas,
            state.scope.merged,
            named,
        )
        items = self._order_items(node.args.get("order"), scope, typed, named)
        if not distinct:
            return items
        by_sql = {v.sql: a for v, a in zip(typed, aliases, strict=True)}
        out = []
        for item in items:
            expression, _, rest = item.partition("\x00")
            bare = expression
            if bare not in by_sql:
                first = rest.endswith("FIRST")
                found = [
                    a
                    for v, a in zip(typed, aliases, strict=True)
                    if comparison.order_key(v.sql, v.type, first) == bare
                ]
                if not found:
                    raise self.refused(
                        node,
                        "For SELECT DISTINCT, ORDER BY expressions must appear in select list",
                        "EXPRESSION_NOT_IN_DISTINCT",
                    )
                value = next(v for v in typed if comparison.order_key(v.sql, v.type, first) == bare)
                out.append(comparison.order_key(found[0], value.type, first) + "\x00" + rest)
            else:
                out.append(by_sql[bare] + "\x00" + rest)
        return out

    def _order_items(
        self, order: Any, scope: Scope, typed: list[Typed], named: dict[str, Typed]
    ) -> list[str]:
        if order is None:
            return []
        items = []
        for ordered in order.expressions:
            value = self._order_value(ordered.this, scope, typed, named)
            direction = "DESC" if ordered.args.get("desc") else "ASC"
            nulls = "FIRST" if ordered.args.get("nulls_first") else "LAST"
            by = comparison.order_key(value.sql, value.type, nulls == "FIRST")
            items.append(f"{by}\x00 {direction} NULLS {nulls}")
        return items

    def _order_value(
        self, node: Any, scope: Scope, typed: list[Typed], named: dict[str, Typed]
    ) -> Typed:
        if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
            place = int(node.this)
            if not 1 <= place <= len(typed):
                raise self.refused(
                    node,
                    f"ORDER BY position {place} is not in select list",
                    "INVALID_COLUMN_REFERENCE",
                )
            return typed[place - 1]
        if isinstance(node, exp.Column) and len(node.parts) == 1 and node.name.lower() in named:
            return named[node.name.lower()]
        value = self.bind(node, scope)
        if not comparison.orderable(value.type) and value.type.name != "unknown":
            raise self.refused(
                node,
                f"Type {value.type} is not orderable, and therefore cannot be used in ORDER BY",
                "TYPE_MISMATCH",
            )
        return value

    def _limited(self, node: Any, sql: str, order: list[str]) -> str:
        order_sql = f" ORDER BY {', '.join(i.replace(chr(0), '') for i in order)}" if order else ""
        limit, offset = node.args.get("limit"), node.args.get("offset")
        count = None
        if limit is not None:
            raw = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
            count = self._count(raw, limit)
            if isinstance(limit, exp.Fetch):
                options = limit.args.get("limit_options")
                if options is not None and options.args.get("with_ties"):
                    return self._with_ties(sql, order_sql, count, node)
                count = count if raw is not None else "1"
        sql += order_sql
        if count is not None and count != "ALL":
            sql += f" LIMIT {count}"
        if offset is not None:
            sql += f" OFFSET {self._count(offset.expression, offset)}"
        return sql

    def _with_ties(self, sql: str, order_sql: str, count: str | None, node: Any) -> str:
        if not order_sql:
            raise self.refused(
                node, "FETCH FIRST WITH TIES clause requires ORDER BY", "MISSING_ORDER_BY"
            )
        inner = sql.replace(
            "SELECT ", f"SELECT rank() OVER ({order_sql.strip()}) AS rank_ties, ", 1
        )
        return f"SELECT * EXCLUDE rank_ties FROM ({inner}) WHERE rank_ties <= {count} ORDER BY rank_ties"

    def _count(self, node: Any, at: Any) -> str:
        if node is None:
            return "1"
        if isinstance(node, exp.Var) and node.name.upper() == "ALL":
            return "ALL"
        if isinstance(node, exp.Placeholder):
            value = self.parameter(node)
            return f"CAST({value.sql} AS BIGINT)"
        if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
            return str(node.this)
        raise self.refused(at, "LIMIT and OFFSET need a number")

    # --- WITH

    def _common_table(self, cte: exp.CTE, recursive: bool, outer: Scope | None) -> str:
        name = self.fresh("w_")
        given = [c.name for c in cte.args["alias"].args.get("columns") or []]
        shown = cte.alias.lower()
        if recursive and isinstance(cte.this, exp.Union) and _refers_to(cte.this.expression, shown):
            return self._recursive(cte.this, shown, name, given, outer)
        query = self.query(cte.this, outer)
        if given and len(given) != len(query.columns):
            raise self.refused(
                cte,
                f"Column alias list has {len(given)} entries but relation has {len(query.columns)} columns",
                "MISMATCHED_COLUMN_ALIASES",
            )
        columns = [
            OutputColumn(given[i] if given else c.name, c.type) for i, c in enumerate(query.columns)
        ]
        self.ctes[shown] = (name, columns)
        internal = [self.fresh("c_") for _ in columns]
        return f"{name}({', '.join(internal)}) AS ({query.sql})"

    def _recursive(
        self, node: exp.Union, shown: str, name: str, given: list[str], outer: Scope | None
    ) -> str:
        anchor = self.query(node.this, outer)
        columns = [
            OutputColumn(given[i] if given else c.name, c.type)
            for i, c in enumerate(anchor.columns)
        ]
        self.ctes[shown] = (name, columns)
        step = self.query(node.expression, outer)
        for a, b in zip(columns, step.columns, strict=True):
            if not coercion.accepts(b.type, a.type):
                raise self.refused(
                    node,
                    f"recursion step relation output type ({b.type}) is not coercible to recursion base relation output type ({a.type})",
                    "TYPE_MISMATCH",
                )
        kinds = [c.type for c in columns]
        internal = [self.fresh("c_") for _ in columns]
        word = "UNION" if node.args.get("distinct", True) else "UNION ALL"
        return f"{name}({', '.join(internal)}) AS ({self.converted(anchor, kinds)} {word} {self.converted(step, kinds)})"


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


def _refers_to(node: Any, name: str) -> bool:
    return any(table.name.lower() == name and not table.db for table in node.find_all(exp.Table))


def _aggregate_in(node: Any) -> Any:
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


def _name_of(item: Any, place: int) -> str:
    if isinstance(item, exp.Alias):
        return str(item.alias)
    if isinstance(item, exp.Column):
        return str(item.name)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return str(item.expression.name)
    if isinstance(item, exp.Paren):
        return _name_of(item.this, place)
    return f"_col{place}"


__all__ = ["QueryBinder", "field_of", "re", "windows"]
