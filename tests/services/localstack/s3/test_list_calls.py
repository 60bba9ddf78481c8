"""Listings by their pages, and what happens to objects that are read when they are asked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.connect import connect
from services.localstack.engine import start
from services.settings import Settings
from tests.conftest import EngineUnderTest

#: Their order differs from that of their encoded forms, which boto3 asks for.
KEYS = ["a 1", "a0", "a:", "a=1/x", "a=1/y", "b/1", "b/2", "b0", "é", "é/ñ", "😀"]
VERSIONED = {"VersioningConfiguration": {"Status": "Enabled"}}
SUSPENDED = {"VersioningConfiguration": {"Status": "Suspended"}}


@pytest.fixture(params=["disk", "memory"])
def s3(request: pytest.FixtureRequest, engine: EngineUnderTest, tmp_path: Path) -> Iterator[Any]:
    """Of an engine that keeps objects, and of one that does not."""
    if request.param == "disk":
        yield engine.client("s3")
    else:
        settings = Settings(
            port=0, data_dir=tmp_path, stream_storage="memory", object_storage="memory"
        )
        with start(settings) as in_memory:
            yield connect("s3", in_memory.endpoint_url)


def pages(s3: Any, operation: str, size: int, **more: Any) -> list[Any]:
    return list(s3.get_paginator(operation).paginate(**more, PaginationConfig={"PageSize": size}))


def told(pages: list[Any], kind: str, name: str) -> list[str]:
    return [entry[name] for page in pages for entry in page.get(kind, ())]


def test_every_listing_holds_every_key_once(s3: Any) -> None:
    bucket = {"Bucket": "listed-keys"}
    s3.create_bucket(**bucket)
    for key in reversed(KEYS):
        s3.put_object(**bucket, Key=key, Body=b"x")
    for operation, size in [("list_objects", 1), ("list_objects_v2", 2), ("list_objects_v2", 1)]:
        assert told(pages(s3, operation, size, **bucket), "Contents", "Key") == sorted(KEYS)
        rolled = pages(s3, operation, size, **bucket, Delimiter="/")
        assert told(rolled, "CommonPrefixes", "Prefix") == ["a=1/", "b/", "é/"]
        below = pages(s3, operation, size, **bucket, Prefix="b/")
        assert told(below, "Contents", "Key") == ["b/1", "b/2"]
        assert [page["IsTruncated"] for page in below] == [size == 1, False][2 - len(below) :]
    versions = pages(s3, "list_object_versions", 2, **bucket)
    assert told(versions, "Versions", "Key") == sorted(KEYS)
    assert s3.list_objects_v2(**bucket, StartAfter="b/2")["Contents"][0]["Key"] == "b0"
    none = s3.list_objects_v2(**bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    assert s3.list_objects_v2(**bucket, MaxKeys=5000)["MaxKeys"] == 1000
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"ContinuationToken": "no token!"}, "The continuation token provided is incorrect"),
        ({"MaxKeys": -1}, "Argument maxKeys must be an integer between 0 and 2147483647"),
    ]
    for wrong, words in refusals:
        with pytest.raises(ClientError, match=words) as refused:
            s3.list_objects_v2(**bucket, **wrong)
        assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_versions_are_told_from_the_newest_on(s3: Any) -> None:
    bucket = {"Bucket": "listed-versions"}
    s3.create_bucket(**bucket)
    s3.put_object(**bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(**bucket, **VERSIONED)
    put = [s3.put_object(**bucket, Key="k", Body=b"%d" % n)["VersionId"] for n in range(3)]
    marker = s3.delete_object(**bucket, Key="k")["VersionId"]
    other = s3.put_object(**bucket, Key="z", Body=b"z")["VersionId"]

    listed = pages(s3, "list_object_versions", 2, **bucket)
    assert told(listed, "Versions", "VersionId") == [*reversed(put), "null", other]
    assert told(listed, "DeleteMarkers", "VersionId") == [marker]
    assert [v["VersionId"] for page in listed for v in page["Versions"] if v["IsLatest"]] == [other]
    assert told(pages(s3, "list_objects_v2", 1, **bucket), "Contents", "Key") == ["z"]

    from_marker = {"KeyMarker": "k", "VersionIdMarker": put[1]}
    s3.delete_object(**bucket, Key="k", VersionId=put[1])
    rest = s3.list_object_versions(**bucket, **from_marker)["Versions"]
    assert [version["VersionId"] for version in rest] == [put[0], "null", other]

    s3.put_bucket_versioning(**bucket, **SUSPENDED)
    s3.put_object(**bucket, Key="k", Body=b"after")
    assert s3.get_object(**bucket, Key="k")["Body"].read() == b"after"
    newest = s3.list_object_versions(**bucket, Prefix="k")["Versions"][0]
    assert (newest["VersionId"], newest["IsLatest"]) == ("null", True)


def test_changes_of_objects_that_were_read_survive_kill_9(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_storage="memory")
    bucket, lock = {"Bucket": "read-and-changed"}, {"Status": "ON"}
    with start(settings) as engine:
        s3 = connect("s3", engine.endpoint_url)
        s3.create_bucket(**bucket, ObjectLockEnabledForBucket=True)
        first = s3.put_object(**bucket, Key="locked", Body=b"1")["VersionId"]
        s3.create_bucket(Bucket="plain")
        for number in range(20):
            s3.put_object(Bucket="plain", Key=f"{number}", Body=b"old")
        os.kill(engine.pid, signal.SIGKILL)
    with start(settings) as engine:
        s3 = connect("s3", engine.endpoint_url)
        s3.put_object_legal_hold(**bucket, Key="locked", LegalHold=lock)
        s3.put_object(**bucket, Key="locked", Body=b"2")
        s3.put_object_acl(Bucket="plain", Key="1", ACL="public-read")
        s3.put_bucket_versioning(Bucket="plain", **VERSIONED)
        s3.put_object(Bucket="plain", Key="2", Body=b"new")
        s3.delete_object(Bucket="plain", Key="3")
        s3.delete_object(Bucket="plain", Key="4", VersionId="null")

        def write(thread: int) -> None:
            own = connect("s3", engine.endpoint_url)
            for number in range(10):
                own.put_object(Bucket="plain", Key=f"of {number}", Body=b"%d" % thread)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(write, range(4)))
        os.kill(engine.pid, signal.SIGKILL)
    with start(settings) as engine:
        s3 = connect("s3", engine.endpoint_url)
        held = s3.get_object_legal_hold(**bucket, Key="locked", VersionId=first)
        assert held["LegalHold"] == lock
        versions = s3.list_object_versions(**bucket)["Versions"]
        assert [version["IsLatest"] for version in versions] == [True, False]
        assert len(s3.get_object_acl(Bucket="plain", Key="1")["Grants"]) == 2
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="plain")["Contents"]]
        assert keys == sorted(
            [*(f"{n}" for n in range(20) if n not in (3, 4)), *(f"of {n}" for n in range(10))]
        )
        assert s3.get_object(Bucket="plain", Key="2", VersionId="null")["Body"].read() == b"old"
        assert s3.get_object(Bucket="plain", Key="3", VersionId="null")["Body"].read() == b"old"
        assert len(s3.list_object_versions(Bucket="plain", Prefix="of 1")["Versions"]) == 4
