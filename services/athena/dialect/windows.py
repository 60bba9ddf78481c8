"""OVER (…): partition, order and frame of window functions."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from services.athena.dialect import coercion, comparison
from services.athena.dialect.typed import Scope, Typed

RANKING = {"rank": "bigint", "dense_rank": "bigint", "row_number": "bigint", "ntile": "bigint",
           "percent_rank": "double", "cume_dist": "double"}  # fmt: skip
VALUES = ("lag", "lead", "first_value", "last_value", "nth_value")


def at_least(b: Any, sql: str, least: int, problem: str, missing: str | None = None) -> str:
    """An offset or a count that Trino checks row by row."""
    constant = re.fullmatch(r"(?:CAST\()*(\d+)(?: AS \w+\))*", sql)
    if constant is not None and int(constant[1]) >= least:
        return sql
    small = b.fail(f"'INVALID_FUNCTION_ARGUMENT: {problem}'")
    tests = f"WHEN {sql} < {least} THEN {small}"
    if missing is not None:
        absent = b.fail(f"'INVALID_FUNCTION_ARGUMENT: {missing}'")
        tests = f"WHEN {sql} IS NULL THEN {absent} {tests}"
    return f"CASE {tests} ELSE {sql} END"


def specification(b: Any, node: Any, scope: Scope) -> str:
    """The SQL inside OVER (…)."""
    base = node.args.get("alias") or node.args.get("first")
    parts = []
    named = None
    if isinstance(base, exp.Identifier):
        named = b.windows.get(base.name.lower())
        if named is None:
            raise b.refused(
                node, f"Cannot resolve WINDOW name {base.name}", "INVALID_WINDOW_REFERENCE"
            )
    source = [named] if named is not None else []
    if named is not None:
        _check_reference(b, node, base, named)
    while (
        source
        and source[-1] is not None
        and isinstance(source[-1].args.get("alias"), exp.Identifier)
    ):
        source.append(b.windows.get(source[-1].args["alias"].name.lower()))
    everything = [node, *source]
    partition = next(
        (
            w.args["partition_by"]
            for w in everything
            if w is not None and w.args.get("partition_by")
        ),
        None,
    )
    order = next(
        (w.args["order"] for w in everything if w is not None and w.args.get("order")), None
    )
    spec = next((w.args["spec"] for w in everything if w is not None and w.args.get("spec")), None)
    if partition:
        keys = [b.bind(p, scope) for p in partition]
        parts.append("PARTITION BY " + ", ".join(comparison.key(k.sql, k.type) for k in keys))
    ordered: list[Typed] = []
    if order is not None:
        items = []
        for item in order.expressions:
            value = b.bind(item.this, scope)
            ordered.append(value)
            direction = "DESC" if item.args.get("desc") else "ASC"
            nulls = "FIRST" if item.args.get("nulls_first") else "LAST"
            by = comparison.key(value.sql, value.type)
            if spec is None:
                by = comparison.order_key(value.sql, value.type, nulls == "FIRST")
            items.append(f"{by} {direction} NULLS {nulls}")
        parts.append("ORDER BY " + ", ".join(items))
    if spec is not None:
        _check_frame(b, node, spec, order, ordered)
        parts.append(_frame(b, spec, scope, ordered))
    return " ".join(parts)


def _check_reference(b: Any, node: Any, base: Any, named: Any) -> None:
    """`OVER (w …)`: what w has fixed is not said again."""
    if node.args.get("partition_by"):
        raise b.refused(
            node.args["partition_by"][0],
            "WINDOW specification with named WINDOW reference cannot specify PARTITION BY",
            "INVALID_PARTITION_BY",
        )
    if node.args.get("order") is not None and named.args.get("order") is not None:
        raise b.refused(
            node.args["order"].expressions[0].this,
            "Cannot specify ORDER BY if referenced named WINDOW specifies ORDER BY",
            "INVALID_ORDER_BY",
        )


def _check_frame(b: Any, node: Any, spec: Any, order: Any, ordered: list[Typed]) -> None:
    """RANGE with an offset counts from one value that can be added to."""
    kind = str(spec.args.get("kind") or "RANGE").upper()
    bounds = [spec.args.get("start"), spec.args.get("end")]
    sides = [spec.args.get("start_side"), spec.args.get("end_side")]
    if bounds[0] == "CURRENT ROW" and str(sides[1] or "").upper() == "PRECEDING":
        raise b.refused(
            node,
            "Window frame starting from CURRENT ROW cannot end with PRECEDING",
            "INVALID_WINDOW_FRAME",
        )
    if kind != "RANGE" or all(v is None or isinstance(v, str) for v in bounds):
        return
    if order is None:
        raise b.refused(
            node,
            "Window frame of type RANGE PRECEDING or FOLLOWING requires ORDER BY",
            "MISSING_ORDER_BY",
        )
    if len(ordered) != 1:
        raise b.refused(
            node,
            f"Window frame of type RANGE PRECEDING or FOLLOWING requires single sort item in ORDER BY (actual: {len(ordered)})",
            "INVALID_ORDER_BY",
        )
    given = ordered[0].type
    if not (
        coercion.is_numeric(given) or given.name.startswith(("date", "time", "interval", "unknown"))
    ):
        raise b.refused(
            order.expressions[0].this,
            f"Window frame of type RANGE PRECEDING or FOLLOWING requires that sort item type be numeric, datetime or interval (actual: {given})",
            "TYPE_MISMATCH",
        )


def _frame(b: Any, spec: Any, scope: Scope, ordered: list[Typed]) -> str:
    kind = str(spec.args.get("kind") or "RANGE").upper()

    def bound(value: Any, side: Any) -> str:
        if isinstance(value, str):
            text = value.upper()
            return text if text == "CURRENT ROW" else f"{text} {str(side).upper()}"
        offset = b.bind(value, scope)
        sql = offset.sql
        if kind == "RANGE" and offset.type.name == "interval day to second":
            sql = f"to_microseconds({sql} * 1000)"
        elif kind == "RANGE" and offset.type.name == "interval year to month":
            sql = f"to_months({sql})"
        return f"{sql} {str(side).upper()}"

    start = bound(spec.args.get("start"), spec.args.get("start_side"))
    end = spec.args.get("end")
    if end is None:
        return f"{kind} BETWEEN {start} AND CURRENT ROW"
    return f"{kind} BETWEEN {start} AND {bound(end, spec.args.get('end_side'))}"
