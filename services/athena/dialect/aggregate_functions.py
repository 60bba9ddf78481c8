"""Aggregate functions. The marks say where DISTINCT, ORDER BY and FILTER/OVER go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison
from services.athena.dialect.functions import (
    AGGREGATES,
    KNOWN_ONLY,
    aggregate,
    lambda_function,
    mismatch,
    need,
    text_of,
)
from services.athena.dialect.typed import Scope, Typed
from services.athena.trino_types import Type, duck_type

B, D, BOOL = t.BIGINT, t.DOUBLE, t.BOOLEAN


@aggregate("count")
def count(b: Any, node: Any, args: list[Typed]) -> Typed:
    if not args:
        return Typed("count(*)@F@", B)
    return Typed(f"count(@D@{comparison.key(args[0].sql, args[0].type)})@F@", B)


@aggregate("count_if")
def count_if(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(
        f"CAST(coalesce(count(CASE WHEN {b.coerce(args[0], BOOL, node).sql} THEN 1 END)@F@, 0) AS BIGINT)",
        B,
    )


@aggregate("sum")
def sum_(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "sum", args, 1)
    x, kind = args[0], args[0].type
    if coercion.is_integer(kind) or kind.name == "unknown":
        return Typed(f"CAST(sum(@D@{coercion.coerced(x, B).sql})@F@ AS BIGINT)", B)
    if kind.name == "decimal":
        wide = t.decimal(38, kind.scale)
        return Typed(f"CAST(sum(@D@{x.sql})@F@ AS {duck_type(wide)})", wide)
    if kind.name in ("real", "double", "interval day to second", "interval year to month"):
        return Typed(f"CAST(sum(@D@{x.sql})@F@ AS {duck_type(kind)})", kind)
    raise mismatch(b, node, "sum", args)


@aggregate("avg")
def avg(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "avg", args, 1)
    x, kind = args[0], args[0].type
    if kind.name == "decimal":
        total = f"CAST(sum(@D@{x.sql})@F@ AS VARCHAR)"
        parts = f"athena_decimal({total}, '/', CAST(count(@D@{x.sql})@F@ AS VARCHAR), {kind.precision}, {kind.scale})"
        return Typed(
            f"CASE WHEN count(@D@{x.sql})@F@ > 0 THEN CAST({parts} AS {duck_type(kind)}) END", kind
        )
    if kind.name == "real":
        return Typed(f"CAST(avg(@D@{x.sql})@F@ AS FLOAT)", kind)
    if kind.name in ("interval day to second", "interval year to month"):
        return Typed(f"CAST(trunc(avg(@D@{x.sql})@F@) AS {duck_type(kind)})", kind)
    if coercion.is_numeric(kind) or kind.name == "unknown":
        return Typed(f"avg(@D@{coercion.coerced(x, D).sql})@F@", D)
    raise mismatch(b, node, "avg", args)


def _extreme(name: str) -> None:
    @aggregate(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 1, 2)
        kind = args[0].type
        if not comparison.orderable(kind) and kind.name != "unknown":
            raise mismatch(b, node, name, args)
        if len(args) == 2:
            n = b.coerce(args[1], B, node).sql
            x = args[0].sql
            if name == "max" and kind.name in ("real", "double"):  # NaN comes last
                ranked = f"CASE WHEN {x} IS NOT NULL THEN {{'n': NOT isnan({x}), 'v': {x}}} END"
                listed = f"list_transform(max({ranked}, {n})@F@, lambda _g: _g.v)"
                return Typed(listed, t.array(kind))
            if comparison.key(x, kind) != x:
                by = "arg_max" if name == "max" else "arg_min"
                return Typed(f"{by}({x}, {comparison.key(x, kind)}, {n})@F@", t.array(kind))
            return Typed(f"{name}({x}, {n})@F@", t.array(kind))
        if kind.name in ("real", "double"):  # NaN loses
            number = f"CASE WHEN NOT isnan({args[0].sql}) THEN {args[0].sql} END"
            return Typed(
                f"CAST(coalesce({name}({number})@F@, {name}({args[0].sql})@F@) AS {duck_type(kind)})",
                kind,
            )
        if comparison.key(args[0].sql, kind) != args[0].sql:  # of equal instants the first
            by = "arg_max" if name == "max" else "arg_min"
            return Typed(f"{by}({args[0].sql}, {comparison.key(args[0].sql, kind)})@F@", kind)
        return Typed(f"{name}({args[0].sql})@F@", kind)


_extreme("min")
_extreme("max")


def _by(name: str, duck: str) -> None:
    @aggregate(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 2, 3)
        key = comparison.key(args[1].sql, args[1].type)
        if args[1].type.name in ("real", "double"):  # NaN never wins
            worst = "-Infinity" if name == "max_by" else "Infinity"
            key = f"CASE WHEN isnan({key}) THEN CAST('{worst}' AS {duck_type(args[1].type)}) ELSE {key} END"
        if len(args) == 3:
            n = b.coerce(args[2], B, node).sql
            rows = f"{duck}({{'v': {_typed(args[0])}}}, {key}, {n})@F@"  # a NULL counts, too
            return Typed(f"list_transform({rows}, lambda _g: _g.v)", t.array(args[0].type))
        return Typed(f"{duck}_null({args[0].sql}, {key})@F@", args[0].type)


_by("max_by", "arg_max")
_by("min_by", "arg_min")


@aggregate("array_agg")
def array_agg(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "array_agg", args, 1)
    return Typed(f"list(@D@{_typed(args[0])}@O@)@F@", t.array(args[0].type))


def _typed(value: Typed) -> str:
    return value.sql if value.sql != "NULL" else f"CAST(NULL AS {duck_type(value.type)})"


@aggregate("arbitrary", "any_value")
def arbitrary(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"any_value({_typed(args[0])})@F@", args[0].type)


@aggregate("bool_and", "every")
def bool_and(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"bool_and({b.coerce(args[0], BOOL, node).sql})@F@", BOOL)


@aggregate("bool_or")
def bool_or(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"bool_or({b.coerce(args[0], BOOL, node).sql})@F@", BOOL)


def _of_doubles(name: str, sql: str, arguments: int = 1) -> None:
    @aggregate(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, arguments)
        if name in _REAL_FOR_ANY:
            real = not any(a.type.name == "double" for a in args)
        else:
            real = name == "geometric_mean" and args[0].type.name in ("real", "decimal")
        values = [
            b.coerce(b.cast(a, D, node) if coercion.is_numeric(a.type) else a, D, node).sql
            for a in args
        ]
        made = sql.format(*values)
        return Typed(f"CAST({made} AS FLOAT)", t.REAL) if real else Typed(made, D)


#: The functions that have a signature of doubles and one of reals: what is neither becomes real.
_REAL_FOR_ANY = frozenset((
    "corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept",
))  # fmt: skip

for _name, _duck in (("stddev", "stddev_samp"), ("stddev_samp", "stddev_samp"), ("stddev_pop", "stddev_pop"),
                     ("variance", "var_samp"), ("var_samp", "var_samp"), ("var_pop", "var_pop"),
                     ("kurtosis", "kurtosis")):  # fmt: skip
    _of_doubles(_name, f"{_duck}(@D@{{0}})@F@")
_N = "count(@D@{0})@F@"
#: Of the population: DuckDB corrects for a sample.
_of_doubles(
    "skewness",
    f"CASE WHEN {_N} > 2 THEN skewness(@D@{{0}})@F@ * ({_N} - 2) / sqrt({_N} * ({_N} - 1)) END",
)
_of_doubles("geometric_mean", "exp(avg(ln({0}))@F@)")
for _name in ("corr", "regr_slope", "regr_intercept"):  # where nothing varies: NULL
    _of_doubles(_name, f"athena_number_or_null({_name}({{0}}, {{1}})@F@)", 2)
for _name in ("covar_pop", "covar_samp"):
    _of_doubles(_name, f"{_name}({{0}}, {{1}})@F@", 2)


@aggregate("approx_distinct")
def approx_distinct(b: Any, node: Any, args: list[Typed]) -> Typed:
    """Counted exactly: within every error bound."""
    return Typed(f"count(DISTINCT {comparison.key(args[0].sql, args[0].type)})@F@", B)


@aggregate("approx_percentile")
def approx_percentile(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "approx_percentile", args, 2, 3)
    if len(args) == 3:
        raise b.unsupported(node, "approx_percentile with weights")
    x = args[0]
    if not coercion.is_numeric(x.type) and x.type.name != "unknown":
        raise mismatch(b, node, "approx_percentile", args)
    kind = B if coercion.is_integer(x.type) else t.REAL if x.type.name == "decimal" else x.type
    x = coercion.coerced(x, kind if kind.name != "unknown" else B)
    sorted_ = f"list_sort(list_filter(list({x.sql})@F@, lambda _g: _g IS NOT NULL))"
    if args[1].type.name == "array":
        shares = b.coerce(args[1], t.array(D), node).sql
        picked = f"list_transform({shares}, lambda _p: athena_percentile({sorted_}, _p))"
        return Typed(f"CASE WHEN len({sorted_}) > 0 THEN {picked} END", t.array(x.type))
    return Typed(f"athena_percentile({sorted_}, {b.coerce(args[1], D, node).sql})", x.type)


@aggregate("histogram")
def histogram(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "histogram", args, 1)
    if comparison.holds_zones(args[0].type):
        raise b.unsupported(node, f"histogram of {args[0].type}")
    kind = t.map_of(args[0].type, B)
    return Typed(f"CAST(histogram({args[0].sql})@F@ AS {duck_type(kind)})", kind)


@aggregate("approx_most_frequent")
def approx_most_frequent(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "approx_most_frequent", args, 3)
    n, value = b.coerce(args[0], B, node).sql, args[1]
    if coercion.is_integer(value.type):
        value = coercion.coerced(value, B)
    elif value.type.name == "varchar":
        value = Typed(value.sql, t.VARCHAR)
    else:
        raise mismatch(b, node, "approx_most_frequent", args)
    kind = t.map_of(value.type, B)
    counts = f"map_entries(histogram({value.sql})@F@)"
    top = f"list_sort(list_transform({counts}, lambda _x: {{'n': CAST(_x.value AS BIGINT), 'k': _x.key}}), 'DESC')[1:{n}]"
    return Typed(
        f"map_from_entries(list_transform({top}, lambda _x: {{'key': _x.k, 'value': _x.n}}))", kind
    )


def _map_aggregate(name: str) -> None:
    @aggregate(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 2)
        key, value = args
        entry = f"CASE WHEN {key.sql} IS NOT NULL THEN {{'key': {key.sql}, 'value': {_typed(value)}}} END"
        listed = f"list_filter(list({entry}@O@)@F@, lambda _x: _x IS NOT NULL)"
        some = f"CASE WHEN len({listed}) > 0 THEN"
        if name == "map_agg":
            kind = t.map_of(key.type, value.type)
            return Typed(f"{some} athena_first_of_keys({listed}) END", kind)
        kind = t.map_of(key.type, t.array(value.type))
        return Typed(f"{some} athena_multimap({listed}) END", kind)


_map_aggregate("map_agg")
_map_aggregate("multimap_agg")


@aggregate("map_union")
def map_union(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "map_union", args, 1)
    if args[0].type.name != "map":
        raise mismatch(b, node, "map_union", args)
    maps = f"list_filter(list(map_entries({args[0].sql}))@F@, lambda _x: _x IS NOT NULL)"
    return Typed(
        f"CASE WHEN len({maps}) > 0 THEN athena_first_of_keys(flatten({maps})) END", args[0].type
    )


@aggregate("listagg")
def listagg(b: Any, node: Any, args: list[Typed]) -> Typed:
    separator = text_of(b, node, args[1]) if len(args) > 1 else "''"
    return Typed(f"string_agg(@D@{text_of(b, node, args[0])}, {separator}@O@)@F@", t.VARCHAR)


def _bits(name: str, duck: str) -> None:
    @aggregate(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        return Typed(f"{duck}({b.coerce(args[0], B, node).sql})@F@", B)


for _name, _duck in (
    ("bitwise_and_agg", "bit_and"),
    ("bitwise_or_agg", "bit_or"),
    ("bitwise_xor_agg", "bit_xor"),
):
    _bits(_name, _duck)


@aggregate("approx_set", "make_set_digest")
def approx_set(b: Any, node: Any, args: list[Typed]) -> Typed:
    """A sketch is kept as the exact set; only `cardinality` can look into it."""
    return Typed(f"list(DISTINCT CAST({args[0].sql} AS VARCHAR))@F@", Type("setdigest"))


@lambda_function("reduce_agg")
def reduce_agg(b: Any, node: Any, nodes: Sequence[Any], scope: Scope) -> Typed:
    """The input's values in any order through the first lambda."""
    need(b, node, "reduce_agg", nodes, 4)
    before, b.in_aggregate = b.in_aggregate, b.grouped is not None
    try:
        value, state = b.bind(nodes[0], scope), b.bind(nodes[1], scope)
        names, body = b.bind_lambda(nodes[2], [state.type, value.type], scope)
        wider = coercion.common(state.type, body.type)
        if wider is not None and wider != state.type:  # `0` and doubles: the state is a double
            state = coercion.coerced(state, wider)
            names, body = b.bind_lambda(nodes[2], [wider, value.type], scope)
    finally:
        b.in_aggregate = before
    kind = duck_type(state.type)
    from services.athena.dialect.array_functions import _inlined

    v, e = b.fresh("_s"), b.fresh("_e")
    items = f"list({{'s': CAST({state.sql} AS {kind}), 'e': {value.sql}}}) FILTER (WHERE {value.sql} IS NOT NULL)"
    step = _inlined(
        _inlined(coercion.convert(body.sql, body.type, state.type), names[0], f"{v}.s"),
        names[1],
        f"{e}.e",
    )
    first = f"{{'s': CAST({state.sql} AS {kind}), 'e': CAST(NULL AS {duck_type(value.type)})}}"
    return Typed(
        f"list_reduce({items}, lambda {v}, {e}: {{'s': CAST({step} AS {kind}), 'e': {e}.e}}, {first}).s",
        state.type,
    )


AGGREGATES["reduce_agg"] = lambda b, node, args: args[0]
KNOWN_ONLY |= {
    "checksum", "numeric_histogram", "tdigest_agg", "qdigest_agg", "merge", "empty_approx_set",
    "values_at_quantiles", "value_at_quantile", "classify", "regress", "learn_classifier",
    "learn_regressor", "features", "st_point", "st_geometryfromtext", "st_astext", "st_distance",
    "st_contains", "st_within", "st_polygon", "to_geometry", "bing_tile", "bing_tile_at", "great_circle_distance",
    "hash_counts", "jaccard_index", "intersection_cardinality", "merge_set_digest", "render", "color",
    "rgb", "evaluate_classifier_predictions", "array_sort_desc", "convex_hull_agg", "geometry_union_agg",
    "fold", "exclude_columns",
}  # fmt: skip
