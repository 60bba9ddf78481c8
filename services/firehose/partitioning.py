"""Which partition a record belongs to: jq queries, keys from a transform, sub-records.

https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jq
import orjson

from services.firehose.prefix import (
    MAX_EVALUATED_LENGTH,
    Expression,
    PartitionKeyMissing,
    expressions,
    parse,
    partition_value,
)
from services.firehose.simple_query import simple_query

MAX_ACTIVE_PARTITIONS = 500
#: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
MAX_SUB_RECORDS = 500


class InvalidQuery(ValueError):
    """jq does not compile the query."""


class RecordNotPartitioned(ValueError):
    """This record goes to the error output; `error_code` and the message say why."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code


@lru_cache(maxsize=256)
def compile_query(query: str) -> Any:
    """jq's program. Raises InvalidQuery with jq's own explanation."""
    try:
        return jq.compile(query)
    except ValueError as error:
        raise InvalidQuery(str(error).strip().splitlines()[0]) from None


def keys_of_query(query: str) -> set[str] | None:
    """The keys of the object that a query makes; None when they depend on the record."""
    program = compile_query(query)
    try:
        first = next(iter(program.input_text("null")), None)
    except ValueError:
        return None
    return set(first) if isinstance(first, dict) else None


@lru_cache(maxsize=256)
def _simple(query: str) -> Callable[[bytes], dict[str, str] | None] | None:
    return simple_query(query)


def keys_from_query(query: str, data: bytes) -> dict[str, str]:
    """The partition keys that a record's jq query extracts. Raises RecordNotPartitioned."""
    simple = _simple(query)
    found = simple(data) if simple is not None else None
    return keys_from_jq(query, data) if found is None else found


def keys_from_jq(query: str, data: bytes) -> dict[str, str]:
    """As `keys_from_query`, always by jq itself."""
    try:
        found = next(iter(compile_query(query).input_text(data.decode())), None)
    except (ValueError, UnicodeDecodeError) as error:
        raise RecordNotPartitioned(
            "DynamicPartitioning.MetadataExtractionFailed", f"Non JSON record provided: {error}"
        ) from None
    if not isinstance(found, dict):
        raise RecordNotPartitioned(
            "DynamicPartitioning.MetadataExtractionFailed",
            "The MetadataExtraction query must produce a JSON object.",
        )
    return {name: _key_text(value) for name, value in found.items()}


def _key_text(value: Any) -> str:
    """A key as it stands in an object's key; empty for what no key can be made of."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or (value is not None and not isinstance(value, (dict, list))):
        return json.dumps(value)
    return ""


@lru_cache(maxsize=256)
def partition_expressions(prefix: str) -> tuple[Expression, ...]:
    """The prefix's expressions that differ from partition to partition."""
    return tuple(e for e in expressions(prefix) if e.namespace.startswith("partitionKeyFrom"))


def partition_of(prefix: str, keys: Mapping[str, Mapping[str, str]]) -> str:
    """The partition's name: prefix and keys, as text that `partition_from` reads.

    Raises RecordNotPartitioned.
    """
    return partition_name(prefix, partition_values(prefix, keys))


def partition_values(prefix: str, keys: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """What a record has for the prefix's partition expressions. Raises RecordNotPartitioned."""
    try:
        return tuple([partition_value(e, keys) for e in partition_expressions(prefix)])
    except PartitionKeyMissing as missing:
        raise RecordNotPartitioned(
            "DynamicPartitioning.PartitionKeysMissing", str(missing)
        ) from None


def _literal_length(prefix: str) -> int:
    """What the prefix has beside its partition keys: at least one character an expression."""
    keys = len(partition_expressions(prefix))
    return sum(len(part) if isinstance(part, str) else 1 for part in parse(prefix)) - keys


def partition_name(prefix: str, values: tuple[str, ...]) -> str:
    """The partition of these values; see `partition_of`."""
    if _literal_length(prefix) + sum(map(len, values)) > MAX_EVALUATED_LENGTH:
        raise RecordNotPartitioned(
            "DynamicPartitioning.PrefixTooLong",
            f"Length of evaluated prefix cannot be greater than {MAX_EVALUATED_LENGTH}",
        )
    try:
        return orjson.dumps([prefix, *values]).decode()
    except TypeError:
        raise RecordNotPartitioned(
            "DynamicPartitioning.InvalidPartitionKey", "A partition key is not valid Unicode."
        ) from None


def partition_from(name: str) -> tuple[str, dict[str, dict[str, str]]]:
    """The prefix, which an update may have replaced since, and the keys by namespace."""
    prefix, *values = orjson.loads(name)
    keys: dict[str, dict[str, str]] = {}
    for e, value in zip(partition_expressions(prefix), values, strict=True):
        keys.setdefault(e.namespace, {})[e.value] = value
    return prefix, keys


def sub_records(kind: str, delimiter: str, data: bytes) -> list[bytes]:
    """RecordDeAggregation: the records inside a record. Raises RecordNotPartitioned."""
    try:
        parts = _json_documents(data) if kind == "JSON" else _delimited(delimiter, data)
    except ValueError as error:
        raise RecordNotPartitioned(
            "DynamicPartitioning.DeaggregationFailed", f"Non JSON record provided: {error}"
        ) from None
    if len(parts) > MAX_SUB_RECORDS:
        raise RecordNotPartitioned(
            "DynamicPartitioning.DeaggregationFailed",
            f"A record holds at most {MAX_SUB_RECORDS} records; this one has {len(parts)}.",
        )
    return parts


def _delimited(delimiter: str, data: bytes) -> list[bytes]:
    return [part for part in data.split(base64.b64decode(delimiter)) if part]


def _json_documents(data: bytes) -> list[bytes]:
    """Consecutive JSON objects, without the white space between them."""
    text = data.decode()
    return [text[start:end].encode() for start, end in _document_places(text)]


def _document_places(text: str) -> Iterator[tuple[int, int]]:
    decoder, at = json.JSONDecoder(), 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return
        value, end = decoder.raw_decode(text, at)
        if not isinstance(value, dict):
            raise ValueError("only JSON objects are records, an array is not")
        yield at, end
        at = end
