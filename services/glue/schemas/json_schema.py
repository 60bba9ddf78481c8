"""JSON schemas: is everything that one allows allowed by another. Pure, and on the safe side:
what it cannot compare counts as incompatible unless both say the same."""

from __future__ import annotations

import json
from typing import Any

from services.glue.schemas.avro_schema import SchemaRefused

TYPES = ("null", "boolean", "object", "array", "number", "integer", "string")
#: Keywords that allow or forbid nothing.
ANNOTATIONS = frozenset(
    {"$schema", "$id", "id", "title", "description", "default", "examples", "$comment"}
    | {"definitions", "$defs", "readOnly", "writeOnly", "deprecated"}
)
#: (keyword, whether a larger value forbids more)
BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "minProperties": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
    "maxProperties": False,
}
COMPARED = frozenset({"type", "enum", "const", "properties", "required", "items"}) | {
    "additionalProperties",
    *BOUNDS,
}
DRAFTS = ("draft-04", "draft-06", "draft-07")


class JsonSchema:
    """A parsed schema."""

    def __init__(self, definition: str) -> None:
        """Raises SchemaRefused."""
        try:
            self.root = json.loads(definition)
        except ValueError as wrong:
            raise SchemaRefused(str(wrong)) from None
        if not isinstance(self.root, dict | bool):
            raise SchemaRefused("A JSON schema is an object or a boolean.")
        _check(self.root, "#")

    def reads(self, writer: JsonSchema) -> bool:
        """Whether every document that `writer` allows is allowed by this schema."""
        return _allows(self.root, writer.root)


def _check(schema: Any, where: str) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise SchemaRefused(f"{where}: a schema is an object or a boolean")
    draft = schema.get("$schema", "")
    if where == "#" and draft and not any(known in str(draft) for known in DRAFTS):
        raise SchemaRefused(f"{draft}: drafts 04, 06 and 07 are supported")
    for kind in _types(schema):
        if kind not in TYPES:
            raise SchemaRefused(f"{where}/type: {kind} is not a type")
    if not isinstance(schema.get("required", []), list | bool):
        raise SchemaRefused(f"{where}/required: must be a list of names")
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise SchemaRefused(f"{where}/properties: must be an object")
    for name, inner in properties.items():
        _check(inner, f"{where}/properties/{name}")


def _types(schema: dict[str, Any]) -> list[Any]:
    kind = schema.get("type", list(TYPES))
    return kind if isinstance(kind, list) else [kind]


def _allows(reader: Any, writer: Any) -> bool:
    if reader is True or reader == {} or writer is False or reader == writer:
        return True
    if not isinstance(reader, dict) or not isinstance(writer, dict):
        return False
    return (
        _allows_types(reader, writer)
        and _allows_values(reader, writer)
        and _allows_bounds(reader, writer)
        and _allows_objects(reader, writer)
        and ("items" not in reader or _allows(reader["items"], writer.get("items", True)))
        and _allows_rest(reader, writer)
    )


def _allows_types(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    allowed = set(_types(reader))
    allowed |= {"integer"} if "number" in allowed else set()
    return set(_types(writer)) <= allowed


def _allows_values(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    options, written = _values(reader), _values(writer)
    if options is None:
        return True
    return written is not None and all(value in options for value in written)


def _values(schema: dict[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    options = schema.get("enum")
    return options if isinstance(options, list) else None


def _allows_bounds(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    for keyword, larger_is_stricter in BOUNDS.items():
        if keyword not in reader:
            continue
        if keyword not in writer:
            return False
        stricter = reader[keyword] > writer[keyword]
        if reader[keyword] != writer[keyword] and stricter is larger_is_stricter:
            return False
    return True


def _allows_objects(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    required, promised = set(reader.get("required") or []), set(writer.get("required") or [])
    if not required <= promised:
        return False
    properties, written = reader.get("properties", {}), writer.get("properties", {})
    others, others_written = _others(reader), _others(writer)
    for name in properties.keys() | written.keys():
        inner = properties.get(name, others)
        if not _allows(inner, written.get(name, others_written)):
            return False
    return _allows(others, others_written)


def _others(schema: dict[str, Any]) -> Any:
    return schema.get("additionalProperties", True)


def _allows_rest(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    unknown = reader.keys() - COMPARED - ANNOTATIONS
    return all(keyword in writer and reader[keyword] == writer[keyword] for keyword in unknown)
