"""Queries: SELECT, set operations, VALUES, WITH, bound into DuckDB SQL with typed columns.

Every column in FROM gets a name that is unique in the whole statement (`c_17`), so nothing in the
SQL for DuckDB is ever ambiguous or needs a qualifier.
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from services.athena.dialect import coercion, comparison
from services.athena.dialect.expressions import written
from services.athena.dialect.grouping import SelectState, aggregate_in
from services.athena.dialect.pattern_queries import pattern_source
from services.athena.dialect.select_lists import SelectListBinder
from services.athena.dialect.set_operations import SET_WORDS
from services.athena.dialect.typed import OutputColumn, Query, Scope, ScopeColumn, Typed
from services.athena.trino_types import duck_type

_SELECT_PARTS = frozenset({
    "expressions", "from_", "joins", "laterals", "where", "group", "having", "order", "limit", "offset",
    "distinct", "windows", "with_", "kind", "hint", "operation_modifiers",
})  # fmt: skip


class QueryBinder(SelectListBinder):
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
        return Query(f"WITH {', '.join(definitions)} {body.sql}", body.columns)

    def subquery(self, node: Any, scope: Scope) -> Query:
        """A query inside an expression: names of the outer query are visible."""
        saved = (self.grouped, self.in_aggregate)
        pattern, self.pattern = self.pattern, None
        if pattern is not None:
            scope = Scope(parent=scope.parent)
        outer = scope
        if self.grouped and not self.in_aggregate:
            outer = self._grouped_scope(scope)
        self.grouped, self.in_aggregate = None, False
        around = (self.lambda_body, self.tried)
        self.lambda_body = self.tried = None
        try:
            return self.query(node, outer)
        finally:
            self.grouped, self.in_aggregate = saved
            self.lambda_body, self.tried = around
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
        if type(node) in SET_WORDS:
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

    # --- SELECT

    def _select(self, node: exp.Select, outer: Scope | None) -> Query:
        self.check_parts(node, _SELECT_PARTS)
        state = SelectState(node, Scope(parent=outer))
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
        found = aggregate_in(where.this)
        if found is not None:
            raise self.refused(
                where.this,
                f"WHERE clause cannot contain aggregations, window functions or grouping operations: [{written(found)}]",
                "EXPRESSION_NOT_SCALAR",
            )
        return " WHERE " + " AND ".join(self.conjuncts(where.this, scope))

    # --- putting it together

    def _assembled(self, state: SelectState) -> Query:
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

    def _source(self, state: SelectState) -> str:
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
        self, node: Any, state: SelectState, typed: list[Typed], named: dict[str, Typed],
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

    # --- WITH

    def _common_table(self, cte: exp.CTE, recursive: bool, outer: Scope | None) -> str:
        name = self.fresh("w_")
        self._check_once(cte)
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

    def _check_once(self, cte: exp.CTE) -> None:
        named = [c for c in (cte.parent or cte).expressions if c.alias.lower() == cte.alias.lower()]
        if named[0] is not cte:
            raise self.refused(
                cte,
                f"WITH query name '{cte.alias}' specified more than once",
                "DUPLICATE_NAMED_QUERY",
            )

    def _recursive(
        self, node: exp.Union, shown: str, name: str, given: list[str], outer: Scope | None
    ) -> str:
        if not given:
            raise self.refused(
                node, "missing column aliases in recursive WITH query", "MISSING_COLUMN_ALIASES"
            )
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
        internal = ", ".join(self.fresh("c_") for _ in columns)
        # Trino unrolls the recursion as many times as it may go; one step more is its error.
        repeated = self.converted(step, kinds)
        union = " UNION " if node.args.get("distinct", True) else " UNION ALL "
        if not re.search(rf"\b{name}\b", repeated):  # another WITH has taken the name
            return f"{name}({internal}) AS ({self.converted(anchor, kinds)}{union}{repeated})"
        parts = [f"{name}_0({internal}) AS MATERIALIZED ({self.converted(anchor, kinds)})"]
        for depth in range(_DEEPEST + 1):
            body = re.sub(rf"\b{name}\b", f"{name}_{depth}", repeated)
            parts.append(f"{name}_{depth + 1}({internal}) AS MATERIALIZED ({body})")
        rows = union.join(f"SELECT * FROM {name}_{d}" for d in range(_DEEPEST + 1))
        problem = self.fail(
            f"'NOT_SUPPORTED: Recursion depth limit exceeded ({_DEEPEST}). Use ''max_recursion_depth'' session property to modify the limit.'"
        )
        nothing = ", ".join(f"CAST(NULL AS {duck_type(k)})" for k in kinds)
        checked = f"SELECT {nothing} FROM (SELECT count(*) AS n FROM {name}_{_DEEPEST + 1}) AS deeper WHERE CASE WHEN n > 0 THEN {problem} ELSE false END"
        return f"{', '.join(parts)}, {name}({internal}) AS ({rows} UNION ALL {checked})"


#: Trino's default for `max_recursion_depth`, which Athena lets nobody change.
_DEEPEST = 10


def _refers_to(node: Any, name: str) -> bool:
    return any(table.name.lower() == name and not table.db for table in node.find_all(exp.Table))
