"""The agent as a process, against the real engine."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.localstack.engine import admin
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

#: 1,000,000,000 for the full size.
STORY_BYTES = int(os.environ.get("RIACHO_AGENT_TEST_BYTES", 1_000_000))
LINE_BYTES = 200
WAIT_SECONDS = 60 + STORY_BYTES / 500_000


class AgentProcess:
    """`riacho agent` in a process of its own."""

    def __init__(self, config: Path, engine: EngineUnderTest, *options: str) -> None:
        self._log = open(config.with_suffix(".log"), "ab")  # noqa: SIM115  (closed by stop)
        environment = os.environ | {
            "AWS_ENDPOINT_URL": engine.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [
            sys.executable,
            "-m",
            "scripts.command_line.main",
            "agent",
            str(config),
            *options,
        ]
        self.process = subprocess.Popen(
            command, env=environment, stdout=self._log, stderr=self._log
        )

    def kill(self) -> None:
        self.process.kill()
        self.stop()

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(60)
        self._log.close()
        return code


class Reader:
    """Reads a stream of one shard as it grows."""

    def __init__(self, kinesis: Any, stream_name: str) -> None:
        self._kinesis = kinesis
        self._iterator = kinesis.get_shard_iterator(
            StreamName=stream_name,
            ShardId="shardId-000000000000",
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        self.records: list[bytes] = []

    def read(self) -> list[bytes]:
        """All records so far."""
        while new := self.read_new():
            self.records += new
        return self.records

    def read_new(self) -> list[bytes]:
        """What one call gives; nothing while the shard's own quota of reads is used up."""
        try:
            answer = self._kinesis.get_records(ShardIterator=self._iterator)
        except self._kinesis.exceptions.ProvisionedThroughputExceededException:
            return []
        self._iterator = answer["NextShardIterator"]
        return [record["Data"] for record in answer["Records"]]


class NumberReader(Reader):
    """Reads the numbers of a LogWriter's lines, also many millions of them."""

    def __init__(self, kinesis: Any, stream_name: str) -> None:
        super().__init__(kinesis, stream_name)
        self.numbers: list[int] = []
        self.distinct: set[int] = set()

    def count(self) -> int:
        """How many different lines have arrived."""
        while new := self.read_new():
            self.numbers += [int(record[:9]) for record in new]
            self.distinct.update(self.numbers[-len(new) :])
        return len(self.distinct)


@pytest.fixture
def stream(engine: EngineUnderTest) -> Iterator[str]:
    kinesis, name = engine.client("kinesis"), f"agent-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=1)

    def status() -> Any:
        return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

    wait_until(lambda: status()["StreamStatus"] == "ACTIVE")
    yield name
    kinesis.delete_stream(StreamName=name)


@pytest.fixture
def shard_limits(engine: EngineUnderTest) -> Iterator[Callable[[str], object]]:
    """Switches the engine's shard quotas; off afterwards."""

    def switch(wanted: str) -> object:
        return admin(engine.endpoint_url, "kinesis/shard-limits", {"shard_limits": wanted})

    yield switch
    switch("off")


@pytest.fixture
def run_agent(tmp_path: Path, engine: EngineUnderTest) -> Iterator[Callable[..., AgentProcess]]:
    """Starts an agent with one flow; ends what is still running."""
    started: list[AgentProcess] = []

    def run(**flow: Any) -> AgentProcess:
        config = tmp_path / "agent.json"
        document = {
            "kinesis.endpoint": "https://kinesis.us-east-1.amazonaws.com",
            "firehose.endpoint": "",
            "checkpointFile": str(tmp_path / "checkpoints"),
            "flows": [
                {
                    "filePattern": f"{tmp_path}/logs/app.log*",
                    "initialPosition": "START_OF_FILE",
                    "maxBufferAgeMillis": 1_000,
                }
                | flow
            ],
        }
        config.write_text(json.dumps(document))
        started.append(AgentProcess(config, engine))
        return started[-1]

    (tmp_path / "logs").mkdir()
    yield run
    for agent in started:
        agent.stop()


class LogWriter:
    """Writes numbered lines, and rotates in turn in each of the ways that logs are rotated."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "app.log"
        self._folder = folder
        self.written = self._rotations = 0

    def write(self, count: int) -> None:
        with open(self._path, "ab") as file:
            for number in range(self.written, self.written + count):
                line = b"%09d " % number
                file.write(line + b"x" * (LINE_BYTES - len(line) - 1) + b"\n")
        self.written += count

    def rotate(self) -> None:
        ways = (self._rename, self._copytruncate, self._create, self._copy)
        ways[self._rotations % len(ways)]()
        self._rotations += 1

    def _rename(self) -> None:
        """Older ones move on: app.log.1 becomes app.log.2."""
        for number in range(self._rotations, 0, -1):
            older = self._folder / f"app.log.{number}"
            if older.exists():
                older.rename(self._folder / f"app.log.{number + 1}")
        self._path.rename(self._folder / "app.log.1")

    def _copytruncate(self) -> None:
        self._copy()
        os.truncate(self._path, 0)

    def _create(self) -> None:
        """The log goes on in a file of another name."""
        self._path = self._folder / f"app.log-{self._rotations:03d}"

    def _copy(self) -> None:
        """The log goes on in the same file."""
        shutil.copyfile(self._path, f"{self._path}-copy{self._rotations:03d}")


@pytest.mark.slow
@pytest.mark.timeout(600 + WAIT_SECONDS)
def test_lines_arrive_complete_and_in_order_through_rotation_kills_and_throttling(
    engine: EngineUnderTest,
    stream: str,
    shard_limits: Callable[[str], object],
    run_agent: Callable[..., AgentProcess],
    tmp_path: Path,
) -> None:
    part_lines, parts, kills = STORY_BYTES // LINE_BYTES // 8, 8, 3
    reader = NumberReader(engine.client("kinesis"), stream)
    writer = LogWriter(tmp_path / "logs")
    agent = run_agent(kinesisStream=stream, retryMaxBackoffMillis=500)
    writer.write(1)
    wait_until(reader.count)  # at its first start, an agent takes the newest file only
    for part in range(parts):
        if part % 2:
            shard_limits("aws")
        writer.write(part_lines // 2)
        if part % 2:
            some = min(writer.written, reader.count() + 1_500)
            wait_until(lambda some=some: reader.count() >= some, WAIT_SECONDS)
            shard_limits("off")
        if part % 3 == 1:
            # In the middle of what is written, with a buffer on its way.
            half = writer.written - part_lines // 4
            wait_until(lambda half=half: reader.count() >= half, WAIT_SECONDS)
            agent.kill()
            writer.rotate()
            writer.write(part_lines // 2)
            agent = run_agent(kinesisStream=stream, retryMaxBackoffMillis=500)
        else:
            writer.write(part_lines // 2)
            writer.rotate()
    wait_until(lambda: reader.count() == writer.written, WAIT_SECONDS)
    assert agent.stop() == 0
    reader.count()
    assert list(dict.fromkeys(reader.numbers)) == list(range(writer.written))
    doubled = len(reader.numbers) - writer.written
    print(f"{writer.written} lines, {kills} kills, {doubled} doubled")
    assert doubled <= kills * 500


def test_a_courses_csv_lines_become_json(
    engine: EngineUnderTest,
    stream: str,
    run_agent: Callable[..., AgentProcess],
    tmp_path: Path,
) -> None:
    lines = b"536365,85123A,LIGHT,6,12/1/2010 8:26,2.55,17850,United Kingdom\r\n"
    (tmp_path / "logs" / "app.log").write_bytes(lines * 3)
    fields = "InvoiceNo StockCode Description Quantity InvoiceDate UnitPrice Customer Country"
    run_agent(
        kinesisStream=stream,
        partitionKeyOption="DETERMINISTIC",
        dataProcessingOptions=[
            {"optionName": "CSVTOJSON", "customFieldNames": fields.split(), "delimiter": ","}
        ],
    )
    reader = Reader(engine.client("kinesis"), stream)
    wait_until(lambda: len(reader.read()) == 3)
    assert orjson.loads(reader.records[0]) == {
        "InvoiceNo": "536365",
        "StockCode": "85123A",
        "Description": "LIGHT",
        "Quantity": "6",
        "InvoiceDate": "12/1/2010 8:26",
        "UnitPrice": "2.55",
        "Customer": "17850",
        "Country": "United Kingdom\r",
    }


def test_a_web_log_reaches_s3_through_firehose_and_the_metrics_cloudwatch(
    engine: EngineUnderTest, run_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    name = f"weblogs-{uuid.uuid4().hex[:8]}"
    s3, firehose = engine.client("s3"), engine.client("firehose")
    s3.create_bucket(Bucket=name)
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/firehose",
            "BucketARN": f"arn:aws:s3:::{name}",
            "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
        },
    )
    wait_until(
        lambda: (
            firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"][
                "DeliveryStreamStatus"
            ]
            == "ACTIVE"
        )
    )
    good = b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 20 "-" "curl/7"\n'
    (tmp_path / "logs" / "app.log").write_bytes(good * 99 + b"malformed\n" + good)
    agent = run_agent(
        deliveryStream=name,
        dataProcessingOptions=[{"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}],
    )
    log = tmp_path / "agent.log"
    wait_until(lambda: _is_sent(tmp_path / "checkpoints", len(good) * 100 + 10))
    assert agent.stop() == 0
    assert "skipped 1 records, and has successfully sent 100 records" in log.read_text()
    engine.advance_clock(61)
    wait_until(lambda: s3.list_objects_v2(Bucket=name).get("Contents"))
    (entry,) = s3.list_objects_v2(Bucket=name)["Contents"]
    body = s3.get_object(Bucket=name, Key=entry["Key"])["Body"].read()
    lines = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).splitlines()
    assert len(lines) == 100
    assert orjson.loads(lines[0])["request"] == "GET /a HTTP/1.1"
    metrics = engine.client("cloudwatch").list_metrics(
        Namespace="AWSKinesisAgent",
        Dimensions=[{"Name": "Destination", "Value": f"DeliveryStream:{name}"}],
    )["Metrics"]
    assert {m["MetricName"] for m in metrics} >= {"RecordsSent", "BytesSent"}
    firehose.delete_delivery_stream(DeliveryStreamName=name)


def _is_sent(checkpoints: Path, offset: int) -> bool:
    if not checkpoints.exists():
        return False
    with closing(sqlite3.connect(checkpoints)) as database:
        try:
            rows = database.execute("select offset from FILE_CHECKPOINTS").fetchall()
        except sqlite3.OperationalError:
            return False  # its tables are being made
    return rows == [(offset,)]


def test_a_stream_that_comes_later_is_waited_for(
    engine: EngineUnderTest, run_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    kinesis, name = engine.client("kinesis"), f"agent-{uuid.uuid4().hex[:8]}"
    (tmp_path / "logs" / "app.log").write_bytes(b"one\n")
    run_agent(kinesisStream=name, retryMaxBackoffMillis=500)
    log = tmp_path / "agent.log"
    wait_until(lambda: "ResourceNotFoundException" in log.read_text())
    kinesis.create_stream(StreamName=name, ShardCount=1)
    wait_until(lambda: Reader(kinesis, name).read() == [b"one\n"])
    kinesis.delete_stream(StreamName=name)


def test_an_unreadable_configuration_ends_in_one_sentence(
    engine: EngineUnderTest, run_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = run_agent(kinesisStream="s", maxBufferSizeRecords=501)
    assert agent.process.wait(60) == 1
    assert (tmp_path / "agent.log").read_text().strip() == (
        f"Error: {tmp_path}/agent.json: flows[0]: maxBufferSizeRecords is 501; "
        "accepted is a whole number from 1 to 500."
    )
