"""Maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.athena import trino_types as t
from services.athena.dialect.array_functions import _inlined, array_of
from services.athena.dialect.functions import function, lambda_function, mismatch, need, overloads
from services.athena.dialect.typed import Scope, Typed
from services.athena.trino_types import Type, duck_type

V = t.VARCHAR


def map_of(b: Any, node: Any, value: Typed, name: str) -> Typed:
    if value.type.name == "unknown":
        return Typed("CAST(NULL AS MAP(INTEGER, INTEGER))", t.map_of(t.UNKNOWN, t.UNKNOWN))
    if value.type.name != "map":
        raise mismatch(b, node, name, [value])
    return value


def _checked(b: Any, entries: str, kind: Type) -> str:
    """A map of entries; keys that are NULL or come twice are errors."""
    keys = f"list_transform({entries}, lambda _m: _m.key)"
    null = b.fail("'INVALID_FUNCTION_ARGUMENT: map key cannot be null'")
    twice = b.fail("'INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed'")
    return (
        f"CASE WHEN {entries} IS NULL THEN NULL WHEN len(list_filter({keys}, lambda _m: _m IS NULL)) > 0 THEN {null} "
        f"WHEN len(list_distinct({keys})) < len({keys}) THEN {twice} ELSE map_from_entries({entries}) END"
    )


@function("map")
def map_(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "map", args, 0, 2)
    if not args:
        kind = t.map_of(t.UNKNOWN, t.UNKNOWN)
        return Typed(f"CAST(map([], []) AS {duck_type(kind)})", kind)
    keys, values = (array_of(b, node, a, "map") for a in args)
    kind = t.map_of(keys.type.args[0], values.type.args[0])
    i = b.fresh("_i")
    entries = f"list_transform(range(1, len({keys.sql}) + 1), lambda {i}: {{'key': ({keys.sql})[{i}], 'value': ({values.sql})[{i}]}})"
    uneven = b.fail("'INVALID_FUNCTION_ARGUMENT: Key and value arrays must be the same length'")
    return Typed(
        f"CASE WHEN {keys.sql} IS NULL OR {values.sql} IS NULL THEN NULL WHEN len({keys.sql}) <> len({values.sql}) THEN {uneven} ELSE {_checked(b, entries, kind)} END",
        kind,
    )


@function("map_from_entries")
def map_from_entries(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "map_from_entries", args, 1)
    x = args[0]
    if x.type.name == "unknown":
        return Typed("CAST(NULL AS MAP(INTEGER, INTEGER))", t.map_of(t.UNKNOWN, t.UNKNOWN))
    if (
        x.type.name != "array"
        or x.type.args[0].name not in ("row", "unknown")
        or len(x.type.args[0].args) not in (0, 2)
    ):
        raise mismatch(b, node, "map_from_entries", args)
    if x.type.args[0].name == "unknown":
        kind = t.map_of(t.UNKNOWN, t.UNKNOWN)
        empty = f"CAST(map([], []) AS {duck_type(kind)})"
        problem = b.fail("'INVALID_FUNCTION_ARGUMENT: map entry cannot be null'")
        return Typed(
            f"CASE WHEN {x.sql} IS NULL THEN NULL WHEN len({x.sql}) > 0 THEN {problem} ELSE {empty} END",
            kind,
        )
    kind = t.map_of(*x.type.args[0].args)
    v = b.fresh("_x")
    entries = f"list_transform({x.sql}, lambda {v}: {{'key': {v}.f1, 'value': {v}.f2}})"
    null = b.fail("'INVALID_FUNCTION_ARGUMENT: map entry cannot be null'")
    return Typed(
        f"CASE WHEN len(list_filter({x.sql}, lambda {v}: {v} IS NULL)) > 0 THEN {null} ELSE {_checked(b, entries, kind)} END",
        kind,
    )


@function("multimap_from_entries")
def multimap_from_entries(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "multimap_from_entries", args, 1)
    x = args[0]
    if x.type.name != "array" or len(x.type.args[0].args) != 2:
        if x.type.name == "unknown" or (
            x.type.name == "array" and x.type.args[0].name == "unknown"
        ):
            kind = t.map_of(t.UNKNOWN, t.array(t.UNKNOWN))
            problem = b.fail("'INVALID_FUNCTION_ARGUMENT: map entry cannot be null'")
            return Typed(
                f"CASE WHEN {x.sql} IS NULL THEN NULL WHEN len({x.sql}) > 0 THEN {problem} ELSE CAST(map([], []) AS {duck_type(kind)}) END",
                kind,
            )
        raise mismatch(b, node, "multimap_from_entries", args)
    key, value = x.type.args[0].args
    v = b.fresh("_x")
    null = b.fail("'INVALID_FUNCTION_ARGUMENT: map entry cannot be null'")
    null_key = b.fail("'INVALID_FUNCTION_ARGUMENT: map key cannot be null'")
    entries = f"list_transform({x.sql}, lambda {v}: {{'key': {v}.f1, 'value': {v}.f2}})"
    made = f"athena_multimap({entries})"
    sql = f"CASE WHEN len(list_filter({x.sql}, lambda {v}: {v} IS NULL)) > 0 THEN {null} WHEN len(list_filter({x.sql}, lambda {v}: {v}.f1 IS NULL)) > 0 THEN {null_key} ELSE {made} END"
    return Typed(sql, t.map_of(key, t.array(value)))


@function("map_keys")
def map_keys(b: Any, node: Any, args: list[Typed]) -> Typed:
    x = map_of(b, node, args[0], "map_keys")
    return Typed(f"map_keys({x.sql})", t.array(x.type.args[0]))


@function("map_values")
def map_values(b: Any, node: Any, args: list[Typed]) -> Typed:
    x = map_of(b, node, args[0], "map_values")
    return Typed(f"map_values({x.sql})", t.array(x.type.args[1]))


@function("map_entries")
def map_entries(b: Any, node: Any, args: list[Typed]) -> Typed:
    x = map_of(b, node, args[0], "map_entries")
    v = b.fresh("_x")
    return Typed(
        f"list_transform(map_entries({x.sql}), lambda {v}: {{'f1': {v}.key, 'f2': {v}.value}})",
        t.array(t.row(x.type.args)),
    )


@function("map_concat")
def map_concat(b: Any, node: Any, args: list[Typed]) -> Typed:
    if len(args) < 2:
        raise mismatch(b, node, "map_concat", args)
    values = b.unify([map_of(b, node, a, "map_concat") for a in args], node)
    listed = ", ".join(v.sql for v in values)
    tests = " AND ".join(f"{v.sql} IS NOT NULL" for v in values)
    return Typed(f"CASE WHEN {tests} THEN map_concat({listed}) END", values[0].type)


@lambda_function("map_filter")
def map_filter(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "map_filter", nodes, 2)
    x = map_of(b, node, b.bind(nodes[0], scope), "map_filter")
    names, body = b.bind_lambda(nodes[1], list(x.type.args), scope)
    v = b.fresh("_x")
    test = _entry(b.coerce(body, t.BOOLEAN, node).sql, names, v)
    return Typed(
        f"map_from_entries(list_filter(map_entries({x.sql}), lambda {v}: coalesce({test}, false)))",
        x.type,
    )


def _entry(sql: str, names: Sequence[str], v: str) -> str:
    return _inlined(_inlined(sql, names[0], f"{v}.key"), names[1], f"{v}.value")


@lambda_function("transform_values")
def transform_values(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "transform_values", nodes, 2)
    x = map_of(b, node, b.bind(nodes[0], scope), "transform_values")
    names, body = b.bind_lambda(nodes[1], list(x.type.args), scope)
    v = b.fresh("_x")
    kind = t.map_of(x.type.args[0], body.type)
    entry = (
        f"{{'key': {v}.key, 'value': CAST({_entry(body.sql, names, v)} AS {duck_type(body.type)})}}"
    )
    return Typed(
        f"map_from_entries(list_transform(map_entries({x.sql}), lambda {v}: {entry}))", kind
    )


@lambda_function("transform_keys")
def transform_keys(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "transform_keys", nodes, 2)
    x = map_of(b, node, b.bind(nodes[0], scope), "transform_keys")
    names, body = b.bind_lambda(nodes[1], list(x.type.args), scope)
    v = b.fresh("_x")
    kind = t.map_of(body.type, x.type.args[1])
    entry = f"{{'key': CAST({_entry(body.sql, names, v)} AS {duck_type(body.type)}), 'value': {v}.value}}"
    entries = f"list_transform(map_entries({x.sql}), lambda {v}: {entry})"
    return Typed(f"CASE WHEN {x.sql} IS NOT NULL THEN {_checked(b, entries, kind)} END", kind)


@lambda_function("map_zip_with")
def map_zip_with(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "map_zip_with", nodes, 3)
    x, y = (map_of(b, node, b.bind(n, scope), "map_zip_with") for n in nodes[:2])
    key = x.type.args[0]
    names, body = b.bind_lambda(nodes[2], [key, x.type.args[1], y.type.args[1]], scope)
    k = b.fresh("_k")
    inner = _inlined(body.sql, names[0], k)
    inner = _inlined(_inlined(inner, names[1], f"({x.sql})[{k}]"), names[2], f"({y.sql})[{k}]")
    keys = f"athena_distinct(map_keys({x.sql}) || map_keys({y.sql}))"
    entries = f"list_transform({keys}, lambda {k}: {{'key': {k}, 'value': CAST({inner} AS {duck_type(body.type)})}})"
    return Typed(
        f"CASE WHEN {x.sql} IS NOT NULL AND {y.sql} IS NOT NULL THEN map_from_entries({entries}) END",
        t.map_of(key, body.type),
    )


def _topn(name: str) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        x = map_of(b, node, args[0], name)
        n = b.coerce(args[1], t.BIGINT, node).sql
        v = b.fresh("_x")
        ordered = f"list_sort(list_transform(map_entries({x.sql}), lambda {v}: {{'v': {v}.value, 'k': {v}.key}}), 'DESC', 'NULLS LAST')[1:{n}]"
        if name == "map_top_n_keys":
            return Typed(f"list_sort(map_keys({x.sql}), 'DESC')[1:{n}]", t.array(x.type.args[0]))
        if name == "map_top_n_values":
            return Typed(
                f"list_sort(map_values({x.sql}), 'DESC', 'NULLS LAST')[1:{n}]",
                t.array(x.type.args[1]),
            )
        return Typed(
            f"map_from_entries(list_transform({ordered}, lambda {v}: {{'key': {v}.k, 'value': {v}.v}}))",
            x.type,
        )


for _name in ("map_top_n", "map_top_n_keys", "map_top_n_values"):
    _topn(_name)

overloads(
    "split_to_map",
    (
        [V, V, V],
        t.map_of(V, V),
        'athena_unpack(from_json(athena_split_to_map({0}, {1}, {2}), \'[{{"key":"VARCHAR","value":"VARCHAR"}}]\'))',
    ),
)
overloads(
    "split_to_multimap",
    (
        [V, V, V],
        t.map_of(V, t.array(V)),
        'athena_unpack(from_json(athena_split_to_multimap({0}, {1}, {2}), \'[{{"key":"VARCHAR","value":["VARCHAR"]}}]\'))',
    ),
)
