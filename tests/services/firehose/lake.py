"""A bucket of its own for each test, and delivery streams into it."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

ROLE = "arn:aws:iam::000000000000:role/firehose"


class Lake:
    """Creates, puts, reads; every name is unique."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self.engine = engine
        self.s3, self.firehose = engine.client("s3"), engine.client("firehose")
        self.name = f"lake-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.name)

    @property
    def bucket(self) -> dict[str, str]:
        """The required members of any S3 configuration."""
        return {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.name}"}

    def create(
        self,
        seconds: int = 60,
        megabytes: int = 1,
        source: str | None = None,
        **more: Any,
    ) -> str:
        """An extended S3 delivery stream; `source` is the ARN of a Kinesis stream."""
        hints = {"SizeInMBs": megabytes, "IntervalInSeconds": seconds}
        content = {**self.bucket, "BufferingHints": hints, **more}
        request: dict[str, Any] = {"ExtendedS3DestinationConfiguration": content}
        if source is not None:
            request["DeliveryStreamType"] = "KinesisStreamAsSource"
            request["KinesisStreamSourceConfiguration"] = {
                "KinesisStreamARN": source,
                "RoleARN": ROLE,
            }
        return self.create_with(**request)

    def create_with(self, **request: Any) -> str:
        name = f"stream-{uuid.uuid4().hex[:12]}"
        self.firehose.create_delivery_stream(DeliveryStreamName=name, **request)
        return name

    def put(self, stream: str, *contents: bytes) -> None:
        answer = self.firehose.put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": content} for content in contents]
        )
        assert answer["FailedPutCount"] == 0

    def put_json(self, stream: str, *documents: Any) -> None:
        self.put(stream, *(json.dumps(document).encode() for document in documents))

    def object_keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def wait_for(self, count: int = 1, prefix: str = "") -> list[str]:
        return wait_until(
            lambda: found if len(found := self.object_keys(prefix)) >= count else [], 60
        )

    def body(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return gzip.decompress(content) if key.endswith(".gz") else content

    def lines(self, prefix: str = "") -> list[bytes]:
        """The lines of every object below a prefix."""
        return [line for key in self.object_keys(prefix) for line in self.body(key).splitlines()]


def processing(*processors: dict[str, Any]) -> dict[str, Any]:
    """A ProcessingConfiguration."""
    return {"Enabled": True, "Processors": list(processors)}


def processor(kind: str, **parameters: str) -> dict[str, Any]:
    listed = [{"ParameterName": k, "ParameterValue": v} for k, v in parameters.items()]
    return {"Type": kind, "Parameters": listed}


APPEND_NEWLINE = processor("AppendDelimiterToRecord", Delimiter="\\n")
