"""Arithmetic and mathematical functions, with Trino's rules for decimals, overflow and rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison, expressions
from services.athena.dialect.functions import function, mismatch, need, overloads
from services.athena.dialect.typed import Scope, Typed, once, text
from services.athena.trino_types import Type, duck_type

_LEAST = {
    "tinyint": -128, "smallint": -32768, "integer": -2147483648, "bigint": -9223372036854775808,
}  # fmt: skip
_INTERVALS = ("interval day to second", "interval year to month")
_DIVIDED = "'DIVISION_BY_ZERO: Division by zero'"


def _arithmetic(operator: str) -> Callable[[Any, Any, Scope], Typed]:
    def bind(b: Any, node: Any, scope: Scope) -> Typed:
        return arithmetic(
            b, node, operator, b.bind(node.this, scope), b.bind(node.expression, scope)
        )

    return bind


def arithmetic(b: Any, node: Any, operator: str, left: Typed, right: Typed) -> Typed:
    """`+ - * / %` on numbers, intervals and moments."""
    from services.athena.dialect import moment_arithmetic

    kinds = {left.type.name, right.type.name}
    if kinds & {
        *_INTERVALS,
        "date",
        "timestamp",
        "timestamp with time zone",
        "time",
        "time with time zone",
    }:
        return moment_arithmetic.arithmetic(b, node, operator, left, right)
    if kinds == {"unknown"}:
        left = right = Typed("CAST(NULL AS INTEGER)", t.INTEGER)
    kind = coercion.common(left.type, right.type)
    if kind is None or not coercion.is_numeric(kind):
        raise b.refused(
            node, f"Cannot apply operator: {left.type} {operator} {right.type}", "TYPE_MISMATCH"
        )
    if kind.name == "decimal":
        return _decimal_arithmetic(b, node, operator, left, right)
    x, y = coercion.coerced(left, kind).sql, coercion.coerced(right, kind).sql
    if kind.name in ("real", "double"):
        return Typed(_floating(operator, x, y, kind), kind)
    if right.is_constant:  # a lambda takes no sub-query and no aggregate
        return Typed(once(x, lambda v: _integral(b, operator, v, y, kind)), kind)
    return Typed(_integral(b, operator, x, y, kind), kind)


def _floating(operator: str, x: str, y: str, kind: Type) -> str:
    if operator == "/":
        return (
            f"athena_divide({x}, {y})"
            if kind.name == "double"
            else f"CAST(athena_divide(CAST({x} AS DOUBLE), CAST({y} AS DOUBLE)) AS FLOAT)"
        )
    if operator == "%":
        return f"CAST(athena_fmod({x}, {y}) AS {duck_type(kind)})"
    return f"({x} {operator} {y})"


def _integral(b: Any, operator: str, x: str, y: str, kind: Type) -> str:
    if operator in ("/", "%"):
        word = "//" if operator == "/" else "%"
        return f"(CASE WHEN {y} = 0 AND {x} IS NOT NULL THEN CAST({b.fail(_DIVIDED)} AS {duck_type(kind)}) ELSE {x} {word} {y} END)"
    return f"({x} {operator} {y})"


def _decimal_arithmetic(b: Any, node: Any, operator: str, left: Typed, right: Typed) -> Typed:
    """https://trino.io/docs/current/functions/decimal.html: the precision and scale of results."""
    p, q = coercion.as_decimal(left.type), coercion.as_decimal(right.type)
    p = t.decimal(1, 0) if left.type.name == "unknown" else p  # NULL is the narrowest decimal
    q = t.decimal(1, 0) if right.type.name == "unknown" else q
    x, y = coercion.convert(left.sql, left.type, p), coercion.convert(right.sql, right.type, q)
    if operator in ("+", "-"):
        scale = max(p.scale, q.scale)
        whole = max(p.precision - p.scale, q.precision - q.scale)
        kind = t.decimal(whole + scale + 1, scale)
        if kind.precision == 38:
            return Typed(_wide(operator, x, y, kind), kind)
        wide = duck_type(kind)
        return Typed(f"CAST(CAST({x} AS {wide}) {operator} CAST({y} AS {wide}) AS {wide})", kind)
    if operator == "*":
        kind = t.decimal(p.precision + q.precision, p.scale + q.scale)
        if p.scale + q.scale > 38:
            raise b.refused(
                node,
                f"DECIMAL scale must be in range [0, precision (38)]: {p.scale + q.scale}",
                "INVALID_FUNCTION_ARGUMENT",
            )
        if p.precision + q.precision <= 18:
            return Typed(f"({x} * {y})", kind)
        if p.precision + q.precision <= 38:
            return Typed(
                f"CAST(CAST({x} AS DECIMAL(38,{p.scale})) * {y} AS {duck_type(kind)})", kind
            )
        return Typed(_wide("*", x, y, kind), kind)
    zero = f"CAST({b.fail(_DIVIDED)} AS {{kind}})"
    if operator == "/":
        scale = max(p.scale, q.scale)
        kind = t.decimal(p.precision + q.scale + max(q.scale - p.scale, 0), scale)
        divided = _wide("/", x, y, kind)
    else:
        scale = max(p.scale, q.scale)
        kind = t.decimal(min(p.precision - p.scale, q.precision - q.scale) + scale, scale)
        divided = _wide("%", x, y, kind)
        if max(p.precision - p.scale, q.precision - q.scale) + scale <= 38:
            wide = duck_type(t.decimal(38, scale))
            divided = f"CAST(CAST({x} AS {wide}) % CAST({y} AS {wide}) AS {duck_type(kind)})"
    return Typed(
        f"(CASE WHEN {y} = 0 THEN {zero.format(kind=duck_type(kind))} ELSE {divided} END)", kind
    )


def _wide(operator: str, x: str, y: str, kind: Type) -> str:
    """Beyond 38 digits on the way: Python's exact numbers."""
    exact = f"athena_decimal(CAST({x} AS VARCHAR), '{operator}', CAST({y} AS VARCHAR), {kind.precision}, {kind.scale})"
    return f"CAST({exact} AS {duck_type(kind)})"


def _negate(b: Any, node: Any, scope: Scope) -> Typed:
    inner = node.this
    if (
        isinstance(inner, exp.Literal)
        and not inner.is_string
        and inner.this in ("2147483648", "9223372036854775808")
    ):
        kind = t.INTEGER if inner.this == "2147483648" else t.BIGINT
        return Typed(f"CAST('-{inner.this}' AS {duck_type(kind)})", kind, -int(inner.this))
    value = b.bind(inner, scope)
    if value.type.name == "unknown":
        return Typed("CAST(NULL AS INTEGER)", t.INTEGER)
    if not coercion.is_numeric(value.type) and value.type.name not in _INTERVALS:
        raise b.refused(node, f"Cannot negate {value.type}", "TYPE_MISMATCH")
    constant = (
        -value.constant
        if isinstance(value.constant, (int, float)) and not isinstance(value.constant, bool)
        else None
    )
    sql = f"(-{value.sql})"
    if coercion.is_integer(value.type) and constant is None:
        duck, least = duck_type(value.type), _LEAST[value.type.name]
        problem = b.fail(
            f"'NUMERIC_VALUE_OUT_OF_RANGE: {value.type.name} negation overflow: {least}'"
        )
        sql = f"CASE WHEN {value.sql} = {least} THEN CAST({problem} AS {duck}) ELSE (-{value.sql}) END"
    return Typed(sql, value.type, constant) if constant is not None else Typed(sql, value.type)


expressions.HANDLERS.update({
    exp.Add: _arithmetic("+"), exp.Sub: _arithmetic("-"), exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"), exp.IntDiv: _arithmetic("/"), exp.Mod: _arithmetic("%"), exp.Neg: _negate,
})  # fmt: skip

D, B, I = t.DOUBLE, t.BIGINT, t.INTEGER  # noqa: E741

for _name in (
    "sin",
    "cos",
    "tan",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "cbrt",
    "degrees",
    "radians",
    "exp",
):
    overloads(_name, ([D], D, f"{_name}({{0}})"))
for _name in ("asin", "acos"):
    overloads(
        _name,
        (
            [D],
            D,
            f"CASE WHEN abs({{0}}) > 1 OR isnan({{0}}) THEN CASE WHEN {{0}} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END ELSE {_name}({{0}}) END",
        ),
    )
overloads("sqrt", ([D], D, "CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt({0}) END"))
for _name, _sql in (("ln", "ln"), ("log2", "log2"), ("log10", "log10")):
    overloads(
        _name,
        (
            [D],
            D,
            f"CASE WHEN {{0}} < 0 OR isnan({{0}}) THEN CAST('NaN' AS DOUBLE) WHEN {{0}} = 0 THEN CAST('-Infinity' AS DOUBLE) ELSE {_sql}({{0}}) END",
        ),
    )
overloads("log", ([D, D], D, "athena_log({0}, {1})"))
overloads("atan2", ([D, D], D, "atan2({0}, {1})"))
overloads("power", ([D, D], D, "pow({0}, {1})"))
overloads("pow", ([D, D], D, "pow({0}, {1})"))
overloads("pi", ([], D, "pi()"))
overloads("e", ([], D, "exp(CAST(1 AS DOUBLE))"))
overloads("nan", ([], D, "CAST('NaN' AS DOUBLE)"))
overloads("infinity", ([], D, "CAST('Infinity' AS DOUBLE)"))
overloads("is_nan", ([t.REAL], t.BOOLEAN, "isnan({0})"), ([D], t.BOOLEAN, "isnan({0})"))
overloads("is_finite", ([D], t.BOOLEAN, "isfinite({0})"))
overloads("is_infinite", ([D], t.BOOLEAN, "isinf({0})"))
overloads("from_base", ([t.VARCHAR, B], B, "athena_from_base({0}, {1})"))
overloads("to_base", ([B, B], t.varchar(64), "athena_to_base({0}, {1})"))
overloads(
    "normal_cdf",
    (
        [D, D, D],
        D,
        "CASE WHEN isnan({0}) OR isnan({1}) OR isnan({2}) THEN CAST('NaN' AS DOUBLE) ELSE athena_normal_cdf({0}, {1}, {2}) END",
    ),
)
overloads(
    "inverse_normal_cdf",
    (
        [D, D, D],
        D,
        "CASE WHEN isnan({0}) OR isnan({1}) OR isnan({2}) THEN CAST('NaN' AS DOUBLE) ELSE athena_inverse_normal_cdf({0}, {1}, {2}) END",
    ),
)
overloads("beta_cdf", ([D, D, D], D, "athena_beta_cdf({0}, {1}, {2})"))
overloads("inverse_beta_cdf", ([D, D, D], D, "athena_inverse_beta_cdf({0}, {1}, {2})"))
overloads("t_cdf", ([D, D], D, "athena_t_cdf({0}, {1})"))
overloads("t_pdf", ([D, D], D, "athena_t_pdf({0}, {1})"))
overloads("wilson_interval_lower", ([B, B, D], D, "athena_wilson({0}, {1}, {2}, -1)"))
overloads("wilson_interval_upper", ([B, B, D], D, "athena_wilson({0}, {1}, {2}, 1)"))
overloads("bitwise_not", ([B], B, "(~{0})"))
for _name, _word in (("bitwise_and", "&"), ("bitwise_or", "|")):
    overloads(_name, ([B, B], B, f"({{0}} {_word} {{1}})"))
overloads("bitwise_xor", ([B, B], B, "xor({0}, {1})"))
overloads("bit_count", ([B, B], B, "athena_bit_count({0}, {1})"))
overloads(
    "cosine_distance", ([t.array(D), t.array(D)], D, "(1 - list_cosine_similarity({0}, {1}))")
)
overloads("euclidean_distance", ([t.array(D), t.array(D)], D, "list_distance({0}, {1})"))
overloads("dot_product", ([t.array(D), t.array(D)], D, "list_inner_product({0}, {1})"))
overloads(
    "bitwise_left_shift",
    *[
        (
            [k, t.BIGINT],
            k,
            f"athena_shift_left({{0}}, {{1}}, {n})"
            if n == 64
            else f"CAST(athena_shift_left(CAST({{0}} AS BIGINT), {{1}}, {n}) AS {duck_type(k)})",
        )
        for k, n in ((t.TINYINT, 8), (t.SMALLINT, 16), (I, 32), (B, 64))
    ],
)
overloads(
    "bitwise_right_shift",
    *[
        (
            [k, t.BIGINT],
            k,
            f"athena_shift_right({{0}}, {{1}}, {n})"
            if n == 64
            else f"CAST(athena_shift_right(CAST({{0}} AS BIGINT), {{1}}, {n}) AS {duck_type(k)})",
        )
        for k, n in ((t.TINYINT, 8), (t.SMALLINT, 16), (I, 32), (B, 64))
    ],
)
overloads(
    "bitwise_right_shift_arithmetic",
    *[
        (
            [k, t.BIGINT],
            k,
            f"CAST(athena_shift_signed(CAST({{0}} AS BIGINT), {{1}}, {n}) AS {duck_type(k)})",
        )
        for k, n in ((t.TINYINT, 8), (t.SMALLINT, 16), (I, 32), (B, 64))
    ],
)


@function("mod")
def mod(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "mod", args, 2)
    return arithmetic(b, node, "%", args[0], args[1])


@function("abs")
def absolute(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "abs", args, 1)
    value = args[0] if args[0].type.name != "unknown" else Typed("CAST(NULL AS INTEGER)", t.INTEGER)
    if not coercion.is_numeric(value.type):
        raise mismatch(b, node, "abs", args)
    return Typed(f"CAST(abs({value.sql}) AS {duck_type(value.type)})", value.type)


@function("sign")
def sign(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "sign", args, 1)
    value = args[0] if args[0].type.name != "unknown" else Typed("CAST(NULL AS INTEGER)", t.INTEGER)
    if not coercion.is_numeric(value.type):
        raise mismatch(b, node, "sign", args)
    kind = t.decimal(1, 0) if value.type.name == "decimal" else value.type
    if kind.name in ("real", "double"):
        sql = f"CASE WHEN isnan({value.sql}) THEN {value.sql} ELSE sign({value.sql}) END"
        return Typed(f"CAST({sql} AS {duck_type(kind)})", kind)
    return Typed(f"CAST(sign({value.sql}) AS {duck_type(kind)})", kind)


def _floor_or_ceil(name: str) -> None:
    @function(name, *(["ceiling"] if name == "ceil" else []))
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 1)
        value = (
            args[0] if args[0].type.name != "unknown" else Typed("CAST(NULL AS INTEGER)", t.INTEGER)
        )
        if not coercion.is_numeric(value.type):
            raise mismatch(b, node, name, args)
        if coercion.is_integer(value.type):
            return Typed(value.sql, value.type)
        if value.type.name == "decimal":
            kind = t.decimal(
                value.type.precision - value.type.scale + (1 if value.type.scale else 0)
            )
            return Typed(f"CAST({name}({value.sql}) AS {duck_type(kind)})", kind)
        return Typed(f"CAST({name}({value.sql}) AS {duck_type(value.type)})", value.type)


_floor_or_ceil("ceil")
_floor_or_ceil("floor")


@function("round")
def round_(b: Any, node: Any, args: list[Typed]) -> Typed:
    """Half away from zero."""
    need(b, node, "round", args, 1, 2)
    value = args[0] if args[0].type.name != "unknown" else Typed("CAST(NULL AS INTEGER)", t.INTEGER)
    if not coercion.is_numeric(value.type):
        raise mismatch(b, node, "round", args)
    kind = value.type
    if kind.name == "decimal":
        return _round_decimal(b, node, value, args)
    digits = b.coerce(args[1], t.INTEGER, node).sql if len(args) == 2 else "0"
    if coercion.is_integer(kind):
        if len(args) == 1:
            return Typed(value.sql, kind)
        return Typed(
            f"CAST(athena_round_integer(CAST({value.sql} AS BIGINT), {digits}) AS {duck_type(kind)})",
            kind,
        )
    if kind.name == "real":
        return Typed(
            f"CASE WHEN isfinite({value.sql}) THEN CAST(athena_round_real({value.sql}, {digits}) AS FLOAT) ELSE {value.sql} END",
            kind,
        )
    if len(args) == 1:
        return Typed(f"athena_round_half_up({value.sql})", kind)
    constant = args[1].constant
    if isinstance(constant, int) and -15 <= constant <= 15:
        return Typed(f"athena_round_to({value.sql}, CAST('1e{constant}' AS DOUBLE))", kind)
    return Typed(
        f"CASE WHEN isfinite({value.sql}) THEN athena_round_double({value.sql}, {digits}) ELSE {value.sql} END",
        kind,
    )


def _round_decimal(b: Any, node: Any, value: Typed, args: list[Typed]) -> Typed:
    p, s = value.type.params
    if len(args) == 1:
        kind = t.decimal(p - s + (1 if s else 0))
        return Typed(
            f"CAST(athena_text_decimal(CAST({value.sql} AS VARCHAR), 38, 0) AS {duck_type(kind)})",
            kind,
        )
    digits = b.coerce(args[1], t.INTEGER, node).sql
    kind = t.decimal(min(38, p + 1), s)
    return Typed(
        f"CAST(athena_round_digits(CAST({value.sql} AS VARCHAR), {digits}, {s}) AS {duck_type(kind)})",
        kind,
    )


@function("truncate")
def truncate(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "truncate", args, 1, 2)
    value = args[0]
    if coercion.is_integer(value.type):
        value = coercion.coerced(value, coercion.as_decimal(value.type))
    elif value.type.name == "unknown":
        value = Typed("CAST(NULL AS DECIMAL(1,0))", t.decimal(1))
    kind = value.type
    if kind.name == "decimal":
        if len(args) == 1:
            whole = t.decimal(max(1, kind.precision - kind.scale))
            return Typed(f"CAST(trunc({value.sql}) AS {duck_type(whole)})", whole)
        digits = b.coerce(args[1], t.INTEGER, node).sql
        return Typed(
            f"CAST(athena_cut_digits(CAST({value.sql} AS VARCHAR), {digits}) AS {duck_type(kind)})",
            kind,
        )
    if kind.name not in ("real", "double") or len(args) == 2:
        raise mismatch(b, node, "truncate", args)
    return Typed(f"CAST(trunc({value.sql}) AS {duck_type(kind)})", kind)


@function("rand", "random")
def random(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "random", args, 0, 1, 2)
    if not args:
        return Typed("random()", t.DOUBLE)
    values = b.unify(args, node)
    if not coercion.is_integer(values[0].type):
        raise mismatch(b, node, "random", args)
    kind = values[0].type
    low, high = ("0", values[0].sql) if len(args) == 1 else (values[0].sql, values[1].sql)
    rule = (
        "bound must be positive" if len(args) == 1 else "start value must be less than stop value"
    )
    problem = f"CAST({b.fail(text(f'INVALID_FUNCTION_ARGUMENT: {rule}'))} AS {duck_type(kind)})"
    drawn = f"CAST(floor({low} + random() * ({high} - {low})) AS {duck_type(kind)})"
    return Typed(f"CASE WHEN {low} >= {high} THEN {problem} ELSE {drawn} END", kind)


@function("width_bucket")
def width_bucket(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "width_bucket", args, 2, 4)
    if len(args) == 2:
        x = b.coerce(args[0], t.DOUBLE, node).sql
        bins = b.coerce(args[1], t.array(t.DOUBLE), node).sql
        return Typed(f"athena_bucket_of({x}, {bins})", t.BIGINT)
    x, low, high = (b.coerce(a, t.DOUBLE, node).sql for a in args[:3])
    count = b.coerce(args[3], t.BIGINT, node).sql
    return Typed(f"athena_width_bucket({x}, {low}, {high}, {count})", t.BIGINT)


def _extreme(name: str) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        """NULL when any argument is NULL; of two NaNs the number."""
        if not args:
            raise mismatch(b, node, name, args)
        values = b.unify(args, node)
        kind = values[0].type
        tests = " OR ".join(f"{v.sql} IS NULL" for v in values)
        listed = ", ".join(v.sql for v in values)
        if kind.name == "timestamp with time zone" or kind.args:
            items = f"[{listed}]"
            choice = comparison.largest(items, kind) if name == "greatest" else f"list_min({items})"
            return Typed(f"CASE WHEN NOT ({tests}) THEN {choice} END", kind)
        if kind.name in ("real", "double"):
            return Typed(f"CASE WHEN NOT ({tests}) THEN athena_{name}([{listed}]) END", kind)
        return Typed(f"CASE WHEN NOT ({tests}) THEN {name}({listed}) END", kind)


_extreme("greatest")
_extreme("least")

__all__ = ["arithmetic", "comparison"]
