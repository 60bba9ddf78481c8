"""Expressions: a sqlglot tree in, SQL for DuckDB with its Trino type out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import casts, coercion, comparison
from services.athena.dialect.parsing import position
from services.athena.dialect.typed import Query, Scope, Typed
from services.athena.errors import SqlNotSupported, SqlRefused
from services.athena.trino_types import Type

_MISMATCH = "TYPE_MISMATCH"
#: How a kind of node is bound; literals, predicates, forms and functions fill it when they are imported.
HANDLERS: dict[type, Callable[[Any, Any, Scope], Typed]] = {}
#: Words that are functions without parentheses.
BARE_WORDS: dict[str, Callable[[Any], Typed]] = {}


def canonical(sql: str) -> str:
    """The SQL with the names made inside it numbered from 0: the same expression gives the same text.

    Those are the parameters of lambdas, and the relations and columns of sub-queries.
    """
    if "lambda" not in sql and "SELECT" not in sql:
        return sql
    inside = {
        n for found in _MADE_INSIDE.finditer(sql) for n in re.findall(r"\w+", found[1] or found[2])
    }
    seen: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        if found[0][0] != "_" and found[0] not in inside:
            return found[0]
        return seen.setdefault(found[0], f"_v{len(seen)}")

    return re.sub(r"\b(?:_[a-z]\d+|[a-z]+_?\d+)\b", numbered, sql)


#: `AS name(columns)`, and `name(columns) AS` of a common table.
_MADE_INSIDE = re.compile(r"\bAS ([a-z]+_?\d+(?:\([\w, ]*\))?)|\b(?=w_\d)([\w]+\([\w, ]*\)) AS \(")


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
        #: > 0 inside a lambda inside TRY: an element's error makes the whole NULL.
        self.lenient_lambdas = 0
        #: The body of the innermost lambda around: no aggregate may stand there.
        self.lambda_body: Any = None
        #: Aggregates met inside TRY (their SQL), which are computed before it; None outside.
        self.tried: dict[str, str] | None = None
        self._unique = itertools.count()
        #: SQL of grouping expressions → their column, while an aggregation is bound.
        self.grouped: dict[str, Typed] | None = None
        self.in_aggregate = False
        #: Columns met outside aggregates that no grouping expression holds.
        self.ungrouped: list[str] = []
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
        return casts.fail(message_sql, self._leniency())

    def _leniency(self) -> int:
        if self.lenient and self.lenient_lambdas:
            return casts.RAISED
        return casts.NULL if self.lenient else 0

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
        handler = HANDLERS.get(type(node))
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

    def unify(
        self, values: Sequence[Typed], node: Any, what: str = "All arguments",
        nodes: Sequence[Any] = (),
    ) -> list[Typed]:  # fmt: skip
        """All values in their common type; `nodes` are where they stand."""
        kind = values[0].type
        for place, value in enumerate(values[1:], 1):
            found = coercion.common(kind, value.type)
            if found is None:
                raise self.refused(
                    nodes[place] if place < len(nodes) else node,
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
            and parts[0].lower() in BARE_WORDS
        ):
            return BARE_WORDS[parts[0].lower()](self)
        if found is None:
            if len(parts) > 2:
                inner = self.resolve([p.lower() for p in parts[:-1]], scope)
                if inner is not None and inner.type.name != "row":
                    shown = ".".join(parts[:-1])
                    raise self.refused(node, f"Expression {shown} is not of type ROW", _MISMATCH)
            raise self.column_missing(node, ".".join(parts).lower())
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
        before, self.lambda_body = self.lambda_body, node.this
        self.lenient_lambdas += 1
        try:
            return names, self.bind(node.this, scope.inner(lambdas))
        finally:
            self.lambda_body = before
            self.lenient_lambdas -= 1

    # --- pieces the function tables use

    def equal(self, a: Typed, b: Typed, node: Any) -> str:
        a, b = self.unify([a, b], node)
        return comparison.equal(a.sql, b.sql, a.type)

    def cast(self, value: Typed, wanted: Type, node: Any) -> Typed:
        try:
            return casts.cast(value, wanted, self._leniency())
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
