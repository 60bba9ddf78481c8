"""Transforms, partitions and conversion, through real functions and tables."""

from __future__ import annotations

import base64
import io
import json
import uuid
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy, messages, wait_until_active
from tests.services.firehose.lake import ROLE, Lake, processing, processor
from tests.waiting import wait_until

SOURCE = """
import base64, json

def handler(event, context):
    answers = []
    for record in event["records"]:
        content = json.loads(base64.b64decode(record["data"]))
        answer = {"recordId": record["recordId"], "result": content["result"]}
        if content["result"] == "Ok":
            text = json.dumps({"n": content["n"], "seen": event["deliveryStreamArn"]}) + "\\n"
            answer["data"] = base64.b64encode(text.encode()).decode()
            answer["metadata"] = {"partitionKeys": {"device": content.get("device", "")}}
        else:
            answer["data"] = record["data"]
        answers.append(answer)
    return {"records": answers}
"""
ERRORS = "errors/!{firehose:error-output-type}/"


@pytest.fixture(scope="module")
def function_arn(engine: EngineUnderTest) -> str:
    client = engine.client("lambda")
    name = deploy(client, SOURCE)
    wait_until_active(client, name)
    arn: str = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    return arn


def transform(function_arn: str, **more: str) -> dict[str, Any]:
    return processor(
        "Lambda",
        LambdaArn=function_arn,
        BufferSizeInMBs="1",
        BufferIntervalInSeconds="0",
        **more,
    )


def failures(lake: Lake, prefix: str = "errors/processing-failed/") -> list[dict[str, Any]]:
    return [json.loads(line) for line in lake.lines(prefix)]


def test_records_are_transformed_dropped_or_failed(lake: Lake, function_arn: str) -> None:
    stream = lake.create(
        seconds=0,
        Prefix="data/!{timestamp:yyyy}/",
        ErrorOutputPrefix=ERRORS,
        ProcessingConfiguration=processing(transform(function_arn)),
    )
    results = ["Ok", "Dropped", "ProcessingFailed", "Ok"]
    lake.put_json(stream, *({"n": n, "result": result} for n, result in enumerate(results)))
    wait_until(lambda: lake.lines("data/") and failures(lake), 60)
    assert [json.loads(line)["n"] for line in lake.lines("data/")] == [0, 3]
    (failure,) = failures(lake)
    assert json.loads(base64.b64decode(failure["rawData"])) == {
        "n": 2,
        "result": "ProcessingFailed",
    }
    assert failure["errorCode"] == "Lambda.ProcessingFailedStatus"
    assert failure["lambdaArn"] == function_arn
    assert failure["attemptsMade"] == 1


def test_a_transform_that_always_fails_is_retried_and_its_records_kept(lake: Lake) -> None:
    client = lake.engine.client("lambda")
    name = deploy(client, "def handler(event, context):\n  raise ValueError('no')")
    wait_until_active(client, name)
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    stream = lake.create(
        seconds=0, ProcessingConfiguration=processing(transform(arn, NumberOfRetries="1"))
    )
    lake.put(stream, b"kept")
    (failure,) = wait_until(lambda: failures(lake, "processing-failed/"), 60)
    assert base64.b64decode(failure["rawData"]) == b"kept"
    assert failure["errorCode"] == "Lambda.FunctionError"
    assert failure["attemptsMade"] == 2


def test_partitions_by_query_and_by_transform_have_buffers_of_their_own(
    lake: Lake, function_arn: str
) -> None:
    stream = lake.create(
        seconds=60,
        megabytes=64,
        Prefix="d=!{partitionKeyFromLambda:device}/n=!{partitionKeyFromQuery:n}/",
        ErrorOutputPrefix=ERRORS,
        CompressionFormat="GZIP",
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(
            transform(function_arn),
            processor(
                "MetadataExtraction", MetadataExtractionQuery="{n: .n}", JsonParsingEngine="JQ-1.6"
            ),
        ),
    )
    devices = ["tv", "tv", "web", ""]
    lake.put_json(
        stream,
        *({"n": n % 2, "result": "Ok", "device": device} for n, device in enumerate(devices)),
    )

    def delivered() -> list[str]:
        lake.engine.advance_clock(61)
        return [key.rpartition("/")[0] for key in lake.object_keys()]

    wait_until(lambda: len(delivered()) >= 4, 60, every=0.5)
    folders = sorted({folder for folder in delivered() if not folder.startswith("errors/")})
    assert folders == ["d=tv/n=0", "d=tv/n=1", "d=web/n=0"]
    (failure,) = failures(lake)
    assert failure["errorCode"] == "DynamicPartitioning.PartitionKeysMissing"
    assert "must not be null or empty: device" in failure["errorMessage"]


def test_records_become_parquet_with_the_table_s_schema(lake: Lake) -> None:
    glue, database = lake.engine.client("glue"), f"db_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": database})
    columns = [{"Name": "n", "Type": "int"}, {"Name": "tags", "Type": "array<string>"}]
    glue.create_table(
        DatabaseName=database,
        TableInput={"Name": "events", "StorageDescriptor": {"Columns": columns}},
    )
    stream = lake.create(
        seconds=0,
        megabytes=64,
        Prefix="data/",
        ErrorOutputPrefix="errors/",
        DataFormatConversionConfiguration={
            "SchemaConfiguration": {
                "RoleARN": ROLE,
                "DatabaseName": database,
                "TableName": "events",
            },
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        },
    )
    lake.put(stream, b'{"n":1,"tags":["a"]}', b'{"n":"two"}', b'{"n":3}')
    (key,) = lake.wait_for(prefix="data/")
    assert key.endswith(".parquet")
    assert pq.read_table(io.BytesIO(lake.body(key))).to_pylist() == [
        {"n": 1, "tags": ["a"]},
        {"n": 3, "tags": None},
    ]
    lake.wait_for(prefix="errors/")
    (failure,) = failures(lake, "errors/format-conversion-failed/")
    assert failure["dataCatalogTable"]["tableName"] == "events"
    assert base64.b64decode(failure["rawData"]) == b'{"n":"two"}'


SLOW = """
import time

def handler(event, context):
    print("asked")
    time.sleep(65)
    return {"records": [{**record, "result": "Ok"} for record in event["records"]]}
"""


@pytest.mark.slow
def test_a_transform_may_take_more_than_a_minute_and_is_asked_once(lake: Lake) -> None:
    client, logs = lake.engine.client("lambda"), lake.engine.client("logs")
    name = deploy(client, SLOW, Timeout=120)
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    stream = lake.create(seconds=0, ProcessingConfiguration=processing(transform(arn)))
    lake.put(stream, b"patience")
    (key,) = wait_until(lake.object_keys, 150)
    assert lake.body(key) == b"patience"

    def asked() -> list[str]:
        return [message for message in messages(logs, name) if "asked" in message]

    assert len(wait_until(asked)) == 1
