"""May this definition be the next version? Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from services.glue.schemas.avro_schema import AvroSchema, SchemaRefused
from services.glue.schemas.json_schema import JsonSchema

PARSERS: dict[str, type[AvroSchema] | type[JsonSchema]] = {"AVRO": AvroSchema, "JSON": JsonSchema}
#: Modes that compare nothing; the only ones for Protobuf here.
UNCHECKED = ("NONE", "DISABLED")


def check_definition(data_format: str, definition: str) -> None:
    """Raise SchemaRefused when it is no schema of this format."""
    if data_format in PARSERS:
        PARSERS[data_format](definition)
    elif not re.search(r"\b(message|enum)\s+\w+\s*\{", definition) or (
        definition.count("{") != definition.count("}")
    ):
        raise SchemaRefused("no message or enum is defined")


def may_follow(
    data_format: str, compatibility: str, definition: str, earlier: Sequence[str]
) -> bool:
    """Whether the definition keeps the promise towards earlier ones, oldest first.

    BACKWARD: the new one reads what the last wrote; FORWARD: the last reads what the new one
    writes; FULL: both; _ALL: towards every earlier one."""
    if compatibility in UNCHECKED or not earlier or data_format not in PARSERS:
        return True
    parse = PARSERS[data_format]
    new = parse(definition)
    for text in earlier if compatibility.endswith("_ALL") else earlier[-1:]:
        old = parse(text)
        direction = compatibility.removesuffix("_ALL")
        if direction in ("BACKWARD", "FULL") and not new.reads(old):  # type: ignore[arg-type]
            return False
        if direction in ("FORWARD", "FULL") and not old.reads(new):  # type: ignore[arg-type]
            return False
    return True


def same_definition(data_format: str, one: str, other: str) -> bool:
    """Blanks and the order of keys make no new version of Avro and JSON."""
    if data_format == "PROTOBUF":
        return one == other
    return bool(json.loads(one) == json.loads(other))
