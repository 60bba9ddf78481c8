"""FORMAT: Java's String.format."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from services.athena.python_errors import invalid_argument, trino_error

_SPEC = re.compile(r"%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([tT]?[a-zA-Z%])")


def format_(pattern: str, values: list[str | None], kinds: str) -> str:
    """String.format for the conversions people use: %s %d %f %e %g %x %X %o %b %c %t… %n %%."""
    types = kinds.split(",")
    place = 0

    def one(found: re.Match[str]) -> str:
        nonlocal place
        explicit, flags, width, precision, conversion = found.groups()
        if conversion == "n":
            return "\n"
        if conversion == "%":
            return _wide("%", flags, width)
        at = int(explicit) - 1 if explicit else place
        if not explicit:
            place += 1
        if at >= len(values):
            raise invalid_argument(
                f"Invalid format string: {pattern} (MissingFormatArgument: Format specifier '{found[0]}')"
            )
        return _converted(values[at], types[at], flags, width, precision, conversion, pattern)

    return _SPEC.sub(one, pattern)


def _wide(shown: str, flags: str, width: str | None) -> str:
    if not width:
        return shown
    return shown.ljust(int(width)) if "-" in flags else shown.rjust(int(width))


def _converted(
    value: str | None,
    kind: str,
    flags: str,
    width: str | None,
    precision: str | None,
    conversion: str,
    pattern: str,
) -> str:
    if value is None:
        shown = "null"[: int(precision)] if precision else "null"
        shown = shown.upper() if conversion.isupper() else shown
        return _wide(shown, flags, width)
    if conversion in "sS":
        value = java_moment(value) if kind.startswith("time") else value
        shown = value[: int(precision)] if precision else value
        return _wide(shown.upper() if conversion == "S" else shown, flags, width)
    if conversion in "bB":
        shown = value if kind == "boolean" else "true"
        return _wide(shown, flags, width)
    if conversion[0] in "tT":
        return _wide(_moment(value, kind, conversion[1]), flags, width)
    if conversion in "dxXo" and kind in ("tinyint", "smallint", "integer", "bigint"):
        return _wide_number(
            _integer_text(int(Decimal(value)), kind, flags, conversion), flags, width
        )
    if conversion in "feEgG" and kind in ("real", "double", "decimal"):
        return _wide_number(_float_text(value, flags, precision, conversion), flags, width)
    java = _JAVA.get(kind, kind)
    raise invalid_argument(
        f"Invalid format string: {pattern} (IllegalFormatConversion: {conversion.lower()} != {java})"
    )


#: The Java class in which a value of a type reaches String.format.
_JAVA = {
    "tinyint": "java.lang.Long", "smallint": "java.lang.Long", "integer": "java.lang.Long",
    "bigint": "java.lang.Long", "decimal": "java.math.BigDecimal", "real": "java.lang.Float",
    "double": "java.lang.Double", "boolean": "java.lang.Boolean", "varchar": "java.lang.String",
    "char": "java.lang.String", "date": "java.time.LocalDate", "timestamp": "java.time.LocalDateTime",
    "timestamp with time zone": "java.time.ZonedDateTime", "time": "java.time.LocalTime",
}  # fmt: skip


def java_moment(value: str) -> str:
    """`2020-05-10T12:34:56.110+05:45[Asia/Kathmandu]`, as java.time prints it."""
    found = re.fullmatch(
        r"(?:([+-]?\d+)(-\d\d-\d\d) )?(\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?(?: (\S+)|([+-]\d\d:\d\d))?",
        value,
    )
    if not found:
        return value
    year, day, clock, second, part, zone, offset = found.groups()
    part = (part or "").rstrip("0")
    part = part.ljust((len(part) + 2) // 3 * 3, "0")
    clock += (
        f":{second or '00'}.{part}"
        if part
        else f":{second}"
        if second and (second != "00" or not year) and second != "00"
        else ""
    )
    shown = (
        f"{'+' if len(year) > 4 and year[0] not in '+-' else ''}{year}{day}T{clock}"
        if year
        else clock
    )
    if zone:
        from services.athena.python_moments import from_text, zone_of

        if zone == "UTC":
            return shown + "Z[UTC]"
        if len(year) != 4:
            raise trino_error("NOT_SUPPORTED", f"a zone's offset in the year {year}")
        at = from_text(value).replace(tzinfo=zone_of(zone)).strftime("%z")
        shown += f"{at[:3]}:{at[3:5]}" + ("" if zone[0] in "+-" else f"[{zone}]")
    return shown + (offset or "")


def _wide_number(shown: str, flags: str, width: str | None) -> str:
    if width and "0" in flags and "-" not in flags:
        sign = shown[0] if shown[0] in "+-" else ""
        return sign + shown[len(sign) :].rjust(int(width) - len(sign), "0")
    return _wide(shown, flags, width)


def _signed(shown: str, negative: bool, flags: str) -> str:
    if negative:
        return f"({shown})" if "(" in flags else "-" + shown
    return ("+" if "+" in flags else " " if " " in flags else "") + shown


def _integer_text(number: int, kind: str, flags: str, conversion: str) -> str:
    if conversion != "d":
        shown = format(number & ((1 << 64) - 1), conversion)
        return ("0x" if "#" in flags and conversion in "xX" else "") + shown
    return _signed(f"{abs(number):,}" if "," in flags else str(abs(number)), number < 0, flags)


def _float_text(value: str, flags: str, precision: str | None, conversion: str) -> str:
    if value in ("NaN", "Infinity", "-Infinity"):
        return value
    number, places = Decimal(value), int(precision) if precision is not None else 6
    size = abs(number)
    if conversion == "f":
        shown = f"{size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):{',' if ',' in flags else ''}f}"
    elif conversion in "eE":
        shown = f"{float(size):.{places}{conversion}}"
    else:
        places = max(1, places)
        if size != 0 and not (Decimal("0.0001") <= size < Decimal(10) ** places):
            shown = f"{float(size):.{places - 1}{'e' if conversion == 'g' else 'E'}}"
        else:
            whole = len(str(int(size))) if size >= 1 else 1 - (-size.adjusted() if size else 0)
            shown = f"{size.quantize(Decimal(1).scaleb(-(places - whole)), ROUND_HALF_UP):f}"
    return _signed(shown, value.startswith("-"), flags)


def _moment(value: str, kind: str, letter: str) -> str:
    from services.athena.python_moments import from_text

    moment = from_text(value)
    table = {"Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "M": "%M", "S": "%S", "B": "%B", "b": "%b", "A": "%A",
             "a": "%a", "y": "%y", "j": "%j", "F": "%Y-%m-%d", "T": "%H:%M:%S", "D": "%m/%d/%y", "R": "%H:%M",
             "e": "%-d", "L": "%f", "p": "%p", "I": "%I", "h": "%b"}  # fmt: skip
    if letter not in table:
        raise invalid_argument(f"Invalid format string: unknown conversion t{letter}")
    shown = moment.strftime(table[letter])
    return shown[:3] if letter == "L" else shown.lower() if letter == "p" else shown
