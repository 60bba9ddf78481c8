"""Partition keys from jq queries and transforms; records inside records."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firehose.partitioning import (
    InvalidQuery,
    RecordNotPartitioned,
    compile_query,
    keys_from_query,
    keys_of_query,
    partition_from,
    partition_of,
    sub_records,
)

PREFIX = "c=!{partitionKeyFromLambda:customer}/d=!{partitionKeyFromQuery:device}/"


def test_the_documentation_s_example_query_extracts_its_keys() -> None:
    query = (
        '{customer_id: .customer_id, device: .type.device, year: .event_timestamp|strftime("%Y")}'
    )
    data = json.dumps(
        {
            "type": {"device": "mobile", "event": "user_clicked_submit_button"},
            "customer_id": "1234567890",
            "event_timestamp": 1630442383,
        }
    ).encode()
    assert keys_from_query(query, data) == {
        "customer_id": "1234567890",
        "device": "mobile",
        "year": "2021",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (7, "7"), (1.5, "1.5"), (True, "true"), (None, ""), ([1], ""), ({}, ""), ("", "")],
)
def test_keys_are_text_and_what_has_none_is_empty(value: Any, text: str) -> None:
    assert keys_from_query("{k: .v}", json.dumps({"v": value}).encode()) == {"k": text}


@pytest.mark.parametrize("data", [b"not json", b"", b"\xff\xfe", b'{"v":'])
def test_a_record_that_is_no_json_is_not_partitioned(data: bytes) -> None:
    with pytest.raises(RecordNotPartitioned) as refused:
        keys_from_query("{k: .v}", data)
    assert refused.value.error_code == "DynamicPartitioning.MetadataExtractionFailed"


def test_a_query_that_fails_or_makes_no_object_is_an_error_of_the_record() -> None:
    for query in (".v", "empty", "{k: (.v | tonumber)}"):
        with pytest.raises(RecordNotPartitioned):
            keys_from_query(query, b'{"v": "x"}')


def test_a_query_that_jq_does_not_compile_is_told() -> None:
    with pytest.raises(InvalidQuery):
        compile_query("{k: .v")


def test_the_keys_of_a_query_are_known_without_a_record() -> None:
    assert keys_of_query("{a: .x, b: .y.z}") == {"a", "b"}
    assert keys_of_query(".x | tonumber") is None


def test_a_partition_is_named_by_its_keys_and_gives_them_back() -> None:
    keys = {
        "partitionKeyFromLambda": {"customer": "7", "unused": "x"},
        "partitionKeyFromQuery": {"device": "tv"},
    }
    name = partition_of(PREFIX, keys)
    assert partition_from(name) == (
        PREFIX,
        {
            "partitionKeyFromLambda": {"customer": "7"},
            "partitionKeyFromQuery": {"device": "tv"},
        },
    )


def test_a_key_that_the_prefix_needs_may_not_be_missing() -> None:
    with pytest.raises(RecordNotPartitioned, match="must not be null or empty: device"):
        partition_of(PREFIX, {"partitionKeyFromLambda": {"customer": "7"}})


@pytest.mark.parametrize(
    ("device", "error_code"),
    [("x" * 513, "PrefixTooLong"), ("\ud800", "InvalidPartitionKey")],
)
def test_a_key_that_no_object_can_have_is_an_error_of_the_record(
    device: str, error_code: str
) -> None:
    keys = {
        "partitionKeyFromLambda": {"customer": "7"},
        "partitionKeyFromQuery": {"device": device},
    }
    with pytest.raises(RecordNotPartitioned) as refused:
        partition_of(PREFIX, keys)
    assert refused.value.error_code == f"DynamicPartitioning.{error_code}"


def test_json_sub_records_lose_the_newlines_between_them() -> None:
    assert sub_records("JSON", "", b'{"a":1}{"a": "}{"}\n\n {"a":3}\n') == [
        b'{"a":1}',
        b'{"a": "}{"}',
        b'{"a":3}',
    ]


@pytest.mark.parametrize("data", [b'[{"a":1}]', b'{"a":1}x', b"\xff", b'"text"'])
def test_what_is_not_a_row_of_objects_is_not_taken_apart(data: bytes) -> None:
    with pytest.raises(RecordNotPartitioned):
        sub_records("JSON", "", data)


def test_a_record_holds_at_most_five_hundred_records() -> None:
    assert len(sub_records("JSON", "", b"{}" * 500)) == 500
    with pytest.raises(RecordNotPartitioned, match="at most 500"):
        sub_records("JSON", "", b"{}" * 501)


@given(st.lists(st.binary(min_size=1).filter(lambda part: b"#" not in part)))
def test_delimited_sub_records_are_those_between_the_delimiters(parts: list[bytes]) -> None:
    delimiter = base64.b64encode(b"####").decode()
    assert sub_records("DELIMITED", delimiter, b"####".join(parts)) == parts


def test_the_text_of_a_prefix_counts_towards_the_512_characters_of_an_evaluated_one() -> None:
    def name(length: int) -> str:
        keys = {"partitionKeyFromQuery": {"k": "v" * length}}
        return partition_of("x" * 400 + "/!{partitionKeyFromQuery:k}/", keys)

    assert partition_from(name(110))[1] == {"partitionKeyFromQuery": {"k": "v" * 110}}
    with pytest.raises(RecordNotPartitioned) as refused:
        name(111)
    assert refused.value.error_code == "DynamicPartitioning.PrefixTooLong"
