"""Regular expressions written for Java, as `agent.json` has them."""

from __future__ import annotations

import re

_POSIX_CLASSES = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Blank": r" \t",
    "Space": r"\s",
    "XDigit": "0-9a-fA-F",
    "ASCII": r"\x00-\x7f",
}


class RegexRefused(ValueError):
    """The expression cannot be used; the message says why."""


def java_regex(text: str) -> re.Pattern[str]:
    """The same expression in Python. Raises RegexRefused.

    In Java `\\d`, `\\w` and `\\s` are ASCII unless told otherwise, and groups are named
    `(?<name>…)`.
    """
    translated = re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", text)
    translated = re.sub(r"\\p\{(\w+)\}", _posix_class, translated)
    try:
        return re.compile(translated, re.ASCII)
    except re.error as error:
        raise RegexRefused(f"{text!r} is no regular expression: {error}") from None


def java_split(pattern: re.Pattern[str], text: str) -> list[str]:
    """Java's String.split: groups add nothing, and empty fields at the end vanish."""
    fields, start = [], 0
    for match in pattern.finditer(text):
        if match.end() == 0:
            continue  # an empty match at the very start makes no field
        if match.start() == match.end() == len(text):
            break
        fields.append(text[start : match.start()])
        start = match.end()
    if not fields:
        return [text]
    fields.append(text[start:])
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _posix_class(match: re.Match[str]) -> str:
    before = match.string[: match.start()]
    if match.group(1) not in _POSIX_CLASSES:
        raise RegexRefused(f"{match.group()} is a class that is not known here")
    content = _POSIX_CLASSES[match.group(1)]
    in_brackets = before.count("[") - before.count("\\[") > before.count("]") - before.count("\\]")
    return content if in_brackets else f"[{content}]"
