"""Functions written by others for AWS, fetched and run as they are, by mappings of a stream."""

from __future__ import annotations

import io
import json
import os
import uuid
import zipfile
from decimal import Decimal
from typing import Any

import aws_kinesis_agg.aggregator
import pytest

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy, messages
from tests.services.awslambda.public_functions import (
    DEAGGREGATION,
    PROPERTIES_CONSUMER,
    PublicFile,
    PublicFileUnavailable,
)
from tests.services.awslambda.test_aggregated_records import add_packages
from tests.waiting import OFTEN, wait_until

pytestmark = pytest.mark.slow


def package_of(file: PublicFile, *packages: str) -> bytes:
    """The file and the libraries that it brings along, as `pip install --target` lays them out."""
    try:
        content = file.content()
    except PublicFileUnavailable as why:
        if os.environ.get("RIACHO_PUBLIC_FUNCTIONS") == "required":
            raise
        pytest.skip(str(why))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(file.path.rpartition("/")[2], content)
        add_packages(archive, *packages)
    return packed.getvalue()


def stream(engine: EngineUnderTest) -> tuple[str, str]:
    """A stream of one shard: its name and ARN."""
    kinesis, name = engine.client("kinesis"), f"public-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return name, found["StreamARN"]


def deploy_and_map(engine: EngineUnderTest, stream_arn: str, **settings: Any) -> str:
    awslambda = engine.client("lambda")
    name = deploy(awslambda, "", Timeout=60, **settings)
    awslambda.create_event_source_mapping(
        FunctionName=name, EventSourceArn=stream_arn, StartingPosition="TRIM_HORIZON"
    )
    return name


@pytest.mark.parametrize("handler", ["lambda_bulk_handler", "lambda_generator_handler"])
def test_aggregated_records_are_unpacked_by_the_example_of_their_library(
    engine: EngineUnderTest, handler: str
) -> None:
    code = package_of(DEAGGREGATION, "aws-kinesis-agg", "protobuf")
    name, arn = stream(engine)
    aggregator = aws_kinesis_agg.aggregator.RecordAggregator()
    for number in range(50):
        aggregator.add_user_record(f"user-{number}", f"data {number}".encode())
    partition_key, _, data = aggregator.clear_and_get().get_contents()
    engine.client("kinesis").put_record(StreamName=name, PartitionKey=partition_key, Data=data)
    function = deploy_and_map(
        engine, arn, Code={"ZipFile": code}, Handler=f"lambda_function.{handler}"
    )
    logs = engine.client("logs")

    def printed() -> list[str]:
        return [line for line in messages(logs, function) if line.startswith("b'data ")]

    wait_until(lambda: len(printed()) >= 50, seconds=60)
    assert printed() == [f"b'data {number}'" for number in range(50)]


def test_a_consumer_with_default_clients_writes_its_stream_into_its_table(
    engine: EngineUnderTest,
) -> None:
    code = package_of(PROPERTIES_CONSUMER)
    dynamodb = engine.client("dynamodb")
    # The function names its table itself, and its stack makes it with these keys.
    keys = {"city": "HASH", "status": "RANGE"}
    dynamodb.create_table(
        TableName="Latestproperty",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="Latestproperty", WaiterConfig=OFTEN)
    name, arn = stream(engine)
    properties = [
        {"city": f"city {number}", "status": "Sold", "price": number + 0.5, "unit": None}
        for number in range(100)
    ]
    engine.client("kinesis").put_records(
        StreamName=name,
        Records=[{"Data": json.dumps(each), "PartitionKey": each["city"]} for each in properties],
    )
    deploy_and_map(
        engine,
        arn,
        Code={"ZipFile": code},
        Handler="properties_consumer_lambda.handler",
        Environment={"Variables": {"BUCKET_NAME": name}},
    )
    try:
        items = wait_until(
            lambda: (
                len(found := dynamodb.scan(TableName="Latestproperty")["Items"]) == 100 and found
            ),
            seconds=60,
        )
        prices = {item["city"]["S"]: Decimal(item["price"]["N"]) for item in items}
        assert prices == {each["city"]: Decimal(str(each["price"])) for each in properties}
    finally:
        dynamodb.delete_table(TableName="Latestproperty")
