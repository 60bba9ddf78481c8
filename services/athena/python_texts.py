"""String functions in Python, as Java and Trino define them."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata

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


def from_utf8(x: bytes, new: str | None) -> str:
    if new is None or new == "":
        return x.decode("utf-8", "replace" if new is None else "ignore")
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


#: Bytes of UTF-8 that LISTAGG gives.
LONGEST_LIST = 1_048_576


def truncated(
    values: list[str | None] | None, separator: str, filler: str, with_count: bool
) -> str | None:
    """LISTAGG (… ON OVERFLOW TRUNCATE filler WITH COUNT): as many values as fit, then the filler."""
    given = [v for v in values or [] if v is not None]
    if not given:
        return None
    size, taken, between = 0, 0, len(separator.encode())
    for value in given:
        size += len(value.encode()) + (between if taken else 0)
        if size > LONGEST_LIST:
            break
        taken += 1
    shown = given[:taken]
    if taken < len(given):
        shown.append(filler + (f"({len(given) - taken})" if with_count else ""))
    return separator.join(shown)
