"""Which shards a ListShards filter means, and the tokens of its pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from services.kinesis.errors import KinesisError, invalid_argument
from services.kinesis.shard import Shard
from services.kinesis.shard_iterator import LIFETIME_MILLIS, seal, unseal


class ShardFilter(NamedTuple):
    """AWS's ShardFilter. Times in seconds since 1970."""

    type: str
    shard_id: str | None = None
    timestamp: float | None = None


class Page(NamedTuple):
    """What a NextToken stands for."""

    account_id: str
    region: str
    stream_name: str
    stream_id: str
    after: str
    filter: ShardFilter | None
    created_millis: int


def parse_filter(request: dict[str, Any] | None) -> ShardFilter | None:
    """Raises InvalidArgumentException when the type's own parameter is missing."""
    if request is None:
        return None
    found = ShardFilter(request["Type"], request.get("ShardId"), request.get("Timestamp"))
    if found.type == "AFTER_SHARD_ID" and found.shard_id is None:
        raise invalid_argument("ShardId must be provided for ShardFilter type AFTER_SHARD_ID.")
    if found.type in {"AT_TIMESTAMP", "FROM_TIMESTAMP"} and found.timestamp is None:
        raise invalid_argument(f"Timestamp must be provided for ShardFilter type {found.type}.")
    return found


def matching(
    shards: Sequence[Shard], shard_filter: ShardFilter | None, trim_horizon: float
) -> list[Shard]:
    """The shards a filter means. `trim_horizon` is not before the stream's creation.

    At one moment, shards that were open then: https://docs.aws.amazon.com/kinesis/latest/
    APIReference/API_ShardFilter.html. AT_TRIM_HORIZON covers every hash key exactly once, which
    is what the KCL starts from.
    """
    if shard_filter is None or shard_filter.type == "FROM_TRIM_HORIZON":
        return list(shards)
    kind, moment = shard_filter.type, shard_filter.timestamp or 0.0
    if kind == "AFTER_SHARD_ID":
        return [s for s in shards if s.shard_id > (shard_filter.shard_id or "")]
    if kind == "AT_LATEST":
        return [s for s in shards if s.closed_at is None]
    if kind == "FROM_TIMESTAMP":
        return [s for s in shards if s.closed_at is None or s.closed_at >= moment]
    if kind == "AT_TIMESTAMP":
        return [
            s
            for s in shards
            if s.created_at <= moment and (s.closed_at is None or s.closed_at >= moment)
        ]
    return [
        s
        for s in shards
        if s.created_at <= trim_horizon and (s.closed_at is None or s.closed_at > trim_horizon)
    ]


def encode_page(page: Page) -> str:
    *place, shard_filter, created_millis = page
    return seal([*place, shard_filter and [*shard_filter], created_millis])


def decode_page(token: str, now_millis: int) -> Page:
    """Raises ExpiredNextTokenException after five minutes, InvalidArgumentException for others."""
    try:
        fields = Page(*unseal(token))
    except (ValueError, TypeError):
        raise invalid_argument(f"NextToken {token} is invalid.") from None
    if now_millis - fields.created_millis > LIFETIME_MILLIS:
        raise KinesisError(
            "ExpiredNextTokenException",
            "The pagination token expired: it was made more than "
            f"{LIFETIME_MILLIS // 1000} seconds ago.",
        )
    return fields._replace(filter=ShardFilter(*fields.filter) if fields.filter else None)
