"""Names, rows, arrays, CASE, sub-queries, and functions with a syntax of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion
from services.athena.dialect.expressions import HANDLERS, ExpressionBinder, field_of
from services.athena.dialect.predicates import condition
from services.athena.dialect.typed import Scope, Typed


def _paren(b: ExpressionBinder, node: exp.Paren, scope: Scope) -> Typed:
    return b.bind(node.this, scope)


def _column(b: ExpressionBinder, node: exp.Column, scope: Scope) -> Typed:
    return b.column(node, scope)


def _identifier(b: ExpressionBinder, node: exp.Identifier, scope: Scope) -> Typed:
    found = b.resolve([node.name.lower()], scope)
    if found is None:
        raise b.column_missing(node, node.name)
    return found


def _dot(b: ExpressionBinder, node: exp.Dot, scope: Scope) -> Typed:
    names = _dotted(node)
    if names:
        found = b.resolve(names, scope)
        if found is not None:
            return found
    value = b.bind(node.this, scope)
    if value.type.name != "row":
        raise b.refused(
            node, f"Expression {node.this.sql('trino')} is not of type ROW", "TYPE_MISMATCH"
        )
    field = field_of(value, node.expression.name)
    if field is None:
        raise b.refused(
            node,
            f"Column reference '{node.expression.name}' is invalid",
            "INVALID_COLUMN_REFERENCE",
        )
    return field


def _dotted(node: Any) -> list[str]:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _dotted(node.this)
        return [*before, node.expression.name.lower()] if before else []
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        return [part.name.lower() for part in node.parts]
    return [node.name.lower()] if isinstance(node, exp.Identifier) else []


def _scalar_subquery(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    inner = node.this if isinstance(node, exp.Subquery) else node
    query = b.subquery(inner, scope)
    if len(query.columns) == 1:
        return Typed(f"({query.sql})", query.columns[0].type)
    names = [b.fresh("c") for _ in query.columns]
    parts = ", ".join(f"'f{i}': {n}" for i, n in enumerate(names, 1))
    kind = t.row(
        tuple(c.type for c in query.columns),
        tuple(c.name if not c.name.startswith("_col") else None for c in query.columns),
    )
    sql = f"(SELECT {{{parts}}} FROM ({query.sql}) AS {b.fresh('q')}({', '.join(names)}))"
    nulls = ", ".join(
        f"'f{i}': CAST(NULL AS {t.duck_type(c.type)})" for i, c in enumerate(query.columns, 1)
    )
    # Trino gives a row of NULLs, not NULL, where there is no row.
    return Typed(f"coalesce({sql}, {{{nulls}}})", kind)


def _case(b: ExpressionBinder, node: exp.Case, scope: Scope) -> Typed:
    subject = b.bind(node.this, scope) if node.this is not None else None
    conditions: list[str] = []
    for branch in node.args["ifs"]:
        if subject is None:
            conditions.append(condition(b, branch.this, scope, "CASE"))
        else:
            when = b.bind(branch.this, scope)
            if coercion.common(subject.type, when.type) is None:
                raise b.refused(
                    branch.this,
                    f"CASE operand type does not match WHEN clause operand type: {subject.type} vs {when.type}",
                    "TYPE_MISMATCH",
                )
            conditions.append(b.equal(subject, when, branch))
    results = [b.bind(branch.args["true"], scope) for branch in node.args["ifs"]]
    default = node.args.get("default")
    results.append(b.bind(default, scope) if default is not None else Typed("NULL", t.UNKNOWN))
    nodes = [branch.args["true"] for branch in node.args["ifs"]]
    results = b.unify(
        results, node, "All CASE results", [*nodes, default] if default is not None else nodes
    )
    *branches, otherwise = results
    whens = " ".join(f"WHEN {c} THEN {r.sql}" for c, r in zip(conditions, branches, strict=True))
    return Typed(f"(CASE {whens} ELSE {otherwise.sql} END)", otherwise.type)


def _if(b: ExpressionBinder, node: exp.If, scope: Scope) -> Typed:
    test = condition(b, node.this, scope, "IF")
    false = node.args.get("false")
    results = [
        b.bind(node.args["true"], scope),
        b.bind(false, scope) if false is not None else Typed("NULL", t.UNKNOWN),
    ]
    yes, no = b.unify(results, node, "Result types for IF")
    return Typed(f"(CASE WHEN {test} THEN {yes.sql} ELSE {no.sql} END)", yes.type)


def _tuple(b: ExpressionBinder, node: exp.Tuple, scope: Scope) -> Typed:
    return make_row([b.bind(item, scope) for item in node.expressions])


def make_row(values: Sequence[Typed], names: Sequence[str | None] | None = None) -> Typed:
    """ROW(…)"""
    kind = t.row(tuple(v.type for v in values), tuple(names) if names else None)
    parts = ", ".join(f"'{n}': {v.sql}" for n, v in zip(t.struct_names(kind), values, strict=True))
    return Typed(f"{{{parts}}}", kind)


def _array(b: ExpressionBinder, node: exp.Array, scope: Scope) -> Typed:
    if not node.expressions:
        return Typed("CAST([] AS INTEGER[])", t.array(t.UNKNOWN))
    items = b.unify(
        [b.bind(item, scope) for item in node.expressions], node, "All ARRAY elements",
        node.expressions,
    )  # fmt: skip
    listed = ", ".join(item.sql for item in items)
    kind = t.array(items[0].type)
    if items[0].type.name == "unknown":
        return Typed(f"CAST([{listed}] AS INTEGER[])", kind)
    return Typed(f"[{listed}]", kind)


def _bracket(b: ExpressionBinder, node: exp.Bracket, scope: Scope) -> Typed:
    from services.athena.dialect.functions import subscript

    value = b.bind(node.this, scope)
    index_node = node.expressions[0]
    return subscript(b, node, value, b.bind(index_node, scope))


def _at_time_zone(b: ExpressionBinder, node: exp.AtTimeZone, scope: Scope) -> Typed:
    return b.call("at_timezone", [node.this, node.args["zone"]], node, scope)  # type: ignore[attr-defined, no-any-return]


def _alias(b: ExpressionBinder, node: exp.Alias, scope: Scope) -> Typed:
    return b.bind(node.this, scope)


def _call(name: str, *members: str) -> Callable[[ExpressionBinder, Any, Scope], Typed]:
    """A node with syntax of its own that is a function all the same."""

    def bind(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
        arguments = [node.args[m] for m in members if node.args.get(m) is not None]
        return b.call(name, arguments, node, scope)  # type: ignore[attr-defined, no-any-return]

    return bind


def _trim(b: ExpressionBinder, node: exp.Trim, scope: Scope) -> Typed:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(
        str(node.args.get("position") or "").upper(), "trim"
    )
    arguments = [node.this] + ([node.expression] if node.args.get("expression") is not None else [])
    return b.call(name, arguments, node, scope)  # type: ignore[attr-defined, no-any-return]


def _extract(b: ExpressionBinder, node: exp.Extract, scope: Scope) -> Typed:
    return b.extract(node.this.name.lower(), b.bind(node.expression, scope), node)  # type: ignore[attr-defined, no-any-return]


def _normalize(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    form = node.args.get("form")
    word = form.name.upper() if isinstance(form, exp.Expr) else "NFC"
    value = b.bind_as(node.this, scope, t.VARCHAR)
    return Typed(f"athena_normalize({value.sql}, '{word}')", t.VARCHAR)


HANDLERS.update(
    {
        exp.Paren: _paren,
        exp.Column: _column,
        exp.Identifier: _identifier,
        exp.Dot: _dot,
        exp.Subquery: _scalar_subquery,
        exp.Select: _scalar_subquery,
        exp.Case: _case,
        exp.If: _if,
        exp.Tuple: _tuple,
        exp.Array: _array,
        exp.Bracket: _bracket,
        exp.AtTimeZone: _at_time_zone,
        exp.Alias: _alias,
        exp.Trim: _trim,
        exp.Extract: _extract,
        exp.Normalize: _normalize,
        exp.Substring: _call("substr", "this", "start", "length"),
        exp.StrPosition: _call("strpos", "this", "substr"),
        exp.CurrentDate: _call("current_date"),
        exp.CurrentTimestamp: _call("current_timestamp"),
        exp.CurrentTime: _call("current_time"),
        exp.Localtimestamp: _call("localtimestamp"),
        exp.Localtime: _call("localtime"),
        exp.CurrentUser: _call("current_user"),
        exp.Union: _scalar_subquery,
        exp.Values: _scalar_subquery,
    }
)

for _name in ("CurrentCatalog", "CurrentSchema"):
    if hasattr(exp, _name):
        HANDLERS[getattr(exp, _name)] = _call(
            {"CurrentCatalog": "current_catalog", "CurrentSchema": "current_schema"}[_name]
        )
