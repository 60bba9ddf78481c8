"""SQL that writes a value as Athena's result text: Java's numbers, `[a, b]`, `{k=v}`, hex pairs."""

from __future__ import annotations

from services.athena import trino_types
from services.athena.trino_types import Type

#: Macros the rendering needs; created once per database.
MACROS = r"""
CREATE MACRO athena_scientific(s) AS CASE
  WHEN contains(s, 'e') THEN
    (CASE WHEN contains(split_part(s, 'e', 1), '.') THEN split_part(s, 'e', 1)
          ELSE split_part(s, 'e', 1) || '.0' END) || 'E' || CAST(split_part(s, 'e', 2) AS INTEGER)
  ELSE athena_shift(CASE WHEN s[1] = '-' THEN '-' ELSE '' END,
                    split_part(ltrim(s, '-'), '.', 1), split_part(ltrim(s, '-'), '.', 2)) END;
CREATE MACRO athena_shift(sign, whole, part) AS CASE
  WHEN whole <> '0' THEN sign || whole[1] || '.' ||
    (CASE WHEN rtrim(whole[2:] || part, '0') = '' THEN '0' ELSE rtrim(whole[2:] || part, '0') END)
    || 'E' || (length(whole) - 1)
  ELSE sign || ltrim(part, '0')[1] || '.' ||
    (CASE WHEN length(ltrim(part, '0')) > 1 THEN ltrim(part, '0')[2:] ELSE '0' END)
    || 'E-' || (length(part) - length(ltrim(part, '0')) + 1) END;
CREATE MACRO athena_double(x) AS CASE
  WHEN x IS NULL THEN NULL WHEN isnan(x) THEN 'NaN'
  WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END
  WHEN x = 0 THEN CASE WHEN signbit(x) THEN '-0.0' ELSE '0.0' END
  WHEN abs(x) >= 1e-3 AND abs(x) < 1e7 AND NOT contains(CAST(x AS VARCHAR), 'e') THEN CAST(x AS VARCHAR)
  ELSE athena_scientific(CAST(x AS VARCHAR)) END;
CREATE MACRO athena_day(x) AS CASE WHEN year(x) BETWEEN 1 AND 9999 THEN strftime(x, '%Y-%m-%d')
  ELSE CASE WHEN year(x) > 0 THEN '+' ELSE CASE WHEN year(x) < 0 THEN '-' ELSE '' END END
  || printf('%04d', abs(year(x))) || strftime(x, '-%m-%d') END;
CREATE MACRO athena_day_to_second(x) AS (CASE WHEN x < 0 THEN '-' ELSE '' END)
  || (abs(x) // 86400000) || ' ' || printf('%02d:%02d:%02d.%03d', abs(x) % 86400000 // 3600000,
     abs(x) % 3600000 // 60000, abs(x) % 60000 // 1000, abs(x) % 1000);
CREATE MACRO athena_year_to_month(x) AS (CASE WHEN x < 0 THEN '-' ELSE '' END)
  || (abs(x) // 12) || '-' || (abs(x) % 12);
CREATE MACRO athena_local(v) AS CASE WHEN v.z = 'UTC' THEN v.t WHEN v.z[1] IN ('+', '-')
  THEN v.t + to_minutes(CAST(CASE WHEN v.z[1] = '-' THEN -1 ELSE 1 END
    * (CAST(v.z[2:3] AS INTEGER) * 60 + CAST(v.z[5:6] AS INTEGER)) AS INTEGER))
  ELSE timezone(v.z, timezone('UTC', v.t)) END;
"""


def rendered(sql: str, kind: Type, depth: int = 0) -> str:
    """SQL text of a value: a VARCHAR, NULL for NULL. Nested NULLs read `null`."""
    v = f"_r{depth}"
    match kind.name:
        case "array":
            inner = f"coalesce({rendered(v, kind.args[0], depth + 1)}, 'null')"
            return (
                f"('[' || array_to_string(list_transform({sql}, lambda {v}: {inner}), ', ') || ']')"
            )
        case "map":
            key = rendered(f"{v}.key", kind.args[0], depth + 1)
            value = f"coalesce({rendered(f'{v}.value', kind.args[1], depth + 1)}, 'null')"
            pairs = f"list_transform(map_entries({sql}), lambda {v}: {key} || '=' || {value})"
            return f"('{{' || array_to_string({pairs}, ', ') || '}}')"
        case "row":
            return _row(sql, kind, depth)
        case "real" | "double":
            return f"athena_double({sql})"
        case "varbinary":
            return f"rtrim(regexp_replace(lower(hex({sql})), '(..)', '\\1 ', 'g'))"
        case "interval day to second":
            return f"athena_day_to_second({sql})"
        case "interval year to month":
            return f"athena_year_to_month({sql})"
        case "char":
            return f"rpad({sql}, {kind.params[0]}, ' ')"
        case "date":
            return f"athena_day({sql})"
        case "timestamp" | "timestamp with time zone" | "time" | "time with time zone":
            return moment_text(sql, kind)
        case "varchar" | "json" | "ipaddress":
            return sql
        case "decimal" if kind.params[0] == kind.params[1] and kind.params[0] < 38:
            # DuckDB writes .5 where no digit stands before the point
            return f"CAST(CAST({sql} AS DECIMAL({kind.params[0] + 1},{kind.params[1]})) AS VARCHAR)"
    return f"CAST({sql} AS VARCHAR)"


def _row(sql: str, kind: Type, depth: int) -> str:
    fields = zip(trino_types.struct_names(kind), kind.fields, kind.args, strict=True)
    parts = []
    for position, (stored, given, inner) in enumerate(fields):
        shown = (given if given is not None else f"field{position}").replace("'", "''")
        value = rendered(f"struct_extract({sql}, '{stored}')", inner, depth + 1)
        parts.append(f"'{shown}=' || coalesce({value}, 'null')")
    return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {" || ', ' || ".join(parts)} || '}}' END"


def moment_text(sql: str, kind: Type) -> str:
    """`2020-05-10 12:34:56.123 America/Sao_Paulo`: as many digits as the type has."""
    digits = kind.precision
    if kind.name == "time":
        return time_text(sql, digits)
    if kind.name == "time with time zone":
        return f"({time_text(f'({sql}).t', digits)} || ({sql}).z)"
    if kind.name == "timestamp":
        return timestamp_text(sql, digits)
    local = f"athena_local({sql})"
    return (
        f"CASE WHEN {sql} IS NOT NULL THEN {timestamp_text(local, digits)} || ' ' || ({sql}).z END"
    )


def timestamp_text(sql: str, digits: int) -> str:
    if digits > 6:
        return f"substr(strftime({sql}, '%Y-%m-%d %H:%M:%S.%n'), 1, {20 + digits})"
    if digits == 0:
        return f"(athena_day({sql}) || strftime({sql}, ' %H:%M:%S'))"
    cut = f"left(strftime({sql}, '.%f'), {digits + 1})"
    return f"(athena_day({sql}) || strftime({sql}, ' %H:%M:%S') || {cut})"


def time_text(sql: str, digits: int) -> str:
    moment = f"(DATE '2000-01-01' + {sql})"
    if digits == 0:
        return f"strftime({moment}, '%H:%M:%S')"
    return f"(strftime({moment}, '%H:%M:%S') || left(strftime({moment}, '.%f'), {digits + 1}))"
