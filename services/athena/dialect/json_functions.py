"""JSON: the old functions over text or JSON, and the standard's json_query, json_value …"""

from __future__ import annotations

import json
import re
from typing import Any

from services.athena import trino_types as t
from services.athena.dialect import type_names
from services.athena.dialect.functions import (
    SAME,
    function,
    lambda_function,
    mismatch,
    overloads,
)
from services.athena.dialect.json_casts import to_json
from services.athena.dialect.typed import Scope, Typed, text
from services.athena.errors import SqlRefused
from services.athena.json_paths import EMPTY_SEQUENCE
from services.athena.trino_types import Type

V, J, B, BOOL = t.VARCHAR, t.JSON, t.BIGINT, t.BOOLEAN

overloads("json_parse", ([V], J, "athena_json_parse({0})"))
overloads("json_format", ([J], V, "{0}"))
for _name, _kind, _sql in (
    ("json_extract", J, "athena_json_extract({0}, {1})"),
    ("json_extract_scalar", SAME, "athena_json_extract_scalar({0}, {1})"),
    ("json_size", B, "athena_json_size({0}, {1})"),
):
    overloads(_name, ([V, V], _kind, _sql), ([J, V], _kind, _sql))
overloads(
    "json_array_length",
    ([V], B, "athena_json_array_length({0})"),
    ([J], B, "athena_json_array_length({0})"),
)
overloads(
    "json_array_get",
    ([V, B], J, "athena_json_array_get({0}, {1})"),
    ([J, B], J, "athena_json_array_get({0}, {1})"),
)
overloads(
    "is_json_scalar",
    ([V], BOOL, "athena_is_json_scalar({0})"),
    ([J], BOOL, "athena_is_json_scalar({0})"),
)


@function("json_array_contains")
def json_array_contains(b: Any, node: Any, args: list[Typed]) -> Typed:
    if len(args) != 2 or args[0].type.name not in ("varchar", "json", "unknown"):
        raise mismatch(b, node, "json_array_contains", args)
    document = args[0].sql
    kind = args[1].type.name
    if kind == "unknown":
        return Typed("CAST(NULL AS BOOLEAN)", BOOL)
    if kind not in (
        "boolean",
        "bigint",
        "integer",
        "smallint",
        "tinyint",
        "double",
        "real",
        "varchar",
        "decimal",
    ):
        raise mismatch(b, node, "json_array_contains", args)
    word = {"boolean": "boolean", "varchar": "varchar"}.get(
        kind, "double" if kind in ("double", "real", "decimal") else "bigint"
    )
    shown = f"CAST({args[1].sql} AS VARCHAR)"
    return Typed(f"athena_json_array_contains({document}, {shown}, '{word}')", BOOL)


def _input(b: Any, node: Any, scope: Scope) -> str:
    value = b.bind(node, scope)
    if value.type.name == "varbinary":
        return f"decode({value.sql})"
    if value.type.name not in ("varchar", "char", "json", "unknown"):
        raise mismatch(b, node, "json_query", [value])
    return str(value.sql)


def _path(b: Any, node: Any) -> str:
    if not getattr(node, "is_string", False):
        raise b.refused(node, "A JSON path must be a string literal")
    path = str(node.this)
    if not re.match(r"\s*(?:lax|strict)\b", path):
        first = re.search(r"[A-Za-z_]\w*|\S", path)
        problem = f"missing {{'lax', 'strict'}} at '{first[0] if first else '<EOF>'}'"
        if first is not None and first[0][0].isalpha():
            problem = f"mismatched input '{first[0]}' expecting {{'lax', 'strict'}}"
        refused = b.refused(node, problem)
        if refused.line is None or "\n" in path:
            raise refused
        inside = 1 + (first.start() if first else len(path))  # after the quote
        raise SqlRefused(problem, refused.line, refused.column + inside)
    return path


def _passed(b: Any, options: dict[str, Any], scope: Scope) -> str:
    """PASSING arguments as one JSON object."""
    parts = []
    for value, name, is_json in options.get("passing") or []:
        bound = b.bind(value, scope)
        if is_json:  # a missing document is the empty sequence, which no name stands for
            shown = f"athena_json_parse({bound.sql})"
            given = f"CASE WHEN {bound.sql} IS NOT NULL THEN {shown} ELSE '{EMPTY_SEQUENCE}' END"
        else:
            given = f"coalesce({to_json(bound.sql, bound.type)}, 'null')"
        parts.append(f"{text(json.dumps(name.name))} || ':' || {given}")
    return "'{' || " + " || ',' || ".join(parts) + " || '}'" if parts else "'{}'"


@lambda_function("json_exists")
def json_exists(b: Any, node: Any, nodes: Any, scope: Scope) -> Typed:
    options = node.meta.get("options", {})
    on_error = options.get("error", "false")
    return Typed(
        f"athena_json_exists({_input(b, nodes[0], scope)}, {text(_path(b, nodes[1]))}, {_passed(b, options, scope)}, '{on_error}')",
        BOOL,
    )


@lambda_function("json_query")
def json_query(b: Any, node: Any, nodes: Any, scope: Scope) -> Typed:
    options = node.meta.get("options", {})
    kind = (
        type_names.from_node(options["returning"], b, node)
        if options.get("returning") is not None
        else V
    )
    empty, error = options.get("empty", "null"), options.get("error", "null")
    wrapper = options.get("wrapper") or "without"
    quotes = "keep" if options.get("quotes", True) else "omit"
    sql = f"athena_json_query({_input(b, nodes[0], scope)}, {text(_path(b, nodes[1]))}, {_passed(b, options, scope)}, '{wrapper}', '{quotes}', '{empty}', '{error}')"
    if kind.name not in ("varchar", "char"):
        raise b.unsupported(node, f"JSON_QUERY RETURNING {kind}")
    return b.cast(Typed(sql, V), kind, node)  # type: ignore[no-any-return]


@lambda_function("json_value")
def json_value(b: Any, node: Any, nodes: Any, scope: Scope) -> Typed:
    options = node.meta.get("options", {})
    kind = (
        type_names.from_node(options["returning"], b, node)
        if options.get("returning") is not None
        else V
    )
    on: dict[str, str] = {}
    defaults: dict[str, str] = {}
    for word in ("empty", "error"):
        given = options.get(word, "null")
        if isinstance(given, str):
            on[word], defaults[word] = given, "NULL"
        else:
            on[word] = "default"
            defaults[word] = b.coerce(b.bind(given, scope), kind, node).sql
    call = f"athena_json_value({_input(b, nodes[0], scope)}, {text(_path(b, nodes[1]))}, {_passed(b, options, scope)}, '{on['empty']}', '{on['error']}')"
    value = _item_as(b, node, call, kind)
    if kind.name != "varchar":  # a scalar that is not of the type is an error, too
        b.lenient += 1
        try:
            loose = f"TRY({_item_as(b, node, call, kind)})"
        finally:
            b.lenient -= 1
        if on["error"] != "error":
            value = f"CASE WHEN {loose} IS NULL THEN {defaults['error']} ELSE {loose} END"
    sql = f"CASE {call}[1] WHEN 'value' THEN {value} WHEN 'empty' THEN {defaults['empty']} WHEN 'error' THEN {defaults['error']} END"
    return Typed(sql, kind)


_ITEMS = {"boolean": t.BOOLEAN, "bigint": t.BIGINT, "double": t.DOUBLE}


def _item_as(b: Any, node: Any, call: str, kind: Type) -> str:
    """The scalar a path found, cast from the SQL type its JSON type stands for."""
    plain: str = b.cast(Typed(f"{call}[2]", V), kind, node).sql
    if kind.name not in (*_ITEMS, "tinyint", "smallint", "integer", "real", "decimal"):
        return plain
    branches = " ".join(
        f"WHEN '{name}' THEN {b.cast(Typed(f'TRY_CAST({call}[2] AS {t.duck_type(item)})', item), kind, node).sql}"
        for name, item in _ITEMS.items()
    )
    return f"CASE {call}[3] {branches} ELSE {plain} END"


@lambda_function("json_object")
def json_object(b: Any, node: Any, nodes: Any, scope: Scope) -> Typed:
    options = node.meta.get("options", {})
    parts = []
    for key, value, is_json in options.get("pairs", []):
        name = b.bind_as(key, scope, V).sql
        bound = b.bind(value, scope)
        shown = _json_item(b, bound, is_json, value)
        pair = f"[{name}, coalesce({shown}, 'null')]"
        parts.append(
            f"CASE WHEN {bound.sql} IS NULL THEN NULL ELSE {pair} END"
            if options.get("absent")
            else pair
        )
    listed = f"athena_json_object([{', '.join(parts)}])" if parts else "'{}'"
    return _returning(b, node, options, listed)


@lambda_function("json_array")
def json_array(b: Any, node: Any, nodes: Any, scope: Scope) -> Typed:
    options = node.meta.get("options", {})
    keep_nulls = options.get("null") == "null"
    parts = []
    for item, is_json in zip(nodes, options.get("formats", []), strict=True):
        bound = b.bind(item, scope)
        shown = _json_item(b, bound, is_json, item)
        parts.append(
            f"coalesce({shown}, 'null')"
            if keep_nulls
            else f"CASE WHEN {bound.sql} IS NOT NULL THEN {shown} END"
        )
    listed = f"coalesce(array_to_string([{', '.join(parts)}], ','), '')" if parts else "''"
    return _returning(b, node, options, f"('[' || {listed} || ']')")


def _json_item(b: Any, value: Typed, is_json: bool, node: Any) -> str:
    import sqlglot.expressions as exp

    nested = isinstance(node, exp.Anonymous) and str(node.this).lower() in (
        "json_object",
        "json_array",
        "json_query",
    )
    if is_json or nested or value.type.name == "json":
        return f"athena_json_parse({value.sql})" if is_json else value.sql
    if value.type.name == "unknown":
        return "CAST(NULL AS VARCHAR)"
    return to_json(value.sql, value.type)


def _returning(b: Any, node: Any, options: dict[str, Any], sql: str) -> Typed:
    if options.get("returning") is None:
        return Typed(sql, V)
    kind = type_names.from_node(options["returning"], b, node)
    if kind.name == "varbinary":
        return Typed(f"encode({sql})", kind)
    return b.cast(Typed(sql, V), kind, node)  # type: ignore[no-any-return]
