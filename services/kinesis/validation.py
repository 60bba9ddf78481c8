"""Checks requests against the service model, with AWS's codes and sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from services.kinesis.errors import KinesisError, serialization_error, validation_error


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One member of a request: its type and the constraints AWS checks.

    `minimum` and `maximum` bound an Integer's value and everything else's length; `key_lengths`
    and `value_lengths` bound a Map's keys and values, `value_lengths` also a List's strings.
    A `hidden` value is left out of AWS's sentence.
    """

    kind: str
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    member: Shape | None = None
    members: Mapping[str, Shape] = field(default_factory=dict)
    key_lengths: tuple[int, int] | None = None
    value_lengths: tuple[int, int] | None = None
    hidden: bool = False


def check_request(request: Mapping[str, Any], shape: Shape) -> None:
    """Raises SerializationException for a wrong type, ValidationException for a broken rule."""
    _check_type(request, shape)
    if failures := list(_failures("", request, shape)):
        raise validation_error(*failures)


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "String": ((str,), "can not be converted to an String"),
    "Integer": ((int,), "can not be converted to an Integer"),
    "Boolean": ((bool,), "can not be converted to an Boolean"),
    "Timestamp": ((int, float), "can not be converted to milliseconds since epoch"),
    "Blob": ((bytes,), "can not be converted to a Blob"),
    "List": ((list,), "Expected list or null"),
    "Map": ((dict,), "Expected map or null"),
    "Structure": ((dict,), "Expected null"),
}

_JAVA_NAMES: dict[type, str] = {
    bool: "class java.lang.Boolean",
    int: "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    float: "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    str: "class java.lang.String",
}


def _check_type(value: Any, shape: Shape) -> None:
    if value is None:
        return
    if not _has_type(value, shape.kind):
        raise _wrong_type(value, _TYPES[shape.kind][1])
    for name, member in shape.members.items():
        _check_type(value.get(name), member)
    if shape.member is not None:
        for item in value.values() if isinstance(value, dict) else value:
            _check_type(item, shape.member)


def _has_type(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "Boolean"
    if isinstance(value, str) and not value.isascii() and not _is_unicode(value):
        return False
    return isinstance(value, _TYPES[kind][0])


def _is_unicode(text: str) -> bool:
    # JSON may spell half of a surrogate pair, which no UTF-8 has.
    return not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


def _wrong_type(value: Any, sentence: str) -> KinesisError:
    if sentence.startswith("Expected") and not isinstance(value, list | dict):
        return serialization_error(sentence)
    if isinstance(value, list):
        return serialization_error("Start of list found where not expected")
    if isinstance(value, dict):
        return serialization_error("Start of structure or map found where not expected.")
    java_name = _JAVA_NAMES.get(type(value), f"class {type(value).__name__}")
    return serialization_error(f"{java_name} {sentence}")


def _failures(path: str, value: Any, shape: Shape) -> Iterator[str]:
    if value is None:
        if shape.required:
            yield _sentence("null", path, "Member must not be null")
        return
    for rule in _RULES:
        if constraint := rule(value, shape):
            yield _sentence(_shown(value, shape), path, constraint)
    if shape.kind == "Structure":
        for name, member in shape.members.items():
            yield from _failures(_join(path, name[0].lower() + name[1:]), value.get(name), member)
    elif shape.kind == "List" and shape.member is not None:
        for i, item in enumerate(value, start=1):
            yield from _failures(f"{path}.{i}.member", item, shape.member)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _sentence(shown: str, path: str, constraint: str) -> str:
    value = f"Value {shown}" if shown else "Value"
    return f"{value} at '{path}' failed to satisfy constraint: {constraint}"


def _shown(value: Any, shape: Shape) -> str:
    if shape.hidden or shape.kind == "Blob":
        return ""
    if isinstance(value, list):
        return f"'[{', '.join(map(str, value))}]'"
    if isinstance(value, dict):
        return f"'{{{', '.join(f'{k}={v}' for k, v in value.items())}}}'"
    return f"'{value}'"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _pattern(value: Any, shape: Shape) -> str | None:
    if not shape.pattern or _compiled(shape.pattern).fullmatch(value):
        return None
    return f"Member must satisfy regular expression pattern: {shape.pattern}"


def _choice(value: Any, shape: Shape) -> str | None:
    if not shape.choices or value in shape.choices:
        return None
    return f"Member must satisfy enum value set: [{', '.join(shape.choices)}]"


def _minimum(value: Any, shape: Shape) -> str | None:
    size, what = (value, "value") if shape.kind == "Integer" else (_length(value, shape), "length")
    if shape.minimum is None or size >= shape.minimum:
        return None
    return f"Member must have {what} greater than or equal to {shape.minimum}"


def _maximum(value: Any, shape: Shape) -> str | None:
    size, what = (value, "value") if shape.kind == "Integer" else (_length(value, shape), "length")
    if shape.maximum is None or size <= shape.maximum:
        return None
    return f"Member must have {what} less than or equal to {shape.maximum}"


def _length(value: Any, shape: Shape) -> int:
    return len(value) if shape.kind in {"String", "Blob", "List", "Map"} else 0


def _keys(value: Any, shape: Shape) -> str | None:
    return _lengths(value, shape.key_lengths, "Map keys must")


def _values(value: Any, shape: Shape) -> str | None:
    if isinstance(value, dict):
        return _lengths(value.values(), shape.value_lengths, "Map value must")
    return _lengths(value, shape.value_lengths, "Member must")


def _lengths(texts: Any, bounds: tuple[int, int] | None, subject: str) -> str | None:
    if bounds is None or all(bounds[0] <= len(text or "") <= bounds[1] for text in texts):
        return None
    return (
        f"{subject} satisfy constraint: [Member must have length less than or equal to "
        f"{bounds[1]}, Member must have length greater than or equal to {bounds[0]}]"
    )


_RULES: tuple[Callable[[Any, Shape], str | None], ...] = (
    _pattern,
    _choice,
    _minimum,
    _maximum,
    _keys,
    _values,
)
