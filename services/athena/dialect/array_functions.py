"""Arrays: NULL elements and equality as Trino has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison
from services.athena.dialect.functions import (
    equal_elements,
    function,
    lambda_function,
    mismatch,
    need,
    overloads,
    subscript,
    text_of,
)
from services.athena.dialect.typed import Scope, Typed
from services.athena.trino_types import Type, duck_type

B, BOOL = t.BIGINT, t.BOOLEAN


def array_of(b: Any, node: Any, value: Typed, name: str) -> Typed:
    """The argument as an array; `NULL` counts as one."""
    if value.type.name == "unknown":
        return Typed("CAST(NULL AS INTEGER[])", t.array(t.UNKNOWN))
    if value.type.name != "array":
        raise mismatch(b, node, name, [value])
    return value


def _pair(b: Any, node: Any, name: str, args: list[Typed]) -> tuple[str, str, Type]:
    need(b, node, name, args, 2)
    x, y = b.unify([array_of(b, node, a, name) for a in args], node)
    return x.sql, y.sql, x.type


def _with_element(b: Any, node: Any, name: str, args: list[Typed]) -> tuple[str, str, Type]:
    """An array and one element, in a common type."""
    need(b, node, name, args, 2)
    x = array_of(b, node, args[0], name)
    kind = coercion.common(x.type.args[0], args[1].type)
    if kind is None:
        raise mismatch(b, node, name, args)
    return coercion.coerced(x, t.array(kind)).sql, coercion.coerced(args[1], kind).sql, kind


@function("cardinality")
def cardinality(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "cardinality", args, 1)
    value = args[0]
    if value.type.name == "map":
        return Typed(f"CAST(cardinality({value.sql}) AS BIGINT)", B)
    if value.type.name == "hyperloglog":
        return Typed(f"CAST(len({value.sql}) AS BIGINT)", B)
    if value.type.name == "setdigest":
        return Typed(f"CAST(len({value.sql}) AS BIGINT)", B)
    return Typed(f"CAST(len({array_of(b, node, value, 'cardinality').sql}) AS BIGINT)", B)


@function("element_at")
def element_at(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "element_at", args, 2)
    value = args[0]
    if value.type.name == "map":
        key = b.coerce(args[1], value.type.args[0], node)
        return Typed(f"({value.sql})[{key.sql}]", value.type.args[1])
    value = array_of(b, node, value, "element_at")
    i = b.coerce(args[1], B, node).sql
    zero = b.fail("'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1'")
    return Typed(f"CASE WHEN {i} = 0 THEN {zero} ELSE ({value.sql})[{i}] END", value.type.args[0])


@function("contains")
def contains(b: Any, node: Any, args: list[Typed]) -> Typed:
    x, e, kind = _with_element(b, node, "contains", args)
    if comparison.needs_care(kind) or kind.name in ("real", "double"):
        v = b.fresh("_x")
        tests = f"list_transform({x}, lambda {v}: {comparison.equal(v, e, kind)})"
        return Typed(
            f"CASE WHEN {x} IS NOT NULL AND {e} IS NOT NULL THEN athena_any({tests}) END", BOOL
        )
    has_null = f"len(list_filter({x}, lambda _z: _z IS NULL)) > 0"
    return Typed(
        f"CASE WHEN {x} IS NULL OR {e} IS NULL THEN NULL WHEN list_contains({x}, {e}) THEN true WHEN {has_null} THEN NULL ELSE false END",
        BOOL,
    )


@function("array_position")
def array_position(b: Any, node: Any, args: list[Typed]) -> Typed:
    if len(args) == 3:
        raise b.unsupported(node, "array_position with an instance")
    x, e, kind = _with_element(b, node, "array_position", args)
    if comparison.needs_care(kind) or kind.name in ("real", "double"):
        v = b.fresh("_x")
        tests = (
            f"list_position(list_transform({x}, lambda {v}: {comparison.equal(v, e, kind)}), true)"
        )
        return Typed(
            f"CASE WHEN {x} IS NOT NULL AND {e} IS NOT NULL THEN CAST(coalesce({tests}, 0) AS BIGINT) END",
            B,
        )
    return Typed(
        f"CASE WHEN {x} IS NOT NULL AND {e} IS NOT NULL THEN CAST(coalesce(list_position({x}, {e}), 0) AS BIGINT) END",
        B,
    )


@function("array_remove")
def array_remove(b: Any, node: Any, args: list[Typed]) -> Typed:
    x, e, kind = _with_element(b, node, "array_remove", args)
    v = b.fresh("_x")
    test = f"NOT coalesce({comparison.equal(v, e, kind)}, false)"
    return Typed(
        f"CASE WHEN {e} IS NOT NULL THEN list_filter({x}, lambda {v}: {test}) END", t.array(kind)
    )


def distinct_sql(b: Any, x: str, kind: Type) -> str:
    """Each value once, in order of first appearance, NULL included."""
    if kind.name == "timestamp with time zone":
        v, w, i = b.fresh("_x"), b.fresh("_x"), b.fresh("_i")
        first = f"list_position(list_transform({x}, lambda {w}: ({w}).t), ({v}).t) = {i}"
        return f"list_filter({x}, lambda {v}, {i}: {first})"
    return f"athena_distinct({x})"


@function("array_distinct")
def array_distinct(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "array_distinct", args, 1)
    x = array_of(b, node, args[0], "array_distinct")
    return Typed(distinct_sql(b, x.sql, x.type.args[0]), x.type)


@function("array_intersect")
def array_intersect(b: Any, node: Any, args: list[Typed]) -> Typed:
    if len(args) == 1 and args[0].type.name == "array" and args[0].type.args[0].name == "array":
        raise b.unsupported(node, "array_intersect of an array of arrays")
    x, y, kind = _pair(b, node, "array_intersect", args)
    v, w = b.fresh("_x"), b.fresh("_y")

    def common(longer: str, shorter: str) -> str:
        inner = f"len(list_filter({shorter}, lambda {w}: {equal_elements(v, w, kind.args[0])})) > 0"
        return distinct_sql(b, f"list_filter({longer}, lambda {v}: {inner})", kind.args[0])

    # The longer array's order, as Trino walks it.
    sql = f"CASE WHEN len({x}) >= len({y}) THEN {common(x, y)} ELSE {common(y, x)} END"
    return Typed(f"CASE WHEN {x} IS NOT NULL AND {y} IS NOT NULL THEN {sql} END", kind)


@function("array_except")
def array_except(b: Any, node: Any, args: list[Typed]) -> Typed:
    x, y, kind = _pair(b, node, "array_except", args)
    v, w = b.fresh("_x"), b.fresh("_y")
    inner = f"len(list_filter({y}, lambda {w}: {equal_elements(v, w, kind.args[0])})) = 0"
    sql = distinct_sql(b, f"list_filter({x}, lambda {v}: {inner})", kind.args[0])
    return Typed(f"CASE WHEN {y} IS NOT NULL THEN {sql} END", kind)


@function("array_union")
def array_union(b: Any, node: Any, args: list[Typed]) -> Typed:
    x, y, kind = _pair(b, node, "array_union", args)
    return Typed(
        f"CASE WHEN {x} IS NOT NULL AND {y} IS NOT NULL THEN {distinct_sql(b, f'({x} || {y})', kind.args[0])} END",
        kind,
    )


@function("arrays_overlap")
def arrays_overlap(b: Any, node: Any, args: list[Typed]) -> Typed:
    x, y, kind = _pair(b, node, "arrays_overlap", args)
    v, w = b.fresh("_x"), b.fresh("_y")
    inner = f"len(list_filter({y}, lambda {w}: coalesce({comparison.equal(v, w, kind.args[0])}, false))) > 0"
    found = f"len(list_filter({x}, lambda {v}: {inner})) > 0"
    nulls = f"len(list_filter({x}, lambda {v}: {v} IS NULL)) + len(list_filter({y}, lambda {w}: {w} IS NULL)) > 0"
    empty = f"len({x}) = 0 OR len({y}) = 0"
    return Typed(
        f"CASE WHEN {x} IS NULL OR {y} IS NULL THEN NULL WHEN {found} THEN true WHEN {empty} THEN false WHEN {nulls} THEN NULL ELSE false END",
        BOOL,
    )


@function("array_join")
def array_join(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "array_join", args, 2, 3)
    x = array_of(b, node, args[0], "array_join")
    v = b.fresh("_x")
    if x.type.args[0].name == "unknown":
        shown = f"CAST({v} AS VARCHAR)"
    else:
        shown = b.cast(Typed(v, x.type.args[0]), t.VARCHAR, node).sql
    if len(args) == 3:
        shown = f"coalesce({shown}, {text_of(b, node, args[2])})"
    joined = f"array_to_string(list_transform({x.sql}, lambda {v}: {shown}), {text_of(b, node, args[1])})"
    given = " AND ".join(f"{text_of(b, node, a)} IS NOT NULL" for a in args[1:])
    return Typed(
        f"CASE WHEN {x.sql} IS NOT NULL AND {given} THEN coalesce({joined}, '') END",
        t.VARCHAR,
    )


def _extreme(name: str, sql: str) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 1)
        x = array_of(b, node, args[0], name)
        kind = x.type.args[0]
        if not comparison.orderable(kind) and kind.name != "unknown":
            raise mismatch(b, node, name, args)
        if kind.name in ("real", "double"):
            word = "athena_greatest" if name == "array_max" else "athena_least"
            value = f"CAST({word}({x.sql}) AS {duck_type(kind)})"
        elif name == "array_max":
            value = comparison.largest(x.sql, kind)
        else:
            value = f"{sql}({x.sql})"
        return Typed(
            f"CASE WHEN len(list_filter({x.sql}, lambda _z: _z IS NULL)) = 0 THEN {value} END", kind
        )


_extreme("array_max", "list_max")
_extreme("array_min", "list_min")


@lambda_function("array_sort")
def array_sort(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "array_sort", nodes, 1, 2)
    x = array_of(b, node, b.bind(nodes[0], scope), "array_sort")
    kind = x.type.args[0]
    if len(nodes) == 1:
        if not comparison.orderable(kind) and kind.name != "unknown":
            raise mismatch(b, node, "array_sort", [x])
        return Typed(f"list_sort({x.sql}, 'ASC', 'NULLS LAST')", x.type)
    names, body = b.bind_lambda(nodes[1], [kind, kind], scope)
    order = b.coerce(body, B, node).sql
    x0, x1, i, j, e = (b.fresh(p) for p in ("_a", "_a", "_i", "_j", "_e"))
    ahead = _inlined(_inlined(order, names[0], x0), names[1], x1)
    behind = _inlined(_inlined(order, names[0], x1), names[1], x0)
    # A comparator that calls both smaller (NULL with NULL) means a tie: the input's order stays.
    before = f"CASE WHEN {ahead} < 0 AND NOT {behind} < 0 THEN 1 WHEN ({ahead} = 0 OR ({ahead} < 0 AND {behind} < 0)) AND {j} < {i} THEN 1 ELSE 0 END"
    place = f"list_sum(list_transform({x.sql}, lambda {x0}, {j}: {before}))"
    ranked = f"list_transform({x.sql}, lambda {x1}, {i}: {{'p': {place}, 'v': {x1}}})"
    return Typed(f"list_transform(list_sort({ranked}), lambda {e}: {e}.v)", x.type)


@lambda_function("transform")
def transform(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "transform", nodes, 2)
    x = array_of(b, node, b.bind(nodes[0], scope), "transform")
    names, body = b.bind_lambda(nodes[1], [x.type.args[0]], scope)
    sql = body.sql if body.sql != "NULL" else "CAST(NULL AS INTEGER)"
    return Typed(f"list_transform({x.sql}, lambda {names[0]}: {sql})", t.array(body.type))


@lambda_function("filter")
def filter_(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "filter", nodes, 2)
    x = array_of(b, node, b.bind(nodes[0], scope), "filter")
    names, body = b.bind_lambda(nodes[1], [x.type.args[0]], scope)
    test = b.coerce(body, BOOL, node).sql
    return Typed(f"list_filter({x.sql}, lambda {names[0]}: coalesce({test}, false))", x.type)


def _match(name: str, sql: str) -> None:
    @lambda_function(name)
    def make(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
        need(b, node, name, nodes, 2)
        x = array_of(b, node, b.bind(nodes[0], scope), name)
        names, body = b.bind_lambda(nodes[1], [x.type.args[0]], scope)
        tests = f"list_transform({x.sql}, lambda {names[0]}: CAST({b.coerce(body, BOOL, node).sql} AS BOOLEAN))"
        return Typed(sql.format(tests), BOOL)


_match("any_match", "athena_any({0})")
_match("all_match", "athena_all({0})")
_match("none_match", "(NOT athena_any({0}))")


@lambda_function("reduce")
def reduce(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    """The state's type is found by binding twice: a step may widen the initial one."""
    need(b, node, "reduce", nodes, 4)
    x = array_of(b, node, b.bind(nodes[0], scope), "reduce")
    state = b.bind(nodes[1], scope)
    names, body = b.bind_lambda(nodes[2], [state.type, x.type.args[0]], scope)
    kind = coercion.common(state.type, body.type)
    if kind is None:
        raise b.refused(
            node, f"reduce: the step gives {body.type}, the state is {state.type}", "TYPE_MISMATCH"
        )
    if kind != state.type:
        state = coercion.coerced(state, kind)
        names, body = b.bind_lambda(nodes[2], [kind, x.type.args[0]], scope)
    step = coercion.convert(body.sql, body.type, kind)
    v, e = b.fresh("_s"), b.fresh("_e")
    start = f"CAST({state.sql} AS {duck_type(kind)})"
    # list_reduce wants one type for state and elements: both travel in one struct.
    items = f"list_transform({x.sql}, lambda {e}: {{'s': {start}, 'e': {e}}})"
    first = f"{{'s': {start}, 'e': CAST(NULL AS {duck_type(x.type.args[0])})}}"
    inner = _inlined(step, names[0], f"{v}.s")
    inner = _inlined(inner, names[1], f"{e}.e")
    reduced = f"list_reduce({items}, lambda {v}, {e}: {{'s': CAST({inner} AS {duck_type(kind)}), 'e': {e}.e}}, {first}).s"
    out_names, out = b.bind_lambda(nodes[3], [kind], scope)
    value = _inlined(out.sql, out_names[0], f"({reduced})")
    return Typed(f"CASE WHEN {x.sql} IS NOT NULL THEN {value} END", out.type)


def _inlined(sql: str, name: str, replacement: str) -> str:
    """Lambda parameters have names nothing else has."""
    import re

    return re.sub(rf"\b{name}\b", lambda _: replacement, sql)


@lambda_function("zip_with")
def zip_with(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    need(b, node, "zip_with", nodes, 3)
    x, y = (array_of(b, node, b.bind(n, scope), "zip_with") for n in nodes[:2])
    names, body = b.bind_lambda(nodes[2], [x.type.args[0], y.type.args[0]], scope)
    i = b.fresh("_i")
    inner = _inlined(_inlined(body.sql, names[0], f"({x.sql})[{i}]"), names[1], f"({y.sql})[{i}]")
    inner = inner if inner != "NULL" else "CAST(NULL AS INTEGER)"
    size = f"greatest(len({x.sql}), len({y.sql}))"
    return Typed(
        f"CASE WHEN {x.sql} IS NOT NULL AND {y.sql} IS NOT NULL THEN list_transform(range(1, {size} + 1), lambda {i}: {inner}) END",
        t.array(body.type),
    )


@function("zip")
def zip_(b: Any, node: Any, args: list[Typed]) -> Typed:
    arrays = [array_of(b, node, a, "zip") for a in args]
    if len(arrays) < 2:
        raise mismatch(b, node, "zip", args)
    i = b.fresh("_i")
    parts = ", ".join(f"'f{n}': ({a.sql})[{i}]" for n, a in enumerate(arrays, 1))
    size = f"greatest({', '.join(f'len({a.sql})' for a in arrays)})"
    tests = " AND ".join(f"{a.sql} IS NOT NULL" for a in arrays)
    kind = t.array(t.row(tuple(a.type.args[0] for a in arrays)))
    return Typed(
        f"CASE WHEN {tests} THEN list_transform(range(1, {size} + 1), lambda {i}: {{{parts}}}) END",
        kind,
    )


@function("flatten")
def flatten(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "flatten", args, 1)
    kind = args[0].type
    if kind.name == "unknown" or (kind.name == "array" and kind.args[0].name == "unknown"):
        empty = f"CASE WHEN {args[0].sql} IS NOT NULL THEN CAST([] AS INTEGER[]) END"
        return Typed(empty, t.array(t.UNKNOWN))
    if kind.name != "array" or kind.args[0].name != "array":
        raise mismatch(b, node, "flatten", args)
    inner = kind.args[0] if kind.args[0].name == "array" else t.array(t.UNKNOWN)
    return Typed(f"flatten(list_filter({args[0].sql}, lambda _z: _z IS NOT NULL))", inner)


@function("ngrams")
def ngrams(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "ngrams", args, 2)
    x = array_of(b, node, args[0], "ngrams")
    n = b.coerce(args[1], B, node).sql
    problem = b.fail("'INVALID_FUNCTION_ARGUMENT: N must be positive'")
    i = b.fresh("_i")
    many = f"list_transform(range(1, len({x.sql}) - {n} + 2), lambda {i}: ({x.sql})[{i}:{i} + {n} - 1])"
    return Typed(
        f"CASE WHEN {n} <= 0 THEN {problem} WHEN {x.sql} IS NULL THEN NULL WHEN len({x.sql}) <= {n} THEN [{x.sql}] ELSE {many} END",
        t.array(x.type),
    )


@function("combinations")
def combinations(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "combinations", args, 2)
    x = array_of(b, node, args[0], "combinations")
    n = b.coerce(args[1], B, node).sql
    c, i = b.fresh("_c"), b.fresh("_i")
    picks = f"athena_combinations(len({x.sql}), {n})"
    return Typed(
        f"list_transform({picks}, lambda {c}: list_transform({c}, lambda {i}: ({x.sql})[{i}]))",
        t.array(x.type),
    )


@function("repeat")
def repeat(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "repeat", args, 2)
    n = b.coerce(args[1], B, node).sql
    value = args[0].sql if args[0].sql != "NULL" else "CAST(NULL AS INTEGER)"
    problem = b.fail(
        "'INVALID_FUNCTION_ARGUMENT: count argument of repeat function must be greater than or equal to 0'"
    )
    made = f"list_transform(range(0, {n}), lambda _z: {value})"
    return Typed(f"CASE WHEN {n} < 0 THEN {problem} ELSE {made} END", t.array(args[0].type))


_SEQUENCE = "'INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start'"


_MOST_ENTRIES = 10_000
_TOO_MANY = f"'INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than {_MOST_ENTRIES} entries'"


@function("sequence")
def sequence(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "sequence", args, 2, 3)
    first, last = b.unify(args[:2], node)
    if coercion.is_integer(first.type) or first.type.name == "unknown":
        step = (
            b.coerce(args[2], B, node).sql
            if len(args) == 3
            else f"CASE WHEN {first.sql} <= {last.sql} THEN 1 ELSE -1 END"
        )
        problem = b.fail(_SEQUENCE)
        wrong = f"({step} > 0 AND {last.sql} < {first.sql}) OR ({step} < 0 AND {last.sql} > {first.sql}) OR {step} = 0"
        series = f"generate_series(CAST({first.sql} AS BIGINT), CAST({last.sql} AS BIGINT), CAST({step} AS BIGINT))"
        count = f"(CAST({last.sql} AS HUGEINT) - {first.sql}) // {step}"
        return Typed(
            f"CASE WHEN {wrong} THEN {problem} WHEN {count} >= {_MOST_ENTRIES} THEN {b.fail(_TOO_MANY)} ELSE {series} END",
            t.array(B),
        )
    if first.type.name not in ("date", "timestamp"):
        raise mismatch(b, node, "sequence", args)
    kind = first.type
    if len(args) == 3 and args[2].type.name == "interval year to month":
        step = f"to_months({args[2].sql})"
    elif len(args) == 3:
        step = f"to_microseconds({b.coerce(args[2], t.DAY_TO_SECOND, node).sql} * 1000)"
    else:
        step = f"to_days(CASE WHEN {first.sql} <= {last.sql} THEN 1 ELSE -1 END)"
    start, stop = f"CAST({first.sql} AS TIMESTAMP)", f"CAST({last.sql} AS TIMESTAMP)"
    if len(args) == 3 and args[2].type.name == "interval year to month":
        # Every entry is counted from the first: a month's end stays one.
        n, d = b.fresh("_n"), b.fresh("_d")
        months = f"datediff('month', {start}, {stop})"
        counted = f"list_transform(range(0, CAST(abs({months} // nullif({args[2].sql}, 0)) AS BIGINT) + 1), lambda {n}: {start} + to_months(CAST({n} * {args[2].sql} AS INTEGER)))"
        series = f"list_filter({counted}, lambda {d}: {d} BETWEEN least({start}, {stop}) AND greatest({start}, {stop}))"
        count = f"abs({months} // nullif({args[2].sql}, 0))"
    else:
        series = f"generate_series({start}, {stop}, {step})"
        micros = (
            f"{b.coerce(args[2], t.DAY_TO_SECOND, node).sql} * 1000"
            if len(args) == 3
            else "86400000000"
        )
        count = f"abs(datediff('microsecond', {start}, {stop}) // nullif({micros}, 0))"
    forward = f"{args[2].sql} > 0" if len(args) == 3 else f"{first.sql} <= {last.sql}"
    wrong = (
        f"({forward} AND {last.sql} < {first.sql}) OR (NOT {forward} AND {last.sql} > {first.sql})"
    )
    return Typed(
        f"CASE WHEN {wrong} THEN {b.fail(_SEQUENCE)} WHEN {count} >= {_MOST_ENTRIES} THEN {b.fail(_TOO_MANY)} ELSE CAST({series} AS {duck_type(kind)}[]) END",
        t.array(kind),
    )


@function("shuffle")
def shuffle(b: Any, node: Any, args: list[Typed]) -> Typed:
    x = array_of(b, node, args[0], "shuffle")
    v = b.fresh("_x")
    return Typed(
        f"list_transform(list_sort(list_transform({x.sql}, lambda {v}: {{'r': random(), 'v': {v}}})), lambda {v}: {v}.v)",
        x.type,
    )


@function("slice")
def slice_(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "slice", args, 3)
    x = array_of(b, node, args[0], "slice")
    start, size = (b.coerce(a, B, node).sql for a in args[1:])
    zero = b.fail("'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1'")
    negative = b.fail("'INVALID_FUNCTION_ARGUMENT: length must be greater than or equal to 0'")
    empty = f"CAST([] AS {duck_type(x.type)})"
    return Typed(
        f"CASE WHEN {start} = 0 THEN {zero} WHEN {size} < 0 THEN {negative} WHEN {x.sql} IS NULL OR {start} IS NULL OR {size} IS NULL THEN NULL "
        f"WHEN {size} = 0 OR {start} > len({x.sql}) OR -{start} > len({x.sql}) THEN {empty} "
        f"WHEN {start} > 0 THEN ({x.sql})[{start}:{start} + {size} - 1] "
        f"ELSE ({x.sql})[len({x.sql}) + {start} + 1:least(len({x.sql}), len({x.sql}) + {start} + {size})] END",
        x.type,
    )


@function("trim_array")
def trim_array(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "trim_array", args, 2)
    x = array_of(b, node, args[0], "trim_array")
    n = b.coerce(args[1], B, node).sql
    negative = b.fail("'INVALID_FUNCTION_ARGUMENT: size must not be negative: ' || " + n)
    large = b.fail(
        f"'INVALID_FUNCTION_ARGUMENT: size must not exceed array cardinality ' || len({x.sql}) || ': ' || {n}"
    )
    return Typed(
        f"CASE WHEN {n} < 0 THEN {negative} WHEN {n} > len({x.sql}) THEN {large} WHEN {n} = len({x.sql}) THEN CAST([] AS {duck_type(x.type)}) ELSE ({x.sql})[1:len({x.sql}) - {n}] END",
        x.type,
    )


@function("array_histogram", "array_frequency")
def array_histogram(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "array_histogram", args, 1)
    x = array_of(b, node, args[0], "array_histogram")
    v, w = b.fresh("_x"), b.fresh("_y")
    keys = f"athena_distinct(list_filter({x.sql}, lambda {v}: {v} IS NOT NULL))"
    count = f"CAST(len(list_filter({x.sql}, lambda {w}: {w} = {v})) AS BIGINT)"
    entries = f"list_transform({keys}, lambda {v}: {{'key': {v}, 'value': {count}}})"
    kind = x.type.args[0]
    return Typed(f"map_from_entries({entries})", t.map_of(kind, B))


@function("contains_sequence")
def contains_sequence(b: Any, node: Any, args: list[Typed]) -> Typed:
    x, y, _ = _pair(b, node, "contains_sequence", args)
    i = b.fresh("_i")
    here = f"({x})[{i}:{i} + len({y}) - 1] = {y}"
    return Typed(
        f"CASE WHEN {x} IS NULL OR {y} IS NULL THEN NULL WHEN len({y}) = 0 THEN true ELSE list_contains(list_transform(range(1, len({x}) - len({y}) + 2), lambda {i}: {here}), true) END",
        BOOL,
    )


@function("array_first")
def array_first(b: Any, node: Any, args: list[Typed]) -> Typed:
    x = array_of(b, node, args[0], "array_first")
    return Typed(f"({x.sql})[1]", x.type.args[0])


@function("array_last")
def array_last(b: Any, node: Any, args: list[Typed]) -> Typed:
    x = array_of(b, node, args[0], "array_last")
    return Typed(f"({x.sql})[-1]", x.type.args[0])


overloads(
    "array_sum",
    ([t.array(t.BIGINT)], B, "CAST(coalesce(list_sum({0}), 0) AS BIGINT)"),
    ([t.array(t.DOUBLE)], t.DOUBLE, "coalesce(list_sum({0}), CAST(0 AS DOUBLE))"),
)
overloads("array_average", ([t.array(t.DOUBLE)], t.DOUBLE, "list_avg({0})"))
__all__ = ["subscript"]
