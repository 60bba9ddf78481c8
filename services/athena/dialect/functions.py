"""The table of functions: name → how a call becomes SQL. Families fill it when they are imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison
from services.athena.dialect.typed import Scope, Typed
from services.athena.trino_types import Type

#: (binder, call node, bound arguments) → typed SQL.
Maker = Callable[[Any, Any, list[Typed]], Typed]
#: (binder, call node, argument nodes, scope) → typed SQL: functions that take lambdas.
LambdaMaker = Callable[[Any, Any, Sequence[Any], Scope], Typed]
#: As Maker; the SQL holds the marks below where modifiers go.
DISTINCT_MARK, ORDER_MARK, END_MARK = "@D@", "@O@", "@F@"

FUNCTIONS: dict[str, Maker] = {}
LAMBDA_FUNCTIONS: dict[str, LambdaMaker] = {}
AGGREGATES: dict[str, Maker] = {}
#: Known to Athena, not to this engine: refused as NOT_SUPPORTED instead of FUNCTION_NOT_FOUND.
KNOWN_ONLY: set[str] = set()


def function(*names: str) -> Callable[[Maker], Maker]:
    """Register a function under its names."""

    def register(maker: Maker) -> Maker:
        for name in names:
            FUNCTIONS[name] = maker
        return maker

    return register


def lambda_function(*names: str) -> Callable[[LambdaMaker], LambdaMaker]:
    def register(maker: LambdaMaker) -> LambdaMaker:
        for name in names:
            LAMBDA_FUNCTIONS[name] = maker
        return maker

    return register


def aggregate(*names: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        for name in names:
            AGGREGATES[name] = maker
        return maker

    return register


#: As a result: a varchar of the first argument's length.
SAME = Type("varchar", (-1,))

Signature = tuple[Sequence[Type], Type, str]


def overloads(name: str, *signatures: Signature) -> None:
    """A function by its signatures: argument types, result type, SQL with `{0}`, `{1}` …"""
    FUNCTIONS[name] = _by_signature(name, signatures)


def _by_signature(name: str, signatures: Sequence[Signature]) -> Maker:
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        fits = [s for s in signatures if len(s[0]) == len(args)]
        exact = [s for s in fits if all(_same(a.type, w) for a, w in zip(args, s[0], strict=True))]
        loose = [s for s in fits if all(_fits(a.type, w) for a, w in zip(args, s[0], strict=True))]
        if not exact and not loose:
            raise mismatch(b, node, name, args, [s[0] for s in signatures])
        wanted, result, template = (exact or loose)[0]
        values = [coercion.coerced(a, w).sql for a, w in zip(args, wanted, strict=True)]
        return Typed(template.format(*values), _resolved(result, args))

    return make


def _resolved(result: Type, args: Sequence[Typed]) -> Type:
    if result == SAME:
        return as_long_as(args[0].type)
    return t.array(_resolved(result.args[0], args)) if result.name == "array" else result


def as_long_as(kind: Type) -> Type:
    """The varchar of a text that is never longer than a value of this type."""
    if kind.name == "unknown":
        return t.varchar(0)
    return Type("varchar", kind.params) if kind.name in ("varchar", "char") else t.VARCHAR


def _same(given: Type, wanted: Type) -> bool:
    return given == wanted or (given.name == wanted.name and not given.args)


def _fits(given: Type, wanted: Type) -> bool:
    return coercion.accepts(given, wanted)


#: Of functions that are bound by hand.
_NUMBERS = (
    "bigint",
    "decimal(p,s)",
    "double",
    "interval day to second",
    "interval year to month",
    "real",
)
_SIGNATURES = {
    "concat": "concat(E, array(E)) E, concat(array(E)) E, concat(array(E), E) E, concat(char(x), char(y)), concat(varbinary), concat(varchar)",
    "contains": "contains(array(t), t) T:comparable, contains(varchar, ipaddress)",
    "sum": ", ".join(f"sum({kind})" for kind in _NUMBERS),
    "avg": ", ".join(f"avg({kind})" for kind in _NUMBERS),
}


def mismatch(
    b: Any, node: Any, name: str, args: Sequence[Typed], expected: Sequence[Sequence[Type]] = ()
) -> Exception:
    """`Unexpected parameters (varchar(1)) for function abs. Expected: abs(bigint), …`"""
    given = ", ".join(str(a.type) for a in args)
    wanted = ", ".join(f"{name}({', '.join(map(str, kinds))})" for kinds in expected)
    wanted = wanted or _SIGNATURES.get(name, "")
    message = f"Unexpected parameters ({given}) for function {name}."
    error: Exception = b.refused(
        node, message + (f" Expected: {wanted}" if wanted else ""), "FUNCTION_NOT_FOUND"
    )
    return error


def need(b: Any, node: Any, name: str, args: Sequence[Any], *counts: int) -> None:
    """Refuse a call with another number of arguments."""
    if len(args) not in counts:
        given = ", ".join(str(a.type) if isinstance(a, Typed) else "?" for a in args)
        raise b.refused(
            node, f"Unexpected parameters ({given}) for function {name}", "FUNCTION_NOT_FOUND"
        )


def text_of(b: Any, node: Any, value: Typed) -> str:
    """A varchar argument's SQL."""
    sql: str = b.coerce(value, t.VARCHAR, node).sql
    return sql


def subscript(b: Any, node: Any, value: Typed, index: Typed) -> Typed:
    """`x[i]` of an array, a map or a row."""
    kind = value.type
    if kind.name == "row":
        if not isinstance(index.constant, int) or not 1 <= index.constant <= len(kind.args):
            problem = f"Invalid subscript {index.constant} for {kind}"
            if isinstance(index.constant, int):
                problem = f"Invalid subscript index: {index.constant}. ROW indices start at 1"
                if index.constant > 0:
                    problem = f"Subscript index out of bounds: {index.constant}, max value is {len(kind.args)}"
            place = node.expressions[0] if node.expressions else node
            raise b.refused(place, problem, "INVALID_FUNCTION_ARGUMENT")
        return Typed(f"({value.sql}).f{index.constant}", kind.args[index.constant - 1])
    if kind.name == "array" and coercion.accepts(index.type, t.BIGINT):
        return _array_subscript(b, node, value, index)
    if kind.name == "map" and coercion.accepts(index.type, kind.args[0]):
        key = b.coerce(index, kind.args[0], node)
        shown = f"CAST({key.sql} AS VARCHAR)" if not key.type.args else "''"
        missing = b.fail(f"'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || {shown}")
        sql = f"CASE WHEN {value.sql} IS NULL OR {key.sql} IS NULL OR map_contains({value.sql}, {key.sql}) THEN ({value.sql})[{key.sql}] ELSE {missing} END"
        return Typed(f"({sql})", kind.args[1])
    raise b.refused(node, f"Cannot use {index.type} for subscript of {kind}", "TYPE_MISMATCH")


def _array_subscript(b: Any, node: Any, value: Typed, index: Typed) -> Typed:
    i = b.coerce(index, t.BIGINT, node).sql
    zero = b.fail("'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1'")
    negative = b.fail(f"'INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || {i}")
    beyond = b.fail(
        f"'INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: ' || {i} || ' > ' || len({value.sql})"
    )
    sql = f"CASE WHEN {i} = 0 THEN {zero} WHEN {i} < 0 THEN {negative} WHEN {i} > len({value.sql}) THEN {beyond} ELSE ({value.sql})[{i}] END"
    return Typed(f"({sql})", value.type.args[0])


def equal_elements(a: str, b_sql: str, kind: Type) -> str:
    """Equality inside list functions, where NULL equals NULL."""
    return f"({comparison.key(a, kind)} IS NOT DISTINCT FROM {comparison.key(b_sql, kind)})"
