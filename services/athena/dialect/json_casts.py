"""CAST between JSON and everything else: JSON is kept as its text, as Trino prints it."""

from __future__ import annotations

from services.athena import trino_types as t
from services.athena.trino_types import Type, duck_type


def cast(sql: str, given: Type, wanted: Type, lenient: int, depth: int) -> str:
    """SQL of the cast. Raises CastRefused for a type that has no JSON."""
    if wanted.name == "json":
        return to_json(sql, given, depth)
    return from_json(sql, wanted, lenient, depth)


def to_json(sql: str, given: Type, depth: int = 0) -> str:
    """A value as JSON text; SQL NULL stays NULL at the top, inside it is `null`."""
    from services.athena import rendering
    from services.athena.dialect.casts import CastRefused

    v = f"_j{depth}"
    match given.name:
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint" | "decimal":
            return rendering.rendered(sql, given)
        case "real" | "double":
            name = "athena_json_real" if given.name == "real" else "athena_json_double"
            return f"CASE WHEN isfinite({sql}) THEN {name}({sql}) WHEN {sql} IS NOT NULL THEN '\"' || {name}({sql}) || '\"' END"
        case "varchar":
            return f"athena_json_quote({sql})"
        case "date" | "timestamp":
            return f"('\"' || {rendering.rendered(sql, given)} || '\"')"
        case "array":
            inner = f"coalesce({to_json(v, given.args[0], depth + 1)}, 'null')"
            return (
                f"('[' || array_to_string(list_transform({sql}, lambda {v}: {inner}), ',') || ']')"
            )
        case "map":
            key = _map_key(f"{v}.key", given.args[0])
            value = f"coalesce({to_json(f'{v}.value', given.args[1], depth + 1)}, 'null')"
            pair = f"athena_json_quote({key}) || ':' || {value}"
            sorted_ = f"list_sort(list_transform(map_entries({sql}), lambda {v}: {pair}))"
            return f"('{{' || array_to_string({sorted_}, ',') || '}}')"
        case "row":
            return _row(sql, given, depth)
        case "json":
            return sql
        case "unknown":
            return f"CAST({sql} AS VARCHAR)"
    raise CastRefused(f"Cannot cast {given} to json")


_KEYS = ("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal", "varchar",
         "unknown")  # fmt: skip


def _map_key(sql: str, kind: Type) -> str:
    from services.athena import rendering
    from services.athena.dialect.casts import CastRefused

    if kind.name not in _KEYS:
        raise CastRefused(f"Cannot cast a map with keys of {kind} to json")
    return rendering.rendered(sql, kind)


def _row(sql: str, given: Type, depth: int) -> str:
    fields = zip(t.struct_names(given), given.fields, given.args, strict=True)
    parts = []
    for stored, name, kind in fields:
        value = f"coalesce({to_json(f'({sql}).{stored}', kind, depth + 1)}, 'null')"
        shown = (name or "").replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
        parts.append(f"'\"{shown}\":' || {value}")
    joined = " || ',' || ".join(parts)
    return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {joined} || '}}' END"


def from_json(sql: str, wanted: Type, lenient: int, depth: int = 0) -> str:
    """JSON text as a SQL value: a Python function checks and shapes, DuckDB types."""
    if wanted.name == "varchar":
        return f"athena_json_scalar({sql}, '{wanted}')"
    if wanted.name in ("array", "map", "row"):
        return _nested(sql, wanted, lenient)
    if wanted.name == "decimal":
        exact = f"athena_json_scalar({sql}, '{wanted}')"
        return f"CAST({exact} AS {duck_type(wanted)})"
    if wanted.name in ("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double"):
        return f"CAST(athena_json_scalar({sql}, '{wanted.name}') AS {duck_type(wanted)})"
    from services.athena.dialect.casts import CastRefused

    raise CastRefused(f"Cannot cast json to {wanted}")


def _nested(sql: str, wanted: Type, lenient: int) -> str:
    """Shaped by Python into JSON that DuckDB's from_json reads without surprises."""
    import json

    from services.athena.dialect.typed import text

    structure = json.dumps(shape(wanted))
    shaped = f"athena_json_shape({sql}, {text(str(wanted))})"
    return _mapped(f"from_json({shaped}, {text(structure)})", wanted, 0)


def _mapped(sql: str, kind: Type, depth: int) -> str:
    """Maps travel as lists of entries: make maps of them again, at any depth."""
    v = f"_u{depth}"
    if not any(_has_map(x) for x in (kind,)):
        return sql
    match kind.name:
        case "array":
            return f"list_transform({sql}, lambda {v}: {_mapped(v, kind.args[0], depth + 1)})"
        case "map":
            value = _mapped(f"{v}.value", kind.args[1], depth + 1)
            entries = f"list_transform({sql}, lambda {v}: {{'key': {v}.key, 'value': {value}}})"
            return f"map_from_entries({entries})"
    parts = [
        f"'{n}': {_mapped(f'({sql}).{n}', x, depth + 1)}"
        for n, x in zip(t.struct_names(kind), kind.args, strict=True)
    ]
    return f"CASE WHEN {sql} IS NOT NULL THEN {{{', '.join(parts)}}} END"


def _has_map(kind: Type) -> bool:
    return kind.name == "map" or any(_has_map(x) for x in kind.args)


def shape(kind: Type) -> object:
    """The structure argument of DuckDB's from_json; maps travel as lists of entries."""
    match kind.name:
        case "array":
            return [shape(kind.args[0])]
        case "map":
            return [{"key": shape(kind.args[0]), "value": shape(kind.args[1])}]
        case "row":
            return {n: shape(x) for n, x in zip(t.struct_names(kind), kind.args, strict=True)}
    return duck_type(kind)
