"""What is true, false or NULL: comparisons, BETWEEN, IN, LIKE, EXISTS, AND, OR, NOT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison
from services.athena.dialect.expressions import HANDLERS, ExpressionBinder
from services.athena.dialect.typed import Query, Scope, Typed


def _and_or(word: str) -> Callable[[ExpressionBinder, Any, Scope], Typed]:
    def bind(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
        parts, current = [], node
        while type(current) is type(node):  # long chains must not recurse
            parts.append(current.expression)
            current = current.this
        parts.append(current)
        bound = [condition(b, part, scope, word) for part in reversed(parts)]
        return Typed("(" + f" {word} ".join(bound) + ")", t.BOOLEAN)

    return bind


_CONDITIONS = {
    "CASE": "CASE WHEN clause",
    "NOT": "Value of logical NOT expression",
    "IF": "IF condition",
}


def condition(b: ExpressionBinder, node: Any, scope: Scope, word: str) -> str:
    value = b.bind(node, scope)
    if value.type.name not in ("boolean", "unknown"):
        raise b.refused(
            node,
            f"{_CONDITIONS.get(word, 'Logical expression term')} must evaluate to a boolean (actual: {value.type})",
            "TYPE_MISMATCH",
        )
    return coercion.coerced(value, t.BOOLEAN).sql


def _not(b: ExpressionBinder, node: exp.Not, scope: Scope) -> Typed:
    return Typed(f"(NOT {condition(b, node.this, scope, 'NOT')})", t.BOOLEAN)


def _comparison(operator: str) -> Callable[[ExpressionBinder, Any, Scope], Typed]:
    def bind(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
        quantified = _quantified(b, operator, node, scope)
        if quantified is not None:
            return quantified
        left, right = b.bind(node.this, scope), b.bind(node.expression, scope)
        kind = coercion.common(left.type, right.type)
        if kind is None:
            raise b.refused(
                node,
                f"Cannot apply operator: {left.type} {_ASKED[operator]} {right.type}",
                "TYPE_MISMATCH",
            )
        if (
            operator not in ("=", "<>")
            and not comparison.orderable(kind)
            and kind.name != "unknown"
        ):
            raise b.refused(
                node,
                f"Cannot apply operator: {left.type} {_ASKED[operator]} {right.type}",
                "TYPE_MISMATCH",
            )
        left, right = coercion.coerced(left, kind), coercion.coerced(right, kind)
        return Typed(comparison.compare(operator, left.sql, right.sql, kind), t.BOOLEAN)

    return bind


#: The operator Trino asks for: the others are made of these.
_ASKED = {"=": "=", "<>": "=", "<": "<", ">": "<", "<=": "<=", ">=": "<="}


def _quantified(b: ExpressionBinder, operator: str, node: Any, scope: Scope) -> Typed | None:
    """`x > ALL (SELECT …)`, `= ANY`, `<> SOME`."""
    right = node.expression
    if isinstance(right, exp.Any):
        word, query = "ANY", right.this
    elif isinstance(right, exp.All):
        word, query = "ALL", right.this
    elif (
        isinstance(right, exp.Anonymous)
        and str(right.this).upper() in ("ALL", "ANY", "SOME")
        and len(right.expressions) == 1
    ):
        word, query = ("ALL" if str(right.this).upper() == "ALL" else "ANY"), right.expressions[0]
    else:
        return None
    value = b.bind(node.this, scope)
    inner = b.subquery(query, scope)
    if len(inner.columns) != 1:
        raise b.refused(
            node,
            f"Multiple columns returned by subquery are not yet supported. Found {len(inner.columns)}",
            "NOT_SUPPORTED",
        )
    kind = coercion.common(value.type, inner.columns[0].type)
    if kind is None:
        raise b.refused(
            node,
            f"Value expression and result of subquery must be of the same type: {value.type} vs {inner.columns[0].type}",
            "TYPE_MISMATCH",
        )
    column = b.fresh("c")
    converted = comparison.key(coercion.convert(column, inner.columns[0].type, kind), kind)
    left = comparison.key(coercion.coerced(value, kind).sql, kind)
    values = f"FROM ({inner.sql}) AS {b.fresh('q')}({column})"
    sql = f"({left} {operator} {word} (SELECT {converted} {values}))"
    if (operator, word) in (("=", "ALL"), ("<>", "ANY")) and comparison.orderable(kind):
        # Trino compares with the least and the greatest: where they differ, a NULL is no matter.
        differ = f"(SELECT min({converted}) <> max({converted}) {values})"
        sql = f"(CASE WHEN {differ} THEN {'false' if word == 'ALL' else 'true'} ELSE {sql} END)"
    return Typed(sql, t.BOOLEAN)


def _distinct_from(negated: bool) -> Callable[[ExpressionBinder, Any, Scope], Typed]:
    def bind(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
        left, right = b.unify([b.bind(node.this, scope), b.bind(node.expression, scope)], node)
        sql = comparison.distinct(left.sql, right.sql, left.type)
        return Typed(f"(NOT {sql})" if negated else sql, t.BOOLEAN)

    return bind


def _is(b: ExpressionBinder, node: exp.Is, scope: Scope) -> Typed:
    value = b.bind(node.this, scope)
    if isinstance(node.expression, exp.Null):
        return Typed(f"({value.sql} IS NULL)", t.BOOLEAN)
    if isinstance(node.expression, exp.Boolean):
        word = "TRUE" if node.expression.this else "FALSE"
        return Typed(f"({value.sql} IS {word})", t.BOOLEAN)
    raise b.unsupported(node, "IS with this operand")


def _between(b: ExpressionBinder, node: exp.Between, scope: Scope) -> Typed:
    value, low, high = (b.bind(n, scope) for n in (node.this, node.args["low"], node.args["high"]))
    if (
        coercion.common(value.type, low.type) is None
        or coercion.common(value.type, high.type) is None
    ):
        raise b.refused(
            node,
            f"Cannot check if {value.type} is BETWEEN {low.type} and {high.type}",
            "TYPE_MISMATCH",
        )
    value, low, high = b.unify([value, low, high], node)
    first = comparison.compare(">=", value.sql, low.sql, value.type)
    second = comparison.compare("<=", value.sql, high.sql, value.type)
    return Typed(f"({first} AND {second})", t.BOOLEAN)


def _in(b: ExpressionBinder, node: exp.In, scope: Scope) -> Typed:
    value = b.bind(node.this, scope)
    query = node.args.get("query")
    if (
        query is None
        and len(node.expressions) == 1
        and isinstance(node.expressions[0], (exp.Select, exp.Values))
    ):
        query = node.expressions[0]
    if query is not None:
        return _in_query(b, node, value, b.subquery(query, scope))
    items = [b.bind(item, scope) for item in node.expressions]
    value, *items = b.unify(
        [value, *items], node, "IN value and list items", [node.this, *node.expressions]
    )
    if comparison.needs_care(value.type) or value.type.name in ("real", "double"):
        tests = [comparison.equal(value.sql, item.sql, value.type) for item in items]
        return Typed("(" + " OR ".join(tests) + ")", t.BOOLEAN)
    listed = ", ".join(comparison.key(item.sql, value.type) for item in items)
    return Typed(f"({comparison.key(value.sql, value.type)} IN ({listed}))", t.BOOLEAN)


def _in_query(b: ExpressionBinder, node: Any, value: Typed, query: Query) -> Typed:
    names = [b.fresh("c") for _ in query.columns]
    if len(query.columns) > 1:
        row = t.row(tuple(c.type for c in query.columns))
        parts = ", ".join(f"'f{i}': {n}" for i, n in enumerate(names, 1))
        item, kind = f"{{{parts}}}", row
    else:
        item, kind = names[0], query.columns[0].type
    wanted = coercion.common(value.type, kind)
    if wanted is None:
        raise b.refused(
            node,
            f"Value expression and result of subquery must be of the same type: {value.type} vs {kind}",
            "TYPE_MISMATCH",
        )
    left = comparison.key(coercion.coerced(value, wanted).sql, wanted)
    right = comparison.key(coercion.convert(item, kind, wanted), wanted)
    return Typed(
        f"({left} IN (SELECT {right} FROM ({query.sql}) AS {b.fresh('q')}({', '.join(names)})))",
        t.BOOLEAN,
    )


def _exists(b: ExpressionBinder, node: exp.Exists, scope: Scope) -> Typed:
    return Typed(f"(EXISTS ({b.subquery(node.this, scope).sql}))", t.BOOLEAN)


def _like(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    escape = None
    if isinstance(node, exp.Escape):
        escape, node = b.bind(node.expression, scope), node.this
    negated = bool(node.args.get("negate"))
    value, pattern = b.bind(node.this, scope), b.bind(node.expression, scope)
    for item, side, word in (
        (value, node.this, "Left side of"),
        (pattern, node.expression, "Pattern for"),
    ):
        if item.type.name not in ("varchar", "unknown") and (
            item.type.name != "char" or item is pattern
        ):
            raise b.refused(
                side,
                f"{word} LIKE expression must evaluate to a varchar (actual: {item.type})",
                "TYPE_MISMATCH",
            )
    left = coercion.coerced(value, t.VARCHAR).sql
    right = coercion.coerced(pattern, t.VARCHAR).sql
    if escape is None:
        sql = (
            f"({left} LIKE {right} ESCAPE '')"
            if not pattern.is_constant or "\\" in str(pattern.constant)
            else f"({left} LIKE {right})"
        )
    else:
        sql = f"athena_like({left}, {right}, {escape.sql})"
        if (
            escape.is_constant
            and escape.constant
            and pattern.is_constant
            and pattern.constant is not None
            and value.type.name != "unknown"
        ):
            if _bad_escape(pattern.constant, escape.constant):
                raise b.refused(
                    node,
                    "Escape character must be followed by '%', '_' or the escape character itself",
                    "INVALID_FUNCTION_ARGUMENT",
                )
            sql = f"({left} LIKE {right} ESCAPE {escape.sql})"
    return Typed(f"(NOT {sql})" if negated else sql, t.BOOLEAN)


def _bad_escape(pattern: str, escape: str) -> bool:
    at = 0
    while at < len(pattern):
        if pattern[at] == escape:
            if at + 1 >= len(pattern) or pattern[at + 1] not in ("%", "_", escape):
                return True
            at += 1
        at += 1
    return False


HANDLERS.update(
    {
        exp.And: _and_or("AND"),
        exp.Or: _and_or("OR"),
        exp.Not: _not,
        exp.EQ: _comparison("="),
        exp.NEQ: _comparison("<>"),
        exp.LT: _comparison("<"),
        exp.LTE: _comparison("<="),
        exp.GT: _comparison(">"),
        exp.GTE: _comparison(">="),
        exp.NullSafeNEQ: _distinct_from(False),
        exp.NullSafeEQ: _distinct_from(True),
        exp.Is: _is,
        exp.Between: _between,
        exp.In: _in,
        exp.Exists: _exists,
        exp.Like: _like,
        exp.Escape: _like,
    }
)
