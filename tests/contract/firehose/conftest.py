"""Delivery streams and a bucket of an engine under contract."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.engines import ContractEngine
from tests.waiting import wait_until

#: On AWS: a role that Firehose may assume, with rights on S3, Kinesis and Glue.
ROLE = os.environ.get("CONTRACT_FIREHOSE_ROLE_ARN", "arn:aws:iam::000000000000:role/firehose")
#: AWS takes a minute to make a delivery stream and up to another to deliver.
PATIENCE_SECONDS = {"aws": 300.0, "riacho": 60.0, "localstack": 20.0}
#: What the others do at once, or never.
OTHERS_PATIENCE_SECONDS = 8.0


@dataclass
class Firehose:
    """Makes delivery streams into one bucket and reads what arrives there."""

    engine: ContractEngine
    bucket: str
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.engine.client("firehose")
        self.s3 = self.engine.client("s3")

    @property
    def patience(self) -> float:
        return PATIENCE_SECONDS.get(self.engine.name, OTHERS_PATIENCE_SECONDS)

    @property
    def destination(self) -> dict[str, Any]:
        return {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}"}

    def name(self) -> str:
        return f"contract-{secrets.token_hex(6)}"

    def create(self, *, interval: int = 0, size: int = 1, **content: Any) -> str:
        """An ACTIVE extended S3 delivery stream's name."""
        hints = {"SizeInMBs": size, "IntervalInSeconds": interval}
        wanted = {**self.destination, "BufferingHints": hints, **content}
        return self.create_with(ExtendedS3DestinationConfiguration=wanted)

    def create_with(self, **request: Any) -> str:
        name: str = request.pop("DeliveryStreamName", self.name())
        self.client.create_delivery_stream(DeliveryStreamName=name, **request)
        self.made.append(name)
        wait_until(lambda: self.describe(name)["DeliveryStreamStatus"] == "ACTIVE", self.patience)
        return name

    def describe(self, name: str) -> dict[str, Any]:
        answer = self.client.describe_delivery_stream(DeliveryStreamName=name)
        description: dict[str, Any] = answer["DeliveryStreamDescription"]
        return description

    def put(self, name: str, *contents: bytes) -> dict[str, Any]:
        records = [{"Data": content} for content in contents]
        answer: dict[str, Any] = self.client.put_record_batch(
            DeliveryStreamName=name, Records=records
        )
        return answer

    def object_keys(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return sorted(item["Key"] for item in listed)

    def delivered(self, count: int = 1, *, after_seconds: float = 0) -> dict[str, bytes]:
        """Objects by key, once there are so many; a clock that can be moved is moved."""

        def objects() -> list[str]:
            if after_seconds and self.engine.move_clock is not None:
                self.engine.move_clock(after_seconds + 1)
            found = self.object_keys()
            return found if len(found) >= count else []

        keys = wait_until(objects, self.patience + after_seconds * (self.engine.name == "aws"), 0.2)
        return {k: self.s3.get_object(Bucket=self.bucket, Key=k)["Body"].read() for k in keys}


@pytest.fixture
def firehose(contract_engine: ContractEngine) -> Iterator[Firehose]:
    firehose = Firehose(contract_engine, f"contract-{secrets.token_hex(8)}")
    firehose.s3.create_bucket(Bucket=firehose.bucket)
    yield firehose
    for name in firehose.made:
        with contextlib.suppress(ClientError):
            firehose.client.delete_delivery_stream(DeliveryStreamName=name)
    if contract_engine.name == "aws":
        for key in firehose.object_keys():
            firehose.s3.delete_object(Bucket=firehose.bucket, Key=key)
        firehose.s3.delete_bucket(Bucket=firehose.bucket)
