"""Calls: plain functions, aggregates with DISTINCT, ORDER BY and FILTER, window functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t

# Importing the families of functions fills the tables.
from services.athena.dialect import (  # noqa: F401
    aggregate_functions,
    array_functions,
    binary_functions,
    casts,
    coercion,
    comparison,
    expressions,
    form_nodes,
    json_functions,
    literal_nodes,
    map_functions,
    moment_parts,
    moment_texts,
    moment_units,
    number_functions,
    predicates,
    text_functions,
    windows,
)
from services.athena.dialect.functions import (
    AGGREGATES,
    DISTINCT_MARK,
    END_MARK,
    FUNCTIONS,
    KNOWN_ONLY,
    LAMBDA_FUNCTIONS,
    ORDER_MARK,
)
from services.athena.dialect.pattern_queries import PatternBinder
from services.athena.dialect.typed import Scope, Typed
from services.athena.errors import SqlNotSupported
from services.athena.python_texts import LONGEST_LIST
from services.athena.trino_types import Type

_TOO_LONG = f"'EXCEEDED_FUNCTION_MEMORY_LIMIT: Concatenated string has the length in bytes larger than the maximum output length {LONGEST_LIST}'"


class CallBinder(PatternBinder):
    """Binds everything that looks like `name(…)`."""

    windows: dict[str, Any]

    def call(self, name: str, arguments: Sequence[Any], node: Any, scope: Scope) -> Typed:
        """A call by name; `arguments` are nodes."""
        name = name.lower()
        if name in ("try",) and len(arguments) == 1:
            return self._try(arguments[0], scope)
        if name in LAMBDA_FUNCTIONS:
            return LAMBDA_FUNCTIONS[name](self, node, arguments, scope)
        if name in AGGREGATES:
            return self._aggregate(name, arguments, node, scope, "")
        if name in windows.RANKING or name in windows.VALUES:
            raise self.refused(
                node,
                f"Window function system.builtin.{name} requires an OVER clause",
                "MISSING_OVER",
            )
        if name not in FUNCTIONS:
            if name in KNOWN_ONLY:
                raise self.unsupported(node, f"function {name} is not supported by this engine")
            raise self.refused(node, f"Function '{name}' not registered", "FUNCTION_NOT_FOUND")
        return FUNCTIONS[name](self, node, [self.bind(a, scope) for a in arguments])

    def _try(self, node: Any, scope: Scope) -> Typed:
        """TRY (…). DuckDB's takes no aggregate: they are computed before it, as Trino does."""
        lambdas, self.lenient_lambdas = self.lenient_lambdas, 0
        outer, self.tried = self.tried, {}
        self.lenient += 1
        try:
            bound = self.bind(node, scope)
            aggregates = self.tried
        finally:
            self.lenient -= 1
            self.lenient_lambdas, self.tried = lambdas, outer
        if not aggregates:
            return Typed(f"TRY({bound.sql})", bound.type)
        tried = self.fresh("_t")
        fields = ", ".join(f"'{name}': {sql}" for sql, name in aggregates.items())
        body = re.sub(r"\b_u\d+\b", lambda found: f"{tried}.{found[0]}", bound.sql)
        sql = f"list_transform([{{{fields}}}], lambda {tried}: TRY({body}))[1]"
        if outer is not None:  # a TRY in a TRY
            outer.update(aggregates)
            sql = f"TRY({bound.sql})"
        return Typed(sql, bound.type)

    def _before_try(self, value: Typed) -> Typed:
        """An aggregate inside TRY: the name it has there."""
        if self.tried is None:
            return value
        return Typed(self.tried.setdefault(value.sql, self.fresh("_u")), value.type)

    def extract(self, field: str, value: Typed, node: Any) -> Typed:
        """EXTRACT(field FROM value)"""
        return moment_parts.extract(self, node, field, value)

    # --- aggregates

    def _aggregate(
        self, name: str, arguments: Sequence[Any], node: Any, scope: Scope, ending: str,
        order_by: str = "",
    ) -> Typed:  # fmt: skip
        if self.lambda_body is not None:
            raise self.refused(
                self.lambda_body,
                f"Lambda expression cannot contain aggregations, window functions or grouping operations: [{expressions.written(node)}]",
                "EXPRESSION_NOT_SCALAR",
            )
        if self.in_aggregate:
            raise self.refused(
                node, f"Cannot nest aggregations inside aggregation '{name}'", "NESTED_AGGREGATION"
            )
        self.in_aggregate = self.grouped is not None and " OVER" not in ending
        lenient, self.lenient = self.lenient, 0  # what fails in an argument fails before TRY
        tried, self.tried = self.tried, None
        try:
            distinct, order, plain = self._modifiers(arguments, scope)
            values = [self.bind(a, scope) for a in plain]
            if distinct and name != "count" and any(comparison.holds_zones(v.type) for v in values):
                raise self.unsupported(node, f"{name}(DISTINCT …) of {values[0].type}")
            made = AGGREGATES[name](self, node, values)
        finally:
            self.in_aggregate = False
            self.lenient, self.tried = lenient, tried
        sql = made.sql.replace(DISTINCT_MARK, "DISTINCT " if distinct else "")
        sql = sql.replace(ORDER_MARK, order or order_by).replace(END_MARK, ending)
        return self._before_try(Typed(sql, made.type))

    def _modifiers(self, arguments: Sequence[Any], scope: Scope) -> tuple[bool, str, list[Any]]:
        """DISTINCT and ORDER BY stand inside the parentheses: sqlglot wraps the last argument."""
        plain, distinct, order = [], False, ""
        for argument in arguments:
            if isinstance(argument, exp.Order):
                order = self._inner_order(argument, scope)
                argument = argument.this
            if isinstance(argument, exp.Star):
                continue  # count(*)
            if isinstance(argument, exp.Distinct):
                distinct = True
                plain += argument.expressions
            else:
                plain.append(argument)
        return distinct, order, plain

    def _inner_order(self, node: exp.Order, scope: Scope) -> str:
        items = []
        for ordered in node.expressions:
            value = self.bind(ordered.this, scope)
            direction = "DESC" if ordered.args.get("desc") else "ASC"
            nulls = "FIRST" if ordered.args.get("nulls_first") else "LAST"
            if not comparison.orderable(value.type) and value.type.name != "unknown":
                raise self.refused(
                    ordered.this,
                    f"ORDER BY can only be applied to orderable types (actual: {value.type})",
                    "TYPE_MISMATCH",
                )
            by = comparison.order_key(value.sql, value.type, nulls == "FIRST")
            items.append(f"{by} {direction} NULLS {nulls}")
        return " ORDER BY " + ", ".join(items)

    def filtered(self, node: exp.Filter, scope: Scope, ending: str = "") -> Typed:
        """aggregate(…) FILTER (WHERE …)"""
        before, self.in_aggregate = (
            self.in_aggregate,
            self.grouped is not None and " OVER" not in ending,
        )
        try:
            condition = self.bind_as(node.expression.this, scope, t.BOOLEAN)
        finally:
            self.in_aggregate = before
        return self._modified(node.this, scope, f" FILTER (WHERE {condition.sql}){ending}")

    def _modified(self, call: Any, scope: Scope, ending: str) -> Typed:
        if isinstance(call, exp.Filter):
            return self.filtered(call, scope, ending)
        if isinstance(call, exp.GroupConcat):
            return self.list_aggregation(call, scope, ending)
        name = str(call.this).lower() if isinstance(call, exp.Anonymous) else ""
        if name in AGGREGATES:
            return self._aggregate(name, call.expressions, call, scope, ending)
        raise self.refused(
            call, f"Function '{name}' not registered as an aggregation", "FUNCTION_NOT_FOUND"
        )

    def list_aggregation(self, node: exp.GroupConcat, scope: Scope, ending: str = "") -> Typed:
        """LISTAGG(x, sep) WITHIN GROUP (ORDER BY y)"""
        this, order, distinct = node.this, "", False
        before, self.in_aggregate = (
            self.in_aggregate,
            self.grouped is not None and " OVER" not in ending,
        )
        try:
            if isinstance(this, exp.Order):
                order, this = self._inner_order(this, scope), this.this
            if isinstance(this, exp.Distinct):
                distinct, this = True, this.expressions[0]
            value = self.bind_as(this, scope, t.VARCHAR)
            separator = node.args.get("separator")
            shown = self.bind_as(separator, scope, t.VARCHAR).sql if separator is not None else "''"
        finally:
            self.in_aggregate = before
        word = "DISTINCT " if distinct else ""
        overflow = node.args.get("on_overflow")
        if isinstance(overflow, exp.OverflowTruncateBehavior):
            filler = overflow.this.sql("duckdb") if overflow.this is not None else "'...'"
            counted = "true" if overflow.args.get("with_count") else "false"
            listed = f"list({word}{value.sql}{order}){ending}"
            sql = f"athena_truncated({listed}, {shown}, {filler}, {counted})"
            return self._before_try(Typed(sql, t.VARCHAR))
        joined = f"string_agg({word}{value.sql}, {shown}{order}){ending}"
        problem = casts.fail(_TOO_LONG, 0)
        return self._before_try(
            Typed(
                f"CASE WHEN strlen({joined}) > {LONGEST_LIST} THEN {problem} ELSE {joined} END",
                t.VARCHAR,
            )
        )

    # --- window functions

    def pattern_window(self, node: exp.Window, scope: Scope) -> Any:
        """The pattern a window has, bound once; None where it has none."""
        base = node.args.get("alias")
        named = self.windows.get(base.name.lower()) if isinstance(base, exp.Identifier) else None
        for window in (node, named):
            if window is None or "clauses" not in (window._meta or {}):
                continue
            if self.grouped is not None:
                raise self.unsupported(node, "a window with a pattern beside GROUP BY")
            if id(window) not in self.pattern_windows:
                bound = self.bind_pattern(window, window.meta["clauses"], scope, window=True)
                self.pattern_windows[id(window)] = bound
            return self.pattern_windows[id(window)]
        return None

    def over(self, node: exp.Window, scope: Scope) -> Typed:
        pattern = self.pattern_window(node, scope)
        if pattern is not None:
            if isinstance(node.this, exp.Column):
                return self.window_measure(pattern, node.this)
            return self.window_aggregate(pattern, node.this)
        inner, nulls = node.this, ""
        if isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
            nulls = " IGNORE NULLS" if isinstance(inner, exp.IgnoreNulls) else ""
            inner = inner.this
            called = str(inner.this).lower() if isinstance(inner, exp.Anonymous) else ""
            if called in windows.RANKING or called in AGGREGATES:
                raise self.refused(
                    node,
                    f"Cannot specify null treatment clause for {called} function",
                    "NULL_TREATMENT_NOT_ALLOWED",
                )
        if isinstance(inner, exp.Filter):
            raise SqlNotSupported("FILTER is not yet supported for window functions", 1, 1)
        specification = windows.specification(self, node, scope)
        ending = f" OVER ({specification})"
        name = str(inner.this).lower() if isinstance(inner, exp.Anonymous) else ""
        if name in windows.RANKING:
            wanted = int(name == "ntile")
            if len(inner.expressions) != wanted:
                given = ", ".join(str(self.bind(a, scope).type) for a in inner.expressions)
                expected = f"{name}({', '.join(['bigint'] * wanted)})"
                raise self.refused(
                    node,
                    f"Unexpected parameters ({given}) for function {name}. Expected: {expected}",
                    "FUNCTION_NOT_FOUND",
                )
            arguments = [
                windows.at_least(
                    self, self.bind_as(a, scope, t.BIGINT).sql, 1, "Buckets must be greater than 0"
                )
                for a in inner.expressions
            ]
            return Typed(f"{name}({', '.join(arguments)}){ending}", Type(windows.RANKING[name]))
        if name in windows.VALUES:
            return self._window_value(name, inner, nulls, ending, scope)
        if isinstance(inner, exp.Anonymous) and name not in AGGREGATES:
            raise self.refused(node, f"Function '{name}' not registered", "FUNCTION_NOT_FOUND")
        return self._modified(inner, scope, ending)

    def _window_value(self, name: str, node: Any, nulls: str, ending: str, scope: Scope) -> Typed:
        values = [self.bind(a, scope) for a in node.expressions]
        if not values:
            raise self.refused(
                node, f"Unexpected parameters () for function {name}", "FUNCTION_NOT_FOUND"
            )
        first = values[0]
        arguments = [first.sql]
        if name in ("lag", "lead") and len(values) > 1:
            offset = self.coerce(values[1], t.BIGINT, node).sql
            arguments.append(
                windows.at_least(
                    self, offset, 0, "Offset must be at least 0", "Offset must not be null"
                )
            )
            if len(values) > 2:
                first, default = self.unify([first, values[2]], node)
                arguments = [first.sql, arguments[1], default.sql]
        elif len(values) > 1:
            offset = self.coerce(values[1], t.BIGINT, node).sql
            arguments.append(windows.at_least(self, offset, 1, "Offset must be at least 1"))
        return Typed(f"{name}({', '.join(arguments)}{nulls}){ending}", first.type)


def _anonymous(b: CallBinder, node: exp.Anonymous, scope: Scope) -> Typed:
    return b.call(str(node.this), node.expressions, node, scope)


def _filter(b: CallBinder, node: exp.Filter, scope: Scope) -> Typed:
    return b.filtered(node, scope)


def _window(b: CallBinder, node: exp.Window, scope: Scope) -> Typed:
    return b.over(node, scope)


def _group_concat(b: CallBinder, node: exp.GroupConcat, scope: Scope) -> Typed:
    return b.list_aggregation(node, scope)


expressions.HANDLERS.update({
    exp.Anonymous: _anonymous, exp.Filter: _filter, exp.Window: _window,
    exp.GroupConcat: _group_concat,
})  # fmt: skip
__all__ = ["CallBinder", "coercion", "re"]
