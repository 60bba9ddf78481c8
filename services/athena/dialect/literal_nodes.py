"""Literals, casts and parameters."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import literals, type_names
from services.athena.dialect.expressions import HANDLERS, ExpressionBinder
from services.athena.dialect.typed import Scope, Typed, text
from services.athena.trino_types import Type


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


def _parse_json(b: ExpressionBinder, node: Any, scope: Scope) -> Typed:
    return Typed(f"athena_json_parse({text(node.this.name)})", t.JSON)


HANDLERS.update(
    {
        exp.Literal: _literal,
        exp.Cast: _cast,
        exp.TryCast: _try_cast,
        exp.Interval: _interval,
        exp.Null: _null,
        exp.Boolean: _boolean,
        exp.HexString: _hex,
        exp.UnicodeString: _unicode,
        exp.Placeholder: _placeholder,
        exp.ParseJSON: _parse_json,
    }
)
