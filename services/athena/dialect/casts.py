"""CAST, TRY_CAST and CAST to and from JSON, by pair of types."""

from __future__ import annotations

from services.athena import rendering
from services.athena import trino_types as t
from services.athena.dialect import coercion, json_casts
from services.athena.dialect.typed import Typed, once, text
from services.athena.errors import SqlRefused
from services.athena.trino_types import Type, duck_type

#: How messages name a type.
_SHORT = {"integer": "INT"}
_RANGE = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}


class CastRefused(Exception):
    """No such cast; the message says which."""


#: Inside TRY: the value is NULL, or, in a part of it (an element, a field), the whole of it.
NULL, RAISED = 1, 2


def fail(sql_of_message: str, lenient: int) -> str:
    """What stands where an error must be raised; under TRY it is NULL."""
    if lenient == RAISED:
        return f"athena_raise({sql_of_message})"
    return "NULL" if lenient else f"error({sql_of_message})"


def cast(value: Typed, wanted: Type, lenient: int = False, depth: int = 0) -> Typed:
    """Raises CastRefused. `lenient`: inside TRY, where errors become NULL (`NULL`, `RAISED`)."""
    given = value.type
    if given == wanted:
        return value
    if given.name == "unknown":
        return Typed(f"CAST(NULL AS {duck_type(wanted)})", wanted)
    sql = _cast(value.sql, given, wanted, lenient, depth)
    constant = value.constant if wanted.name == "varchar" and given.name == "varchar" else None
    return Typed(sql, wanted, constant) if constant is not None else Typed(sql, wanted)


def _cast(sql: str, given: Type, wanted: Type, lenient: int, depth: int) -> str:
    if wanted.name == "json" or given.name == "json":
        return json_casts.cast(sql, given, wanted, lenient, depth)
    if given.name in ("array", "map", "row") or wanted.name in ("array", "map", "row"):
        return _nested(sql, given, wanted, lenient, depth)
    if wanted.name in ("varchar", "char"):
        return _to_text(sql, given, wanted, lenient)
    maker = _MAKERS.get(wanted.name)
    if maker is None or given.name == "char":
        raise CastRefused(f"Cannot cast {given} to {wanted}")
    return maker(sql, given, wanted, lenient)


def _nested(sql: str, given: Type, wanted: Type, lenient: int, depth: int) -> str:
    if given.name != wanted.name or len(given.args) != len(wanted.args):
        raise CastRefused(f"Cannot cast {given} to {wanted}")
    v = f"_n{depth}"

    def inner(of: str, a: Type, b: Type) -> str:
        return cast(Typed(of, a), b, RAISED if lenient else 0, depth + 1).sql

    if given.name == "array":
        if given.args[0].name == "unknown":
            return f"CAST({sql} AS {duck_type(wanted)})"
        body = inner(v, given.args[0], wanted.args[0])
        return sql if body == v else f"list_transform({sql}, lambda {v}: {body})"
    if given.name == "map":
        if (
            "unknown" in (given.args[0].name, given.args[1].name)
            and given.args[0].name == "unknown"
        ):
            return f"CAST({sql} AS {duck_type(wanted)})"
        key = inner(f"{v}.key", given.args[0], wanted.args[0])
        item = inner(f"{v}.value", given.args[1], wanted.args[1])
        if key == f"{v}.key" and item == f"{v}.value":
            return sql
        entry = f"{{'key': {key}, 'value': {item}}}"
        return f"map_from_entries(list_transform(map_entries({sql}), lambda {v}: {entry}))"
    fields = zip(t.struct_names(wanted), given.args, wanted.args, strict=True)
    parts = [(n, f"({sql}).{n}", inner(f"({sql}).{n}", a, b)) for n, a, b in fields]
    if all(before == after for _, before, after in parts):
        return sql
    listed = ", ".join(f"'{n}': {after}" for n, _, after in parts)
    return f"CASE WHEN {sql} IS NOT NULL THEN {{{listed}}} END"


def _to_text(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    if given.name in ("varchar", "char"):
        shown = coercion.convert(sql, given, t.VARCHAR) if wanted.name == "varchar" else sql
        if wanted.params and not (
            given.name == wanted.name and given.params and given.params[0] <= wanted.params[0]
        ):
            shown = f"substr({shown}, 1, {wanted.params[0]})"
        return f"rtrim({shown}, ' ')" if wanted.name == "char" else shown
    if given.name == "varbinary" or given.args or wanted.name == "char":
        raise CastRefused(f"Cannot cast {given} to {wanted}")
    shown = rendering.rendered(sql, given)
    named = shown
    if given.name == "real":
        shown = named = f"athena_real_text({sql})"
    elif given.name == "double":
        named, shown = (
            f"{shown} || ' (' || athena_double_text({sql}) || ')'",
            f"athena_double_text({sql})",
        )
    elif given.name == "date":
        shown = named = f"ltrim({shown}, '+')"
    if not wanted.params:
        return shown
    length = wanted.params[0]
    problem = f"'INVALID_CAST_ARGUMENT: Value ' || {named} || ' cannot be represented as {wanted}'"
    return f"CASE WHEN length({shown}) > {length} THEN {fail(problem, lenient)} ELSE {shown} END"


def _bad_text(sql: str, wanted: Type, lenient: int) -> str:
    return fail(
        f"'INVALID_CAST_ARGUMENT: Cannot cast ''' || {sql} || ''' to {_SHORT.get(wanted.name, str(wanted).upper())}'",
        lenient,
    )


def _out_of_range(sql: str, wanted: Type, lenient: int) -> str:
    return fail(f"'NUMERIC_VALUE_OUT_OF_RANGE: Out of range for {wanted.name}: ' || {sql}", lenient)


def _boolean(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    if given.name == "varchar":
        return (
            f"CASE WHEN lower({sql}) IN ('t', 'true', '1') THEN true WHEN lower({sql}) IN ('f', 'false', '0') "
            f"THEN false WHEN {sql} IS NOT NULL THEN CAST({_bad_text(sql, wanted, lenient)} AS BOOLEAN) END"
        )
    if coercion.is_numeric(given):
        return f"({sql} <> 0)"
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _integer(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    kind = duck_type(wanted)
    if given.name == "varchar":
        trimmed = f"trim({sql})"
        parsed = f"CASE WHEN regexp_full_match({trimmed}, '[+-]?[0-9]+') THEN TRY_CAST({trimmed} AS {kind}) END"
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({parsed}, CAST({_bad_text(sql, wanted, lenient)} AS {kind})) END"
    if given.name == "boolean":
        return f"CAST({sql} AS {kind})"
    if coercion.is_integer(given):
        if _RANGE[given.name] <= _RANGE[wanted.name]:
            return f"CAST({sql} AS {kind})"
        return _ranged(
            sql, f"TRY_CAST({sql} AS {kind})", wanted, lenient, f"CAST({sql} AS VARCHAR)"
        )
    if given.name == "decimal":
        rounded = f"TRY_CAST(athena_round_decimal({sql}) AS {kind})"
        problem = fail(
            f"'INVALID_CAST_ARGUMENT: Cannot cast ''' || CAST({sql} AS VARCHAR) || ''' to {wanted.name.upper()}'",
            lenient,
        )
        return (
            f"CASE WHEN {sql} IS NOT NULL THEN coalesce({rounded}, CAST({problem} AS {kind})) END"
        )
    if given.name in ("real", "double"):
        return once(sql, lambda v: _from_floating(v, given, wanted, lenient))
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _from_floating(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    """Half away from zero; what does not fit is refused, but a real becomes the nearest bigint."""
    kind, shown = duck_type(wanted), f"athena_double({sql})"
    tried = f"TRY_CAST(athena_round_half_up({sql}) AS {kind})"
    if wanted.name == "bigint" and given.name == "double":
        problem = f"'INVALID_CAST_ARGUMENT: Unable to cast ' || {shown} || ' to bigint'"
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({tried}, CAST({fail(problem, lenient)} AS {kind})) END"
    nan = fail(f"'INVALID_CAST_ARGUMENT: Cannot cast {given.name} NaN to {wanted.name}'", lenient)
    beyond = _out_of_range(shown, wanted, lenient)
    if wanted.name == "bigint":
        beyond = f"CASE WHEN {sql} > 0 THEN '9223372036854775807' ELSE '-9223372036854775808' END"
    return (
        f"CASE WHEN isnan({sql}) THEN CAST({nan} AS {kind}) "
        f"WHEN {sql} IS NOT NULL THEN coalesce({tried}, CAST({beyond} AS {kind})) END"
    )


def _ranged(sql: str, tried: str, wanted: Type, lenient: int, shown: str) -> str:
    problem = f"CAST({_out_of_range(shown, wanted, lenient)} AS {duck_type(wanted)})"
    return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({tried}, {problem}) END"


def _floating(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    kind = duck_type(wanted)
    if given.name == "varchar":
        clean = f"trim({sql})"
        number = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[fFdD]?|[+-]?(NaN|Infinity)"
        cut = f"regexp_replace({clean}, '[fFdD]$', '')"
        parsed = f"CASE WHEN regexp_full_match({clean}, '{number}') THEN TRY_CAST(CASE WHEN ends_with({clean}, 'y') OR ends_with({clean}, 'N') THEN {clean} ELSE {cut} END AS {kind}) END"
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({parsed}, CAST({_bad_text(sql, wanted, lenient)} AS {kind})) END"
    if given.name == "double":  # beyond a real's range: infinite
        infinite = f"CAST(CASE WHEN {sql} > 0 THEN 'Infinity' ELSE '-Infinity' END AS {kind})"
        return (
            f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({sql} AS {kind}), {infinite}) END"
        )
    if given.name == "boolean" or coercion.is_numeric(given):
        return f"CAST({sql} AS {kind})"
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _decimal(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    kind = duck_type(wanted)
    source = (
        str(given).upper().replace(",", ", ") if given.name == "decimal" else given.name.upper()
    )
    shown = (
        f"athena_double({sql})" if given.name in ("real", "double") else f"CAST({sql} AS VARCHAR)"
    )
    problem = (
        f"'Cannot cast {source} ''' || {shown} || ''' to {str(wanted).upper().replace(',', ', ')}'"
    )
    if given.name == "varchar":
        number = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
        problem += f" || CASE WHEN regexp_matches({sql}, '{number}') THEN '. Value too large.' ELSE '. Value is not a number.' END"
    failed = fail(f"'INVALID_CAST_ARGUMENT: ' || {problem}", lenient)
    if given.name == "varchar":
        exact = f"CASE WHEN NOT regexp_matches({sql}, '\\s') THEN athena_text_decimal({sql}, {wanted.precision}, {wanted.scale}) END"
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({exact} AS {kind}), CAST({failed} AS {kind})) END"
    if given.name == "boolean":
        return f"CAST(CAST({sql} AS INTEGER) AS {kind})"
    if given.name in ("real", "double"):
        exact = f"athena_double_decimal({sql}, {wanted.precision}, {wanted.scale})"
        if given.name == "real":
            exact = (
                f"athena_text_decimal(CAST({sql} AS VARCHAR), {wanted.precision}, {wanted.scale})"
            )
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({exact} AS {kind}), CAST({failed} AS {kind})) END"
    if coercion.is_integer(given):
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({sql} AS {kind}), CAST({failed} AS {kind})) END"
    if given.name == "decimal":
        if (
            wanted.scale >= given.scale
            and wanted.precision - wanted.scale >= given.precision - given.scale
        ):
            return f"CAST({sql} AS {kind})"
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({sql} AS {kind}), CAST({failed} AS {kind})) END"
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _varbinary(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    if given.name == "varchar":
        return f"encode({coercion.convert(sql, given, t.VARCHAR)})"
    if given.name == "uuid":
        return f"unhex(replace(CAST({sql} AS VARCHAR), '-', ''))"
    if given.name == "ipaddress":
        return f"athena_ip_bytes({sql})"
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _date(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    match given.name:
        case "varchar":
            parsed = f"TRY_CAST(ltrim(athena_date_text({sql}), '+') AS DATE)"
            problem = fail(
                f"'INVALID_CAST_ARGUMENT: Value cannot be cast to date: ' || {sql}", lenient
            )
            return (
                f"CASE WHEN {sql} IS NOT NULL THEN coalesce({parsed}, CAST({problem} AS DATE)) END"
            )
        case "timestamp":
            return f"CAST({sql} AS DATE)"
        case "timestamp with time zone":
            return f"CAST({_local(sql)} AS DATE)"
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _local(sql: str) -> str:
    return once(sql, lambda v: f"athena_local({v})")


def rounded(sql: str, given: int, wanted: int, kind: str = "TIMESTAMP") -> str:
    """A timestamp to fewer fractional digits: half up."""
    if wanted >= given:
        return sql
    step = 10 ** (6 - wanted)
    if kind == "TIME":
        micros = f"epoch_us(DATE '1970-01-01' + {sql})"
        whole = f"(({micros} + {step // 2}) // {step} * {step} % 86400000000)"
        return f"CAST(make_timestamp({whole}) AS TIME)"
    return f"make_timestamp(athena_floor_div(epoch_us({sql}) + {step // 2}, {step}) * {step})"


def _timestamp(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    digits = wanted.precision
    if digits > 6:
        return (
            f"CAST({_timestamp(sql, given, t.timestamp(6), lenient)} AS TIMESTAMP_NS)"
            if given.precision <= 6
            else sql
        )
    match given.name:
        case "varchar":
            parsed = f"athena_parse_timestamp({sql})"
            problem = fail(
                f"'INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: ' || trim({sql})",
                lenient,
            )
            moment = f"CASE WHEN {sql} IS NOT NULL THEN coalesce({parsed}, CAST({problem} AS TIMESTAMP)) END"
            return rounded(moment, 6, digits)
        case "date":
            return f"CAST({sql} AS TIMESTAMP)"
        case "timestamp":
            plain = f"CAST({sql} AS TIMESTAMP)" if given.precision > 6 else sql
            return rounded(plain, min(given.precision, 6), digits)
        case "timestamp with time zone":
            return rounded(_local(sql), given.precision, digits)
        case "time":
            return rounded(f"(CURRENT_DATE + {sql})", given.precision, digits)
        case "time with time zone":
            return rounded(f"(CURRENT_DATE + ({sql}).t)", given.precision, digits)
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _timestamp_tz(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    digits = wanted.precision
    match given.name:
        case "varchar":
            problem = fail(
                f"'INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: ' || trim({sql})",
                lenient,
            )
            parsed = f"athena_parse_zoned({sql})"
            kind = duck_type(wanted)
            value = f"CASE WHEN {sql} IS NOT NULL THEN coalesce({parsed}, CAST({problem} AS {kind})) END"
            return _round_zoned(value, 6, digits)
        case "date" | "timestamp" | "time":
            return f"athena_zoned({_timestamp(sql, given, t.timestamp(digits), lenient)}, 'UTC')"
        case "time with time zone":
            return (
                f"athena_zoned({_timestamp(sql, given, t.timestamp(digits), lenient)}, ({sql}).z)"
            )
        case "timestamp with time zone":
            return _round_zoned(sql, given.precision, digits)
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _round_zoned(sql: str, given: int, wanted: int) -> str:
    if wanted >= given:
        return sql
    return f"CASE WHEN {sql} IS NOT NULL THEN {{'t': {rounded(f'({sql}).t', given, wanted)}, 'z': ({sql}).z}} END"


def _time(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    digits = wanted.precision
    match given.name:
        case "varchar":
            shape = r"^\\d{1,2}:\\d{1,2}(:\\d{1,2}(\\.\\d+)?)?$".replace("\\\\", "\\")
            parsed = f"CASE WHEN regexp_matches({sql}, {text(shape)}) THEN TRY_CAST({sql} || CASE WHEN regexp_matches({sql}, '^[0-9]+:[0-9]+$') THEN ':00' ELSE '' END AS TIME) END"
            problem = fail(
                f"'INVALID_CAST_ARGUMENT: Value cannot be cast to time: ' || {sql}", lenient
            )
            moment = (
                f"CASE WHEN {sql} IS NOT NULL THEN coalesce({parsed}, CAST({problem} AS TIME)) END"
            )
            return rounded(moment, 6, digits, "TIME")
        case "time":
            return rounded(sql, given.precision, digits, "TIME")
        case "timestamp":
            return rounded(f"CAST({sql} AS TIME)", given.precision, digits, "TIME")
        case "timestamp with time zone":
            return rounded(f"CAST(athena_local({sql}) AS TIME)", given.precision, digits, "TIME")
        case "time with time zone":
            return rounded(f"({sql}).t", given.precision, digits, "TIME")
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _time_tz(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    if given.name == "time with time zone":
        return f"CASE WHEN {sql} IS NOT NULL THEN {{'t': {rounded(f'({sql}).t', given.precision, wanted.precision, 'TIME')}, 'z': ({sql}).z}} END"
    clock = Type("time", wanted.params)
    if given.name == "varchar":
        zone = f"regexp_extract({sql}, '[+-][0-9]{{1,2}}(:?[0-9]{{2}})?$')"
        bare = f"trim(left({sql}, length({sql}) - length({zone})))"
        problem = fail(
            f"'INVALID_CAST_ARGUMENT: Value cannot be cast to time with time zone: ' || {sql}",
            lenient,
        )
        kind = duck_type(wanted)
        parsed = f"{{'t': TRY({_time(bare, t.VARCHAR, clock, True)}), 'z': CASE WHEN {zone} = '' THEN '+00:00' ELSE athena_clock_zone({zone}) END}}"
        return f"CASE WHEN {sql} IS NOT NULL THEN CASE WHEN TRY({_time(bare, t.VARCHAR, clock, True)}) IS NULL THEN CAST({problem} AS {kind}) ELSE {parsed} END END"
    if given.name == "timestamp with time zone":
        minutes = f"((epoch_us(athena_local({sql})) - epoch_us(({sql}).t)) // 60000000)"
        return f"CASE WHEN {sql} IS NOT NULL THEN {{'t': {_time(sql, given, clock, lenient)}, 'z': athena_clock_offset({minutes})}} END"
    if given.name in ("time", "timestamp"):
        return f"CASE WHEN {sql} IS NOT NULL THEN {{'t': {_time(sql, given, clock, lenient)}, 'z': '+00:00'}} END"
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _uuid(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    if given.name not in ("varchar", "varbinary"):
        raise CastRefused(f"Cannot cast {given} to {wanted}")
    source = f"hex({sql})" if given.name == "varbinary" else sql
    message = f"'INVALID_CAST_ARGUMENT: Cannot cast value to UUID: ' || {sql}"
    if given.name == "varbinary":
        message = f"'INVALID_CAST_ARGUMENT: Invalid UUID binary length: ' || octet_length({sql})"
    problem = fail(message, lenient)
    return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({source} AS UUID), CAST({problem} AS UUID)) END"


def _interval(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    raise CastRefused(f"Cannot cast {given} to {wanted}")


def _ipaddress(sql: str, given: Type, wanted: Type, lenient: int) -> str:
    if given.name != "varchar":
        raise CastRefused(f"Cannot cast {given} to {wanted}")
    return f"athena_ip({sql})"


_MAKERS = {
    "boolean": _boolean, "tinyint": _integer, "smallint": _integer, "integer": _integer,
    "bigint": _integer, "real": _floating, "double": _floating, "decimal": _decimal,
    "varbinary": _varbinary, "date": _date, "timestamp": _timestamp, "time": _time,
    "timestamp with time zone": _timestamp_tz, "time with time zone": _time_tz, "uuid": _uuid,
    "interval day to second": _interval, "interval year to month": _interval,
    "ipaddress": _ipaddress,
}  # fmt: skip


def refused(error: CastRefused, line: int | None, column: int | None) -> SqlRefused:
    return SqlRefused(str(error), line, column, "TYPE_MISMATCH")
