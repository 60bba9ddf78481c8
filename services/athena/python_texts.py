"""String, pattern, URL and formatting functions in Python, as Java and Trino define them."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
import urllib.parse
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

import regex  # type: ignore[import-untyped]

from services.athena.python_errors import invalid_argument, trino_error


def upper(x: str) -> str:
    """Code point by code point: Trino does not make `SS` of `ß`."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in x)


def chr_(n: int) -> str:
    if not 0 <= n <= 0x10FFFF:
        raise invalid_argument(f"Not a valid Unicode code point: {n}")
    return chr(n)


def codepoint(x: str) -> int:
    if len(x) != 1:
        raise invalid_argument("Input string must be a single character string")
    return ord(x)


def strpos(x: str, part: str, instance: int) -> int:
    if instance == 0:
        raise invalid_argument("'instance' must be a positive or negative number.")
    if part == "":
        return 1
    at = -1 if instance > 0 else len(x) + 1
    for _ in range(abs(instance)):
        if instance > 0:
            at = x.find(part, at + 1)
        else:
            at = x.rfind(part, 0, max(0, at + len(part) - 1)) if at > 0 else -1
        if at < 0:
            return 0
    return at + 1


def replace(x: str, search: str, new: str) -> str:
    return x.replace(search, new)


def reverse(x: str) -> str:
    return x[::-1]


def levenshtein(a: str, b: str) -> int:
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        current = [i]
        for j, y in enumerate(b, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (x != y)))
        previous = current
    return previous[-1]


def hamming(a: str, b: str) -> int:
    if len(a) != len(b):
        raise invalid_argument(
            "The input strings to hamming_distance function must have the same length"
        )
    return sum(x != y for x, y in zip(a, b, strict=True))


def soundex(x: str) -> str:
    codes = {**dict.fromkeys("BFPV", "1"), **dict.fromkeys("CGJKQSXZ", "2"), **dict.fromkeys("DT", "3"),
             "L": "4", **dict.fromkeys("MN", "5"), "R": "6"}  # fmt: skip
    letters = [c for c in x.upper() if c.isalpha()]
    if not letters:
        return ""
    out, last = letters[0], codes.get(letters[0], "")
    for c in letters[1:]:
        code = codes.get(c, "")
        if code and code != last:
            out += code
        if c not in "HW":
            last = code
    return (out + "000")[:4]


def luhn(x: str) -> bool:
    if not x:
        return False
    if not x.isdigit():
        raise invalid_argument("Number must be non-negative and only digits")
    total = 0
    for place, c in enumerate(reversed(x)):
        digit = int(c) * (2 if place % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def translate(x: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for place, c in enumerate(old):
        table.setdefault(ord(c), new[place] if place < len(new) else None)
    return x.translate(table)


def split(x: str, delimiter: str, limit: int) -> list[str]:
    if delimiter == "":
        raise invalid_argument("The delimiter may not be the empty string")
    if limit == -1:
        return x.split(delimiter)
    if limit <= 0:
        raise invalid_argument("Limit must be positive")
    return x.split(delimiter, limit - 1)


def split_part(x: str, delimiter: str, index: int) -> str | None:
    if index <= 0:
        raise invalid_argument("Index must be greater than zero")
    parts = [*x, ""] if delimiter == "" else x.split(delimiter)
    if delimiter == "" and index > len(x):
        return None
    return parts[index - 1] if index <= len(parts) else None


def pad(x: str, size: int, letters: str, left: bool) -> str:
    if not 0 <= size <= 2**31 - 1:
        raise invalid_argument(f"Target length must be in the range [0..{2**31 - 1}]")
    if letters == "":
        raise invalid_argument("Padding string must not be empty")
    if size <= len(x):
        return x[:size]
    fill = "".join(itertools.islice(itertools.cycle(letters), size - len(x)))
    return fill + x if left else x + fill


def normalize(x: str, form: str) -> str:
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise invalid_argument("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
    return unicodedata.normalize(form, x)  # type: ignore[arg-type]


def join(separator: str, parts: list[str | None]) -> str:
    return separator.join(part for part in parts if part is not None)


def like(x: str, pattern: str, escape: str) -> bool:
    if len(escape) > 1:
        raise invalid_argument("Escape string must be a single character")
    out, at = [], 0
    while at < len(pattern):
        c = pattern[at]
        if escape and c == escape:
            at += 1
            if at >= len(pattern) or pattern[at] not in ("%", "_", escape):
                raise invalid_argument(
                    "Escape character must be followed by '%', '_' or the escape character itself"
                )
            out.append(re.escape(pattern[at]))
        else:
            out.append({"%": ".*", "_": "."}.get(c) or re.escape(c))
        at += 1
    return re.fullmatch("".join(out), x, re.DOTALL) is not None


def split_to_map(x: str, entries: str, pair: str) -> str:
    out: dict[str, str] = {}
    for key, value in _pairs(x, entries, pair):
        if key in out:
            raise invalid_argument(
                f"Duplicate keys ({key}) are not allowed. Specifying a lambda to resolve conflicts can avoid this error"
            )
        out[key] = value
    return json.dumps([{"key": k, "value": v} for k, v in out.items()])


def split_to_multimap(x: str, entries: str, pair: str) -> str:
    out: dict[str, list[str]] = {}
    for key, value in _pairs(x, entries, pair):
        out.setdefault(key, []).append(value)
    return json.dumps([{"key": k, "value": v} for k, v in out.items()])


def _pairs(x: str, entries: str, pair: str) -> list[tuple[str, str]]:
    if not entries:
        raise invalid_argument("entryDelimiter is empty")
    if not pair:
        raise invalid_argument("keyValueDelimiter is empty")
    if entries == pair:
        raise invalid_argument("entryDelimiter and keyValueDelimiter must not be the same")
    found = []
    parts = x.split(entries)
    if parts and parts[-1] == "":
        parts = parts[:-1]
    for part in parts:
        key, found_pair, value = part.partition(pair)
        if not found_pair or pair in value:
            raise invalid_argument(
                f"Key-value delimiter must appear exactly once in each entry. Bad input: '{part}'"
            )
        found.append((key, value))
    return found


# --- regular expressions, Java's syntax


@lru_cache(512)
def compiled(pattern: str) -> Any:
    try:
        return regex.compile(_python_pattern(pattern), regex.V0)
    except regex.error as error:
        raise invalid_argument(f"{error} in regular expression {pattern}") from None


def _python_pattern(pattern: str) -> str:
    pattern = re.sub(r"\(\?<([A-Za-z]\w*)>", r"(?P<\1>", pattern)
    pattern = pattern.replace(r"\p{javaLowerCase}", r"\p{Ll}").replace(
        r"\p{javaUpperCase}", r"\p{Lu}"
    )
    pattern = re.sub(
        r"\\p\{(Alpha|Digit|Alnum|Punct|Space|Upper|Lower|Blank|Cntrl|XDigit|Graph|Print)\}",
        lambda f: f"[[:{f[1].lower()}:]]" if False else rf"\p{{posix_{f[1].lower()}}}",
        pattern,
    )
    return (
        "(?a)" + pattern
        if re.search(r"\\[dwsb]", pattern) and not re.search(r"\\p", pattern)
        else pattern
    )


def regexp_like(x: str, pattern: str) -> bool:
    return compiled(pattern).search(x) is not None


def _group(found: Any, group: int) -> str | None:
    value: str | None = found.group(group)
    return value


def _check_group(pattern: str, group: int) -> None:
    if group < 0:
        raise invalid_argument("Group cannot be negative")
    if group > compiled(pattern).groups:
        raise invalid_argument(
            f"Pattern has {compiled(pattern).groups} groups. Cannot access group {group}"
        )


def regexp_extract(x: str, pattern: str, group: int) -> str | None:
    _check_group(pattern, group)
    found = compiled(pattern).search(x)
    return _group(found, group) if found else None


def regexp_extract_all(x: str, pattern: str, group: int) -> list[str | None]:
    _check_group(pattern, group)
    return [_group(found, group) for found in compiled(pattern).finditer(x)]


def regexp_split(x: str, pattern: str) -> list[str]:
    out, last = [], 0
    for found in compiled(pattern).finditer(x):
        out.append(x[last : found.start()])
        last = found.end()
    return [*out, x[last:]]


def regexp_count(x: str, pattern: str) -> int:
    return sum(1 for _ in compiled(pattern).finditer(x))


def regexp_position(x: str, pattern: str, start: int, occurrence: int) -> int:
    if start < 1:
        raise invalid_argument("start position cannot be smaller than 1")
    if occurrence < 1:
        raise invalid_argument("occurrence cannot be smaller than 1")
    if start > len(x):
        return -1
    for place, found in enumerate(compiled(pattern).finditer(x, start - 1), 1):
        if place == occurrence:
            return int(found.start()) + 1
    return -1


def regexp_replace(x: str, pattern: str, replacement: str) -> str:
    """`$1`, `${name}`; a backslash escapes."""
    matcher = compiled(pattern)
    parts = _replacement(replacement, matcher.groups, tuple(matcher.groupindex))

    def new(found: Any) -> str:
        return "".join(p if isinstance(p, str) else (found.group(p[0]) or "") for p in parts)

    out, last = [], 0
    for found in matcher.finditer(x):
        out += [x[last : found.start()], new(found)]
        last = found.end()
    return "".join(out) + x[last:]


@lru_cache(512)
def _replacement(text: str, groups: int, names: tuple[str, ...]) -> list[Any]:
    parts: list[Any] = []
    at = 0
    while at < len(text):
        c = text[at]
        if c == "\\":
            at += 1
            if at >= len(text):
                raise invalid_argument("Illegal replacement sequence: " + text)
            parts.append(text[at])
        elif c == "$":
            named = re.match(r"\{([A-Za-z]\w*)\}", text[at + 1 :])
            number = re.match(r"\d+", text[at + 1 :])
            if named:
                if named[1] not in names:
                    raise invalid_argument(
                        f"Illegal replacement sequence: unknown group {{ {named[1]} }}"
                    )
                parts.append((named[1],))
                at += len(named[0])
            elif number:
                digits = number[0]
                length = 1
                while length < len(digits) and int(digits[: length + 1]) <= groups:
                    length += 1
                if int(digits[:length]) > groups:
                    raise invalid_argument(
                        "Illegal replacement sequence: unknown group " + digits[:length]
                    )
                parts.append((int(digits[:length]),))
                at += length
            else:
                raise invalid_argument("Illegal replacement sequence: " + text)
        else:
            parts.append(c)
        at += 1
    return parts


def regexp_pieces(x: str, pattern: str) -> list[dict[str, Any]]:
    """The text in pieces: `s` between matches, `g` the groups of a match."""
    out: list[dict[str, Any]] = []
    last = 0
    for found in compiled(pattern).finditer(x):
        out.append({"s": x[last : found.start()], "g": None})
        out.append({"s": None, "g": list(found.groups())})
        last = found.end()
    return [*out, {"s": x[last:], "g": None}]


# --- URLs


def url(x: str, part: str) -> str | None:
    """RFC 2396, as java.net.URI reads it; a text that is no URI gives NULL."""
    if re.search(r"[\s<>\"{}|\\^`]", x) or re.search(r"%(?![0-9A-Fa-f]{2})", x):
        return None
    found = re.match(
        r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$", x
    )
    if not found:
        return None
    scheme, authority, path, query, fragment = found.groups()
    if scheme and authority is None and not path.startswith("/"):  # opaque: `mailto:a@b`
        path, query = "", None
    host, port = _host(authority or "")
    if part == "raw query":
        return query
    decode = urllib.parse.unquote
    return {"protocol": scheme or "", "host": host, "port": port, "path": decode(path or ""),
            "query": decode(query or ""), "fragment": decode(fragment or "")}[part]  # fmt: skip


_HOST = re.compile(r"(?:[^@]*@)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+)(?::(\d*))?")


def _host(authority: str) -> tuple[str, str | None]:
    """(host, port); an authority that names no host, as `exa_mple.com`, has neither."""
    found = _HOST.fullmatch(authority)
    return (found[1], found[2] or None) if found else ("", None)


def url_parameter(x: str, name: str) -> str | None:
    query = url(x, "raw query")
    if not query:
        return None
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if urllib.parse.unquote_plus(key) == name:
            return urllib.parse.unquote_plus(value)
    return None


def url_encode(x: str) -> str:
    return urllib.parse.quote_plus(x, safe="*-._").replace("~", "%7E")


def url_decode(x: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", x):
        raise invalid_argument("URLDecoder: Incomplete trailing escape (%) pattern")
    return urllib.parse.unquote_plus(x)


# --- formatting


def seconds_text(seconds: float) -> str:
    if seconds != seconds or seconds in (float("inf"), float("-inf")):
        raise invalid_argument("Invalid argument found: " + str(seconds))
    left = abs(round_half_even(seconds))
    words: list[str] = []
    for name, size in (
        ("week", 604800),
        ("day", 86400),
        ("hour", 3600),
        ("minute", 60),
        ("second", 1),
    ):
        count, left = divmod(left, size)
        if count or (name == "second" and not words):
            words.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(words)


def round_half_even(x: float) -> int:
    return int(Decimal(x).quantize(Decimal(1), ROUND_HALF_UP))


_SIZES = {
    "B": 1,
    "kB": 2**10,
    "MB": 2**20,
    "GB": 2**30,
    "TB": 2**40,
    "PB": 2**50,
    "EB": 2**60,
    "ZB": 2**70,
    "YB": 2**80,
}


def data_size(x: str) -> str:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]+)", x)
    if not found or found[2] not in _SIZES:
        raise invalid_argument(f"Invalid data size: '{x}'")
    return str(int(Decimal(found[1]) * _SIZES[found[2]]))


_DURATIONS = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60000),
    "h": Decimal(3600000),
    "d": Decimal(86400000),
}


def duration(x: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", x)
    if not found or found[2] not in _DURATIONS:
        raise invalid_argument(f"duration is not a valid data duration string: {x}")
    return int((Decimal(found[1]) * _DURATIONS[found[2]]).quantize(Decimal(1), ROUND_HALF_UP))


def short_number(x: str) -> str:
    """`123456` as `123K`; fractions are cut off first."""
    number = Decimal(
        min(
            max(int(_finite(float(x)) if "." in x or "e" in x or x[-1] in "nfy" else x), -(2**63)),
            2**63 - 1,
        )
    )
    size = abs(number)
    for limit, suffix in ((10**15, "Q"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if size >= limit:
            return _short(number / limit) + suffix
    return _short(number)


def _finite(x: float) -> float:
    return 0.0 if x != x else min(max(x, -1e19), 1e19)


def _short(number: Decimal) -> str:
    places = 2 if number < 10 else (1 if number < 100 else 0)  # a negative number is below 10
    shown = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


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


def from_utf8(x: bytes, new: str | None) -> str:
    if new is None or new == "":
        return x.decode("utf-8", "replace") if new is None else x.decode("utf-8", "ignore")
    if len(new) > 1:
        raise invalid_argument("Replacement character string must empty or a single character")
    return x.decode("utf-8", "replace").replace("\ufffd", new)


def ip(x: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(x))
    except ValueError:
        raise trino_error("INVALID_CAST_ARGUMENT", f"Cannot cast value to IPADDRESS: {x}") from None


def ip_bytes(x: str) -> bytes:
    """The 16 bytes of an address; an IPv4 address is mapped into IPv6."""
    import ipaddress

    found = ipaddress.ip_address(x)
    mapped = b"" if found.version == 6 else bytes(10) + b"\xff\xff"
    return mapped + found.packed
