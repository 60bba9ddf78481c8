"""DirectPut to S3 on the real engine: buffers, names, compression, versions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.firehose.lake import APPEND_NEWLINE, Lake, processing, processor
from tests.waiting import wait_until


def test_a_moved_clock_delivers_a_buffer_of_fifteen_minutes(lake: Lake) -> None:
    stream = lake.create(seconds=900, megabytes=128, CompressionFormat="GZIP")
    lake.put(stream, b"one\n", b"two\n")
    lake.firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"three\n"})
    assert lake.object_keys() == []
    lake.engine.advance_clock(901)
    (key,) = lake.wait_for(1)
    assert re.fullmatch(
        rf"\d{{4}}/\d\d/\d\d/\d\d/{stream}-1-\d{{4}}(-\d\d){{5}}-[0-9a-f-]{{36}}\.gz", key
    )
    assert lake.body(key) == b"one\ntwo\nthree\n"
    head = lake.s3.head_object(Bucket=lake.name, Key=key)
    assert (head["ContentType"], head["ContentEncoding"]) == ("application/octet-stream", "gzip")


def test_a_full_buffer_is_delivered_at_once_and_measured_before_compression(lake: Lake) -> None:
    stream = lake.create(seconds=900, megabytes=1, CompressionFormat="GZIP")
    lake.put(stream, *[b"0" * 1000] * 500)
    lake.put(stream, *[b"0" * 1000] * 500)
    assert lake.object_keys() == []
    lake.put(stream, *[b"0" * 1000] * 100)
    (key,) = lake.wait_for(1)
    assert len(lake.body(key)) == 1_100_000


def test_an_interval_of_zero_delivers_as_records_come(lake: Lake) -> None:
    stream = lake.create(seconds=0)
    lake.put(stream, b"now")
    (key,) = lake.wait_for(1)
    assert lake.body(key) == b"now"


def test_records_are_joined_without_a_delimiter_unless_a_processor_appends_one(lake: Lake) -> None:
    appending = lake.create(
        seconds=0,
        Prefix="appended/",
        ProcessingConfiguration=processing(APPEND_NEWLINE),
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


def test_an_update_that_changes_nothing_is_no_version(lake: Lake) -> None:
    stream = lake.create(Prefix="same/")

    def described() -> dict[str, Any]:
        answer = lake.firehose.describe_delivery_stream(DeliveryStreamName=stream)
        description: dict[str, Any] = answer["DeliveryStreamDescription"]
        return description

    before = described()
    for change in ({}, {"Prefix": "same/"}):
        lake.firehose.update_destination(
            DeliveryStreamName=stream,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            ExtendedS3DestinationUpdate=change,
        )
    assert described() == before
    assert (before["VersionId"], "LastUpdateTimestamp" in before) == ("1", False)


def test_records_wait_for_a_bucket_that_is_gone_and_arrive_when_it_is_back(lake: Lake) -> None:
    stream = lake.create(seconds=0)
    lake.s3.delete_bucket(Bucket=lake.name)
    lake.put(stream, b"kept")
    lake.s3.create_bucket(Bucket=lake.name)
    wait_until(lambda: (lake.engine.advance_clock(60), lake.object_keys())[1], every=0.5)
    (key,) = lake.object_keys()
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


def test_source_records_are_backed_up_as_they_came(lake: Lake) -> None:
    stream = lake.create(
        seconds=0,
        Prefix="data/",
        ProcessingConfiguration=processing(APPEND_NEWLINE),
        S3BackupMode="Enabled",
        S3BackupConfiguration={
            **lake.bucket,
            "Prefix": "source/",
            "CompressionFormat": "GZIP",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        },
    )
    lake.put(stream, b"a", b"b")
    (data,), (source,) = lake.wait_for(prefix="data/"), lake.wait_for(prefix="source/")
    assert lake.body(data) == b"a\nb\n"
    assert source.endswith(".gz")
    assert lake.body(source) == b"ab"


def test_expressions_and_the_time_zone_make_the_key(lake: Lake) -> None:
    stream = lake.create(
        seconds=0,
        Prefix="d/!{timestamp:'year='yyyy}/!{firehose:random-string}/",
        ErrorOutputPrefix="e/!{firehose:error-output-type}/",
        CustomTimeZone="Asia/Tokyo",
    )
    lake.put(stream, b"x")
    (key,) = lake.wait_for()
    assert re.match(rf"d/year=\d{{4}}/[A-Za-z0-9]{{11}}/{stream}-1-", key)


def test_metrics_are_in_cloudwatch(lake: Lake) -> None:
    stream = lake.create(seconds=0)
    lake.put(stream, b"12345", b"67")
    lake.firehose.describe_delivery_stream(DeliveryStreamName=stream)
    lake.wait_for()
    cloudwatch = lake.engine.client("cloudwatch")

    def metrics() -> set[str]:
        dimensions = [{"Name": "DeliveryStreamName", "Value": stream}]
        listed = cloudwatch.list_metrics(Namespace="AWS/Firehose", Dimensions=dimensions)
        return {metric["MetricName"] for metric in listed["Metrics"]}

    wanted = {
        "IncomingRecords",
        "IncomingBytes",
        "IncomingPutRequests",
        "PutRecordBatch.Requests",
        "PutRecordBatch.Records",
        "PutRecordBatch.Bytes",
        "PutRecordBatch.Latency",
        "DescribeDeliveryStream.Requests",
        "DescribeDeliveryStream.Latency",
        "DeliveryToS3.Records",
        "DeliveryToS3.Bytes",
        "DeliveryToS3.Success",
        "DeliveryToS3.DataFreshness",
    }
    wait_until(lambda: wanted <= metrics())


def test_a_bucket_that_is_not_there_is_told_in_the_error_log(lake: Lake) -> None:
    lake.engine.advance_clock(3 * 3600)  # further than CloudWatch Logs lets events be ahead
    logs = lake.engine.client("logs")
    logs.create_log_group(logGroupName=f"/firehose/{lake.name}")
    stream = lake.create(
        seconds=0,
        BucketARN="arn:aws:s3:::this-bucket-is-not-there",
        CloudWatchLoggingOptions={
            "Enabled": True,
            "LogGroupName": f"/firehose/{lake.name}",
            "LogStreamName": "S3Delivery",
        },
    )
    lake.put(stream, b"x")

    def messages() -> list[dict[str, str]]:
        found = logs.filter_log_events(logGroupName=f"/firehose/{lake.name}")["events"]
        return [json.loads(event["message"]) for event in found]

    message = wait_until(messages)[0]
    assert message["errorCode"] == "S3.NoSuchBucket"
    assert message["deliveryStreamARN"].endswith(stream)


def test_a_transform_that_is_not_there_is_told_in_the_error_log(lake: Lake) -> None:
    logs = lake.engine.client("logs")
    group = f"/firehose/{lake.name}"
    logs.create_log_group(logGroupName=group)
    function_arn = "arn:aws:lambda:us-east-1:000000000000:function:this-one-is-not-there"
    stream = lake.create(
        seconds=0,
        CloudWatchLoggingOptions={"Enabled": True, "LogGroupName": group, "LogStreamName": "S3"},
        ProcessingConfiguration=processing(
            processor(
                "Lambda",
                LambdaArn=function_arn,
                BufferSizeInMBs="1",
                BufferIntervalInSeconds="0",
            )
        ),
    )
    lake.put(stream, b"x")
    events = wait_until(lambda: logs.filter_log_events(logGroupName=group)["events"])
    told = json.loads(events[0]["message"])
    assert told["deliveryStreamARN"].endswith(stream)
    assert told == {
        "deliveryStreamARN": told["deliveryStreamARN"],
        "destination": f"arn:aws:s3:::{lake.name}",
        "deliveryStreamVersionId": 1,
        "message": "The specified Lambda function does not exist. Use a different function that "
        "does exist.",
        "errorCode": "Lambda.ResourceNotFound",
        "processor": function_arn,
    }
    (key,) = lake.wait_for(1, "processing-failed/")
    (line,) = lake.body(key).splitlines()
    assert json.loads(line)["errorCode"] == "Lambda.ResourceNotFound"
