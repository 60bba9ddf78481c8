"""An OpenSearch index against the ledger: what Firehose or a worker indexed, lost, doubled."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SearchEngine
from tests.scripts.command import riacho
from tests.services.firehose.lake import Lake
from tests.services.opensearch.indexes import Indexes
from tests.waiting import wait_until

EVENTS = 300
ROLE = "arn:aws:iam::000000000000:role/firehose"


@dataclass(frozen=True)
class Shop:
    """A ledger of clicks, and the index that a delivery stream fills from their stream."""

    lake: Lake
    indexes: Indexes
    index: str
    ledger: Path

    @property
    def there(self) -> tuple[str, ...]:
        return ("--endpoint-url", self.lake.engine.endpoint_url)

    def produce(self) -> None:
        told = riacho(
            *("produce", "--dataset", "ecommerce", "--count", str(EVENTS)),
            *("--stream", self.index, "--ledger", str(self.ledger), *self.there),
        )
        assert told.returncode == 0, told.stderr

    def deliver_to_index(self, url: str) -> None:
        kinesis = self.lake.engine.client("kinesis")
        kinesis.create_stream(StreamName=self.index, ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName=self.index)
        summary = kinesis.describe_stream_summary(StreamName=self.index)
        at_once = {"SizeInMBs": 1, "IntervalInSeconds": 0}
        self.lake.create_with(
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={
                "KinesisStreamARN": summary["StreamDescriptionSummary"]["StreamARN"],
                "RoleARN": ROLE,
            },
            AmazonopensearchserviceDestinationConfiguration={
                "RoleARN": ROLE,
                "ClusterEndpoint": url,
                "IndexName": self.index,
                "IndexRotationPeriod": "OneDay",
                "BufferingHints": at_once,
                "S3Configuration": {
                    **self.lake.bucket,
                    "ErrorOutputPrefix": "failed/",
                    "CompressionFormat": "GZIP",
                    "BufferingHints": at_once,
                },
            },
        )

    def reconcile(self, *more: str) -> tuple[int, dict[str, Any]]:
        told = riacho(
            *("reconcile", "--ledger", str(self.ledger), "--index", f"{self.index}*"),
            *(*more, "--json", *self.there),
        )
        assert told.stdout, told.stderr
        (verdict,) = [
            v for v in json.loads(told.stdout)["verdicts"] if v["sink"] == f"index {self.index}*"
        ]
        return told.returncode, verdict


@pytest.fixture
def shop(search_engine: SearchEngine, tmp_path: Path) -> Iterator[Shop]:
    indexes = Indexes(search_engine.opensearch_url)
    index = f"test-{uuid.uuid4().hex[:8]}"
    yield Shop(Lake(search_engine), indexes, index, tmp_path / "sent.ledger")
    indexes.delete()


@pytest.mark.slow
def test_what_firehose_indexed_adds_up_until_a_document_is_lost_or_doubled(
    shop: Shop, search_engine: SearchEngine
) -> None:
    shop.deliver_to_index(search_engine.opensearch_url)
    shop.produce()
    wait_until(lambda: shop.indexes.count(f"{shop.index}*") >= EVENTS, 60, 0.2)
    code, verdict = shop.reconcile()
    assert (code, verdict["stored"], verdict["adds_up"]) == (0, EVENTS, True)

    first, second, *_ = shop.indexes.documents(f"{shop.index}*")
    shop.indexes.call("DELETE", f"/{first['_index']}/_doc/{first['_id']}")
    shop.indexes.call("PUT", f"/{shop.index}-other/_doc/again", second["_source"])
    shop.indexes.call("PUT", f"/{shop.index}-other/_doc/foreign", {"device": "tv"})
    code, verdict = shop.reconcile()
    assert code == 1
    assert verdict["first_missing"] == [first["_source"]["event_id"]]
    assert verdict["first_doubled"] == [second["_source"]["event_id"]]
    assert verdict["first_unsent"] == [f"{shop.index}-other/foreign"]


@pytest.mark.slow
def test_documents_that_opensearch_refused_are_set_aside_where_firehose_kept_them(
    shop: Shop, search_engine: SearchEngine
) -> None:
    # A byte holds few customers' numbers: the others are refused.
    small = {"mappings": {"properties": {"custid": {"type": "byte"}}}}
    template = {"index_patterns": [f"{shop.index}*"], "priority": 500, "template": small}
    shop.indexes.call("PUT", f"/_index_template/{shop.index}", template)
    shop.deliver_to_index(search_engine.opensearch_url)
    shop.produce()

    def is_over() -> bool:
        backed_up = len(shop.lake.lines("failed/"))
        return shop.indexes.count(f"{shop.index}*") + backed_up >= EVENTS

    wait_until(is_over, 60, 0.2)
    bucket = ("--bucket", shop.lake.name)
    _, verdict = shop.reconcile(*bucket)
    refused = verdict["missing"]
    assert 0 < refused < EVENTS
    _, verdict = shop.reconcile(*bucket, "--failed-prefix", "failed/")
    assert verdict["adds_up"]
    assert (verdict["stored"], verdict["rejected"]) == (EVENTS - refused, refused)


def test_an_index_that_is_not_there_is_told(shop: Shop) -> None:
    shop.ledger.write_text('{"ledger":1,"stream_name":"orders"}\n')
    told = riacho("reconcile", "--ledger", str(shop.ledger), "--index", "absent", *shop.there)
    assert told.returncode == 1
    assert "absent" in told.stderr
    assert "Traceback" not in told.stderr
