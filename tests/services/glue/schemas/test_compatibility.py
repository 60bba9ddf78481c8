"""Which definition may follow which."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.glue.schemas.avro_schema import AvroSchema, SchemaRefused
from services.glue.schemas.compatibility import check_definition, may_follow
from services.glue.schemas.json_schema import JsonSchema


def record(*fields: Any, name: str = "R") -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


ID = {"name": "id", "type": "int"}
LONG_ID = {"name": "id", "type": "long"}
NEW = {"name": "new", "type": "string"}
OPTIONAL = {"name": "new", "type": ["null", "string"], "default": None}
COLOUR = {"type": "enum", "name": "C", "symbols": ["red"]}
COLOURS = {"type": "enum", "name": "C", "symbols": ["red", "blue"]}


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        (record(ID), record(ID, NEW), False, True),
        (record(ID), record(ID, OPTIONAL), True, True),
        (record(ID, NEW), record(ID), True, False),
        (record(ID), record(LONG_ID), True, False),
        (record(ID), record({"name": "id", "type": "string"}), False, False),
        (
            record({"name": "c", "type": COLOUR}),
            record({"name": "c", "type": COLOURS}),
            True,
            False,
        ),
        (record(ID), record({"name": "key", "type": "int", "aliases": ["id"]}), True, False),
        (record(ID), record(ID, name="Other"), False, False),
        ('"int"', '["null", "int"]', True, False),
        (
            json.dumps({"type": "array", "items": "int"}),
            json.dumps({"type": "array", "items": "double"}),
            True,
            False,
        ),
    ],
)
def test_avro_follows_its_resolution_rules(
    old: str, new: str, backward: bool, forward: bool
) -> None:
    assert may_follow("AVRO", "BACKWARD", new, [old]) is backward
    assert may_follow("AVRO", "FORWARD", new, [old]) is forward
    assert may_follow("AVRO", "FULL", new, [old]) is (backward and forward)
    assert may_follow("AVRO", "NONE", new, [old])


def test_a_recursive_record_is_compared_to_its_end() -> None:
    def tree(kind: str) -> str:
        child = {"name": "next", "type": ["null", "T"], "default": None}
        return record({"name": "v", "type": kind}, child, name="T")

    assert may_follow("AVRO", "BACKWARD", tree("long"), [tree("int")])
    assert not may_follow("AVRO", "BACKWARD", tree("int"), [tree("long")])


def test_all_looks_at_every_earlier_version() -> None:
    first, second = record(ID, NEW), record(ID)
    third = record(ID, {"name": "new", "type": "long", "default": 0})
    assert may_follow("AVRO", "BACKWARD", third, [first, second])
    assert not may_follow("AVRO", "BACKWARD_ALL", third, [first, second])


@pytest.mark.parametrize(
    ("old", "new", "backward"),
    [
        ({"type": "integer"}, {"type": "number"}, True),
        ({"type": "number"}, {"type": "integer"}, False),
        ({"maximum": 5}, {"maximum": 9}, True),
        ({"minLength": 5}, {"minLength": 9}, False),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, True),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, False),
        ({"properties": {"a": {"type": "string"}}}, {"required": ["a"]}, False),
        ({"required": ["a", "b"]}, {"required": ["a"]}, True),
        ({"additionalProperties": False}, {}, True),
        ({}, {"additionalProperties": False}, False),
        ({}, {"properties": {"a": {"type": "string"}}}, False),
        (
            {"additionalProperties": False},
            {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
            True,
        ),
        ({"items": {"type": "integer"}}, {"items": {"type": "number"}}, True),
        ({"pattern": "a"}, {"pattern": "a", "title": "t"}, True),
        ({"title": "x"}, {"pattern": "a"}, False),
    ],
)
def test_json_schema_allows_what_the_old_one_allowed(
    old: dict[str, Any], new: dict[str, Any], backward: bool
) -> None:
    assert may_follow("JSON", "BACKWARD", json.dumps(new), [json.dumps(old)]) is backward


@pytest.mark.parametrize(
    ("data_format", "definition"),
    [
        ("AVRO", "{"),
        ("AVRO", '{"type": "record", "name": "R"}'),
        ("AVRO", '{"type": "record", "name": "1R", "fields": []}'),
        ("AVRO", record({"name": "a", "type": "Nope"})),
        ("AVRO", record(ID, ID)),
        ("AVRO", '{"type": "array"}'),
        ("JSON", "[]"),
        ("JSON", '{"type": "text"}'),
        ("JSON", '{"$schema": "https://json-schema.org/draft/2020-12/schema"}'),
        ("PROTOBUF", 'syntax = "proto3";'),
        ("PROTOBUF", "message A { int32 a = 1;"),
    ],
)
def test_what_is_no_schema_is_refused(data_format: str, definition: str) -> None:
    with pytest.raises(SchemaRefused):
        check_definition(data_format, definition)


AVRO_TYPES = st.recursive(
    st.sampled_from(["int", "long", "double", "string", "bytes", "boolean"]),
    lambda inner: (
        st.builds(lambda t: {"type": "array", "items": t}, inner)
        | st.builds(lambda t: {"type": "map", "values": t}, inner)
        | st.builds(lambda t: ["null", t] if isinstance(t, str) else t, inner)
    ),
    max_leaves=4,
)


@given(AVRO_TYPES)
def test_every_avro_schema_reads_what_itself_wrote(schema: Any) -> None:
    parsed = AvroSchema(record({"name": "f", "type": schema}))
    assert parsed.reads(AvroSchema(record({"name": "f", "type": schema})))


JSON_SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "number", "integer", "string"]),
        "minimum": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "required": st.lists(st.sampled_from("ab"), max_size=2),
        "additionalProperties": st.booleans(),
    },
)


@given(JSON_SCHEMAS, JSON_SCHEMAS, JSON_SCHEMAS)
def test_reading_json_is_reflexive_and_transitive(a: Any, b: Any, c: Any) -> None:
    one, two, three = (JsonSchema(json.dumps(schema)) for schema in (a, b, c))
    assert one.reads(one)
    if one.reads(two) and two.reads(three):
        assert one.reads(three)
