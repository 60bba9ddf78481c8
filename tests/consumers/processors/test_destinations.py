"""Destinations on the real engine: the table, the raw zone, rejected records, all side by side."""

from __future__ import annotations

import gzip
import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.kcl import LOCAL
from consumers.processors.registry import UnknownProcessor, load_processors
from consumers.processors.row import split_rows
from consumers.processors.to_dynamodb import DynamoDBTable, TableNotFound
from tests.conftest import EngineUnderTest
from tests.consumers.kcl.streams import StreamUnderTest
from tests.consumers.processors.records import record
from tests.waiting import wait_until

SETTINGS = replace(LOCAL, call_process_records_even_for_empty_record_list=True)


class Sinks:
    """A table keyed by event_id and a bucket."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self.dynamodb: Any = engine.client("dynamodb")
        self._s3 = engine.client("s3")
        self.name = f"sink-{uuid.uuid4().hex[:8]}"
        self._s3.create_bucket(Bucket=self.name)
        self.dynamodb.create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": "event_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "event_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def items(self) -> dict[str, Any]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        return {item["event_id"]["S"]: item for page in pages for item in page["Items"]}

    def objects(self, prefix: str) -> dict[str, bytes]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {k: self._s3.get_object(Bucket=self.name, Key=k)["Body"].read() for k in keys}

    def raw_rows(self) -> list[dict[str, Any]]:
        bodies = self.objects("raw/").values()
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]


@pytest.fixture
def sinks(engine: EngineUnderTest) -> Sinks:
    return Sinks(engine)


def put(stream: StreamUnderTest, *data: bytes) -> None:
    stream.kinesis.put_records(
        StreamName=stream.name,
        Records=[{"Data": d, "PartitionKey": str(n)} for n, d in enumerate(data)],
    )


def row(number: int, **more: Any) -> bytes:
    return json.dumps(
        {"event_id": f"e{number}", "price": 2.55, "tags": ["a", None]} | more
    ).encode()


def test_table_and_lake_hold_every_row_once_and_rejected_records_are_kept(
    engine: EngineUnderTest, sinks: Sinks
) -> None:
    stream = StreamUnderTest(engine, 2)
    specs = [
        f"to_dynamodb:table={sinks.name}",
        f"to_raw_zone:bucket={sinks.name},max_age_seconds=0.5,max_records=40",
    ]
    put(stream, *(row(n) for n in range(200)), b"no json", b"[1]", b'{"price": 1}')
    wanted = {f"e{n}" for n in range(200)}
    factory = load_processors(specs, engine.client)
    with stream.worker("a", factory, SETTINGS):
        wait_until(lambda: sinks.items().keys() == wanted)
    ids = [found.get("event_id") for found in sinks.raw_rows()]
    assert sorted(ids, key=str) == sorted([*wanted, None], key=str)
    rejected = [json.loads(body) for body in sinks.objects("rejected/").values()]
    reasons = {r["data"]: [reason["reason"] for reason in r["reasons"]] for r in rejected}
    assert reasons.keys() == {"no json", "[1]", '{"price": 1}'}
    assert "part of the key" in reasons['{"price": 1}'][0]
    assert "not a JSON object but list" in reasons["[1]"][0]
    assert all(key.endswith(".json.gz") and "/hour=" in key for key in sinks.objects("raw/"))


def test_replaying_everything_changes_neither_table_nor_lake(
    engine: EngineUnderTest, sinks: Sinks
) -> None:
    stream = StreamUnderTest(engine, 1)
    put(stream, *(row(n) for n in range(100)))
    specs = [
        f"to_dynamodb:table={sinks.name}",
        f"to_raw_zone:bucket={sinks.name},max_age_seconds=0.2,max_records=30",
    ]
    factory = load_processors(specs, engine.client)
    with stream.worker("a", factory, SETTINGS):
        wait_until(lambda: len(sinks.raw_rows()) == 100)
    before = sinks.objects("raw/"), sinks.items()
    stream.dynamodb.delete_table(TableName=stream.application)  # forgets every checkpoint
    coarser = [specs[0], f"to_raw_zone:bucket={sinks.name},max_age_seconds=0.2,max_records=70"]
    with stream.worker("b", load_processors(coarser, engine.client), SETTINGS) as worker:
        wait_until(lambda: worker.progress().records_processed == 100)
    assert (sinks.objects("raw/"), sinks.items()) == before


def test_two_rows_of_one_key_in_one_batch_leave_the_later_one(sinks: Sinks) -> None:
    table = DynamoDBTable(sinks.dynamodb, sinks.name)
    table.open("stream", "shardId-0")
    data = [row(1, price=1), row(2, price=2), row(1, price=3)]
    rows, _ = split_rows([record(n + 1, d) for n, d in enumerate(data)])
    table.store(rows, rows[-1].record.position)
    table.close()
    prices = {key: item["price"]["N"] for key, item in sinks.items().items()}
    assert prices == {"e1": "3", "e2": "2"}


def test_a_missing_table_is_named_with_those_there_are(sinks: Sinks) -> None:
    table = DynamoDBTable(sinks.dynamodb, "no-such-table")
    with pytest.raises(TableNotFound, match=f"no table 'no-such-table'.*{sinks.name}"):
        table.open("stream", "shardId-0")


def test_without_a_place_for_rejected_records_the_shard_stops(
    engine: EngineUnderTest, sinks: Sinks
) -> None:
    stream = StreamUnderTest(engine, 1)
    put(stream, row(1), b"no json")
    factory = load_processors([f"to_dynamodb:table={sinks.name}"], engine.client)
    with stream.worker("a", factory, SETTINGS) as worker:
        (error,) = wait_until(lambda: list(worker.failed_shards().values()))
    assert "Name a place for rejected records" in str(error)


def test_rejected_records_can_go_to_a_dead_letter_stream(
    engine: EngineUnderTest, sinks: Sinks
) -> None:
    stream, dead = StreamUnderTest(engine, 1), StreamUnderTest(engine, 1)
    put(stream, b"no json")
    factory = load_processors(
        [f"to_dynamodb:table={sinks.name}"],
        engine.client,
        rejected=f"to_dead_letter:stream={dead.name}",
    )
    iterator = dead.kinesis.get_shard_iterator(
        StreamName=dead.name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    with stream.worker("a", factory, SETTINGS):
        (letter,) = wait_until(lambda: dead.kinesis.get_records(ShardIterator=iterator)["Records"])
    assert json.loads(letter["Data"])["reason"].startswith("row: not JSON")


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        ([], "Name a processor: to_dynamodb, to_raw_zone, to_opensearch"),
        (["to_mars:planet=4"], "no processor 'to_mars'; there are: to_dynamodb"),
        (["to_dynamodb:tabel=x"], "no option 'tabel'. Its options: table"),
        (["to_dynamodb"], "no 'table' given"),
        (
            ["to_raw_zone:bucket=b,max_records=many"],
            "max_records is 'many'; it must be a whole number above 0",
        ),
        (["to_raw_zone:bucket=b,max_records=0"], "max_records is '0'; it must be a whole number"),
        (["to_raw_zone:bucket=b,max_age_seconds=nan"], "is 'nan'; it must be a number above 0"),
        (["to_raw_zone:bucket=b,max_age_seconds=-1"], "is '-1'; it must be a number above 0"),
        (["to_dynamodb:table=t,parallel_batches=0"], "is '0'; it must be a whole number above 0"),
        (["to_raw_zone:bucket"], "must be written option=value"),
        (["to_raw_zone:bucket=b", "to_raw_zone:bucket=c"], "one to_raw_zone at most"),
        (["no_such_module:Processor"], "No module named 'no_such_module'"),
        (["json:Nothing"], "no class 'Nothing'"),
        (["json:JSONDecoder"], "is no ShardRecordProcessor: it lacks initialize"),
        (["tests.consumers.kcl.recording:Recorder", "to_raw_zone:bucket=b"], "cannot stand beside"),
    ],
)
def test_a_processor_that_cannot_be_is_refused_in_a_sentence(specs: list[str], told: str) -> None:
    with pytest.raises(UnknownProcessor, match=told):
        load_processors(specs, lambda service: None)


def test_a_slip_in_a_module_of_ones_own_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_slip.py").write_text("class Printer\n    pass\n")
    with pytest.raises(
        UnknownProcessor, match=r"my_slip:Printer: expected ':' \(my_slip.py, line 1"
    ):
        load_processors(["my_slip:Printer"], lambda service: None)
    (tmp_path / "my_import.py").write_text("from json import Printer\n")
    with pytest.raises(UnknownProcessor, match="cannot import name 'Printer' from 'json'"):
        load_processors(["my_import:Printer"], lambda service: None)


def test_a_class_of_ones_own_is_loaded_by_module_and_name() -> None:
    from tests.consumers.kcl.recording import Recorder

    factory: object = load_processors(["tests.consumers.kcl.recording:Recorder"], lambda _: None)
    assert factory is Recorder
