"""Configurations and scripts as courses hand them out, run as they are.

A course's file names folders of the machine it was written for (`/var/log/acmeco`): `--root`
finds them below a folder of the student's own.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from producer.agent import CheckpointsUnusable, read_configuration
from producer.agent.configuration_keys import GLOBAL_KEYS, text
from scripts.command_line.agent import _checkpoints
from tests.conftest import EngineUnderTest
from tests.producer.agent.test_agent import AgentProcess, Reader
from tests.waiting import wait_until

#: An order log into a lake and, as JSON, into a stream that a script reads.
ORDERS = """{
  "cloudwatch.emitMetrics": true,
  "kinesis.endpoint": "",
  "firehose.endpoint": "firehose.us-east-1.amazonaws.com",

  "flows": [
    {
      "filePattern": "/var/log/acmeco/*.log",
      "deliveryStream": "purchaseLogs"
    },
    {
      "filePattern": "/var/log/acmeco/*.log",
      "kinesisStream": "acmecoOrders",
      "partitionKeyOption": "RANDOM",
      "dataProcessingOptions": [
         {
            "optionName": "CSVTOJSON",
            "customFieldNames": ["InvoiceNo", "StockCode", "Description", "Quantity",
                                 "InvoiceDate", "UnitPrice", "Customer", "Country"]
         }
      ]
    }
  ]
}
"""

#: A web server's log from its beginning, and an application's with stack traces.
WEB = """{
  "cloudwatch.emitMetrics": true,
  "kinesis.endpoint": "kinesis.us-east-1.amazonaws.com",
  "firehose.endpoint": "https://firehose.us-east-1.amazonaws.com",
  "flows": [
    {
      "filePattern": "/var/log/httpd/access_log*",
      "deliveryStream": "WebLogs",
      "initialPosition": "START_OF_FILE",
      "maxBufferAgeMillis": "2000",
      "dataProcessingOptions": [
        {"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}
      ]
    },
    {
      "filePattern": "/tmp/app.log*",
      "kinesisStream": "app-events",
      "initialPosition": "START_OF_FILE",
      "multiLineStartPattern": "^[0-9]{4}-",
      "maxBufferAgeMillis": 1000,
      "dataProcessingOptions": [
        {"optionName": "SINGLELINE"},
        {"optionName": "ADDMETADATA", "timestamp": "true", "metadata": {"source": "shop"}}
      ]
    }
  ]
}
"""

#: What the course's consumer does: LATEST of the one shard, each order into a table.
CONSUMER = """
import json
import time
import boto3

client = boto3.client('kinesis')
table = boto3.resource('dynamodb').Table('acmecoOrders')
stream = client.describe_stream(StreamName='acmecoOrders')
shard_id = stream['StreamDescription']['Shards'][0]['ShardId']
assert shard_id == 'shardId-000000000000'
iterator = client.get_shard_iterator(
    StreamName='acmecoOrders', ShardId=shard_id, ShardIteratorType='LATEST')['ShardIterator']
print('reading', flush=True)
while True:
    response = client.get_records(ShardIterator=iterator, Limit=100)
    iterator = response['NextShardIterator']
    for record in response['Records']:
        order = json.loads(record['Data'])
        table.put_item(Item={
            'CustomerID': int(order['Customer']),
            'OrderID': order['InvoiceNo'] + '-' + order['StockCode'],
            'Quantity': int(order['Quantity']),
            'UnitPrice': order['UnitPrice'],
            'Country': order['Country'].rstrip(),
        })
    time.sleep(1)
"""

GOOD = '192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 20 "-" "curl/7"\n'


@pytest.fixture
def kinesis_stream(engine: EngineUnderTest) -> Iterator[Callable[[str], Any]]:
    kinesis, made = engine.client("kinesis"), []

    def create(name: str) -> Any:
        kinesis.create_stream(StreamName=name, ShardCount=1)
        made.append(name)

        def status() -> Any:
            return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

        wait_until(lambda: status()["StreamStatus"] == "ACTIVE")
        return kinesis

    yield create
    for name in made:
        kinesis.delete_stream(StreamName=name)


@pytest.fixture
def delivery_stream(engine: EngineUnderTest) -> Iterator[Callable[[str], Callable[[], list[str]]]]:
    """Makes a delivery stream into a bucket; what it gives reads the lines in the bucket."""
    firehose, s3, made = engine.client("firehose"), engine.client("s3"), []

    def create(name: str) -> Callable[[], list[str]]:
        bucket = f"{name.lower()}-of-the-course"
        s3.create_bucket(Bucket=bucket)
        firehose.create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::000000000000:role/firehose",
                "BucketARN": f"arn:aws:s3:::{bucket}",
                "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
            },
        )
        made.append(name)

        def status() -> str:
            told = firehose.describe_delivery_stream(DeliveryStreamName=name)
            found: str = told["DeliveryStreamDescription"]["DeliveryStreamStatus"]
            return found

        wait_until(lambda: status() == "ACTIVE")

        def lines() -> list[str]:
            engine.advance_clock(61)
            keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
            bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
            whole = b"".join(gzip.decompress(b) if b[:2] == b"\x1f\x8b" else b for b in bodies)
            return whole.decode().splitlines(keepends=True)

        return lines

    yield create
    for name in made:
        firehose.delete_delivery_stream(DeliveryStreamName=name)


@contextmanager
def agent(engine: EngineUnderTest, folder: Path, document: str) -> Iterator[Path]:
    """The course's text as `agent.json`, run with `folder` as root. Gives the agent's log."""
    config = folder / "agent.json"
    config.write_text(document)
    process = AgentProcess(config, engine, "--root", str(folder))
    log = folder / "agent.log"
    try:
        wait_until(lambda: "Starting tailer" in log.read_text())
        yield log
    finally:
        assert process.stop() == 0, log.read_text()
    assert (folder / "var/run/aws-kinesis-agent/checkpoints").exists()


@contextmanager
def script(engine: EngineUnderTest, folder: Path, source: str) -> Iterator[None]:
    """A course's script in a process of its own; nothing but boto3's variables says where to."""
    file, out = folder / "consumer.py", folder / "consumer.out"
    file.write_text(source)
    environment = os.environ | {
        "AWS_ENDPOINT_URL": engine.endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with out.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, str(file)], env=environment, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: "reading" in out.read_text())
        yield
        assert process.poll() is None, out.read_text()
    finally:
        process.terminate()
        process.wait(30)


def test_an_order_log_reaches_the_lake_and_by_a_script_the_table(
    engine: EngineUnderTest,
    tmp_path: Path,
    kinesis_stream: Callable[[str], Any],
    delivery_stream: Callable[[str], Callable[[], list[str]]],
) -> None:
    lake, _ = delivery_stream("purchaseLogs"), kinesis_stream("acmecoOrders")
    dynamodb = engine.client("dynamodb")
    dynamodb.create_table(
        TableName="acmecoOrders",
        AttributeDefinitions=[
            {"AttributeName": "CustomerID", "AttributeType": "N"},
            {"AttributeName": "OrderID", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "CustomerID", "KeyType": "HASH"},
            {"AttributeName": "OrderID", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    logs = tmp_path / "var/log/acmeco"
    logs.mkdir(parents=True)
    (logs / "20101130-000000.log").write_bytes(b"an old line, which END_OF_FILE passes over\r\n")
    # A whole buffer: the file leaves the age of a buffer at a minute.
    orders = [
        f"{536365 + n},85123A,LIGHT,{n},12/1/2010 8:26,2.55,{17850 + n % 7},United Kingdom\r\n"
        for n in range(500)
    ]
    try:
        with agent(engine, tmp_path, ORDERS), script(engine, tmp_path, CONSUMER):
            (logs / "20101201-082600.log").write_bytes("".join(orders).encode())
            wait_until(lambda: _count(dynamodb) == 500, seconds=90)
        item = dynamodb.get_item(
            TableName="acmecoOrders",
            Key={"CustomerID": {"N": "17850"}, "OrderID": {"S": "536365-85123A"}},
        )["Item"]
        assert item["Country"] == {"S": "United Kingdom"}
        assert wait_until(lake) == orders
    finally:
        dynamodb.delete_table(TableName="acmecoOrders")


def _count(dynamodb: Any) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName="acmecoOrders", Select="COUNT")
    return sum(page["Count"] for page in pages)


def test_a_web_log_and_an_applications_log_are_converted_as_the_file_says(
    engine: EngineUnderTest,
    tmp_path: Path,
    kinesis_stream: Callable[[str], Any],
    delivery_stream: Callable[[str], Callable[[], list[str]]],
) -> None:
    lake, kinesis = delivery_stream("WebLogs"), kinesis_stream("app-events")
    for folder in ("var/log/httpd", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "var/log/httpd/access_log").write_text(GOOD * 5 + "malformed\n" + GOOD)
    (tmp_path / "tmp/app.log").write_text(
        "2026-12-01 started\n2026-12-01 failed\n  at first\n  at second\n2026-12-01 ended\n"
    )
    with agent(engine, tmp_path, WEB) as log:
        reader = Reader(kinesis, "app-events")
        wait_until(lambda: len(reader.read()) >= 2)
    # The end of the agent sends the last record, which no next one has closed.
    wait_until(lambda: len(reader.read()) == 3)
    events = [json.loads(record) for record in reader.records]
    assert [event["data"] for event in events] == [
        "2026-12-01 started",
        "2026-12-01 failedat firstat second",
        "2026-12-01 ended",
    ]
    assert all(list(event) == ["ts", "metadata", "data"] for event in events)
    assert events[0]["metadata"] == {"source": "shop"}
    rows = [json.loads(line) for line in wait_until(lake)]
    assert len(rows) == 6
    assert (rows[0]["host"], rows[0]["response"], rows[0]["referer"]) == ("192.0.2.7", "200", None)
    assert "skipped 1 records" in log.read_text()


def test_checkpoints_go_beside_the_engines_data_where_the_originals_default_is_for_root_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "closed").write_bytes(b"")
    closed = str(tmp_path / "closed" / "checkpoints")
    monkeypatch.setitem(GLOBAL_KEYS, "checkpointFile", text(closed))
    (tmp_path / "agent.json").write_text(ORDERS)
    configuration = read_configuration(tmp_path / "agent.json")
    _checkpoints(configuration, tmp_path / "data").close()
    instead = tmp_path / "agent" / "checkpoints"
    assert instead.exists()
    assert capsys.readouterr().err == (
        f"{closed} cannot be written here: checkpoints are kept in {instead}.\n"
    )


def test_a_checkpoint_file_of_ones_own_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").write_bytes(b"")
    mine = f"{tmp_path}/closed/checkpoints"
    own = json.dumps(json.loads(ORDERS) | {"checkpointFile": mine})
    (tmp_path / "agent.json").write_text(own)
    configuration = read_configuration(tmp_path / "agent.json")
    with pytest.raises(CheckpointsUnusable, match="Name a file in a folder"):
        _checkpoints(configuration, tmp_path / "data")


def test_a_folder_that_is_missing_is_told_with_the_way_to_another_root(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(ORDERS)
    command = [sys.executable, "-m", "scripts.command_line.main", "agent", "--check"]
    done = subprocess.run(
        [*command, "--root", str(tmp_path), str(tmp_path / "agent.json")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{tmp_path}/var/log/acmeco/*.log → firehose purchaseLogs",
        f"{tmp_path}/var/log/acmeco/*.log → kinesis acmecoOrders",
    ]
    assert done.stderr == (
        f"Folder {tmp_path}/var/log/acmeco is not there: its files are read once it is. "
        "(--root DIR finds the paths of the configuration below DIR.)\n"
    )
