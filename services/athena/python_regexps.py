"""Regular expressions in Java's syntax, in Python."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import regex  # type: ignore[import-untyped]

from services.athena.python_errors import invalid_argument


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
        lambda f: rf"\p{{posix_{f[1].lower()}}}",
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
