"""Requests held against the constraints of AWS's own API model, in AWS's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.loaders

from services.firehose.errors import SerializationFailed, ValidationFailed

type Shape = dict[str, Any]

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "boolean": (bool,),
}
# Python's `re` has no Unicode classes; these two say the same for tags.
_UNICODE_CLASSES = re.compile(r"\\p\{[LZN]\}")
_MAX_REPORTED = 10


@cache
def service_model() -> Shape:
    """Firehose's model as botocore ships it."""
    model: Shape = botocore.loaders.Loader().load_service_model("firehose", "service-2")
    return model


def check(operation: str, request: dict[str, Any]) -> None:
    """Raise ValidationFailed or SerializationFailed when the request does not fit the model."""
    shape = service_model()["operations"][operation]["input"]["shape"]
    found = list(_violations(shape, request, ""))[:_MAX_REPORTED]
    if found:
        plural = "s" if len(found) > 1 else ""
        raise ValidationFailed(
            f"{len(found)} validation error{plural} detected: " + "; ".join(found)
        )


def known_members(shape_name: str, content: dict[str, Any]) -> dict[str, Any]:
    """Only what that structure has members for."""
    members = service_model()["shapes"][shape_name]["members"]
    return {name: value for name, value in content.items() if name in members}


def _violations(shape_name: str, value: Any, path: str) -> Iterator[str]:
    shape = service_model()["shapes"][shape_name]
    _refuse_wrong_type(shape["type"], value)
    yield from _own_violations(shape, value, path)
    if shape["type"] == "structure":
        yield from _member_violations(shape, value, path)
    elif shape["type"] == "list":
        for number, item in enumerate(value, 1):
            yield from _violations(shape["member"]["shape"], item, f"{path}.{number}.member")
    elif shape["type"] == "map":
        for key, item in value.items():
            yield from _violations(shape["value"]["shape"], item, f"{path}.{key}.member")


def _member_violations(shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.get("required", ()):
        if value.get(name) is None:
            where = _join(path, name)
            yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
    for name, member in shape["members"].items():
        if value.get(name) is not None:
            yield from _violations(member["shape"], value[name], _join(path, name))


def _own_violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for rule in _broken_rules(shape, value):
        shown = "*****" if shape.get("sensitive") else _shown(value)
        yield f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must {rule}"


def _broken_rules(shape: Shape, value: Any) -> Iterator[str]:
    is_number = shape["type"] in ("integer", "long", "double")
    size = value if is_number else len(value) if hasattr(value, "__len__") else None
    kind = "have value" if is_number else "have length"
    if size is not None and "max" in shape and size > shape["max"]:
        yield f"{kind} less than or equal to {shape['max']}"
    if size is not None and "min" in shape and size < shape["min"]:
        yield f"{kind} greater than or equal to {shape['min']}"
    if "pattern" in shape and not _compiled(shape["pattern"]).fullmatch(value):
        yield f"satisfy regular expression pattern: {shape['pattern']}"
    if "enum" in shape and value not in shape["enum"]:
        yield f"satisfy enum value set: [{', '.join(shape['enum'])}]"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    python = _UNICODE_CLASSES.sub("", pattern).replace("[_.", r"[\w\s_.")
    # A local sink has no certificate: plain HTTP is accepted, AWS insists on HTTPS.
    return re.compile(python.replace("https:", "https?:"), re.DOTALL)


def _refuse_wrong_type(kind: str, value: Any) -> None:
    wanted = _PYTHON_TYPES.get(kind)
    if wanted is None:
        return
    is_bool_as_number = isinstance(value, bool) and bool not in wanted
    if not isinstance(value, wanted) or is_bool_as_number:
        raise SerializationFailed(f"{type(value).__name__} can not be converted to {kind}")


def _join(path: str, name: str) -> str:
    # AWS shows members the way Java names them: `deliveryStreamName`, `roleARN`.
    java = name[0].lower() + name[1:]
    return f"{path}.{java}" if path else java


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
    return str(value)
