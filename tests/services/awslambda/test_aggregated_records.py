"""A function as written for AWS: default boto3 clients, and its own unpacking of KPL records."""

from __future__ import annotations

import io
import uuid
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import aws_kinesis_agg.aggregator

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy
from tests.waiting import OFTEN, wait_until

HANDLER = """
import base64, boto3, os
from aws_kinesis_agg.deaggregator import deaggregate_records

s3 = boto3.client("s3")

def handler(event, context):
    for record in deaggregate_records(event["Records"]):
        key = record["kinesis"]["partitionKey"]
        s3.put_object(Bucket=os.environ["BUCKET"], Key=key,
                      Body=base64.b64decode(record["kinesis"]["data"]))
    return f"{len(event['Records'])} Kinesis records"
"""


def bundle() -> bytes:
    """The handler with the libraries it brings along, as `pip install --target` lays them out."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", HANDLER)
        add_packages(archive, "aws-kinesis-agg", "protobuf")
    return packed.getvalue()


def add_packages(archive: zipfile.ZipFile, *names: str) -> None:
    """Installed distributions, as `pip install --target` lays them out."""
    for name in names:
        for file in distribution(name).files or ():
            path = Path(str(file.locate()))
            if path.suffix != ".pyc" and ".." not in str(file) and path.is_file():
                archive.write(path, str(file))


def test_aggregated_records_reach_the_function_whole_and_it_unpacks_them(
    engine: EngineUnderTest,
) -> None:
    kinesis, awslambda = engine.client("kinesis"), engine.client("lambda")
    s3 = engine.client("s3", s3={"addressing_style": "path"})
    name = f"agg-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    aggregator = aws_kinesis_agg.aggregator.RecordAggregator()
    for number in range(20):
        aggregator.add_user_record(f"user-{number}", f"data {number}".encode())
    partition_key, _, data = aggregator.clear_and_get().get_contents()
    kinesis.put_record(StreamName=name, PartitionKey=partition_key, Data=data)
    function = deploy(
        awslambda,
        HANDLER,
        Code={"ZipFile": bundle()},
        Environment={"Variables": {"BUCKET": name}},
    )
    description = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    awslambda.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=description["StreamARN"],
        StartingPosition="TRIM_HORIZON",
    )
    wait_until(lambda: s3.list_objects_v2(Bucket=name).get("KeyCount") == 20, seconds=60)
    body = s3.get_object(Bucket=name, Key="user-7")["Body"].read()
    assert body == b"data 7"
