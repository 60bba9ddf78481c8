"""Avro schemas: is one valid, and can data written with one be read with another. Pure.

https://avro.apache.org/docs/1.11.1/specification/#schema-resolution
"""

from __future__ import annotations

import json
import re
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
#: What a reader's type also reads.
PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "string": {"bytes"},
    "bytes": {"string"},
}


class SchemaRefused(ValueError):
    """Not a schema; the message says where."""


class AvroSchema:
    """A parsed schema: the root type, and the named types in it by full name."""

    def __init__(self, definition: str) -> None:
        """Raises SchemaRefused."""
        self.named: dict[str, dict[str, Any]] = {}
        try:
            content = json.loads(definition)
        except ValueError as wrong:
            raise SchemaRefused(str(wrong)) from None
        self.root = self._resolved(content, "")

    def reads(self, writer: AvroSchema) -> bool:
        """Whether data of `writer` can be read with this schema."""
        return _reads(self.root, writer.root, self, writer, frozenset())

    def _resolved(self, schema: Any, namespace: str) -> Any:
        """The schema with full names; checks it on the way."""
        if isinstance(schema, str):
            return self._name(schema, namespace)
        if isinstance(schema, list):
            return [self._resolved(part, namespace) for part in schema]
        if not isinstance(schema, dict) or "type" not in schema:
            raise SchemaRefused(f'No "type" property: {json.dumps(schema)}')
        kind = schema["type"]
        if kind in NAMED:
            return self._named_type(schema, kind, namespace)
        if kind == "array":
            return {"type": "array", "items": self._inner(schema, "items", namespace)}
        if kind == "map":
            return {"type": "map", "values": self._inner(schema, "values", namespace)}
        return self._resolved(kind, namespace)

    def _inner(self, schema: dict[str, Any], member: str, namespace: str) -> Any:
        if member not in schema:
            raise SchemaRefused(f"{schema['type']} has no {member}")
        return self._resolved(schema[member], namespace)

    def _name(self, name: str, namespace: str) -> str:
        if name in PRIMITIVES:
            return name
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        for candidate in (full, name):
            if candidate in self.named:
                return candidate
        raise SchemaRefused(f"Undefined name: {json.dumps(name)}")

    def _named_type(self, schema: dict[str, Any], kind: str, namespace: str) -> str:
        name = schema.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise SchemaRefused(f"Illegal name: {name}")
        namespace = name.rpartition(".")[0] or schema.get("namespace", namespace)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full in self.named:
            raise SchemaRefused(f"Can't redefine: {full}")
        body: dict[str, Any] = {"type": kind, "name": full}
        self.named[full] = body
        body["aliases"] = [
            alias if "." in alias or not namespace else f"{namespace}.{alias}"
            for alias in schema.get("aliases", [])
        ]
        if kind == "enum":
            body["symbols"] = _symbols(schema)
            body["default"] = schema.get("default")
        elif kind == "fixed":
            body["size"] = schema.get("size")
            if not isinstance(body["size"], int):
                raise SchemaRefused(f"Invalid or no size: {json.dumps(schema)}")
        else:
            body["fields"] = self._fields(schema, namespace)
        return full

    def _fields(self, schema: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise SchemaRefused(f"Record has no fields: {json.dumps(schema)}")
        resolved = []
        for field in fields:
            if not isinstance(field, dict) or not NAME.fullmatch(str(field.get("name", ""))):
                raise SchemaRefused(f"Illegal field: {json.dumps(field)}")
            if "type" not in field:
                raise SchemaRefused(f"No field type: {field['name']}")
            resolved.append(field | {"type": self._resolved(field["type"], namespace)})
        if len({field["name"] for field in resolved}) < len(resolved):
            raise SchemaRefused(f"Duplicate field in record {schema['name']}")
        return resolved


def _symbols(schema: dict[str, Any]) -> list[str]:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(s, str) for s in symbols):
        raise SchemaRefused(f"Enum has no symbols: {json.dumps(schema)}")
    return symbols


def _reads(
    reader: Any, writer: Any, of: AvroSchema, by: AvroSchema, seen: frozenset[tuple[str, str]]
) -> bool:
    if isinstance(writer, list):
        return all(_reads(reader, part, of, by, seen) for part in writer)
    if isinstance(reader, list):
        return any(_reads(part, writer, of, by, seen) for part in reader)
    if isinstance(reader, str) and isinstance(writer, str):
        if reader in PRIMITIVES or writer in PRIMITIVES:
            return reader == writer or writer in PROMOTIONS.get(reader, ())
        if (reader, writer) in seen:
            return True
        inside = seen | {(reader, writer)}
        return _reads_named(of.named[reader], by.named[writer], of, by, inside)
    if isinstance(reader, dict) and isinstance(writer, dict) and reader["type"] == writer["type"]:
        inner = "items" if reader["type"] == "array" else "values"
        return _reads(reader[inner], writer[inner], of, by, seen)
    return False


def _reads_named(
    reader: dict[str, Any],
    writer: dict[str, Any],
    of: AvroSchema,
    by: AvroSchema,
    seen: frozenset[tuple[str, str]],
) -> bool:
    if reader["type"] != writer["type"] or not _same_name(reader, writer):
        return False
    if reader["type"] == "enum":
        known = set(writer["symbols"]) <= set(reader["symbols"])
        return known or reader["default"] is not None
    if reader["type"] == "fixed":
        return bool(reader["size"] == writer["size"])
    written = {field["name"]: field["type"] for field in writer["fields"]}
    for field in reader["fields"]:
        name = next((n for n in (field["name"], *field.get("aliases", [])) if n in written), None)
        if name is None and "default" not in field:
            return False
        if name is not None and not _reads(field["type"], written[name], of, by, seen):
            return False
    return True


def _same_name(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    """By the last part, or by an alias, as Avro resolves."""
    wanted = writer["name"].rpartition(".")[2]
    return any(name.rpartition(".")[2] == wanted for name in (reader["name"], *reader["aliases"]))
