"""Strings, regular expressions, URLs, formatting, conditional functions and system functions."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, expressions, form_nodes, functions
from services.athena.dialect.functions import (
    SAME,
    function,
    lambda_function,
    mismatch,
    need,
    overloads,
    text_of,
)
from services.athena.dialect.typed import Scope, Typed
from services.athena.trino_types import Type

V, B, I, VB, BOOL = t.VARCHAR, t.BIGINT, t.INTEGER, t.VARBINARY, t.BOOLEAN  # noqa: E741

overloads("chr", ([B], t.varchar(1), "athena_chr({0})"))
overloads("codepoint", ([V], I, "athena_codepoint({0})"))
overloads(
    "strpos",
    ([V, V], B, "CAST(strpos({0}, {1}) AS BIGINT)"),
    ([V, V, B], B, "athena_strpos({0}, {1}, {2})"),
)
overloads(
    "replace",
    ([V, V], SAME, "replace({0}, {1}, '')"),
    ([V, V, V], V, "athena_replace({0}, {1}, {2})"),
)
overloads("starts_with", ([V, V], BOOL, "starts_with({0}, {1})"))
overloads("ends_with", ([V, V], BOOL, "ends_with({0}, {1})"))
overloads("levenshtein_distance", ([V, V], B, "athena_levenshtein({0}, {1})"))
overloads("hamming_distance", ([V, V], B, "athena_hamming({0}, {1})"))
overloads("soundex", ([V], t.varchar(4), "athena_soundex({0})"))
overloads("luhn_check", ([V], BOOL, "athena_luhn({0})"))
overloads("translate", ([V, V, V], V, "athena_translate({0}, {1}, {2})"))
overloads(
    "split",
    ([V, V], t.array(SAME), "athena_split({0}, {1}, -1)"),
    ([V, V, B], t.array(SAME), "athena_split({0}, {1}, {2})"),
)
overloads("split_part", ([V, V, B], SAME, "athena_split_part({0}, {1}, {2})"))
overloads("normalize", ([V], V, "athena_normalize({0}, 'NFC')"))
functions.KNOWN_ONLY.add("word_stem")
overloads("to_utf8", ([V], VB, "encode({0})"))
overloads(
    "from_utf8",
    ([VB], V, "athena_from_utf8({0}, NULL)"),
    ([VB, V], V, "athena_from_utf8({0}, {1})"),
)
overloads("uuid", ([], t.UUID, "uuid()"))
overloads("current_user", ([], V, "'athena'"))
overloads("current_catalog", ([], V, "'awsdatacatalog'"))
overloads("current_schema", ([], V, "'default'"))
overloads("version", ([], V, "'0.215-24526-g02c3358'"))
overloads("human_readable_seconds", ([t.DOUBLE], V, "athena_seconds_text({0})"))
overloads(
    "parse_presto_data_size", ([V], t.decimal(38), "CAST(athena_data_size({0}) AS DECIMAL(38,0))")
)
overloads("parse_data_size", ([V], t.decimal(38), "CAST(athena_data_size({0}) AS DECIMAL(38,0))"))
overloads("parse_duration", ([V], t.DAY_TO_SECOND, "athena_duration({0})"))
overloads(
    "format_number",
    ([B], V, "athena_short_number(CAST({0} AS VARCHAR))"),
    ([t.DOUBLE], V, "athena_short_number(CAST({0} AS VARCHAR))"),
)
overloads("bar", ([t.DOUBLE, B], V, "{0}"))

for _name in ("protocol", "host", "path", "query", "fragment"):
    overloads(f"url_extract_{_name}", ([V], SAME, f"athena_url({{0}}, '{_name}')"))
overloads("url_extract_port", ([V], B, "CAST(athena_url({0}, 'port') AS BIGINT)"))
overloads("url_extract_parameter", ([V, V], SAME, "athena_url_parameter({0}, {1})"))
overloads("url_encode", ([V], V, "athena_url_encode({0})"))
overloads("url_decode", ([V], SAME, "athena_url_decode({0})"))


def _cased(name: str, sql: str) -> None:
    @function(name)
    def make(b: Any, node: Any, args: list[Typed]) -> Typed:
        need(b, node, name, args, 1)
        if args[0].type.name not in ("varchar", "char", "unknown"):
            raise mismatch(b, node, name, args, [[t.varchar()]])
        if args[0].type.name == "char":
            return Typed(sql.format(args[0].sql), args[0].type)
        return Typed(sql.format(text_of(b, node, args[0])), functions.as_long_as(args[0].type))


_cased("lower", "lower({0})")
_cased("upper", "athena_upper({0})")


@function("length", "char_length", "character_length")
def length(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "length", args, 1)
    kind = args[0].type
    if kind.name == "varbinary":
        return Typed(f"CAST(octet_length({args[0].sql}) AS BIGINT)", B)
    if kind.name == "char":
        return Typed(
            f"CASE WHEN {args[0].sql} IS NOT NULL THEN CAST({kind.params[0]} AS BIGINT) END", B
        )
    if kind.name not in ("varchar", "unknown"):
        raise mismatch(b, node, "length", args)
    return Typed(f"CAST(length({text_of(b, node, args[0])}) AS BIGINT)", B)


@function("substr", "substring")
def substr(b: Any, node: Any, args: list[Typed]) -> Typed:
    """Position 0 gives the empty string, negative ones count from the end."""
    need(b, node, "substr", args, 2, 3)
    rest = [b.coerce(a, B, node).sql for a in args[1:]]
    if args[0].type.name == "varbinary":
        return Typed(
            f"athena_substr_binary({args[0].sql}, {rest[0]}, {rest[1] if len(rest) == 2 else 'NULL'}, {str(len(rest) == 2).lower()})",
            VB,
        )
    x = text_of(b, node, args[0])
    numbers = [a.constant for a in args[1:]]
    if all(isinstance(n, int) and 1 <= n <= 4294967295 for n in numbers):  # alike in both
        cut = ", ".join([x, *map(str, numbers)])
        return Typed(f"substring({cut})", functions.as_long_as(args[0].type))
    many = f", least({rest[1]}, 4294967295)" if len(rest) == 2 else ""
    start = rest[0]
    beyond = f"{start} = 0 OR {start} > length({x}) OR ({start} < 0 AND -{start} > length({x}))"
    if len(rest) == 2:
        beyond += f" OR {rest[1]} <= 0"
    tests = " AND ".join(f"{v} IS NOT NULL" for v in (x, *rest))
    return Typed(
        f"CASE WHEN {tests} THEN CASE WHEN {beyond} THEN '' ELSE substring({x}, {start}{many}) END END",
        functions.as_long_as(args[0].type),
    )


@function("trim")
def trim(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _trimmed(b, node, "trim", args)


@function("ltrim")
def ltrim(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _trimmed(b, node, "ltrim", args)


@function("rtrim")
def rtrim(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _trimmed(b, node, "rtrim", args)


_BLANKS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31) || chr(5760) || chr(8192) || chr(8193) || chr(8194) || chr(8195) || chr(8196) || chr(8197) || chr(8198) || chr(8200) || chr(8201) || chr(8202) || chr(8232) || chr(8233) || chr(8287) || chr(12288)"


def _trimmed(b: Any, node: Any, name: str, args: list[Typed]) -> Typed:
    need(b, node, name, args, 1, 2)
    x = args[0].sql if args[0].type.name == "char" else text_of(b, node, args[0])
    letters = text_of(b, node, args[1]) if len(args) == 2 else _BLANKS
    return Typed(f"{name}({x}, {letters})", functions.as_long_as(args[0].type))


@function("lpad")
def lpad(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _padded(b, node, "lpad", args)


@function("rpad")
def rpad(b: Any, node: Any, args: list[Typed]) -> Typed:
    return _padded(b, node, "rpad", args)


def _padded(b: Any, node: Any, name: str, args: list[Typed]) -> Typed:
    need(b, node, name, args, 3)
    size = b.coerce(args[1], B, node).sql
    if args[0].type.name == "varbinary":
        return Typed(
            f"athena_pad_binary({args[0].sql}, {size}, {args[2].sql}, {str(name == 'lpad').lower()})",
            VB,
        )
    x, letters = text_of(b, node, args[0]), text_of(b, node, args[2])
    return Typed(f"athena_pad({x}, {size}, {letters}, {str(name == 'lpad').lower()})", V)


@function("reverse")
def reverse(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "reverse", args, 1)
    kind = args[0].type
    if kind.name == "array":
        return Typed(f"list_reverse({args[0].sql})", kind)
    if kind.name == "varbinary":
        return Typed(f"athena_reverse_binary({args[0].sql})", kind)
    if kind.name == "char":
        return Typed(f"rtrim(athena_reverse({text_of(b, node, args[0])}), ' ')", kind)
    return Typed(f"athena_reverse({text_of(b, node, args[0])})", functions.as_long_as(kind))


@function("concat_ws")
def concat_ws(b: Any, node: Any, args: list[Typed]) -> Typed:
    if len(args) < 2:
        raise mismatch(b, node, "concat_ws", args)
    separator = text_of(b, node, args[0])
    if len(args) == 2 and args[1].type.name == "array":
        return Typed(f"athena_join({separator}, {b.coerce(args[1], t.array(V), node).sql})", V)
    listed = ", ".join(text_of(b, node, a) for a in args[1:])
    return Typed(f"athena_join({separator}, [{listed}])", V)


@function("concat")
def concat(b: Any, node: Any, args: list[Typed]) -> Typed:
    if len(args) < 2:
        raise b.refused(
            node, "There must be two or more concatenation arguments", "INVALID_FUNCTION_ARGUMENT"
        )
    return concatenated(b, node, args)


def concatenated(b: Any, node: Any, args: list[Typed]) -> Typed:
    """`||` of texts, binaries, or arrays and their elements."""
    if any(a.type.name == "array" for a in args):
        return _arrays(b, node, args)
    if any(a.type.name == "varbinary" for a in args):
        return Typed("(" + " || ".join(b.coerce(a, VB, node).sql for a in args) + ")", VB)
    for a in args:
        if a.type.name not in ("varchar", "char", "unknown"):
            raise mismatch(b, node, "concat", args)
    joined = "(" + " || ".join(text_of(b, node, a) for a in args) + ")"
    if any(a.type.name == "char" for a in args) and all(a.type.params for a in args):
        return Typed(f"rtrim({joined}, ' ')", Type("char", (sum(a.type.params[0] for a in args),)))
    return Typed(joined, V)


def _arrays(b: Any, node: Any, args: list[Typed]) -> Typed:
    """Arrays and elements; a NULL among them makes the whole NULL."""
    kind = _array_kind(args)
    if kind is None:
        raise mismatch(b, node, "concat", args)
    parts = []
    for a in args:
        if coercion.common(a.type, kind) == kind and a.type.name in ("array", "unknown"):
            parts.append((coercion.coerced(a, kind).sql, coercion.coerced(a, kind).sql))
        else:
            value = coercion.coerced(a, kind.args[0]).sql
            parts.append((f"[{value}]", value))
    tests = " AND ".join(f"{test} IS NOT NULL" for _, test in parts)
    joined = " || ".join(part for part, _ in parts)
    return Typed(f"CASE WHEN {tests} THEN ({joined}) END", kind)


def _array_kind(args: list[Typed]) -> Type | None:
    """The array type that takes every argument, itself or as an element."""
    arrays = [a.type for a in args if a.type.name == "array"]
    for start in (*arrays, *(t.array(kind) for kind in arrays)):
        kind: Type | None = start
        for a in args:
            if kind is None:
                break
            found = coercion.common(kind, a.type) if a.type.name in ("array", "unknown") else None
            if found is None:
                element = coercion.common(kind.args[0], a.type)
                found = t.array(element) if element is not None else None
            kind = found
        if kind is not None:
            return kind
    return None


def _dpipe(b: Any, node: exp.DPipe, scope: Scope) -> Typed:
    return concatenated(b, node, [b.bind(node.this, scope), b.bind(node.expression, scope)])


expressions.HANDLERS[exp.DPipe] = _dpipe


# --- conditional


@function("coalesce")
def coalesce(b: Any, node: Any, args: list[Typed]) -> Typed:
    if not args:
        raise mismatch(b, node, "coalesce", args)
    values = b.unify(args, node, "All COALESCE operands", node.args.get("expressions") or ())
    return Typed(f"coalesce({', '.join(v.sql for v in values)})", values[0].type)


@function("nullif")
def nullif(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "nullif", args, 2)
    test = b.equal(args[0], args[1], node)
    return Typed(f"CASE WHEN {test} THEN NULL ELSE {args[0].sql} END", args[0].type)


@function("if")
def if_(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "if", args, 2, 3)
    no = args[2] if len(args) == 3 else Typed("NULL", t.UNKNOWN)
    yes, no = b.unify([args[1], no], node)
    condition = b.coerce(args[0], BOOL, node).sql
    return Typed(f"(CASE WHEN {condition} THEN {yes.sql} ELSE {no.sql} END)", yes.type)


@function("typeof")
def typeof(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "typeof", args, 1)
    return Typed("'" + str(args[0].type).replace("'", "''") + "'", V)


@function("row")
def row(b: Any, node: Any, args: list[Typed]) -> Typed:
    return form_nodes.make_row(args)


@function("grouping")
def grouping(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(f"CAST(GROUPING({', '.join(a.sql for a in args)}) AS INTEGER)", I)


@function("fail")
def fail(b: Any, node: Any, args: list[Typed]) -> Typed:
    return Typed(b.fail(f"'GENERIC_USER_ERROR: ' || {text_of(b, node, args[-1])}"), t.UNKNOWN)


@function("format")
def format_(b: Any, node: Any, args: list[Typed]) -> Typed:
    """Java's String.format: arguments travel as texts with their types."""
    if not args:
        raise mismatch(b, node, "format", args)
    from services.athena import rendering

    shown, kinds = [], []
    for a in args[1:]:
        kinds.append(a.type.name)
        value = rendering.rendered(a.sql, a.type) if a.type.name != "unknown" else "NULL"
        shown.append(f"CAST({value} AS VARCHAR)")
    listed = "[" + ", ".join(shown) + "]" if shown else "CAST([] AS VARCHAR[])"
    return Typed(f"athena_format({text_of(b, node, args[0])}, {listed}, '{','.join(kinds)}')", V)


# --- regular expressions


_PLAIN_PATTERN = re.compile(
    r"(?:[A-Za-z0-9 ,:;=@#%&/_'\"<>!~-]|\\[dwsDWS.\\/()\[\]{}+*?^$|-]|\[\^?(?:[A-Za-z0-9 _.,:;=@/-]|\\[dws.-])+\]|[.^|()]|\(\?:|[*+?](?![+])|\{\d+(?:,\d*)?\}(?!\+))*"
)


def _native(pattern: Typed) -> bool:
    """Do DuckDB's regular expressions (RE2) read this pattern as Java does?"""
    if not isinstance(pattern.constant, str) or not _PLAIN_PATTERN.fullmatch(pattern.constant):
        return False
    try:
        re.compile(pattern.constant)
    except re.error:
        return False
    return True


@function("regexp_like")
def regexp_like(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "regexp_like", args, 2)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    name = "regexp_matches" if _native(args[1]) else "athena_regexp_like"
    return Typed(f"{name}({x}, {pattern})", BOOL)


@function("regexp_extract")
def regexp_extract(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "regexp_extract", args, 2, 3)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    group = b.coerce(args[2], B, node).sql if len(args) == 3 else "CAST(0 AS BIGINT)"
    return Typed(
        f"athena_regexp_extract({x}, {pattern}, {group})", functions.as_long_as(args[0].type)
    )


@function("regexp_extract_all")
def regexp_extract_all(b: Any, node: Any, args: list[Typed]) -> Typed:
    need(b, node, "regexp_extract_all", args, 2, 3)
    x, pattern = text_of(b, node, args[0]), text_of(b, node, args[1])
    group = b.coerce(args[2], B, node).sql if len(args) == 3 else "CAST(0 AS BIGINT)"
    return Typed(
        f"athena_regexp_extract_all({x}, {pattern}, {group})",
        t.array(functions.as_long_as(args[0].type)),
    )


overloads("regexp_split", ([V, V], t.array(SAME), "athena_regexp_split({0}, {1})"))
overloads("regexp_count", ([V, V], B, "athena_regexp_count({0}, {1})"))
overloads(
    "regexp_position",
    ([V, V], I, "athena_regexp_position({0}, {1}, 1, 1)"),
    ([V, V, B], I, "athena_regexp_position({0}, {1}, {2}, 1)"),
    ([V, V, B, B], I, "athena_regexp_position({0}, {1}, {2}, {3})"),
)


@lambda_function("regexp_replace")
def regexp_replace(b: Any, node: Any, nodes: Any, scope: Scope) -> Typed:
    need(b, node, "regexp_replace", nodes, 2, 3)
    given = b.bind(nodes[0], scope)
    x, pattern = text_of(b, node, given), text_of(b, node, b.bind(nodes[1], scope))
    if len(nodes) == 3 and isinstance(nodes[2], exp.Lambda):
        names, body = b.bind_lambda(nodes[2], [t.array(V)], scope)
        replaced = b.coerce(body, V, node).sql
        pieces = f"athena_regexp_pieces({x}, {pattern})"
        v = b.fresh("_p")
        inner = f"CASE WHEN {v}.g IS NULL THEN {v}.s ELSE coalesce(list_transform([{v}.g], lambda {names[0]}: {replaced})[1], '\\x00') END"
        joined = f"list_transform({pieces}, lambda {v}: {inner})"
        return Typed(
            f"CASE WHEN list_contains({joined}, '\\x00') THEN NULL ELSE array_to_string({joined}, '') END",
            V,
        )
    replacement = text_of(b, node, b.bind(nodes[2], scope)) if len(nodes) == 3 else "''"
    kind = functions.as_long_as(given.type) if len(nodes) == 2 else V
    return Typed(f"athena_regexp_replace({x}, {pattern}, {replacement})", kind)


__all__ = ["Type"]
