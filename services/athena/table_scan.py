"""A table's local files as a DuckDB relation: one reader per SerDe.

Every reader gives the columns under their catalog names with their Trino types' storage
(`trino_types.duck_type`), the partition columns, and `"$path"`; `with_objects` adds `"$file_size"`
and `"$file_modified_time"`.
https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.athena import grok, json_spelling, line_files, table_format, trino_types
from services.athena.errors import QueryFailed
from services.athena.object_store import StoredObject
from services.athena.trino_types import Type

Shape = dict[str, Any]


#: Control characters no text holds: a delimiter that never splits, a NULL nobody writes.
_NEVER, _NOBODY = "\x07\x06\x05", "\x06\x05\x07"
_BLANK = line_files.BLANK.decode()


@dataclass(frozen=True)
class Scan:
    """Facts of one scan. `files` are local paths; `columns` and `partition_columns` name → type.

    `objects` are those that the files were made of.
    """

    descriptor: Shape
    parameters: dict[str, str]
    columns: dict[str, Type]
    partition_columns: dict[str, Type]
    files: Sequence[str]
    path_sql: str
    register: Callable[[Any], str] = field(compare=False)
    objects: Sequence[StoredObject] = ()


def text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def relation(scan: Scan) -> str:
    """SQL of a sub-select. Raises QueryFailed for a SerDe nobody reads."""
    if not scan.files:
        return _empty(scan)
    kind = table_format.reader(scan.descriptor)
    if kind not in _READERS:
        library = (scan.descriptor.get("SerdeInfo") or {}).get("SerializationLibrary")
        raise QueryFailed(
            f"HIVE_UNSUPPORTED_FORMAT: Unable to create input format for SerDe {library}"
        )
    source, values = _READERS[kind](scan)
    items = [f"{sql} AS {name(column)}" for column, sql in values.items()]
    items += [f"{_partition_value(c, t)} AS {name(c)}" for c, t in scan.partition_columns.items()]
    items.append(f'{scan.path_sql} AS "$path"')
    return f"(SELECT {', '.join(items)} FROM {source})"


def with_objects(scan: Scan) -> str:
    """As `relation`, with each row's object's size and time of its last change."""
    import pyarrow

    objects = scan.register(
        pyarrow.table({
            "uri": pyarrow.array([each.uri for each in scan.objects], pyarrow.string()),
            "size": pyarrow.array([each.size for each in scan.objects], pyarrow.int64()),
            "modified": pyarrow.array(
                [int(each.modified * 1000) for each in scan.objects], pyarrow.timestamp("ms")
            ),
        })
    )  # fmt: skip
    modified = "{'t': CAST(o.modified AS TIMESTAMP), 'z': 'UTC'}"
    return (
        f'(SELECT r.*, o.size AS "$file_size", {modified} AS "$file_modified_time" '
        f'FROM {relation(scan)} AS r JOIN {objects} AS o ON r."$path" = o.uri)'
    )


def _empty(scan: Scan) -> str:
    kinds = {**scan.columns, **scan.partition_columns, "$path": trino_types.VARCHAR}
    items = [f"CAST(NULL AS {trino_types.duck_type(t)}) AS {name(c)}" for c, t in kinds.items()]
    return f"(SELECT {', '.join(items)} WHERE false)"


def _partition_value(column: str, kind: Type) -> str:
    value = f"nullif({name(column)}, '__HIVE_DEFAULT_PARTITION__')"
    return value if kind.name == "varchar" else f"CAST({value} AS {trino_types.duck_type(kind)})"


def _files(scan: Scan) -> str:
    return "[" + ", ".join(text(path) for path in scan.files) + "]"


def _hive(scan: Scan) -> str:
    """Partition values come from the local paths."""
    if not scan.partition_columns:
        return "filename=true, hive_partitioning=false"
    kinds = ", ".join(f"{text(c)}: VARCHAR" for c in scan.partition_columns)
    return (
        f"filename=true, hive_partitioning=true, hive_types_autocast=false, hive_types={{{kinds}}}"
    )


# --- rows: DuckDB stores them as f1, f2 …; files have their own names


def file_type(kind: Type) -> str:
    """As duck_type, with rows under their own field names."""
    match kind.name:
        case "array":
            return file_type(kind.args[0]) + "[]"
        case "map":
            return f"MAP({file_type(kind.args[0])}, {file_type(kind.args[1])})"
        case "row":
            pairs = zip(kind.fields, kind.args, strict=True)
            return f"STRUCT({', '.join(f'{name(n or "")} {file_type(t)}' for n, t in pairs)})"
        case "timestamp with time zone":
            return "TIMESTAMPTZ"
    return trino_types.duck_type(kind)


def has_row(kind: Type) -> bool:
    """Does storage differ from the file's own type anywhere inside?"""
    return kind.name in ("row", "timestamp with time zone") or any(has_row(t) for t in kind.args)


def from_file(sql: str, kind: Type, depth: int = 0) -> str:
    """A value read under its own field names, as it is stored in queries."""
    if not has_row(kind):
        return sql
    v = f"_v{depth}"
    match kind.name:
        case "timestamp with time zone":
            return (
                f"CASE WHEN {sql} IS NOT NULL THEN {{'t': timezone('UTC', {sql}), 'z': 'UTC'}} END"
            )
        case "array":
            return f"list_transform({sql}, lambda {v}: {from_file(v, kind.args[0], depth + 1)})"
        case "map":
            key = from_file(f"{v}.key", kind.args[0], depth + 1)
            value = from_file(f"{v}.value", kind.args[1], depth + 1)
            entry = f"{{'key': {key}, 'value': {value}}}"
            return f"map_from_entries(list_transform(map_entries({sql}), lambda {v}: {entry}))"
    fields = zip(trino_types.struct_names(kind), kind.fields, kind.args, strict=True)
    parts = [
        f"'{f}': {from_file(f'struct_extract({sql}, {text(n or "")})', t, depth + 1)}"
        for f, n, t in fields
    ]
    return f"CASE WHEN {sql} IS NOT NULL THEN {{{', '.join(parts)}}} END"


# --- readers: scan → (source relation, column → SQL)


def _read_json(scan: Scan) -> tuple[str, dict[str, str]]:
    serde = scan.descriptor.get("SerdeInfo") or {}
    properties = {k.lower(): v for k, v in (serde.get("Parameters") or {}).items()}
    openx = table_format.is_openx(scan.descriptor)
    mapping = {k[8:]: v for k, v in properties.items() if k.startswith("mapping.")}
    ignore = properties.get("ignore.malformed.json", "false").lower() == "true"
    spelled = json_spelling.spell(
        scan.files, scan.columns, mapping, dots=properties.get("dots.in.keys") == "true"
    )
    if spelled is None:
        return _read_mixed_json(scan, mapping, ignore)
    columns = ", ".join(f"{text(s.key)}: {text(s.duck_type)}" for s in spelled.values())
    source = (
        f"read_json({_files(scan)}, format='newline_delimited', columns={{{columns}}}, "
        f"ignore_errors={'true' if ignore and openx else 'false'}, maximum_object_size=33554432, {_hive(scan)})"
    )
    return source, {c: from_file(name(s.key), s.read_as) if s.read_as == scan.columns[c]
                    else json_spelling.convert(name(s.key), s.read_as, scan.columns[c])
                    for c, s in spelled.items()}  # fmt: skip


def _read_mixed_json(
    scan: Scan, mapping: dict[str, str], ignore: bool
) -> tuple[str, dict[str, str]]:
    """Keys spelled in several ways: read whole objects and look each key up without case."""
    source = (
        f"(SELECT athena_lower_keys(CAST(json AS VARCHAR)) AS json, * EXCLUDE json FROM read_json_objects("
        f"{_files(scan)}, format='newline_delimited', ignore_errors={str(ignore).lower()}, {_hive(scan)}))"
    )
    values = {}
    for column, kind in scan.columns.items():
        path = text('$."' + (mapping.get(column) or column).lower() + '"')
        if kind == trino_types.VARCHAR:
            values[column] = f"json_extract_string(json, {path})"
        else:
            typed = (
                f"from_json(json_extract(json, {path}), {text(json.dumps(_json_structure(kind)))})"
            )
            values[column] = from_file(typed, kind)
    return source, values


def _json_structure(kind: Type) -> Any:
    match kind.name:
        case "array":
            return [_json_structure(kind.args[0])]
        case "row":
            pairs = zip(kind.fields, kind.args, strict=True)
            return {n: _json_structure(t) for n, t in pairs}
    return file_type(kind)


def _lines_source(scan: Scan) -> str:
    """Each line as column `line`: a delimiter no text holds."""
    return (
        f"read_csv({_files(scan)}, columns={{'line': 'VARCHAR'}}, delim={text(_NEVER)}, quote='', "
        f"escape='', header=false, auto_detect=false, strict_mode=false, null_padding=true, "
        f"nullstr={text(_NOBODY)}, max_line_size=16777216, {_hive(scan)})"
    )


def _properties(scan: Scan) -> dict[str, str]:
    return (scan.descriptor.get("SerdeInfo") or {}).get("Parameters") or {}


def _letter(value: str | None, default: str) -> str:
    r"""A delimiter property: a character, or its number (`1` is \001)."""
    if not value:
        return default
    if value.isdigit() and len(value) <= 3:
        return chr(int(value))
    return value


def _read_text(scan: Scan) -> tuple[str, dict[str, str]]:
    """LazySimpleSerDe: unquoted; what does not fit its type is NULL."""
    properties = _properties(scan)
    delimiter = _letter(
        properties.get("field.delim") or properties.get("serialization.format"), "\x01"
    )
    null = properties.get("serialization.null.format", "\\N")
    escape = properties.get("escape.delim", "")
    columns = ", ".join(f"{text(c)}: 'VARCHAR'" for c in scan.columns)
    source = (
        f"read_csv({_files(scan)}, columns={{{columns}}}, delim={text(delimiter)}, quote='', "
        f"escape='', header=false, auto_detect=false, strict_mode=false, null_padding=true, ignore_errors=true, "
        f"nullstr={text(null)}, max_line_size=16777216, {_hive(scan)})"
    )
    collection = _letter(
        properties.get("collection.delim") or properties.get("colelction.delim"), "\x02"
    )
    keys = _letter(properties.get("mapkey.delim"), "\x03")
    values = {}
    first, *_, last = [*scan.columns, *scan.columns]
    for column, kind in scan.columns.items():
        sql = f"rtrim({name(column)}, chr(13))" if column == last else name(column)
        if column == first:  # an empty line is an empty first field, the others are missing
            empty = "''" if null else "NULL"
            sql = f"CASE WHEN {sql} = {text(_BLANK)} THEN {empty} ELSE {sql} END"
        if escape:
            sql = f"replace({sql}, {text(escape)}, '')"
        values[column] = lazy_value(sql, kind, [collection, keys, "\x04", "\x05"], null)
    return source, values


def lazy_value(
    sql: str, kind: Type, delimiters: list[str], null: str = "\\N", depth: int = 0
) -> str:
    """Text as LazySimpleSerDe reads it; nested values split by the next delimiters."""
    v = f"_t{depth}"
    match kind.name:
        case "varchar":
            return sql if not kind.params else f"substr({sql}, 1, {kind.params[0]})"
        case "char":
            return f"rtrim(substr({sql}, 1, {kind.params[0]}))"
        case "boolean":
            return f"CASE lower({sql}) WHEN 'true' THEN true WHEN 'false' THEN false END"
        case "varbinary":
            return f"coalesce(try(from_base64({sql})), encode({sql}))"
        case "array":
            inner = lazy_value(v, kind.args[0], delimiters[1:], null, depth + 1)
            split = f"string_split({sql}, {text(delimiters[0])})"
            return (
                f"CASE WHEN {sql} = '' THEN [] ELSE list_transform({split}, "
                f"lambda {v}: CASE WHEN {v} = {text(null)} THEN NULL ELSE {inner} END) END"
            )
        case "map":
            key = lazy_value(
                f"split_part({v}, {text(delimiters[1])}, 1)",
                kind.args[0],
                delimiters[2:],
                null,
                depth + 1,
            )
            rest = f"substr({v}, strpos({v}, {text(delimiters[1])}) + 1)"
            value = lazy_value(rest, kind.args[1], delimiters[2:], null, depth + 1)
            split = f"string_split({sql}, {text(delimiters[0])})"
            return (
                f"CASE WHEN {sql} <> '' THEN map_from_entries(list_transform({split}, "
                f"lambda {v}: {{'key': {key}, 'value': {value}}})) END"
            )
        case "row":
            parts = []
            for i, (f, t) in enumerate(
                zip(trino_types.struct_names(kind), kind.args, strict=True), 1
            ):
                part = f"nullif(split_part({sql}, {text(delimiters[0])}, {i}), {text(null)})"
                parts.append(f"'{f}': {lazy_value(part, t, delimiters[1:], null, depth + 1)}")
            return f"CASE WHEN {sql} IS NOT NULL THEN {{{', '.join(parts)}}} END"
        case "timestamp with time zone":
            return f"CASE WHEN {sql} IS NOT NULL THEN {{'t': TRY_CAST({sql} AS TIMESTAMP), 'z': 'UTC'}} END"
    trimmed = sql if kind.name in ("date", "timestamp") else f"trim({sql})"
    if kind.name in trino_types.INTEGERS:  # DuckDB would round '1.5', Hive gives NULL
        trimmed = f"CASE WHEN regexp_full_match(trim({sql}), '[+-]?[0-9]+') THEN trim({sql}) END"
    return f"TRY_CAST({trimmed} AS {trino_types.duck_type(kind)})"


def _read_csv(scan: Scan) -> tuple[str, dict[str, str]]:
    """OpenCSVSerDe: quoted text; a number that is none is an error, a date counts days."""
    properties = _properties(scan)
    quote, escape = properties.get("quoteChar", '"'), properties.get("escapeChar", "\\")
    columns = ", ".join(f"{text(c)}: 'VARCHAR'" for c in scan.columns)
    escape = escape if len(escape) == 1 else "\\"
    source = (
        f"read_csv({_files(scan)}, columns={{{columns}}}, delim={text(properties.get('separatorChar', ','))}, "
        f"quote={text(quote)}, escape={text(_csv_escape(scan, quote, escape))}, header=false, auto_detect=false, "
        f"strict_mode=false, null_padding=true, nullstr={text(_NOBODY)}, parallel=false, "
        f"max_line_size=16777216, {_hive(scan)})"
    )
    values = {}
    for position, (column, kind) in enumerate(scan.columns.items()):
        # an empty line is a row of NULLs
        sql = name(column) if position else f"nullif({name(column)}, {text(_BLANK)})"
        values[column] = _csv_value(sql, kind, position)
    return source, values


def _csv_escape(scan: Scan, quote: str, escape: str) -> str:
    """DuckDB knows one escape; files that double their quotes need the quote itself."""
    import gzip

    path = scan.files[0]
    with gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb") as file:
        start = file.read(1 << 20).decode("utf-8", "replace")
    doubled = quote * 2 in re.sub(rf"(^|,){re.escape(quote * 2)}(?=,|\r?$)", "", start, flags=re.M)
    return quote if doubled and escape + quote not in start else escape


def _csv_value(sql: str, kind: Type, position: int) -> str:
    if kind.name == "varchar":
        return sql
    problem = (
        f"error('HIVE_BAD_DATA: Error parsing field value ''' || {sql} || ''' for field {position}: "
        f"For input string: \"' || {sql} || '\"')"
    )
    match kind.name:
        case "timestamp" | "timestamp with time zone":
            number = f"TRY_CAST({sql} AS BIGINT)"
            typed = f"coalesce(epoch_ms({number}), TRY_CAST({sql} AS TIMESTAMP))"
        case "date":
            days = f"TRY_CAST({sql} AS INTEGER)"
            typed = f"coalesce(DATE '1970-01-01' + {days}, TRY_CAST({sql} AS DATE))"
        case "boolean":
            typed = f"CASE lower({sql}) WHEN 'true' THEN true ELSE false END"
        case _:
            typed = f"TRY_CAST({sql} AS {trino_types.duck_type(kind)})"
    return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({typed}, {problem}) END"


def _read_regex(scan: Scan) -> tuple[str, dict[str, str]]:
    """RegexSerDe: a line that does not match is a row of NULLs."""
    pattern = _properties(scan).get("input.regex", "")
    return _read_groups(scan, pattern, range(1, len(scan.columns) + 1))


def _read_grok(scan: Scan) -> tuple[str, dict[str, str]]:
    """GrokSerDe: named patterns become groups, in column order."""
    properties = _properties(scan)
    pattern = grok.to_regex(
        properties.get("input.format", ""), properties.get("input.grokCustomPatterns", "")
    )
    return _read_groups(scan, pattern, range(1, len(scan.columns) + 1))


def _read_groups(scan: Scan, pattern: str, groups: Sequence[int]) -> tuple[str, dict[str, str]]:
    source = (
        f"(SELECT athena_groups(rtrim(replace(line, {text(_BLANK)}, ''), chr(13)), {text(pattern)}) AS g, * EXCLUDE line "
        f"FROM {_lines_source(scan)})"
    )
    values = {}
    for group, (column, kind) in zip(groups, scan.columns.items(), strict=True):
        values[column] = lazy_value(f"g[{group}]", kind, ["\x02", "\x03"])
    return source, values


def _read_parquet(scan: Scan) -> tuple[str, dict[str, str]]:
    """By name, unless `parquet.column.index.access` says by position."""
    source = f"read_parquet({_files(scan)}, union_by_name={'true' if len(scan.files) > 1 else 'false'}, {_hive(scan)})"
    from services.athena import parquet_columns

    by_index = _properties(scan).get("parquet.column.index.access", "").lower() == "true"
    actual = parquet_columns.columns(scan.files, by_index)
    values = {}
    for position, (column, kind) in enumerate(scan.columns.items()):
        found = actual.at(position) if by_index else actual.named(column)
        values[column] = (
            f"CAST(NULL AS {trino_types.duck_type(kind)})" if found is None
            else parquet_columns.convert(name(found.name), found.type, kind)
        )  # fmt: skip
    return source, values


def _read_arrow(scan: Scan) -> tuple[str, dict[str, str]]:
    """ORC (by index) and Avro (by name): read by PyArrow and fastavro into one Arrow table."""
    from services.athena import arrow_files, parquet_columns

    kind = table_format.reader(scan.descriptor)
    table = arrow_files.read(kind, scan.files, list(scan.partition_columns))
    view = scan.register(table)
    by_name = (
        kind == "avro" or _properties(scan).get("orc.column.index.access", "").lower() == "false"
    )
    actual = parquet_columns.arrow_columns(table)
    values = {}
    for position, (column, kind_) in enumerate(scan.columns.items()):
        found = actual.named(column) if by_name else actual.at(position)
        values[column] = (
            f"CAST(NULL AS {trino_types.duck_type(kind_)})" if found is None
            else parquet_columns.convert(name(found.name), found.type, kind_)
        )  # fmt: skip
    return view, values


_READERS: dict[str, Callable[[Scan], tuple[str, dict[str, str]]]] = {
    "json": _read_json,
    "text": _read_text,
    "csv": _read_csv,
    "regex": _read_regex,
    "grok": _read_grok,
    "parquet": _read_parquet,
    "orc": _read_arrow,
    "avro": _read_arrow,
}
