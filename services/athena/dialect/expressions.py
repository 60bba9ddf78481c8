"""Expressions: a sqlglot tree in, SQL for DuckDB with its Trino type out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import casts, coercion, comparison, literals, type_names
from services.athena.dialect.parsing import position
from services.athena.dialect.typed import Query, Scope, Typed, text
from services.athena.errors import SqlNotSupported, SqlRefused
from services.athena.trino_types import Type

_MISMATCH = "TYPE_MISMATCH"


def canonical(sql: str) -> str:
    """The SQL with its lambda parameters numbered from 0: the same expression gives the same text."""
    if "lambda" not in sql:
        return sql
    seen: dict[str, str] = {}
    return re.sub(r"\b_[a-z]\d+\b", lambda found: seen.setdefault(found[0], f"_v{len(seen)}"), sql)


class _Ambiguous(SqlRefused):
    """Two relations have the column."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Column '{name}' is ambiguous", name="AMBIGUOUS_NAME")


_COLUMN = re.compile(r"\bc_\d+\b")


def written(node: Any) -> str:
    """An expression as Trino's messages show it."""
    text_ = str(node.sql("trino", normalize_functions=False))
    return f"({text_})" if isinstance(node, exp.Binary) and not isinstance(node, exp.Dot) else text_


class ExpressionBinder:
    """Binds expressions; queries (sub-queries, relations) are bound by its subclass."""

    def __init__(self, parameters: Sequence[str] = (), now: float = 0.0) -> None:
        self._parameters = list(parameters)
        self._next_parameter = 0
        self.now = now
        self.lenient = 0  # > 0 inside TRY: errors are NULL
        self._unique = itertools.count()
        #: SQL of grouping expressions → their column, while an aggregation is bound.
        self.grouped: dict[str, Typed] | None = None
        self.in_aggregate = False
        #: Columns met outside aggregates that no grouping expression holds.
        self.ungrouped: list[str] = []
        self.window_depth = 0
        #: The row pattern whose expressions are bound just now.
        self.pattern: Any = None

    def fresh(self, prefix: str) -> str:
        return f"{prefix}{next(self._unique)}"

    # --- errors

    def refused(self, node: Any, message: str, name: str = "SYNTAX_ERROR") -> SqlRefused:
        line, column = position(node)
        return SqlRefused(message, line, column, name)

    def unsupported(self, node: Any, what: str) -> SqlNotSupported:
        line, column = position(node)
        return SqlNotSupported(what, line, column)

    def fail(self, message_sql: str) -> str:
        """SQL that raises an error (its text `NAME: …`), or NULL inside TRY."""
        return casts.fail(message_sql, self.lenient > 0)

    def check_parts(self, node: Any, known: frozenset[str]) -> None:
        """Refuse clauses nobody reads: a clause passed over would be a silently wrong answer."""
        for name, value in node.args.items():
            if value and name not in known:
                raise self.unsupported(node, name.strip("_").replace("_", " ").upper())

    # --- the way in

    def bind(self, node: Any, scope: Scope) -> Typed:
        """The expression in this scope. Raises SqlRefused, SqlNotSupported."""
        if self.pattern is not None:
            found: Typed | None = self.pattern.bind(self, node, scope)
            if found is not None:
                return found
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise self.unsupported(node, f"{type(node).__name__} is not supported")
        if self.grouped is None or self.in_aggregate:
            return handler(self, node, scope)
        before = len(self.ungrouped)
        bound = handler(self, node, scope)
        key = self.grouped.get(canonical(bound.sql))
        if key is not None:  # what stands inside is grouped with it
            del self.ungrouped[before:]
            return key
        return bound

    def bind_as(self, node: Any, scope: Scope, wanted: Type) -> Typed:
        """The expression, brought to `wanted`; TYPE_MISMATCH where that cannot be."""
        return self.coerce(self.bind(node, scope), wanted, node)

    def coerce(self, value: Typed, wanted: Type, node: Any) -> Typed:
        if value.type == wanted:
            return value
        if not coercion.accepts(value.type, wanted):
            raise self.refused(node, f"Cannot coerce {value.type} to {wanted}", _MISMATCH)
        return coercion.coerced(value, wanted)

    def unify(self, values: Sequence[Typed], node: Any, what: str = "All arguments") -> list[Typed]:
        """All values in their common type."""
        kind = values[0].type
        for value in values[1:]:
            found = coercion.common(kind, value.type)
            if found is None:
                raise self.refused(
                    node,
                    f"{what} must be the same type or coercible to a common type. Cannot find common type between {kind} and {value.type}, "
                    f"all types (without duplicates): [{', '.join(dict.fromkeys(str(v.type) for v in values))}]",
                    _MISMATCH,
                )
            kind = found
        return [coercion.coerced(value, kind) for value in values]

    # --- names

    def column(self, node: exp.Column, scope: Scope) -> Typed:
        if isinstance(node.this, exp.Star):
            raise self.refused(node, "Star is not allowed here")
        parts = [part.name for part in node.parts]
        try:
            found = self.resolve([p.lower() for p in parts], scope)
        except _Ambiguous as error:
            message = f"Column '{parts[-1]}' is ambiguous"
            raise self.refused(node, message, "AMBIGUOUS_NAME") from error
        if (
            found is None
            and len(parts) == 1
            and not node.this.quoted
            and parts[0].lower() in _BARE_WORDS
        ):
            return _BARE_WORDS[parts[0].lower()](self)
        if found is None:
            shown = parts[-1] if len(parts) == 1 else ".".join(parts)
            raise self.column_missing(node, shown)
        if self.grouped is not None and not self.in_aggregate:
            own = {c.sql for r in scope.relations for c in r.columns}
            if own.intersection(_COLUMN.findall(found.sql)):
                self.ungrouped.append(found.sql)
        return found

    def check_grouped(self, node: Any) -> None:
        """After an expression beside GROUP BY is bound: every column is grouped or aggregated."""
        if self.ungrouped:
            self.ungrouped.clear()
            shown = node.this if isinstance(node, exp.Alias) else node
            raise self.refused(
                shown,
                f"'{written(shown)}' must be an aggregate expression or appear in GROUP BY clause",
                "EXPRESSION_NOT_AGGREGATE",
            )

    def column_missing(self, node: Any, name: str) -> SqlRefused:
        return self.refused(node, f"Column '{name}' cannot be resolved", "COLUMN_NOT_FOUND")

    def resolve(self, parts: list[str], scope: Scope | None) -> Typed | None:
        """`x`, `t.x`, `db.t.x`, and rows: `x.field`, `t.x.field`."""
        level = 0
        while scope is not None:
            found = self._resolve_here(parts, scope)
            if found is not None:
                return found
            scope, level = scope.parent, level + 1
        return None

    def _resolve_here(self, parts: list[str], scope: Scope) -> Typed | None:
        if parts[0] in scope.lambdas:
            return self._fields(scope.lambdas[parts[0]], parts[1:])
        if len(parts) == 1 and parts[0] in scope.outputs:
            return scope.outputs[parts[0]]
        if len(parts) > 1:  # an alias comes before a row of the same name
            found = self._qualified(parts, scope)
            if found is not None:
                return found
        if parts[0] in scope.merged:
            column = scope.merged[parts[0]]
            return self._fields(Typed(column.sql, column.type), parts[1:])
        matches = [c for r in scope.relations for c in r.columns if c.name.lower() == parts[0]]
        if len(matches) > 1:
            raise _Ambiguous(parts[0])
        if matches:
            return self._fields(Typed(matches[0].sql, matches[0].type), parts[1:])
        return None

    def _qualified(self, parts: list[str], scope: Scope) -> Typed | None:
        for skip in (1, 2, 3):
            if len(parts) <= skip:
                break
            for relation in scope.relations:
                names = [n for n in (relation.database, relation.alias) if n is not None]
                if (
                    relation.alias is None
                    or [n.lower() for n in names][-min(skip, 2) :] != parts[max(0, skip - 2) : skip]
                ):
                    continue
                for column in relation.columns:
                    if column.name.lower() == parts[skip]:
                        return self._fields(Typed(column.sql, column.type), parts[skip + 1 :])
        return None

    def _fields(self, value: Typed, names: Sequence[str]) -> Typed | None:
        for name in names:
            if value.type.name != "row":
                return None
            found = field_of(value, name)
            if found is None:
                return None
            value = found
        return value

    # --- subclass: queries

    def subquery(self, node: Any, scope: Scope) -> Query:
        raise NotImplementedError

    # --- lambdas

    def bind_lambda(
        self, node: Any, kinds: Sequence[Type], scope: Scope
    ) -> tuple[list[str], Typed]:
        """Parameter names for DuckDB, and the body bound with parameters of these types."""
        if not isinstance(node, exp.Lambda):
            raise self.refused(node, "Expected a lambda", "TYPE_MISMATCH")
        if len(node.expressions) != len(kinds):
            raise self.refused(
                node,
                f"Expected a lambda that takes {len(kinds)} argument(s) but got {len(node.expressions)}",
                "INVALID_PARAMETER_USAGE",
            )
        names = [self.fresh("_x") for _ in kinds]
        given = [parameter.name.lower() for parameter in node.expressions]
        lambdas = {g: Typed(n, k) for g, n, k in zip(given, names, kinds, strict=True)}
        grouped, self.grouped = self.grouped, None
        try:
            return names, self.bind(node.this, scope.inner(lambdas))
        finally:
            self.grouped = grouped

    # --- pieces the function tables use

    def equal(self, a: Typed, b: Typed, node: Any) -> str:
        a, b = self.unify([a, b], node)
        return comparison.equal(a.sql, b.sql, a.type)

    def cast(self, value: Typed, wanted: Type, node: Any) -> Typed:
        try:
            return casts.cast(value, wanted, self.lenient > 0)
        except casts.CastRefused as error:
            line, column = position(node)
            raise casts.refused(error, line, column) from None
        except t.TypeUnknown as error:
            raise self.unsupported(node, str(error)) from None

    def parameter(self, node: Any) -> Typed:
        """The next `?`: its text is parsed as a SQL expression, a bare word is a string."""
        if self._next_parameter >= len(self._parameters):
            raise self.refused(
                node,
                f"Incorrect number of parameters: expected {self._next_parameter + 1} but found {len(self._parameters)}",
                "INVALID_PARAMETER_USAGE",
            )
        given = self._parameters[self._next_parameter]
        self._next_parameter += 1
        return self.bind(parameter_value(given), Scope())


def parameter_value(given: str) -> Any:
    """An execution parameter as an expression: only literals and casts of them, never a query."""
    from services.athena.dialect.parsing import parse

    try:
        tree = parse(f"SELECT {given}")
    except SqlRefused:
        return exp.Literal.string(given)
    expressions = tree.expressions if isinstance(tree, exp.Select) else []
    if len(expressions) != 1 or len([v for v in tree.args.values() if v]) != 1:
        return exp.Literal.string(given)
    found = expressions[0]
    if found.find(exp.Column, exp.Subquery, exp.Select, exp.Alias, exp.Star):
        return exp.Literal.string(given)
    return found


def field_of(value: Typed, name: str) -> Typed | None:
    """A row's field by name, without case."""
    for stored, given, kind in zip(
        t.struct_names(value.type), value.type.fields, value.type.args, strict=True
    ):
        if given is not None and given.lower() == name.lower():
            return Typed(f"({value.sql}).{stored}", kind)
    return None


# --- handlers, one per kind of node


def _literal(b: ExpressionBinder, node: exp.Literal, scope: Scope) -> Typed:
    try:
        return literals.string(node.this) if node.is_string else literals.number(node.this)
    except literals.LiteralRefused as error:
        raise b.refused(node, str(error)) from None


def _cast(b: ExpressionBinder, node: exp.Cast, scope: Scope) -> Typed:
    if node._meta and node._meta.get("literal"):
        return _typed_literal(b, node)
    wanted = type_names.from_node(node.to, b, node)
    return b.cast(b.bind(node.this, scope), wanted, node)


def _typed_literal(b: ExpressionBinder, node: exp.Cast) -> Typed:
    value = node.this.name
    kind = node.to.this
    name = kind.value if hasattr(kind, "value") else str(kind)
    try:
        match name:
            case "TIMESTAMP" | "TIMESTAMPTZ" | "TIMESTAMPNTZ" | "TIMESTAMP_MS" | "TIMESTAMPLTZ":
                return literals.moment(value)
            case "TIME" | "TIMETZ":
                return literals.clock(value)
            case "DATE":
                return literals.day(value)
            case "DECIMAL":
                return literals.decimal(value)
            case "CHAR":
                length = max(1, len(value))
                return Typed(text(value.rstrip(" ")), Type("char", (length,)), value)
            case "JSON":
                return Typed(f"athena_json_parse({text(value)})", t.JSON)
            case "VARCHAR":
                return literals.string(value)
    except literals.LiteralRefused as error:
        raise b.refused(node, str(error), "INVALID_LITERAL") from None
    wanted = type_names.from_node(node.to, b, node)
    return b.cast(literals.string(value), wanted, node)


def _try_cast(b: ExpressionBinder, node: exp.TryCast, scope: Scope) -> Typed:
    wanted = type_names.from_node(node.to, b, node)
    value = b.bind(node.this, scope)
    b.lenient += 1
    try:
        bound = b.cast(value, wanted, node)
    finally:
        b.lenient -= 1
    return Typed(f"TRY({bound.sql})", wanted)


def _interval(b: ExpressionBinder, node: exp.Interval, scope: Scope) -> Typed:
    unit, value, sign = node.args.get("unit"), node.this, 1
    if isinstance(value, exp.Neg):
        value, sign = value.this, -1
    if not isinstance(value, exp.Literal) or unit is None:
        raise b.unsupported(node, "INTERVAL needs a literal")
    first = unit.this.name if isinstance(unit, exp.IntervalSpan) else unit.name
    last = unit.expression.name if isinstance(unit, exp.IntervalSpan) else None
    try:
        return literals.interval(value.name, first, last, sign)
    except (literals.LiteralRefused, ValueError) as error:
        raise b.refused(node, str(error), "INVALID_LITERAL") from None


def _null(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    return Typed("NULL", t.UNKNOWN)


def _boolean(b: ExpressionBinder, node: exp.Boolean, scope: Scope) -> Typed:
    return Typed("true" if node.this else "false", t.BOOLEAN, bool(node.this))


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
        raise b.column_missing(node, node.expression.name)
    return field


def _dotted(node: Any) -> list[str]:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _dotted(node.this)
        return [*before, node.expression.name.lower()] if before else []
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        return [part.name.lower() for part in node.parts]
    return [node.name.lower()] if isinstance(node, exp.Identifier) else []


def _and_or(word: str) -> Callable[[ExpressionBinder, Any, Scope], Typed]:
    def bind(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
        parts, current = [], node
        while type(current) is type(node):  # long chains must not recurse
            parts.append(current.expression)
            current = current.this
        parts.append(current)
        bound = [_condition(b, part, scope, word) for part in reversed(parts)]
        return Typed("(" + f" {word} ".join(bound) + ")", t.BOOLEAN)

    return bind


_CONDITIONS = {
    "CASE": "CASE WHEN clause",
    "NOT": "Value of logical NOT expression",
    "IF": "IF condition",
}


def _condition(b: ExpressionBinder, node: Any, scope: Scope, word: str) -> str:
    value = b.bind(node, scope)
    if value.type.name not in ("boolean", "unknown"):
        raise b.refused(
            node,
            f"{_CONDITIONS.get(word, 'Logical expression term')} must evaluate to a boolean (actual: {value.type})",
            "TYPE_MISMATCH",
        )
    return coercion.coerced(value, t.BOOLEAN).sql


def _not(b: ExpressionBinder, node: exp.Not, scope: Scope) -> Typed:
    return Typed(f"(NOT {_condition(b, node.this, scope, 'NOT')})", t.BOOLEAN)


def _comparison(operator: str) -> Callable[[ExpressionBinder, Any, Scope], Typed]:
    def bind(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
        quantified = _quantified(b, operator, node, scope)
        if quantified is not None:
            return quantified
        left, right = b.bind(node.this, scope), b.bind(node.expression, scope)
        kind = coercion.common(left.type, right.type)
        if kind is None:
            raise b.refused(
                node, f"Cannot apply operator: {left.type} {operator} {right.type}", "TYPE_MISMATCH"
            )
        if (
            operator not in ("=", "<>")
            and not comparison.orderable(kind)
            and kind.name != "unknown"
        ):
            raise b.refused(
                node, f"Cannot apply operator: {left.type} {operator} {right.type}", "TYPE_MISMATCH"
            )
        left, right = coercion.coerced(left, kind), coercion.coerced(right, kind)
        return Typed(comparison.compare(operator, left.sql, right.sql, kind), t.BOOLEAN)

    return bind


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
    sql = f"({left} {operator} {word} (SELECT {converted} FROM ({inner.sql}) AS {b.fresh('q')}({column})))"
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
    value, *items = b.unify([value, *items], node, "IN value and list items")
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


def _case(b: ExpressionBinder, node: exp.Case, scope: Scope) -> Typed:
    subject = b.bind(node.this, scope) if node.this is not None else None
    conditions: list[str] = []
    for branch in node.args["ifs"]:
        if subject is None:
            conditions.append(_condition(b, branch.this, scope, "CASE"))
        else:
            conditions.append(b.equal(subject, b.bind(branch.this, scope), branch))
    results = [b.bind(branch.args["true"], scope) for branch in node.args["ifs"]]
    default = node.args.get("default")
    results.append(b.bind(default, scope) if default is not None else Typed("NULL", t.UNKNOWN))
    results = b.unify(results, node, "All CASE results")
    *branches, otherwise = results
    whens = " ".join(f"WHEN {c} THEN {r.sql}" for c, r in zip(conditions, branches, strict=True))
    return Typed(f"(CASE {whens} ELSE {otherwise.sql} END)", otherwise.type)


def _if(b: ExpressionBinder, node: exp.If, scope: Scope) -> Typed:
    condition = _condition(b, node.this, scope, "IF")
    false = node.args.get("false")
    results = [
        b.bind(node.args["true"], scope),
        b.bind(false, scope) if false is not None else Typed("NULL", t.UNKNOWN),
    ]
    yes, no = b.unify(results, node, "Result types for IF")
    return Typed(f"(CASE WHEN {condition} THEN {yes.sql} ELSE {no.sql} END)", yes.type)


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
    items = b.unify([b.bind(item, scope) for item in node.expressions], node, "All ARRAY elements")
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


def _hex(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    try:
        return literals.hex_string(node.name)
    except literals.LiteralRefused as error:
        raise b.refused(node, str(error)) from None


def _unicode(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    escape = node.args.get("escape")
    return literals.unicode_string(node.name, escape.name if isinstance(escape, exp.Expr) else "\\")


def _placeholder(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    return b.parameter(node)


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


def _parse_json(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    return Typed(f"athena_json_parse({text(node.this.name)})", t.JSON)


_BARE_WORDS: dict[str, Callable[[ExpressionBinder], Typed]] = {}

_HANDLERS: dict[type, Callable[[Any, Any, Scope], Typed]] = {
    exp.Literal: _literal, exp.Cast: _cast, exp.TryCast: _try_cast, exp.Interval: _interval,
    exp.Null: _null, exp.Boolean: _boolean, exp.Paren: _paren, exp.Column: _column,
    exp.Identifier: _identifier, exp.Dot: _dot, exp.And: _and_or("AND"), exp.Or: _and_or("OR"),
    exp.Not: _not, exp.EQ: _comparison("="), exp.NEQ: _comparison("<>"), exp.LT: _comparison("<"),
    exp.LTE: _comparison("<="), exp.GT: _comparison(">"), exp.GTE: _comparison(">="),
    exp.NullSafeNEQ: _distinct_from(False), exp.NullSafeEQ: _distinct_from(True), exp.Is: _is,
    exp.Between: _between, exp.In: _in, exp.Exists: _exists, exp.Subquery: _scalar_subquery,
    exp.Select: _scalar_subquery, exp.Like: _like, exp.Escape: _like, exp.Case: _case, exp.If: _if,
    exp.Tuple: _tuple, exp.Array: _array, exp.Bracket: _bracket, exp.AtTimeZone: _at_time_zone,
    exp.HexString: _hex, exp.UnicodeString: _unicode, exp.Placeholder: _placeholder,
    exp.Alias: _alias, exp.Trim: _trim, exp.Extract: _extract, exp.Normalize: _normalize,
    exp.ParseJSON: _parse_json, exp.Substring: _call("substr", "this", "start", "length"),
    exp.StrPosition: _call("strpos", "this", "substr"), exp.CurrentDate: _call("current_date"),
    exp.CurrentTimestamp: _call("current_timestamp"), exp.CurrentTime: _call("current_time"),
    exp.Localtimestamp: _call("localtimestamp"), exp.Localtime: _call("localtime"),
    exp.CurrentUser: _call("current_user"), exp.Union: _scalar_subquery, exp.Values: _scalar_subquery,
}  # fmt: skip
for _name in ("CurrentCatalog", "CurrentSchema"):
    if hasattr(exp, _name):
        _HANDLERS[getattr(exp, _name)] = _call(
            {"CurrentCatalog": "current_catalog", "CurrentSchema": "current_schema"}[_name]
        )
