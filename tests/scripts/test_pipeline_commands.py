"""produce, consume, streams, query and reconcile on a real engine, and users' mistakes."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from producer.kinesis_producer import KinesisProducer
from producer.ledger import Ledger
from scripts.provisioning import provision_bucket, provision_stream, provision_table
from tests.scripts.command import riacho
from tests.waiting import wait_until

ROWS = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom
536365,this line is no row
536370,22728,"ALARM CLOCK, PINK",24,12/1/2010 8:45,3.75,12583,France
536371,22086,PAPER CHAIN KIT,many,12/1/2010 9:00,2.55,13748,United Kingdom
536372,22632,HAND WARMER RED POLKA DOT,-3,12/1/2010 9:01,1.85,,United Kingdom
"""


@dataclass(frozen=True)
class Pipeline:
    """One test's own stream, bucket and table, and where the engine is."""

    engine: Any
    name: str
    folder: Path

    @property
    def there(self) -> tuple[str, str]:
        return ("--endpoint-url", self.engine.endpoint_url)

    @property
    def ledger(self) -> str:
        return str(self.folder / "sent.ledger")

    def produce(self, *options: str) -> dict[str, Any]:
        told = riacho(
            *("produce", "--stream", self.name, "--create-shards", "2", "--json"),
            *("--ledger", self.ledger, "--bucket", self.name, *self.there, *options),
        )
        assert told.returncode == 0, told.stderr
        facts: dict[str, Any] = json.loads(told.stdout)
        return facts

    def reconcile(self) -> tuple[int, dict[str, Any]]:
        told = riacho(
            *("reconcile", "--ledger", self.ledger, "--bucket", self.name),
            *("--table", self.name, "--json", *self.there),
        )
        assert told.stdout, told.stderr
        return told.returncode, json.loads(told.stdout)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """A `riacho consume` into lake and table, ended with SIGTERM."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scripts.command_line.main", "consume"),
                *("--stream", self.name, "--worker-id", "w", *self.there),
                *("--processor", f"to_raw_zone:bucket={self.name},max_age_seconds=0.5"),
                *("--processor", f"to_dynamodb:table={self.name}"),
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0

    def items(self) -> int:
        table = self.engine.client("dynamodb").describe_table(TableName=self.name)["Table"]
        return int(table["ItemCount"])


@pytest.fixture
def pipeline(engine: Any, tmp_path: Path) -> Pipeline:
    made = Pipeline(engine, f"pipeline-{uuid.uuid4().hex[:8]}", tmp_path)
    provision_bucket(engine.client("s3"), made.name)
    provision_table(engine.client("dynamodb"), made.name)
    return made


def test_what_was_produced_and_consumed_adds_up_until_a_row_is_lost(pipeline: Pipeline) -> None:
    assert pipeline.produce("--count", "600")["acknowledged"] == 600
    with pipeline.worker():
        wait_until(lambda: pipeline.items() == 600, seconds=60)
    code, proof = pipeline.reconcile()
    assert (code, proof["adds_up"]) == (0, True)
    assert [(v["stored"], v["missing"], v["doubled"]) for v in proof["verdicts"]] == [
        (600, 0, 0),
        (600, 0, 0),
    ]

    lost = {"event_id": {"S": "online_retail-000042"}}
    pipeline.engine.client("dynamodb").delete_item(TableName=pipeline.name, Key=lost)
    code, proof = pipeline.reconcile()
    assert code == 1
    assert proof["verdicts"][0]["adds_up"]
    assert proof["verdicts"][1]["first_missing"] == ["online_retail-000042"]
    assert list(proof["verdicts"][1]["differing_sums"]) == ["France"]

    history = pipeline.engine.client("s3").list_objects_v2(
        Bucket=pipeline.name, Prefix=f"reconcile/{pipeline.name}/"
    )
    assert history["KeyCount"] == 2


def test_rows_that_are_no_rows_are_kept_with_line_and_reason(
    pipeline: Pipeline,
) -> None:
    (pipeline.folder / "orders.csv").write_text(ROWS)
    facts = pipeline.produce("--file", str(pipeline.folder / "orders.csv"))
    assert (facts["acknowledged"], facts["rejected"]) == (3, 2)

    bucket, _, key = facts["rejected_to"].removeprefix("s3://").partition("/")
    body = pipeline.engine.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    rows = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert [(row["line_number"], row["reason"]) for row in rows] == [
        (3, "2 fields instead of 8"),
        (5, "Quantity is 'many', not a whole number"),
    ]
    with pipeline.worker():
        wait_until(lambda: pipeline.items() == 3, seconds=60)
    code, proof = pipeline.reconcile()
    assert (code, proof["rejected_rows"]) == (0, 2)


def test_a_poison_record_is_set_aside_and_missing_nowhere(pipeline: Pipeline) -> None:
    pipeline.produce("--count", "10")
    kinesis = pipeline.engine.client("kinesis")
    kinesis.put_record(StreamName=pipeline.name, Data=b"\xff no JSON", PartitionKey="poison")
    with pipeline.worker():
        wait_until(lambda: pipeline.items() == 10, seconds=60)
        s3 = pipeline.engine.client("s3")
        wait_until(
            lambda: s3.list_objects_v2(Bucket=pipeline.name, Prefix="rejected/")["KeyCount"] == 1
        )
    code, proof = pipeline.reconcile()
    assert (code, proof["rejected_records"]) == (0, 1)


def test_poison_in_an_aggregate_is_set_aside_and_its_neighbours_are_not(pipeline: Pipeline) -> None:
    kinesis = pipeline.engine.client("kinesis")
    provision_stream(kinesis, pipeline.name, 1)
    with (
        Ledger(pipeline.ledger, pipeline.name) as ledger,
        KinesisProducer(kinesis, pipeline.name, ledger=ledger) as producer,
    ):
        for number in range(9):
            row = json.dumps({"event_id": f"e-{number}"}).encode()
            data = b"no JSON" if number in (3, 7) else row
            records = [producer.add(data, "key", event_id=f"e-{number}")]
    assert records[0].wait().sub_sequence_number == 8
    with pipeline.worker():
        wait_until(lambda: pipeline.items() == 7, seconds=60)
    code, proof = pipeline.reconcile()
    assert (code, proof["rejected_records"]) == (0, 2)
    assert [v["rejected"] for v in proof["verdicts"]] == [2, 2]

    lost = {"event_id": {"S": "e-4"}}
    pipeline.engine.client("dynamodb").delete_item(TableName=pipeline.name, Key=lost)
    code, proof = pipeline.reconcile()
    assert code == 1
    assert proof["verdicts"][1]["first_missing"] == ["e-4"]


class Fragile:
    """A processor that cannot take one record."""

    def initialize(self, given: Any) -> None: ...

    def process_records(self, given: Any) -> None:
        if any(record.data == b"poison" for record in given.records):
            raise ValueError("I cannot take poison")
        given.checkpointer.checkpoint()

    def lease_lost(self, given: Any) -> None: ...

    def shard_ended(self, given: Any) -> None:
        given.checkpointer.checkpoint()

    def shutdown_requested(self, given: Any) -> None:
        given.checkpointer.checkpoint()


@contextmanager
def fragile_worker(pipeline: Pipeline, *options: str) -> Iterator[str]:
    """`riacho consume` by fan-out with a processor of one's own; the address of its health."""
    log = pipeline.folder / "consume.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scripts.command_line.main", "consume"),
                *("--stream", pipeline.name, *pipeline.there, "--fan-out", *options),
                *("--processor", f"{__name__}:Fragile", "--health-port", "0"),
            ],
            stderr=told,
        )
    try:
        wait_until(lambda: "Health: " in log.read_text(), seconds=60)
        yield log.read_text().partition("Health: ")[2].split()[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_a_failing_record_goes_to_the_dead_letter_stream_and_the_others_are_processed(
    pipeline: Pipeline,
) -> None:
    kinesis, letters = pipeline.engine.client("kinesis"), f"{pipeline.name}-dead"
    for name in (pipeline.name, letters):
        provision_stream(kinesis, name, 1)
    records = [{"Data": d, "PartitionKey": "k"} for d in (b"a", b"poison", b"b")]
    kinesis.put_records(StreamName=pipeline.name, Records=records)
    options = ("--on-error", "dead-letter", "--dead-letter", letters, "--max-retries", "0")
    with fragile_worker(pipeline, *options, "--metrics") as url:
        wait_until(lambda: health(url)[1]["records_processed"] == 3, seconds=60)
        assert health(url)[0] == 200
    consumers = kinesis.list_stream_consumers(
        StreamARN=kinesis.describe_stream_summary(StreamName=pipeline.name)[
            "StreamDescriptionSummary"
        ]["StreamARN"]
    )["Consumers"]
    assert [c["ConsumerName"] for c in consumers] == [f"{pipeline.name}-consumer"]
    iterator = kinesis.get_shard_iterator(
        StreamName=letters, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (letter,) = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert json.loads(letter["Data"])["data"] == "poison"
    metrics = pipeline.engine.client("cloudwatch").list_metrics(
        Namespace=f"{pipeline.name}-consumer"
    )["Metrics"]
    assert "RecordsProcessed" in {metric["MetricName"] for metric in metrics}


def test_a_shard_that_stands_still_makes_the_worker_unhealthy(pipeline: Pipeline) -> None:
    kinesis = pipeline.engine.client("kinesis")
    provision_stream(kinesis, pipeline.name, 1)
    kinesis.put_record(StreamName=pipeline.name, Data=b"poison", PartitionKey="k")
    with fragile_worker(pipeline) as url:
        wait_until(lambda: any("stands still" in p for p in health(url)[1]["problems"]), 60)
        assert health(url)[0] == 503


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--on-error", "dead-letter"), "belong together"),
        (("--dead-letter", "elsewhere"), "belong together"),
        (("--on-error", "dead-letter", "--dead-letter", "nowhere"), "nowhere"),
        (("--on-error", "skip"), "'skip' is not one of"),
        (("--processor-timeout", "0"), "--processor-timeout"),
    ],
)
def test_options_of_consume_that_do_not_fit_end_in_one_sentence(
    pipeline: Pipeline, options: tuple[str, ...], sentence: str
) -> None:
    provision_stream(pipeline.engine.client("kinesis"), pipeline.name, 1)
    told = riacho(
        *("consume", "--stream", pipeline.name, "--processor", f"{__name__}:Fragile"),
        *(*pipeline.there, *options),
    )
    assert told.returncode != 0
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_streams_lists_a_stream_and_its_shards(pipeline: Pipeline) -> None:
    pipeline.produce("--count", "1")
    listed = json.loads(riacho("streams", "--json", *pipeline.there).stdout)
    assert pipeline.name in [row["stream"] for row in listed]
    shards = json.loads(riacho("streams", pipeline.name, "--json", *pipeline.there).stdout)
    assert [(s["state"], s["share of keys"]) for s in shards] == [("open", "50.0%")] * 2


def test_a_query_error_shows_where_in_the_sql(engine: Any) -> None:
    told = riacho("query", "SELECT 1,\n  nowhere", "--endpoint-url", engine.endpoint_url)
    assert told.returncode == 1
    assert "COLUMN_NOT_FOUND: line 2:3: Column 'nowhere' cannot be resolved" in told.stderr
    assert "\n    ^" in told.stderr
    assert "Traceback" not in told.stderr


def test_athena_answers_the_statements_it_is_piped(engine: Any) -> None:
    told = riacho(
        *("athena", "--endpoint-url", engine.endpoint_url),
        typed="SELECT 6 * 7\n  AS answer;\nSELECT nowhere;\nSELECT 'still here' AS state;\n",
    )
    assert told.returncode == 1, told.stderr  # one of them failed; the others are answered
    assert "42" in told.stdout
    assert "COLUMN_NOT_FOUND" in told.stdout + told.stderr
    assert "still here" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("produce", "--dataset", "tweets", "--create-shards", "1"), "ecommerce, online_retail"),
        (("produce", "--stream", "absent"), "There is no stream 'absent'; existing ones: "),
        (("streams", "absent"), "There is no stream 'absent'; existing ones: "),
        (("consume", "--stream", "absent", "--processor", "x"), "There is no stream 'absent'"),
        (("reconcile", "--ledger", "no.ledger", "--bucket", "b"), "There is no ledger no.ledger"),
        (("reconcile", "--ledger", "no.ledger"), "--bucket, --table, --index, or several"),
        (("reconcile", "--ledger", "no.ledger", "--index", "i"), "The engine runs no OpenSearch"),
        (
            ("reconcile", "--ledger", "no.ledger", "--table", "t", "--failed-prefix", "f/"),
            "--failed-prefix is a prefix of --bucket",
        ),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    engine: Any, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    told = riacho(*arguments, "--endpoint-url", engine.endpoint_url, folder=tmp_path)
    assert told.returncode != 0
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_an_application_named_like_another_kind_of_table_is_refused(pipeline: Pipeline) -> None:
    """The pipeline's own table has the key `event_id`."""
    provision_stream(pipeline.engine.client("kinesis"), pipeline.name, 1)
    told = riacho(
        *("consume", "--stream", pipeline.name, "--application", pipeline.name),
        *("--processor", f"to_dynamodb:table={pipeline.name}", *pipeline.there),
    )
    assert told.returncode == 1
    assert told.stderr == (
        f"Error: Table {pipeline.name!r} has the key [('event_id', 'HASH')], but a lease table's "
        "only key is leaseKey (string): the application's name is its lease table's name. "
        "Choose another application name.\n"
    )


def test_without_an_engine_the_way_to_one_is_told(tmp_path: Path) -> None:
    told = riacho("streams", folder=tmp_path)
    assert told.returncode == 6
    assert "riacho up" in told.stderr


@pytest.mark.parametrize(
    ("processor", "sentence"),
    [
        ("to_dynamodb:table=absent-table", "There is no table 'absent-table'"),
        ("to_raw_zone:bucket=absent-bucket", "There is no bucket 'absent-bucket'"),
        (
            "to_raw_zone:bucket=b,max_age_seconds=soon",
            "max_age_seconds is 'soon'; it must be a number",
        ),
        ("to_nowhere", "there are: to_dynamodb, to_raw_zone"),
    ],
)
def test_a_worker_that_could_store_nothing_does_not_start(
    pipeline: Pipeline, processor: str, sentence: str
) -> None:
    provision_stream(pipeline.engine.client("kinesis"), pipeline.name, 1)
    told = riacho("consume", "--stream", pipeline.name, *pipeline.there, "--processor", processor)
    assert told.returncode == 1
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr
