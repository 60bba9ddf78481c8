"""jq queries that only name fields, `{page: .page, device: .type.device}`, answered without jq.

Most MetadataExtraction queries are of this kind, and jq takes ten times as long for them. Wherever
jq might answer differently (numbers that are no small integers, values inside of values, text that
is no single JSON document, errors), nothing is answered here and jq is asked: what is answered is
what jq answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import orjson

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
#: Without escapes and interpolation a string of jq means itself.
_TEXT = r'"[^"\\\x00-\x1f]*"'
_STEP = rf"\.(?:{_NAME}|{_TEXT}|\[{_TEXT}\])"
_FIELD = re.compile(rf"\s*({_NAME}|{_TEXT})\s*:\s*((?:{_STEP})+)\s*")
_STEPS = re.compile(rf"\.\[?({_NAME}|{_TEXT})")
#: Beyond it a double, and so jq, has no exact integers.
_MOST = 2**53

type Fields = tuple[tuple[str, tuple[str, ...]], ...]


def fields_of(query: str) -> Fields | None:
    """The keys and the path of each, when that is all the query says. `query` is one that jq
    compiles."""
    inside = query.strip()
    if not (inside.startswith("{") and inside.endswith("}")):
        return None
    at, end, fields = 1, len(inside) - 1, []
    while True:
        found = _FIELD.match(inside, at, end)
        if found is None:
            return None
        path = tuple(_plain(step) for step in _STEPS.findall(found[2]))
        fields.append((_plain(found[1]), path))
        if found.end() == end:
            return tuple(fields)
        if inside[found.end()] != ",":
            return None
        at = found.end() + 1


def _plain(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name


def simple_query(query: str) -> Callable[[bytes], dict[str, str] | None] | None:
    """The partition keys of a record's bytes as text, or None where jq has to decide; no function
    at all for a query that does more than name fields."""
    fields = fields_of(query)
    if fields is None:
        return None

    def keys(data: bytes) -> dict[str, str] | None:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
        found = {}
        for name, path in fields:
            value = document
            for step in path:
                if type(value) is not dict:
                    return None
                value = value.get(step)
            text = value if type(value) is str else _text(value)
            if text is None:
                return None
            found[name] = text
        return found

    return keys


def _text(value: object) -> str | None:
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is int and -_MOST < value < _MOST:
        return str(value)
    return None
