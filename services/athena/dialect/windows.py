"""OVER (…): partition, order and frame of window functions."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena.dialect import comparison
from services.athena.dialect.typed import Scope, Typed

RANKING = {"rank": "bigint", "dense_rank": "bigint", "row_number": "bigint", "ntile": "bigint",
           "percent_rank": "double", "cume_dist": "double"}  # fmt: skip
VALUES = ("lag", "lead", "first_value", "last_value", "nth_value")


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
        parts.append(_frame(b, spec, scope, ordered))
    return " ".join(parts)


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
