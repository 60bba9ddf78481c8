"""A stream's shards, its newest records, and the leases of who reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from services.kinesis.aggregation import unpack

HASH_KEYS = 2**128
#: A record is shown up to this many characters; a megabyte would only freeze the browser.
SHOWN_CHARACTERS = 2000
TAIL_SECONDS = 60.0


@dataclass(frozen=True)
class ShardBar:
    """A shard as a bar: its share of the hash keys from left to right (0 to 1), and its
    generation, 0 for the first ones."""

    shard_id: str
    start: float
    end: float
    generation: int
    is_open: bool
    parents: tuple[str, ...]


@dataclass(frozen=True)
class TailRecord:
    """A record as the tail shows it. `user_records` counts what an aggregate holds."""

    shard_id: str
    sequence_number: str
    partition_key: str
    arrived: datetime | None
    size: int
    text: str
    user_records: int = 1


@dataclass(frozen=True)
class LeaseFacts:
    """One lease of a KCL application."""

    application: str
    lease_key: str
    owner: str
    counter: int
    checkpoint: str


def stream_names(kinesis: Any) -> list[str]:
    pages = kinesis.get_paginator("list_streams").paginate()
    return [name for page in pages for name in page["StreamNames"]]


def read_shards(kinesis: Any, stream_name: str) -> list[dict[str, Any]]:
    """Every shard, open or closed, over all pages."""
    answer = kinesis.list_shards(StreamName=stream_name)
    shards = list(answer["Shards"])
    while token := answer.get("NextToken"):
        answer = kinesis.list_shards(NextToken=token)
        shards += answer["Shards"]
    return shards


def shard_bars(shards: Sequence[dict[str, Any]]) -> list[ShardBar]:
    """Bars in rows of generations: a child stands below its parents. Pure."""
    generations: dict[str, int] = {}
    bars = []
    for shard in sorted(shards, key=lambda s: s["ShardId"]):
        wanted = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
        parents = tuple(parent for parent in wanted if parent)
        known = [generations[parent] for parent in parents if parent in generations]
        generations[shard["ShardId"]] = max(known, default=-1) + 1
        keys = shard["HashKeyRange"]
        bars.append(
            ShardBar(
                shard["ShardId"],
                int(keys["StartingHashKey"]) / HASH_KEYS,
                (int(keys["EndingHashKey"]) + 1) / HASH_KEYS,
                generations[shard["ShardId"]],
                "EndingSequenceNumber" not in shard["SequenceNumberRange"],
                parents,
            )
        )
    return bars


def adjacent_pairs(bars: Sequence[ShardBar]) -> list[tuple[str, str]]:
    """Open shards that MergeShards accepts together. Pure."""
    still_open = sorted((bar for bar in bars if bar.is_open), key=lambda bar: bar.start)
    pairs = pairwise(still_open)
    return [(one.shard_id, other.shard_id) for one, other in pairs if one.end == other.start]


def middle_hash_key(shards: Sequence[dict[str, Any]], shard_id: str) -> str:
    """Where SplitShard halves a shard. Pure."""
    (keys,) = [shard["HashKeyRange"] for shard in shards if shard["ShardId"] == shard_id]
    start, end = int(keys["StartingHashKey"]), int(keys["EndingHashKey"])
    return str(start + (end - start + 1) // 2)


def read_tail(
    kinesis: Any, stream_name: str, shard_ids: Sequence[str], now: float, limit: int = 50
) -> list[TailRecord]:
    """The newest records of the last minute, newest first. Reads each shard once."""
    found: list[TailRecord] = []
    for shard_id in shard_ids:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream_name,
            ShardId=shard_id,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=now - TAIL_SECONDS,
        )["ShardIterator"]
        answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
        found += [tail_record(shard_id, record) for record in answer["Records"][-limit:]]
    newest = sorted(found, key=lambda r: int(r.sequence_number), reverse=True)
    return newest[:limit]


def tail_record(shard_id: str, record: dict[str, Any]) -> TailRecord:
    """A record made readable, an aggregate of the KPL opened. Pure."""
    data: bytes = record["Data"]
    inner = unpack(data)
    text = readable(inner[0].data if inner else data)
    return TailRecord(
        shard_id,
        record["SequenceNumber"],
        inner[0].partition_key if inner else record["PartitionKey"],
        record.get("ApproximateArrivalTimestamp"),
        len(data),
        text,
        len(inner) if inner else 1,
    )


def readable(data: bytes) -> str:
    """JSON on one line, other text as it is, anything else in base64. Pure."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _cut("base64:" + base64.b64encode(data[:SHOWN_CHARACTERS]).decode())
    try:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        text = "".join(character if character.isprintable() else "·" for character in text)
    return _cut(text)


def read_leases(dynamodb: Any) -> list[LeaseFacts]:
    """The leases in every lease table: a table whose key is `leaseKey` is a KCL's."""
    leases = []
    for page in dynamodb.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            keys = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
            if [key["AttributeName"] for key in keys] == ["leaseKey"]:
                items = dynamodb.get_paginator("scan").paginate(TableName=name)
                leases += [lease(name, item) for answer in items for item in answer["Items"]]
    return leases


def lease(application: str, item: dict[str, Any]) -> LeaseFacts:
    """KCL's item. Pure."""
    return LeaseFacts(
        application,
        item["leaseKey"].get("S", ""),
        item.get("leaseOwner", {}).get("S", ""),
        int(item.get("leaseCounter", {}).get("N", "0")),
        item.get("checkpoint", {}).get("S", ""),
    )


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} …"
