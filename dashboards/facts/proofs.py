"""Proofs that `riacho reconcile` kept in the lake: `reconcile/<stream>/<time>.json`."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "reconcile/"
PROOFS_READ = 50


def read_proofs(s3: Any) -> list[dict[str, Any]]:
    """The newest proofs of every bucket, newest first, each with `bucket` and `at`."""
    found: list[tuple[str, str, str]] = []
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=PREFIX):
            for item in page.get("Contents", []):
                if item["Key"].endswith(".json"):
                    found.append((moment_of(item["Key"]), name, item["Key"]))
    newest = sorted(found, reverse=True)[:PROOFS_READ]
    return [
        json.loads(s3.get_object(Bucket=name, Key=key)["Body"].read()) | {"bucket": name, "at": at}
        for at, name, key in newest
    ]


def moment_of(key: str) -> str:
    """`2024-01-31 05:06:07` of a proof's key. Pure."""
    stamp = key.rpartition("/")[2].removesuffix(".json")
    day, _, time = stamp.partition("T")
    return f"{day} {time.partition('.')[0].replace('-', ':')}"


def verdict_rows(proof: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per sink, plain values only. Pure."""
    return [
        {name: value for name, value in verdict.items() if not isinstance(value, list | dict)}
        for verdict in proof.get("verdicts", [])
    ]
