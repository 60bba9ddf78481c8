"""What an S3 prefix evaluates to: `!{timestamp:…}`, `!{firehose:…}`, `!{partitionKeyFrom…:…}`.

Rules: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from services.firehose.timestamp_pattern import InvalidPattern, compile_pattern, format_timestamp

PARTITION_KEY_FROM_QUERY = "partitionKeyFromQuery"
PARTITION_KEY_FROM_LAMBDA = "partitionKeyFromLambda"
PARTITION_NAMESPACES = (PARTITION_KEY_FROM_QUERY, PARTITION_KEY_FROM_LAMBDA)
NAMESPACES = ("firehose", "timestamp", *PARTITION_NAMESPACES)
DEFAULT_TIMESTAMP = "yyyy/MM/dd/HH/"
MAX_EVALUATED_LENGTH = 512
_RANDOM_STRING_LENGTH = 11


class InvalidPrefix(ValueError):
    """A prefix that the create call refuses; the message is AWS's."""


class PartitionKeyMissing(ValueError):
    """A record has no usable value for a key that the prefix needs."""


@dataclass(frozen=True)
class Expression:
    """`!{namespace:value}`."""

    namespace: str
    value: str


type Part = str | Expression


@dataclass(frozen=True)
class PrefixContext:
    """What the expressions of one object's prefix can refer to. `when` carries the time zone."""

    when: datetime
    error_output_type: str = ""
    partition_keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    random_string: Callable[[], str] = lambda: random_string()


def random_string() -> str:
    """Eleven letters and digits, new at each occurrence."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(_RANDOM_STRING_LENGTH))


@cache
def parse(prefix: str, field_name: str = "Prefix") -> tuple[Part, ...]:
    """Literal text and expressions in order. Raises InvalidPrefix with AWS's message."""
    parts: list[Part] = []
    rest = prefix
    while rest:
        literal, opened, rest = rest.partition("!{")
        if literal:
            parts.append(literal)
        if opened:
            inside, closed, rest = rest.partition("}")
            namespace, colon, value = inside.partition(":")
            if not closed or not colon or not value:
                raise InvalidPrefix("Invalid expression usage")
            parts.append(_expression(namespace, value, field_name))
    return tuple(parts)


def _expression(namespace: str, value: str, field_name: str) -> Expression:
    if namespace not in NAMESPACES:
        raise InvalidPrefix(f"Namespace to the left of colon ({namespace}) is an invalid keyword!")
    refused = InvalidPrefix(
        f"Invalid conversion character used in the value of the expression in {field_name}"
    )
    if namespace == "firehose" and value not in ("error-output-type", "random-string"):
        raise refused
    if namespace == "timestamp":
        try:
            compile_pattern(value)
        except InvalidPattern:
            raise refused from None
    return Expression(namespace, value)


def expressions(prefix: str) -> tuple[Expression, ...]:
    return tuple(part for part in parse(prefix) if isinstance(part, Expression))


def has_expressions(prefix: str) -> bool:
    return "!{" in prefix


def evaluate(prefix: str, context: PrefixContext) -> str:
    """The prefix of a delivered object.

    The documentation says "appends `yyyy/MM/dd/HH/`" of a prefix without a timestamp; a
    partitioned prefix is complete as it is written (its examples have no time in them).
    """
    parts = parse(prefix)
    namespaces = {part.namespace for part in parts if isinstance(part, Expression)}
    if not namespaces & {"timestamp", *PARTITION_NAMESPACES}:
        parts = (*parts, Expression("timestamp", DEFAULT_TIMESTAMP))
    return "".join(_value(part, context) for part in parts)


def evaluate_error_prefix(
    error_output_prefix: str | None, prefix: str | None, context: PrefixContext
) -> str:
    """The prefix of an object with failed records.

    Without expressions the type and the time follow the text; without an ErrorOutputPrefix it is
    Prefix (which then has no expressions) that they follow.
    """
    base = error_output_prefix or prefix or ""
    if has_expressions(base):
        return "".join(_value(part, context) for part in parse(base, "ErrorOutputPrefix"))
    when = format_timestamp(DEFAULT_TIMESTAMP, context.when)
    return f"{base}{context.error_output_type}/{when}"


def _value(part: Part, context: PrefixContext) -> str:
    if isinstance(part, str):
        return part
    if part.namespace == "timestamp":
        return format_timestamp(part.value, context.when)
    if part.namespace == "firehose":
        return (
            context.error_output_type
            if part.value != "random-string"
            else (context.random_string())
        )
    return partition_value(part, context.partition_keys)


def partition_value(part: Expression, keys: Mapping[str, Mapping[str, str]]) -> str:
    """The record's value for one partition expression; raises PartitionKeyMissing."""
    value = keys.get(part.namespace, {}).get(part.value)
    if not value:
        raise PartitionKeyMissing(f"partitionKeys values must not be null or empty: {part.value}")
    return value


def at(timestamp: float, time_zone: str | None) -> datetime:
    """That instant (epoch seconds) in a delivery stream's CustomTimeZone, UTC by default."""
    return datetime.fromtimestamp(timestamp, ZoneInfo(time_zone or "UTC"))
