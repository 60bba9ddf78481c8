"""What lies in the lake: prefixes, objects, tables, crawls."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

#: Of a large object only its beginning is shown.
PREVIEW_BYTES = 256 * 1024
#: Parquet is read whole, because its schema stands at the end.
PARQUET_BYTES = 32 * 1024 * 1024
PREVIEW_ROWS = 200
LISTED_AT_MOST = 1000


@dataclass(frozen=True)
class ObjectFacts:
    """One object of a listing."""

    key: str
    size: int
    changed: datetime
    storage_class: str


@dataclass(frozen=True)
class Listing:
    """One level of a bucket. `is_cut`: there is more than is shown."""

    folders: tuple[str, ...]
    objects: tuple[ObjectFacts, ...]
    is_cut: bool


@dataclass(frozen=True)
class Preview:
    """An object's beginning: rows where it has some, else its text."""

    rows: pd.DataFrame | None
    text: str


def bucket_names(s3: Any) -> list[str]:
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def read_listing(s3: Any, bucket: str, prefix: str) -> Listing:
    """The folders and objects directly below a prefix."""
    answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=LISTED_AT_MOST)
    return Listing(
        tuple(item["Prefix"] for item in answer.get("CommonPrefixes", [])),
        tuple(
            ObjectFacts(
                item["Key"],
                item["Size"],
                item["LastModified"],
                item.get("StorageClass", "STANDARD"),
            )
            for item in answer.get("Contents", [])
            if item["Key"] != prefix
        ),
        bool(answer.get("IsTruncated")),
    )


def read_preview(s3: Any, bucket: str, key: str, size: int) -> Preview:
    """The object's first rows or text. Raises botocore's ClientError."""
    if size == 0:
        return Preview(None, "")
    is_parquet = key.endswith(".parquet") and size <= PARQUET_BYTES
    part = {} if is_parquet else {"Range": f"bytes=0-{min(size, PREVIEW_BYTES) - 1}"}
    content = s3.get_object(Bucket=bucket, Key=key, **part)["Body"].read()
    return preview_of(content, key, is_cut=not is_parquet and size > PREVIEW_BYTES)


def preview_of(content: bytes, key: str, is_cut: bool = False) -> Preview:
    """Recognised by what is in it, not by its name. Pure."""
    if content.startswith(b"PAR1"):
        try:
            return Preview(pd.read_parquet(io.BytesIO(content)).head(PREVIEW_ROWS), "")
        except (OSError, ValueError) as wrong:
            return Preview(None, str(wrong))
    if content.startswith(b"\x1f\x8b"):
        content = _opened(content)
    try:
        text = content.decode("utf-8-sig", errors="strict" if not is_cut else "ignore")
    except UnicodeDecodeError:
        return Preview(None, content[:4096].hex(" "))
    lines = text.splitlines()[: PREVIEW_ROWS + 1]
    if is_cut and len(lines) > 1:
        lines = lines[:-1]
    return Preview(_json_rows(lines) if "csv" not in key else _csv_rows(lines), "\n".join(lines))


def _opened(content: bytes) -> bytes:
    """All gzip members, as far as they go."""
    plain = b""
    while content:
        member = zlib.decompressobj(wbits=31)
        try:
            plain += member.decompress(content, PREVIEW_BYTES)
        except (zlib.error, gzip.BadGzipFile):
            return plain
        if not member.eof or len(plain) > PREVIEW_BYTES:
            return plain
        content = member.unused_data
    return plain


def _json_rows(lines: list[str]) -> pd.DataFrame | None:
    rows = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            return None
        if not isinstance(value, dict):
            return None
        rows.append(value)
    return pd.DataFrame(rows) if rows else None


def _csv_rows(lines: list[str]) -> pd.DataFrame | None:
    try:
        return pd.read_csv(io.StringIO("\n".join(lines)), dtype=str, keep_default_na=False)
    except ValueError:
        return None


def read_tables(glue: Any) -> list[dict[str, Any]]:
    """Every table of every database, with its columns."""
    found: list[dict[str, Any]] = []
    for page in glue.get_paginator("get_databases").paginate():
        for database in page["DatabaseList"]:
            tables = glue.get_paginator("get_tables").paginate(DatabaseName=database["Name"])
            found += [table for answer in tables for table in answer["TableList"]]
    return found


def read_partitions(glue: Any, database: str, table: str, limit: int = 200) -> list[dict[str, Any]]:
    answer = glue.get_partitions(DatabaseName=database, TableName=table, MaxResults=limit)
    found: list[dict[str, Any]] = answer["Partitions"]
    return found


def read_crawlers(glue: Any) -> list[dict[str, Any]]:
    """Crawlers with their last crawls in `Crawls`, newest first."""
    crawlers = [
        c for page in glue.get_paginator("get_crawlers").paginate() for c in page["Crawlers"]
    ]
    return [
        crawler | {"Crawls": glue.list_crawls(CrawlerName=crawler["Name"], MaxResults=20)["Crawls"]}
        for crawler in crawlers
    ]


def column_rows(table: dict[str, Any]) -> list[dict[str, str]]:
    """A table's columns and partition keys as rows. Pure."""
    columns = (table.get("StorageDescriptor") or {}).get("Columns", [])
    keys = table.get("PartitionKeys", [])
    return [
        {"column": c["Name"], "type": c.get("Type", ""), "partition": part}
        for part, group in (("", columns), ("✓", keys))
        for c in group
    ]
