"""Paths of a crawl: S3 addresses, exclusions, what is hidden, names of tables. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple


class S3Path(NamedTuple):
    """A bucket and a key or prefix."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_s3_path(text: str) -> S3Path | None:
    """`s3://bucket/prefix` in its parts; None for what is no such address."""
    match = re.fullmatch(r"s3[an]?://([a-z0-9][a-z0-9._-]{1,62})(?:/(.*))?", text)
    return S3Path(match[1], match[2] or "") if match else None


def is_hidden(key: str) -> bool:
    """Files and folders beginning with `_` or `.`, and Hadoop's folder markers."""
    return key.endswith(("/", "_$folder$")) or any(
        part.startswith(("_", ".")) for part in key.split("/") if part
    )


def exclusion_pattern(patterns: Sequence[str]) -> re.Pattern[str] | None:
    """Glue's exclude patterns as one expression, to match the path below the include path.

    `*` stays in one folder, `**` crosses folders, `?`, `[a-z]`, `{a,b}`.
    https://docs.aws.amazon.com/glue/latest/dg/define-crawler.html"""
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{_glob(pattern)})" for pattern in patterns))


def _glob(pattern: str) -> str:
    out, at, in_braces = "", 0, False
    while at < len(pattern):
        piece = pattern[at]
        if pattern.startswith("**", at):
            out, at = out + ".*", at + 2
            continue
        if piece == "[" and (end := pattern.find("]", at)) > 0:
            inside = pattern[at + 1 : end].replace("\\", "\\\\")
            out += "[" + ("^" + inside[1:] if inside.startswith("!") else inside) + "]"
            at = end + 1
            continue
        if piece == "\\" and at + 1 < len(pattern):
            out, at = out + re.escape(pattern[at + 1]), at + 2
            continue
        if piece in "{}":
            in_braces = piece == "{"
            out += "(?:" if in_braces else ")"
        else:
            out += {"*": "[^/]*", "?": "[^/]", ",": "|" if in_braces else ","}.get(
                piece, re.escape(piece)
            )
        at += 1
    return out if out.count("(?:") == out.count(")") else re.escape(pattern)


def table_name(location: S3Path, prefix: str = "") -> str:
    """A table is called as its folder (or file, or bucket), in what Hive allows in a name."""
    last = location.key.rstrip("/").rpartition("/")[2] or location.bucket
    return (prefix + re.sub(r"[^a-z0-9_]", "_", last.lower()))[:255]


def distinct_name(name: str, location: S3Path) -> str:
    """The name of a table whose plain name another location's table has."""
    return f"{name}_{hashlib.md5(str(location).encode(), usedforsecurity=False).hexdigest()}"
