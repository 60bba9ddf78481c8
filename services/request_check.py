"""Is a request what AWS's service model demands? AWS's own sentences when it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape


class WrongType(Exception):
    """A member is of another JSON type than the model's: AWS's SerializationException."""


@cache
def service_operation(service: str, operation: str) -> OperationModel:
    """The operation as botocore's model describes it."""
    return _service_model(service).operation_model(operation)


@cache
def operation_names(service: str) -> frozenset[str]:
    """All operations of AWS's service, built here or not."""
    return frozenset(_service_model(service).operation_names)


@cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def failures(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """A sentence for each member that breaks the model's rules. Raises WrongType."""
    shape = service_operation(service, operation).input_shape
    return list(_failures(shape, request, "")) if shape else []


def detected(failures: list[str]) -> str:
    """`2 validation errors detected: …; …`"""
    count = "1 validation error" if len(failures) == 1 else f"{len(failures)} validation errors"
    return f"{count} detected: " + "; ".join(failures)


#: How JSON spells each type of the model; a boolean is no number.
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
}


def _failures(shape: Shape, value: Any, where: str) -> Iterator[str]:
    kinds = PYTHON_TYPES.get(shape.type_name)
    if kinds and (type(value) not in kinds):
        raise WrongType(
            f"{type(value).__name__} value found where a {shape.type_name} is expected: "
            f"{where or 'the request'}"
        )
    if shape.type_name == "structure":
        yield from _structure_failures(shape, value, where)
    elif shape.type_name == "list":
        yield from _length_failures(shape, value, where)
        for position, item in enumerate(value):
            yield from _failures(shape.member, item, f"{where}.{position + 1}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _failures(shape.value, item, f"{where}.{key}.member")
    elif shape.type_name == "string":
        yield from _length_failures(shape, value, where)
        yield from _text_failures(shape, value, where)
    elif shape.type_name in ("integer", "long"):
        yield from _range_failures(shape, value, where)


def _structure_failures(shape: Any, value: Any, where: str) -> Iterator[str]:
    prefix = f"{where}." if where else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield _failure(None, prefix + _lower_first(name), "Member must not be null")
    for name, item in value.items():
        if item is not None and name in shape.members:
            yield from _failures(shape.members[name], item, prefix + _lower_first(name))


def _length_failures(shape: Shape, value: Any, where: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        yield _failure(value, where, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _failure(value, where, f"Member must have length less than or equal to {high}")


def _range_failures(shape: Shape, value: Any, where: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        yield _failure(value, where, f"Member must have value greater than or equal to {low}")
    if high is not None and value > high:
        yield _failure(value, where, f"Member must have value less than or equal to {high}")


def _text_failures(shape: Any, value: str, where: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        yield _failure(value, where, f"Member must satisfy enum value set: [{allowed}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield _failure(value, where, f"Member must satisfy regular expression pattern: {pattern}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A Java pattern as Python reads it: surrogate pairs become the characters they spell."""
    text = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010ffff")
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        # `\p{L}` and its like: only TransactionId has them, and no transaction exists here.
        return re.compile(".*", re.DOTALL)


def _failure(value: Any, where: str, rule: str) -> str:
    shown = "null" if value is None else str(value)
    return f"Value '{shown}' at '{where}' failed to satisfy constraint: {rule}".replace(
        "Value 'null'", "Value null"
    )


def _lower_first(name: str) -> str:
    return name[0].lower() + name[1:]
