"""sqlglot's type nodes as Trino types."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.trino_types import Type

_SIMPLE = {
    "BOOLEAN": t.BOOLEAN, "TINYINT": t.TINYINT, "SMALLINT": t.SMALLINT, "INT": t.INTEGER,
    "BIGINT": t.BIGINT, "FLOAT": t.REAL, "DOUBLE": t.DOUBLE, "TEXT": t.VARCHAR, "VARBINARY": t.VARBINARY,
    "DATE": t.DATE, "JSON": t.JSON, "UUID": t.UUID, "IPADDRESS": t.IPADDRESS, "BINARY": t.VARBINARY,
    "UNKNOWN": t.UNKNOWN,
}  # fmt: skip
_MOMENTS = {
    "TIME": "time", "TIMETZ": "time with time zone", "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp with time zone", "TIMESTAMPNTZ": "timestamp",
    "TIMESTAMPLTZ": "timestamp with time zone",
}  # fmt: skip


def from_node(node: Any, binder: Any, at: Any) -> Type:
    """Raises SqlRefused (`Unknown type`) or SqlNotSupported at `at`."""
    if isinstance(node, exp.Interval) or isinstance(node.this, exp.Interval):
        interval = node if isinstance(node, exp.Interval) else node.this
        unit: Any = interval.args.get("unit")
        first = unit.this.name if isinstance(unit, exp.IntervalSpan) else unit.name
        return t.YEAR_TO_MONTH if first.upper() in ("YEAR", "MONTH") else t.DAY_TO_SECOND
    name = getattr(node.this, "value", str(node.this))
    numbers = [
        int(p.name)
        for p in node.expressions
        if isinstance(p, exp.DataTypeParam) and p.name.isdigit()
    ]
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name in _MOMENTS:
        digits = numbers[0] if numbers else 3
        if digits > 12:
            raise binder.refused(
                at,
                f"{_MOMENTS[name].upper()} precision must be in range [0, 12]: {digits}",
                "TYPE_MISMATCH",
            )
        if digits > 6:
            raise binder.unsupported(
                at, f"{_MOMENTS[name]}({digits}): more than 6 fractional digits"
            )
        return Type(_MOMENTS[name], (digits,))
    if name in ("DECIMAL", "NUMERIC"):
        precision, scale = [*numbers, 0][0] or 38, numbers[1] if len(numbers) > 1 else 0
        return t.decimal(precision, scale)
    if name in ("VARCHAR", "NVARCHAR"):
        return t.varchar(numbers[0] if numbers else None)
    if name in ("CHAR", "NCHAR"):
        return Type("char", (numbers[0] if numbers else 1,))
    if name in ("ARRAY", "LIST"):
        return t.array(from_node(node.expressions[0], binder, at))
    if name == "MAP":
        return t.map_of(*(from_node(part, binder, at) for part in node.expressions))
    if name == "STRUCT":
        return _row(node, binder, at)
    raise binder.refused(at, f"Unknown type: {node.sql('trino').lower()}", "TYPE_MISMATCH")


def _row(node: Any, binder: Any, at: Any) -> Type:
    names: list[str | None] = []
    kinds = []
    for part in node.expressions:
        if isinstance(part, exp.ColumnDef):
            names.append(part.this.name if part.this.quoted else part.this.name.lower())
            kinds.append(from_node(part.args["kind"], binder, at))
        else:
            names.append(None)
            kinds.append(from_node(part, binder, at))
    return t.row(tuple(kinds), tuple(names))
