"""`to_opensearch` against the real OpenSearch: once each, refusals told, a full node waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import orjson
import pytest
from opensearchpy import OpenSearch

from consumers.processors.row import Row, split_rows
from consumers.processors.to_opensearch import OpenSearchIndex
from tests.conftest import SearchEngine
from tests.consumers.processors.records import record
from tests.services.opensearch.indexes import Indexes
from tests.waiting import wait_until


@pytest.fixture
def indexes(search_engine: SearchEngine) -> Iterator[Indexes]:
    found = Indexes(search_engine.opensearch_url)
    yield found
    found.delete()


def rows(*documents: Mapping[str, object]) -> list[Row]:
    made = [record(n, orjson.dumps(d)) for n, d in enumerate(documents, start=1)]
    return split_rows(made)[0]


def destination(search_engine: SearchEngine, index: str) -> Iterator[OpenSearchIndex]:
    with OpenSearch(search_engine.opensearch_url) as client:
        made = OpenSearchIndex(client, index, id_attribute="event_id")
        made.open("stream", "shardId-000000000000")
        yield made


def test_rows_stored_again_are_one_document_each(
    search_engine: SearchEngine, indexes: Indexes
) -> None:
    documents = rows(*({"event_id": f"e{n}", "n": n} for n in range(2_500)))
    for stored in destination(search_engine, "test-rows"):
        for _ in range(2):
            assert stored.store(documents, documents[-1].record.position) == []
    assert indexes.count("test-rows") == 2_500


def test_a_row_that_does_not_fit_the_mapping_is_rejected_with_opensearch_s_reason(
    search_engine: SearchEngine, indexes: Indexes
) -> None:
    documents = rows({"event_id": "a", "custid": 1}, {"event_id": "b", "custid": {"no": 1}})
    for stored in destination(search_engine, "ecommerce"):
        (rejection,) = stored.store(documents, documents[-1].record.position)
    assert "mapper_parsing_exception" in rejection.reason
    assert indexes.count("ecommerce") == 1


def test_a_full_node_holds_the_shard_back_until_it_has_room(
    search_engine: SearchEngine, indexes: Indexes
) -> None:
    documents = rows(*({"event_id": f"e{n}"} for n in range(10)))
    indexes.call("PUT", "/test-full")
    indexes.turn_away("test-full", True)
    with OpenSearch(search_engine.opensearch_url) as client:
        calls: list[float] = []
        stored = OpenSearchIndex(
            client, "test-full", id_attribute="event_id", sleep=lambda s: calls.append(s)
        )
        stored.open("stream", "shardId-000000000000")
        worker = threading.Thread(
            target=stored.store, args=(documents, documents[-1].record.position)
        )
        worker.start()
        wait_until(lambda: len(calls) > 3, 60)
        assert worker.is_alive()
        assert stored.durable_through is None
        indexes.turn_away("test-full", False)
        worker.join(60)
    assert stored.durable_through == documents[-1].record.position
    assert indexes.count("test-full") == 10
