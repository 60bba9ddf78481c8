"""Functions DuckDB lacks, in Python; all are registered once per database."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from services.athena import (
    macros,
    python_bytes,
    python_formats,
    python_json,
    python_moments,
    python_numbers,
    python_patterns,
    python_regexps,
    python_sizes,
    python_texts,
    python_urls,
)
from services.athena.python_errors import strict

V, B, D, I, BL, BOOL, TS = "VARCHAR", "BIGINT", "DOUBLE", "INTEGER", "BLOB", "BOOLEAN", "TIMESTAMP"  # noqa: E741
ZONED = "STRUCT(t TIMESTAMP, z VARCHAR)"


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def groups(line: str, pattern: str) -> list[str | None] | None:
    """The groups of a whole-line match, or None."""
    found = _compiled(pattern).fullmatch(line)
    return list(found.groups()) if found else None


def lower_keys(text: str) -> str:
    """A JSON object with all its keys in lower case."""
    import orjson

    return orjson.dumps(_lower(orjson.loads(text))).decode()


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): _lower(inner) for key, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value


_t, _m, _n, _b, _j = python_texts, python_moments, python_numbers, python_bytes, python_json
_r, _u, _s = python_regexps, python_urls, python_sizes
#: name, Python function, argument types, result type.
_FUNCTIONS: list[tuple[str, Callable[..., Any], list[str], str]] = [
    ("athena_groups", groups, [V, V], "VARCHAR[]"),
    ("athena_lower_keys", lower_keys, [V], V),
    ("athena_upper", _t.upper, [V], V),
    ("athena_chr", _t.chr_, [B], V),
    ("athena_codepoint", _t.codepoint, [V], I),
    ("athena_strpos", _t.strpos, [V, V, B], B),
    ("athena_replace", _t.replace, [V, V, V], V),
    ("athena_reverse", _t.reverse, [V], V),
    ("athena_levenshtein", _t.levenshtein, [V, V], B),
    ("athena_hamming", _t.hamming, [V, V], B),
    ("athena_soundex", _t.soundex, [V], V),
    ("athena_luhn", _t.luhn, [V], BOOL),
    ("athena_translate", _t.translate, [V, V, V], V),
    ("athena_split", _t.split, [V, V, B], "VARCHAR[]"),
    ("athena_split_part", _t.split_part, [V, V, B], V),
    ("athena_pad", _t.pad, [V, B, V, BOOL], V),
    ("athena_normalize", _t.normalize, [V, V], V),
    ("athena_join", _t.join, [V, "VARCHAR[]"], V),
    ("athena_like", _t.like, [V, V, V], BOOL),
    ("athena_split_to_map", _t.split_to_map, [V, V, V], V),
    ("athena_split_to_multimap", _t.split_to_multimap, [V, V, V], V),
    ("athena_regexp_like", _r.regexp_like, [V, V], BOOL),
    ("athena_regexp_extract", _r.regexp_extract, [V, V, B], V),
    ("athena_regexp_extract_all", _r.regexp_extract_all, [V, V, B], "VARCHAR[]"),
    ("athena_regexp_split", _r.regexp_split, [V, V], "VARCHAR[]"),
    ("athena_regexp_count", _r.regexp_count, [V, V], B),
    ("athena_regexp_position", _r.regexp_position, [V, V, B, B], I),
    ("athena_regexp_replace", _r.regexp_replace, [V, V, V], V),
    ("athena_regexp_pieces", _r.regexp_pieces, [V, V], "STRUCT(s VARCHAR, g VARCHAR[])[]"),
    ("athena_url", _u.url, [V, V], V),
    ("athena_url_parameter", _u.url_parameter, [V, V], V),
    ("athena_url_encode", _u.url_encode, [V], V),
    ("athena_url_decode", _u.url_decode, [V], V),
    ("athena_seconds_text", _s.seconds_text, [D], V),
    ("athena_data_size", _s.data_size, [V], V),
    ("athena_duration", _s.duration, [V], B),
    ("athena_short_number", _s.short_number, [V], V),
    ("athena_ip", _t.ip, [V], V),
    ("athena_ip_bytes", _t.ip_bytes, [V], BL),
    ("athena_offset_minutes", _m.offset_minutes, [V], B),
    ("athena_zone_name", _m.zone_name, [V], V),
    ("athena_parse_timestamp", _m.parse_timestamp, [V], TS),
    ("athena_parse_zoned", _m.parse_zoned, [V], ZONED),
    ("athena_iso_date", _m.iso_date, [V], "DATE"),
    ("athena_iso_moment", _m.iso_moment, [V, B], ZONED),
    ("athena_date_format", _m.date_format, [TS, V, V], V),
    ("athena_format_datetime", _m.format_datetime, [TS, V, V], V),
    ("athena_date_parse", _m.date_parse, [V, V], TS),
    ("athena_parse_datetime", _m.parse_datetime, [V, V], ZONED),
    ("athena_decimal", _n.decimal_operation, [V, V, V, B, B], V),
    ("athena_text_decimal", _n.text_decimal, [V, B, B], V),
    ("athena_double_decimal", _n.double_decimal, [D, B, B], V),
    ("athena_round_digits", _n.round_digits, [V, B, B], V),
    ("athena_cut_digits", _n.cut_digits, [V, B], V),
    ("athena_round_double", _n.round_double, [D, B], D),
    ("athena_round_real", _n.round_real, [D, B], D),
    ("athena_round_integer", _n.round_integer, [B, B], B),
    ("athena_seven_digits", _n.seven_digits, [D], V),
    ("athena_from_base", _n.from_base, [V, B], B),
    ("athena_to_base", _n.to_base, [B, B], V),
    ("athena_bit_count", _n.bit_count, [B, B], B),
    ("athena_shift_left", _n.shift_left, [B, B, B], B),
    ("athena_shift_right", _n.shift_right, [B, B, B], B),
    ("athena_shift_signed", _n.shift_signed, [B, B, B], B),
    ("athena_bucket_of", _n.bucket_of, [D, "DOUBLE[]"], B),
    ("athena_width_bucket", _n.width_bucket, [D, D, D, B], B),
    ("athena_combinations", _n.combinations, [B, B], "BIGINT[][]"),
    ("athena_normal_cdf", _n.normal_cdf, [D, D, D], D),
    ("athena_inverse_normal_cdf", _n.inverse_normal_cdf, [D, D, D], D),
    ("athena_beta_cdf", _n.beta_cdf, [D, D, D], D),
    ("athena_inverse_beta_cdf", _n.inverse_beta_cdf, [D, D, D], D),
    ("athena_t_cdf", _n.t_cdf, [D, D], D),
    ("athena_t_pdf", _n.t_pdf, [D, D], D),
    ("athena_wilson", _n.wilson, [B, B, D, B], D),
    ("athena_encoded", _b.encoded, [BL, V], V),
    ("athena_bytes", _b.bytes_, [V, V], BL),
    ("athena_digest", _b.digest, [BL, V], BL),
    ("athena_hmac", _b.hmac, [BL, BL, V], BL),
    ("athena_crc32", _b.crc32, [BL], B),
    ("athena_pack", _b.pack, [B, B], BL),
    ("athena_unpack_integer", _b.unpack_integer, [BL, B], B),
    ("athena_pack_float", _b.pack_float, [D, B], BL),
    ("athena_unpack_float", _b.unpack_float, [BL, B], V),
    ("athena_pad_binary", _b.pad_binary, [BL, B, BL, BOOL], BL),
    ("athena_reverse_binary", _b.reverse_binary, [BL], BL),
    ("athena_json_parse", _j.parse, [V], V),
    ("athena_json_quote", _j.quote, [V], V),
    ("athena_json_extract", _j.extract, [V, V], V),
    ("athena_json_extract_scalar", _j.extract_scalar, [V, V], V),
    ("athena_json_size", _j.size, [V, V], B),
    ("athena_json_object", _j.json_object, ["VARCHAR[][]"], V),
    ("athena_json_array_length", _j.array_length, [V], B),
    ("athena_json_array_get", _j.array_get, [V, B], V),
    ("athena_json_array_contains", _j.array_contains, [V, V, V], BOOL),
    ("athena_is_json_scalar", _j.is_scalar, [V], BOOL),
    ("athena_json_scalar", _j.scalar, [V, V], V),
    ("athena_json_shape", _j.shape, [V, V], V),
    ("athena_json_exists", _j.exists, [V, V, V, V], BOOL),
    ("athena_json_query", _j.query, [V, V, V, V, V, V, V], V),
    ("athena_json_value", _j.value, [V, V, V, V, V], "VARCHAR[]"),
]  # fmt: skip


#: Types whose values go through Arrow as they are: such a function is called by the column.
_BY_COLUMN = {V, B, I, BOOL, TS, "DATE"}


def by_column(function: Callable[..., Any], result: Any) -> Callable[..., Any]:
    """A function of columns that asks once for equal values: most columns repeat themselves.

    `result` is the pyarrow type. Column by column also costs DuckDB a fifth of value by value.
    """
    import pyarrow

    @functools.wraps(function)  # DuckDB counts the parameters
    def columns(*arguments: Any) -> Any:
        known: dict[tuple[Any, ...], Any] = {}
        found = []
        for values in zip(*(column.to_pylist() for column in arguments), strict=True):
            if values not in known:
                known[values] = function(*values)
            found.append(known[values])
        return pyarrow.array(found, result)

    return columns


def _arrow_type(name: str) -> Any:
    import pyarrow

    return {
        V: pyarrow.string(), B: pyarrow.int64(), I: pyarrow.int32(), D: pyarrow.float64(),
        BOOL: pyarrow.bool_(), TS: pyarrow.timestamp("us"), "DATE": pyarrow.date32(),
    }[name]  # fmt: skip


def _raised(message: str) -> None:
    """An error inside TRY, which makes its value NULL (DuckDB's own error() is refused there)."""
    raise ValueError(message)


def install(database: Any) -> None:
    """Create macros and functions."""
    import duckdb

    for name, function, arguments, result in _FUNCTIONS:
        if _BY_COLUMN.issuperset(arguments) and result in (_BY_COLUMN | {D}):
            database.create_function(
                name, by_column(strict(function), _arrow_type(result)), arguments, result,
                type="arrow", null_handling="special",
            )  # fmt: skip
            continue
        database.create_function(name, strict(function), arguments, result, null_handling="special")
    for name, loose, arguments, result in (
        ("athena_truncated", _t.truncated, ["VARCHAR[]", V, V, BOOL], V),
        ("athena_substr_binary", _b.substr_binary, [BL, B, B, BOOL], BL),
        (
            "athena_from_utf8",
            lambda x, new: None if x is None else _t.from_utf8(bytes(x), new),
            [BL, V],
            V,
        ),
        (
            "athena_format",
            lambda p, values, kinds: (
                None if p is None else python_formats.format_(p, values or [], kinds)
            ),
            [V, "VARCHAR[]", V],
            V,
        ),
    ):
        database.create_function(name, loose, arguments, result, null_handling="special")
    database.create_function(
        "athena_raise", _raised, [V], duckdb.sqltypes.SQLNULL, null_handling="special"
    )
    database.create_function(
        "athena_match", python_patterns.matcher(database.cursor), [V, B, "BOOLEAN[][]", "VARCHAR[][]"],
        python_patterns.RESULT, type="arrow", null_handling="special",
    )  # fmt: skip
    database.execute(macros.MACROS)
