"""Rows to a DynamoDB table, keyed by the table's own key: storing a row again changes nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import Any

from botocore.exceptions import ClientError

from consumers.kcl.errors import KclError
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.processors.destination import StoresAtOnce
from consumers.processors.row import Rejection, Row

#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
_BATCH_ITEMS = 25
_BATCH_BYTES = 15 * 1024 * 1024
_ITEM_BYTES = 400 * 1024
_DEEPEST = 32

#: Pauses between tries of what DynamoDB left unprocessed, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0

Item = dict[str, dict[str, Any]]


class TableNotFound(KclError):
    """The table to write to does not exist."""


class DynamoDBTable(StoresAtOnce):
    """A Destination: one item a row, its attributes the row's.

    Of rows with one key the last in the shard's order stays. `parallel_batches` batches of 25
    are under way at a time.
    """

    name = "to_dynamodb"

    def __init__(
        self,
        dynamodb: Any,
        table_name: str,
        *,
        parallel_batches: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._sleep = sleep
        self._key_types: dict[str, str] = {}
        self._parallel_batches = parallel_batches
        self._threads: ThreadPoolExecutor | None = None

    def open(self, stream_name: str, shard_id: str) -> None:
        self._key_types = key_types(self._dynamodb, self._table_name)
        self._threads = ThreadPoolExecutor(
            self._parallel_batches, thread_name_prefix=f"to-dynamodb-{shard_id}"
        )

    def reason_to_reject(self, row: Row) -> str | None:
        for name, kind in self._key_types.items():
            if name not in row.values:
                return f"it has no {name!r}, which is part of the key of table {self._table_name!r}"
            if key_value(row.values[name], kind) is None:
                return f"its {name!r} is {row.values[name]!r}; the key must be of type {kind}"
        if (fault := fault_of(row.values)) is not None:
            return fault
        # An item is about as large as its JSON; only near the limit is it worth counting.
        if len(row.record.data) > _ITEM_BYTES // 2 and item_size(self._item(row)) > _ITEM_BYTES:
            return f"it has {len(row.record.data)} bytes; an item may have 400 KiB"
        return None

    def store(self, rows: Sequence[Row], through: ExtendedSequenceNumber) -> Sequence[Rejection]:
        if rows:
            assert self._threads is not None
            list(self._threads.map(self._write_batch, batches(self._distinct(rows))))
        self._durable_through = through
        return ()

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None

    def _distinct(self, rows: Sequence[Row]) -> list[Item]:
        """One item a key: BatchWriteItem refuses a batch that names a key twice."""
        by_key: dict[tuple[str, ...], Item] = {}
        for row in rows:
            item = self._item(row)
            by_key[tuple(str(item[name]) for name in self._key_types)] = item
        return list(by_key.values())

    def _item(self, row: Row) -> Item:
        item = {name: to_attribute(value) for name, value in row.values.items()}
        for name, kind in self._key_types.items():
            key = key_value(row.values[name], kind)
            assert key is not None
            item[name] = {kind: key}
        return item

    def _write_batch(self, items: Sequence[Item]) -> None:
        left: Any = {self._table_name: [{"PutRequest": {"Item": item}} for item in items]}
        pause = _FIRST_PAUSE
        while left:
            try:
                left = self._dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems")
            except ClientError as error:
                if error.response["Error"]["Code"] not in _THROTTLED:
                    raise
            if left:
                self._sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, _LONGEST_PAUSE)


_THROTTLED = (
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
)


def key_types(dynamodb: Any, table_name: str) -> dict[str, str]:
    """The table's key attributes and their types. Raises TableNotFound, naming those there are."""
    try:
        table = dynamodb.describe_table(TableName=table_name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        there = ", ".join(dynamodb.list_tables()["TableNames"]) or "none"
        raise TableNotFound(f"There is no table {table_name!r}; there are: {there}.") from None
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    return {key["AttributeName"]: types[key["AttributeName"]] for key in table["KeySchema"]}


def batches(items: Sequence[Item]) -> list[list[Item]]:
    """Parts of at most 25 items and 15 MiB (BatchWriteItem takes 16)."""
    parts: list[list[Item]] = []
    size = 0
    for item in items:
        bytes_of_item = item_size(item)
        if not parts or len(parts[-1]) >= _BATCH_ITEMS or size + bytes_of_item > _BATCH_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += bytes_of_item
    return parts


def to_attribute(value: Any) -> dict[str, Any]:
    """A JSON value as DynamoDB's attribute value; numbers keep their shortest decimal form."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [to_attribute(element) for element in value]}
    return {"M": {str(name): to_attribute(element) for name, element in value.items()}}


def fault_of(value: Any, depth: int = 0) -> str | None:
    """Why DynamoDB would refuse a JSON value: its numbers reach from 1E-130 to 9.9…E+125, names
    are not empty, and maps and lists nest 32 deep.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""
    if isinstance(value, float):
        if value and not 1e-130 <= abs(value) < 1e126:
            return f"the number {value!r} is out of DynamoDB's range"
        return None
    if not isinstance(value, dict | list):
        return None
    if depth > _DEEPEST:
        return f"it nests deeper than {_DEEPEST} levels"
    if isinstance(value, list):
        inside = (fault_of(element, depth + 1) for element in value)
    else:
        if "" in value:
            return "it has an attribute without a name"
        inside = (fault_of(element, depth + 1) for element in value.values())
    return next((fault for fault in inside if fault is not None), None)


def key_value(value: Any, kind: str) -> Any:
    """A JSON value as a key of type S, N or B; None when it cannot be one (keys are not empty)."""
    if kind == "N":
        return _number(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        return str(value) if kind == "S" else str(value).encode()
    return None


def item_size(item: Item) -> int:
    """Roughly the bytes DynamoDB counts: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(attribute: dict[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "L":
        return 3 + sum(1 + _value_size(element) for element in value)
    if kind == "M":
        return 3 + item_size(value)
    if kind in ("S", "N"):
        return len(value.encode())
    return len(value) if kind == "B" else 1


def _number(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        is_finite = Decimal(str(value)).is_finite()
    except InvalidOperation:
        return None
    return str(value) if is_finite else None
