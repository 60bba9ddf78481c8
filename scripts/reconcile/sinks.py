"""Read what each sink holds: the raw zone's objects, a table's items, the rejected prefix."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson
from boto3.dynamodb.types import TypeDeserializer

from scripts.reconcile.ledger import Place
from scripts.reconcile.measures import REVENUE_COLUMNS, revenue
from scripts.reconcile.reconciliation import Holding

READERS = 8
SCAN_SEGMENTS = 4
Progress = Callable[[int], object]


def silent(rows: int) -> None:
    """No progress wanted."""


@dataclass
class Rejected:
    """The rejected prefix: rows that never were sent, and records that a destination refused.

    `refused`: destination (`row` is all of them) → the records' places in the stream.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, set[Place]] = field(default_factory=dict)

    def ids(self, destination: str, places: Mapping[Place, str]) -> set[str]:
        """Event ids that this destination will rightly never hold."""
        refused = self.refused.get("row", set()) | self.refused.get(destination, set())
        return {places[place] for place in refused if place in places}

    @property
    def records(self) -> int:
        return len(set().union(*self.refused.values())) if self.refused else 0


def read_raw_zone(
    s3: Any, bucket: str, prefix: str, stream_name: str, progress: Progress = silent
) -> Holding:
    """Every event of the stream in the gzip JSON lines below the prefix."""
    holding = Holding(f"lake {bucket}/{prefix}")
    for body in bodies(s3, bucket, prefix, f"/{stream_name}-shardId-"):
        rows = [orjson.loads(line) for line in gzip.decompress(body).splitlines() if line]
        for row in rows:
            holding.add(str(row["event_id"]), revenue(row))
        progress(len(rows))
    return holding


def read_rejected(s3: Any, bucket: str, prefix: str, stream_name: str) -> Rejected:
    """Everything under the rejected prefix that came from this stream or its source files."""
    rejected = Rejected()
    for body in bodies(s3, bucket, prefix, stream_name):
        if body.startswith(b"\x1f\x8b"):  # rows of a source, kept by `riacho produce`
            rejected.rows += [orjson.loads(x) for x in gzip.decompress(body).splitlines()]
            continue
        document = orjson.loads(body)
        place = (
            document["shard_id"],
            document["sequence_number"],
            document["sub_sequence_number"],
        )
        for reason in document["reasons"]:
            rejected.refused.setdefault(reason["destination"], set()).add(place)
    return rejected


def read_table(dynamodb: Any, table_name: str, progress: Progress = silent) -> Holding:
    """Every item's event id and measure, by a parallel Scan of just those attributes."""
    holding = Holding(f"table {table_name}")
    plain = TypeDeserializer().deserialize
    with ThreadPoolExecutor(SCAN_SEGMENTS) as pool:
        segments = pool.map(lambda s: list(_scan(dynamodb, table_name, s)), range(SCAN_SEGMENTS))
        for items in segments:
            for item in items:
                row = {name: plain(value) for name, value in item.items()}
                holding.add(str(row["event_id"]), revenue(row))
            progress(len(items))
    return holding


def bodies(s3: Any, bucket: str, prefix: str, part: str) -> Iterator[bytes]:
    """Every object below the prefix whose key has `part` in it."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [o["Key"] for page in pages for o in page.get("Contents", []) if part in o["Key"]]

    def read(key: str) -> bytes:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(read, keys)


def _scan(dynamodb: Any, table_name: str, segment: int) -> Iterator[dict[str, Any]]:
    columns = ("event_id", *REVENUE_COLUMNS)
    request: dict[str, Any] = {
        "TableName": table_name,
        "Segment": segment,
        "TotalSegments": SCAN_SEGMENTS,
        "ProjectionExpression": ", ".join(f"#c{n}" for n in range(len(columns))),
        "ExpressionAttributeNames": {f"#c{n}": c for n, c in enumerate(columns)},
    }
    while True:
        answer = dynamodb.scan(**request)
        yield from answer["Items"]
        if not (last := answer.get("LastEvaluatedKey")):
            return
        request["ExclusiveStartKey"] = last
