"""Contract: when records are delivered, under which names, and in which form."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import zipfile

import pytest

from tests.contract.firehose.conftest import ROLE, Firehose
from tests.services.awslambda.functions import deploy
from tests.services.firehose.lake import APPEND_NEWLINE, processing, processor
from tests.waiting import wait_until

HOUR = r"\d{4}/\d\d/\d\d/\d\d/"
#: On AWS: a role that the function may assume.
LAMBDA_ROLE = os.environ.get("CONTRACT_LAMBDA_ROLE_ARN")
FUNCTION_ROLE = {"Role": LAMBDA_ROLE} if LAMBDA_ROLE else {}
SUFFIX = r"-1-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9a-f-]{36}"


def key_of(delivered: dict[str, bytes]) -> str:
    (key,) = delivered
    return key


def test_the_default_name_is_the_hour_and_a_suffix(firehose: Firehose) -> None:
    name = firehose.create()
    firehose.put(name, b"x")
    assert re.fullmatch(f"{HOUR}{name}{SUFFIX}", key_of(firehose.delivered()))


def test_the_hour_follows_a_prefix_without_expressions_directly(firehose: Firehose) -> None:
    name = firehose.create(Prefix="plain")
    firehose.put(name, b"x")
    assert re.fullmatch(f"plain{HOUR}{name}{SUFFIX}", key_of(firehose.delivered()))


def test_expressions_are_evaluated(firehose: Firehose) -> None:
    name = firehose.create(
        Prefix="p/!{timestamp:'year='yyyy'/month='MM}/!{firehose:random-string}/",
        ErrorOutputPrefix="e/!{firehose:error-output-type}/",
    )
    firehose.put(name, b"x")
    expected = rf"p/year=\d{{4}}/month=\d\d/[A-Za-z0-9]{{11}}/{name}{SUFFIX}"
    assert re.fullmatch(expected, key_of(firehose.delivered()))


def test_records_are_joined_without_a_delimiter(firehose: Firehose) -> None:
    name = firehose.create()
    firehose.put(name, b"a", b"b", b"c")
    assert list(firehose.delivered().values()) == [b"abc"]


def test_a_processor_appends_a_delimiter(firehose: Firehose) -> None:
    name = firehose.create(ProcessingConfiguration=processing(APPEND_NEWLINE))
    firehose.put(name, b"a", b"b")
    assert list(firehose.delivered().values()) == [b"a\nb\n"]


@pytest.mark.parametrize(
    ("compression", "extension"),
    [("GZIP", ".gz"), ("ZIP", ".zip"), ("Snappy", ".snappy"), ("HADOOP_SNAPPY", ".hsnappy")],
)
def test_objects_are_compressed_and_named_for_it(
    firehose: Firehose, compression: str, extension: str
) -> None:
    name = firehose.create(CompressionFormat=compression)
    firehose.put(name, b"text " * 1000)
    delivered = firehose.delivered()
    key = key_of(delivered)
    assert key.endswith(extension)
    assert len(delivered[key]) < 5000
    if compression == "GZIP":
        assert gzip.decompress(delivered[key]) == b"text " * 1000
    if compression == "ZIP":
        with zipfile.ZipFile(io.BytesIO(delivered[key])) as archive:
            assert archive.read(archive.namelist()[0]) == b"text " * 1000


def test_a_gzip_object_names_its_content_encoding(firehose: Firehose) -> None:
    name = firehose.create(CompressionFormat="GZIP")
    firehose.put(name, b"x")
    head = firehose.s3.head_object(Bucket=firehose.bucket, Key=key_of(firehose.delivered()))
    assert (head["ContentType"], head.get("ContentEncoding")) == (
        "application/octet-stream",
        "gzip",
    )


def test_a_file_extension_replaces_the_usual_one(firehose: Firehose) -> None:
    name = firehose.create(CompressionFormat="GZIP", FileExtension=".json.gz")
    firehose.put(name, b"x")
    assert key_of(firehose.delivered()).endswith(".json.gz")


def test_a_time_zone_moves_the_hour(firehose: Firehose) -> None:
    for zone, prefix in (("Asia/Tokyo", "t/"), ("UTC", "u/")):
        name = firehose.create(
            Prefix=prefix + "!{timestamp:XXX}/",
            ErrorOutputPrefix="e/!{firehose:error-output-type}/",
            CustomTimeZone=zone,
        )
        firehose.put(name, b"x")
    tokyo, utc = sorted(firehose.delivered(2))
    assert tokyo.startswith("t/+09:00/")
    assert utc.startswith("u/Z/")


def test_records_wait_until_the_interval_is_over(firehose: Firehose) -> None:
    waiting = firehose.create(interval=900, Prefix="waits/")
    firehose.put(waiting, b"x")
    at_once = firehose.create(interval=0, Prefix="now/")
    firehose.put(at_once, b"y")
    wait_until(lambda: [key for key in firehose.object_keys() if key.startswith("now/")], 60)
    assert not [key for key in firehose.object_keys() if key.startswith("waits/")]
    if firehose.engine.move_clock is not None:
        assert any(key.startswith("waits/") for key in firehose.delivered(2, after_seconds=900))


def test_records_are_delivered_together_when_the_buffer_is_full(firehose: Firehose) -> None:
    name = firehose.create(interval=900, size=1)
    for _ in range(3):
        firehose.put(name, *[b"x" * 1000] * 400)
    (content,) = firehose.delivered().values()
    assert len(content) >= 1024 * 1024


def test_an_update_changes_the_version_in_names(firehose: Firehose) -> None:
    name = firehose.create(Prefix="v/")
    firehose.client.update_destination(
        DeliveryStreamName=name,
        CurrentDeliveryStreamVersionId="1",
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate={"CompressionFormat": "GZIP"},
    )
    firehose.put(name, b"x")
    key = key_of(firehose.delivered())
    assert f"/{name}-2-" in key
    assert key.endswith(".gz")


def test_source_records_are_backed_up(firehose: Firehose) -> None:
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 0}
    name = firehose.create(
        Prefix="data/",
        S3BackupMode="Enabled",
        S3BackupConfiguration={
            **firehose.destination,
            "Prefix": "backup/",
            "BufferingHints": hints,
        },
    )
    firehose.put(name, b"x")
    prefixes = {key.partition("/")[0] for key in firehose.delivered(2)}
    assert prefixes == {"data", "backup"}


def test_a_kinesis_stream_is_a_source(firehose: Firehose) -> None:
    kinesis = firehose.engine.client("kinesis")
    stream = firehose.name()
    kinesis.create_stream(StreamName=stream, ShardCount=1)

    def is_active() -> bool:
        summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
        return bool(summary["StreamStatus"] == "ACTIVE")

    wait_until(is_active, 60)
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    firehose.create_with(
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": arn["StreamARN"], "RoleARN": ROLE},
        ExtendedS3DestinationConfiguration={
            **firehose.destination,
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        },
    )
    kinesis.put_record(StreamName=stream, Data=b"from kinesis", PartitionKey="k")
    assert list(firehose.delivered().values()) == [b"from kinesis"]
    kinesis.delete_stream(StreamName=stream)


def partitioned(firehose: Firehose, *more: dict[str, object]) -> str:
    return firehose.create(
        interval=60,
        size=64,
        Prefix="device=!{partitionKeyFromQuery:device}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(
            processor(
                "MetadataExtraction",
                MetadataExtractionQuery="{device: .device}",
                JsonParsingEngine="JQ-1.6",
            ),
            *more,
        ),
    )


def test_a_query_partitions_records(firehose: Firehose) -> None:
    name = partitioned(firehose)
    documents = [{"device": "tv", "n": 1}, {"device": "web", "n": 2}, {"device": "tv", "n": 3}]
    firehose.put(name, *(json.dumps(document).encode() for document in documents))
    delivered = firehose.delivered(2, after_seconds=60)
    assert {key.partition("/")[0] for key in delivered} == {"device=tv", "device=web"}


def test_a_record_without_a_partition_key_goes_to_the_error_prefix(firehose: Firehose) -> None:
    name = partitioned(firehose)
    firehose.put(name, b'{"other": 1}')
    delivered = firehose.delivered(after_seconds=60)
    key = key_of(delivered)
    assert key.startswith("errors/processing-failed/")
    line = json.loads(delivered[key].splitlines()[0])
    assert {"attemptsMade", "arrivalTimestamp", "errorCode", "errorMessage", "rawData"} <= set(line)


def test_records_inside_a_record_are_taken_apart(firehose: Firehose) -> None:
    name = partitioned(
        firehose, processor("RecordDeAggregation", SubRecordType="JSON"), APPEND_NEWLINE
    )
    firehose.put(name, b'{"device":"tv"}\n{"device":"web"}{"device":"tv"}')
    delivered = firehose.delivered(2, after_seconds=60)
    contents = {key.partition("/")[0]: content for key, content in delivered.items()}
    assert contents["device=tv"] == b'{"device":"tv"}\n{"device":"tv"}\n'


TRANSFORM = """
import base64

RESULTS = {b"keep": "Ok", b"drop": "Dropped", b"fail": "ProcessingFailed"}

def handler(event, context):
    return {"records": [answer(record) for record in event["records"]]}

def answer(record):
    data = base64.b64decode(record["data"])
    kept = base64.b64encode(data.upper() + b"!").decode()
    return {"recordId": record["recordId"], "result": RESULTS[data], "data": kept}
"""


def test_a_transform_keeps_drops_or_fails_each_record(firehose: Firehose) -> None:
    awslambda = firehose.engine.client("lambda")
    function = deploy(awslambda, TRANSFORM, **FUNCTION_ROLE)
    described = awslambda.get_function(FunctionName=function)["Configuration"]
    name = firehose.create(
        Prefix="data/!{timestamp:yyyy}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        ProcessingConfiguration=processing(
            processor(
                "Lambda",
                LambdaArn=described["FunctionArn"],
                BufferSizeInMBs="1",
                BufferIntervalInSeconds="0",
            )
        ),
    )
    firehose.put(name, b"keep", b"drop", b"fail", b"keep")
    delivered = firehose.delivered(2)
    awslambda.delete_function(FunctionName=function)
    contents = {key.partition("/")[0]: content for key, content in delivered.items()}
    assert contents["data"] == b"KEEP!KEEP!"
    failure = json.loads(contents["errors"])
    assert base64.b64decode(failure["rawData"]) == b"fail"
    assert failure["errorCode"] == "Lambda.ProcessingFailedStatus"
    assert failure["attemptsMade"] == 1
    assert [key for key in delivered if key.startswith("errors/processing-failed/")]
