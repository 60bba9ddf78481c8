"""Firehose into the real OpenSearch: rotation, refusals, back-pressure, and a kill on the way."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import SearchEngine
from tests.services.firehose.lake import ROLE, Lake
from tests.services.opensearch.indexes import Indexes
from tests.waiting import wait_until


@pytest.fixture
def indexes(search_engine: SearchEngine) -> Iterator[Indexes]:
    found = Indexes(search_engine.opensearch_url)
    yield found
    found.delete()


@pytest.fixture
def lake(search_engine: SearchEngine) -> Lake:
    return Lake(search_engine)


def create(lake: Lake, index: str, **more: Any) -> str:
    """Into that index, without buffering; failures to `failed/` of the bucket."""
    return lake.create_with(
        AmazonopensearchserviceDestinationConfiguration={
            "RoleARN": ROLE,
            "IndexName": index,
            "IndexRotationPeriod": "NoRotation",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            "S3Configuration": {
                **lake.bucket,
                "ErrorOutputPrefix": "failed/",
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            },
            **({} if "DomainARN" in more else {"ClusterEndpoint": cluster_of(lake)}),
            **more,
        }
    )


def cluster_of(lake: Lake) -> str:
    assert isinstance(lake.engine, SearchEngine)
    return lake.engine.opensearch_url


def test_a_domain_of_aws_s_api_is_filled_and_its_indexes_rotate(
    lake: Lake, indexes: Indexes, search_engine: SearchEngine
) -> None:
    domains = search_engine.client("opensearch")
    arn = domains.create_domain(DomainName="logs")["DomainStatus"]["ARN"]

    def is_up() -> bool:
        status = domains.describe_domain(DomainName="logs")["DomainStatus"]
        return not status["Processing"]

    wait_until(is_up, 60, 0.2)
    stream = create(lake, "test-days", DomainARN=arn, IndexRotationPeriod="OneDay")
    lake.put_json(stream, {"n": 1}, {"n": 2})
    wait_until(lambda: indexes.count("test-days*") == 2, 60, 0.2)
    (name,) = indexes.names("test-days*")
    assert len(name.removeprefix("test-days-").split("-")) == 3


def test_documents_that_the_mapping_refuses_are_backed_up_with_the_reason(
    lake: Lake, indexes: Indexes
) -> None:
    stream = create(lake, "ecommerce")
    lake.put_json(stream, {"custid": 1}, {"custid": "no number"}, {"custid": 3})
    (line,) = wait_until(lambda: lake.lines("failed/AmazonOpenSearchService-failed/"), 60)
    failure = json.loads(line)
    assert json.loads(base64.b64decode(failure["rawData"])) == {"custid": "no number"}
    assert failure["errorCode"] == "400"
    assert "mapper_parsing_exception" in failure["errorMessage"]
    wait_until(lambda: indexes.count("ecommerce") == 2, 60, 0.2)


def test_what_a_full_node_turns_away_comes_later_and_once(lake: Lake, indexes: Indexes) -> None:
    stream = create(lake, "test-full")
    lake.put_json(stream, {"n": 0})
    wait_until(lambda: indexes.count("test-full") == 1, 60, 0.2)
    indexes.turn_away("test-full", True)
    lake.put_json(stream, *({"n": n} for n in range(1, 50)))

    def was_turned_away() -> bool:
        stats = indexes.call("GET", "/test-full/_stats/indexing")["_all"]["total"]["indexing"]
        return bool(stats["index_total"] == 1)

    wait_until(was_turned_away, 60, 0.2)
    indexes.turn_away("test-full", False)

    def all_there() -> bool:
        lake.engine.advance_clock(2)
        return indexes.count("test-full") == 50

    wait_until(all_there, 60, 0.5)
    assert lake.lines("failed/") == []


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_opensearch_is_killed_on_the_way(
    lake: Lake, indexes: Indexes, search_engine: SearchEngine
) -> None:
    stream = create(lake, "test-kill", RetryOptions={"DurationInSeconds": 7200})
    lake.put_json(stream, *({"n": n} for n in range(200)))
    wait_until(lambda: indexes.count("test-kill") == 200, 60, 0.2)
    before = search_engine.search_state()
    os.kill(before["pid"], signal.SIGKILL)
    lake.put_json(stream, *({"n": n} for n in range(200, 400)))

    def is_back() -> bool:
        state = search_engine.search_state()
        return bool(state["starts"] > before["starts"] and state["state"] == "running")

    wait_until(is_back, 180, 0.2)

    def all_there() -> bool:
        lake.engine.advance_clock(61)
        return indexes.count("test-kill") >= 400

    wait_until(all_there, 60, 0.5)
    found = sorted(document["_source"]["n"] for document in indexes.documents("test-kill"))
    assert found == list(range(400))
    assert lake.lines("failed/") == []
