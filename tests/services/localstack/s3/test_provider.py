"""What S3 acknowledged is there after kill -9."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.connect import connect
from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.waiting import wait_until

PART = b"p" * (5 << 20)


def body(s3: Any, bucket: str, key: str, **more: Any) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()
    return content


def fill(s3: Any) -> dict[str, Any]:
    """Something of everything; what a restart must know again."""
    s3.create_bucket(Bucket="plain")
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket="plain", LifecycleConfiguration={"Rules": [rule]})
    for i in range(30):
        s3.put_object(Bucket="plain", Key=f"year=2026/é {i}", Body=b"%d" % i, Metadata={"n": "1"})
    s3.put_object(Bucket="plain", Key="twice", Body=b"first")
    s3.put_object(Bucket="plain", Key="twice", Body=b"second", Tagging="colour=blue")
    s3.put_object(Bucket="plain", Key="gone", Body=b"x")
    s3.delete_object(Bucket="plain", Key="gone")
    s3.copy_object(Bucket="plain", Key="copy", CopySource={"Bucket": "plain", "Key": "twice"})

    s3.create_bucket(Bucket="versioned")
    s3.put_object(Bucket="versioned", Key="v", Body=b"null")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="versioned", Key="v", Body=b"one")["VersionId"]
    s3.delete_object(Bucket="versioned", Key="v")

    upload = s3.create_multipart_upload(Bucket="plain", Key="large")["UploadId"]
    part = s3.upload_part(Bucket="plain", Key="large", UploadId=upload, PartNumber=1, Body=PART)
    return {"version": version, "upload": upload, "etag": part["ETag"]}


def state_of_service(engine: Engine, name: str) -> Any:
    with urllib.request.urlopen(f"{engine.endpoint_url}/_localstack/health") as health:
        return json.load(health)["services"][name]


def kill(engine: Engine) -> None:
    os.kill(engine.pid, signal.SIGKILL)
    engine.stop()


def test_everything_in_s3_survives_kill_9(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_storage="memory")
    with start(settings) as engine:
        known = fill(connect("s3", engine.endpoint_url))
        kill(engine)
    with start(settings) as engine:
        s3 = connect("s3", engine.endpoint_url)
        listed = s3.list_objects_v2(Bucket="plain")["Contents"]
        assert len(listed) == 32
        assert body(s3, "plain", "year=2026/é 7") == b"7"
        assert s3.head_object(Bucket="plain", Key="year=2026/é 7")["Metadata"] == {"n": "1"}
        assert body(s3, "plain", "twice") == body(s3, "plain", "copy") == b"second"
        tags = s3.get_object_tagging(Bucket="plain", Key="twice")["TagSet"]
        assert tags == [{"Key": "colour", "Value": "blue"}]
        rules = s3.get_bucket_lifecycle_configuration(Bucket="plain")["Rules"]
        assert rules[0]["Expiration"] == {"Days": 9}

        assert body(s3, "versioned", "v", VersionId=known["version"]) == b"one"
        assert body(s3, "versioned", "v", VersionId="null") == b"null"
        with pytest.raises(ClientError, match="NoSuchKey"):
            body(s3, "versioned", "v")

        upload = {"Bucket": "plain", "Key": "large", "UploadId": known["upload"]}
        second = s3.upload_part(**upload, PartNumber=2, Body=b"end")
        parts = [
            {"PartNumber": 1, "ETag": known["etag"]},
            {"PartNumber": 2, "ETag": second["ETag"]},
        ]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        assert body(s3, "plain", "large", Range="bytes=5242879-") == b"pend"
        assert body(s3, "plain", "large") == PART + b"end"
        kill(engine)

    with start(settings) as engine:
        # Without being asked for: a first call does not wait for it.
        wait_until(lambda: state_of_service(engine, "s3") == "running")
        s3 = connect("s3", engine.endpoint_url)
        assert body(s3, "plain", "large") == PART + b"end"
        bodies = settings.data_dir / "s3" / "bodies"
        # Files that no object names are removed a while after the start.
        wait_until(lambda: sum(f.is_file() for f in bodies.glob("??/*")) == 33 + 2)
        for key in [o["Key"] for o in s3.list_objects_v2(Bucket="plain")["Contents"]]:
            s3.delete_object(Bucket="plain", Key=key)
        s3.delete_bucket(Bucket="plain")
        kill(engine)

    (settings.data_dir / "s3" / "journal.sqlite3-wal").unlink(missing_ok=True)
    (settings.data_dir / "s3" / "journal.sqlite3").write_bytes(b"damaged" * 1000)
    with start(settings) as engine:
        s3 = connect("s3", engine.endpoint_url)
        assert s3.list_buckets()["Buckets"] == []
        s3.create_bucket(Bucket="fresh")
        log = settings.data_dir / "engine.log"
        assert "S3 starts empty" in wait_until(log.read_text)
        assert list(settings.data_dir.glob("s3.set-aside-*"))
