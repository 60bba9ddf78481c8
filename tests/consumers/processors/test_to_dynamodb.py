"""JSON rows as DynamoDB items, in batches that BatchWriteItem takes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from consumers.processors.row import split_rows
from consumers.processors.to_dynamodb import (
    DynamoDBTable,
    batches,
    fault_of,
    item_size,
    key_value,
    to_attribute,
)
from tests.consumers.processors.records import record


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        ("", {"S": ""}),
        (True, {"BOOL": True}),
        (None, {"NULL": True}),
        (7, {"N": "7"}),
        (2.55, {"N": "2.55"}),
        (0.1, {"N": "0.1"}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": {"b": 1}}, {"M": {"a": {"M": {"b": {"N": "1"}}}}}),
    ],
)
def test_a_json_value_becomes_an_attribute(value: Any, attribute: dict[str, Any]) -> None:
    assert to_attribute(value) == attribute


@pytest.mark.parametrize(
    ("value", "kind", "key"),
    [
        ("a", "S", "a"),
        (7, "S", "7"),
        ("7", "N", "7"),
        (7.5, "N", "7.5"),
        ("a", "B", b"a"),
        ("", "S", None),
        (None, "S", None),
        (True, "S", None),
        (True, "N", None),
        ("seven", "N", None),
        ("NaN", "N", None),
        ([1], "S", None),
    ],
)
def test_a_key_has_the_type_that_the_table_asks_for(value: Any, kind: str, key: Any) -> None:
    assert key_value(value, kind) == key


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": 1e300}, "out of DynamoDB's range"),
        ({"a": [{"b": -1e-200}]}, "out of DynamoDB's range"),
        ({"a": {"": 1}}, "without a name"),
        ({"a": nested(33)}, "deeper than 32"),
    ],
)
def test_what_dynamodb_would_refuse_is_known_before(value: Any, told: str) -> None:
    assert told in (fault_of(value) or "")


@pytest.mark.parametrize("value", [{"a": 0.0}, {"a": -2.5}, {"a": nested(30)}, {"a": {"b": []}}])
def test_what_dynamodb_takes_has_no_fault(value: Any) -> None:
    assert fault_of(value) is None


@given(st.lists(st.integers(0, 400_000), max_size=200))
def test_batches_hold_everything_in_order_and_stay_within_the_limits(sizes: list[int]) -> None:
    items = [{"k": {"S": str(n)}, "v": {"S": "x" * size}} for n, size in enumerate(sizes)]
    parts = batches(items)
    assert [item for part in parts for item in part] == items
    assert all(1 <= len(part) <= 25 for part in parts)
    assert all(sum(item_size(item) for item in part) <= 16 * 1024 * 1024 for part in parts)


class Table:
    """A DynamoDB that leaves part of each batch unprocessed, as AWS does when it is busy."""

    def __init__(self, takes: int, *errors: Exception) -> None:
        self._takes, self._errors = takes, list(errors)
        self.items: list[Any] = []

    def describe_table(self, **_: Any) -> dict[str, Any]:
        attributes = [{"AttributeName": "event_id", "AttributeType": "S"}]
        keys = [{"AttributeName": "event_id", "KeyType": "HASH"}]
        return {"Table": {"AttributeDefinitions": attributes, "KeySchema": keys}}

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        if self._errors:
            raise self._errors.pop(0)
        ((name, requests),) = RequestItems.items()
        self.items += [request["PutRequest"]["Item"] for request in requests[: self._takes]]
        left = requests[self._takes :]
        return {"UnprocessedItems": {name: left} if left else {}}


def test_unprocessed_items_are_written_again_until_all_are() -> None:
    throttled: Any = {"Error": {"Code": "ProvisionedThroughputExceededException"}}
    busy = Table(7, ClientError(throttled, "BatchWriteItem"))
    destination = DynamoDBTable(busy, "t", parallel_batches=1, sleep=lambda _: None)
    destination.open("stream", "shardId-0")
    rows, _ = split_rows([record(n) for n in range(1, 61)])
    destination.store(rows, rows[-1].record.position)
    destination.close()
    assert sorted(int(item["event_id"]["S"]) for item in busy.items) == list(range(1, 61))
