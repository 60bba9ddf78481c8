"""DirectPut to S3 on the real engine: buffers, names, compression, versions."""

from __future__ import annotations

import gzip
import re
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

ROLE = "arn:aws:iam::000000000000:role/firehose"


class Lake:
    """A bucket of its own and delivery streams into it."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self.engine = engine
        self.s3, self.firehose = engine.client("s3"), engine.client("firehose")
        self.name = f"lake-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.name)

    def create(self, seconds: int = 60, megabytes: int = 1, **more: Any) -> str:
        stream = f"stream-{uuid.uuid4().hex[:12]}"
        self.firehose.create_delivery_stream(
            DeliveryStreamName=stream,
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE,
                "BucketARN": f"arn:aws:s3:::{self.name}",
                "BufferingHints": {"SizeInMBs": megabytes, "IntervalInSeconds": seconds},
                **more,
            },
        )
        return stream

    def put(self, stream: str, *contents: bytes) -> None:
        answer = self.firehose.put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": content} for content in contents]
        )
        assert answer["FailedPutCount"] == 0

    def keys(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.name)
        return sorted(item["Key"] for item in listed.get("Contents", ()))

    def wait_for(self, count: int) -> list[str]:
        return wait_until(lambda: keys if len(keys := self.keys()) >= count else [])

    def body(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content


@pytest.fixture
def lake(engine: EngineUnderTest) -> Lake:
    return Lake(engine)


def test_a_moved_clock_delivers_a_buffer_of_fifteen_minutes(lake: Lake) -> None:
    stream = lake.create(seconds=900, megabytes=128, CompressionFormat="GZIP")
    lake.put(stream, b"one\n", b"two\n")
    lake.firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"three\n"})
    assert lake.keys() == []
    lake.engine.advance_clock(901)
    (key,) = lake.wait_for(1)
    assert re.fullmatch(
        rf"\d{{4}}/\d\d/\d\d/\d\d/{stream}-1-\d{{4}}(-\d\d){{5}}-[0-9a-f-]{{36}}\.gz", key
    )
    assert gzip.decompress(lake.body(key)) == b"one\ntwo\nthree\n"


def test_a_full_buffer_is_delivered_at_once_and_measured_before_compression(lake: Lake) -> None:
    stream = lake.create(seconds=900, megabytes=1, CompressionFormat="GZIP")
    lake.put(stream, *[b"0" * 1000] * 500)
    lake.put(stream, *[b"0" * 1000] * 500)
    assert lake.keys() == []
    lake.put(stream, *[b"0" * 1000] * 100)
    (key,) = lake.wait_for(1)
    assert len(gzip.decompress(lake.body(key))) == 1_100_000


def test_an_interval_of_zero_delivers_as_records_come(lake: Lake) -> None:
    stream = lake.create(seconds=0)
    lake.put(stream, b"now")
    (key,) = lake.wait_for(1)
    assert lake.body(key) == b"now"


def test_records_are_joined_without_a_delimiter_unless_a_processor_appends_one(lake: Lake) -> None:
    appending = lake.create(
        seconds=0,
        Prefix="appended/",
        ProcessingConfiguration={
            "Enabled": True,
            "Processors": [
                {
                    "Type": "AppendDelimiterToRecord",
                    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
                }
            ],
        },
    )
    lake.put(appending, b"a", b"b")
    (key,) = lake.wait_for(1)
    assert lake.body(key) == b"a\nb\n"


def test_an_update_is_another_version_in_the_names_of_objects(lake: Lake) -> None:
    stream = lake.create(seconds=0)
    lake.firehose.update_destination(
        DeliveryStreamName=stream,
        CurrentDeliveryStreamVersionId="1",
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate={"Prefix": "second/", "FileExtension": ".jsonl"},
    )
    with pytest.raises(ClientError) as refused:
        lake.firehose.update_destination(
            DeliveryStreamName=stream,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            ExtendedS3DestinationUpdate={"Prefix": "third/"},
        )
    assert refused.value.response["Error"]["Code"] == "ConcurrentModificationException"
    lake.put(stream, b"x")
    (key,) = lake.wait_for(1)
    assert key.startswith("second/")
    assert f"/{stream}-2-" in key
    assert key.endswith(".jsonl")


def test_records_wait_for_a_bucket_that_is_gone_and_arrive_when_it_is_back(lake: Lake) -> None:
    stream = lake.create(seconds=0)
    lake.s3.delete_bucket(Bucket=lake.name)
    lake.put(stream, b"kept")
    lake.s3.create_bucket(Bucket=lake.name)
    wait_until(lambda: (lake.engine.advance_clock(60), lake.keys())[1], every=0.5)
    (key,) = lake.keys()
    assert lake.body(key) == b"kept"


def test_a_batch_may_hold_four_mebibytes(lake: Lake) -> None:
    stream = lake.create()
    with pytest.raises(ClientError) as refused:
        lake.put(stream, *[b"x" * 1_000_000] * 5)
    assert refused.value.response["Error"] == {
        "Code": "InvalidArgumentException",
        "Message": "Records size exceeds 4 MB limit",
    }


def test_deleting_delivers_what_waits(lake: Lake) -> None:
    stream = lake.create(seconds=900)
    lake.put(stream, b"last words")
    lake.firehose.delete_delivery_stream(DeliveryStreamName=stream)
    (key,) = lake.wait_for(1)
    assert lake.body(key) == b"last words"

    def is_gone() -> bool:
        listed = lake.firehose.list_delivery_streams(Limit=100)["DeliveryStreamNames"]
        return stream not in listed

    wait_until(is_gone)
