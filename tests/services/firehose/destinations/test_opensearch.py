"""Documents by the bulk API: ids, rotation, retries, refusals. (The server is the protocol's.)"""

from __future__ import annotations

import base64
import json
from typing import Any

from services.firehose import configuration
from services.firehose.buffers import Delivery
from services.firehose.destinations.destination import Delivered, StreamIdentity, TryAgain
from services.firehose.destinations.opensearch import OpenSearchDestination
from services.firehose.journal import Group
from services.firehose.record import Record, pack
from tests.services.firehose.destinations.endpoints import Endpoint, Request, endpoint, indexed
from tests.services.firehose.lake import ROLE, Lake
from tests.waiting import wait_until

STREAM = StreamIdentity("s", "arn", "us-east-1", "000000000000")
ARRIVAL = 1456405200.0  # 2016-02-25T13:00Z


def destination(url: str, **more: Any) -> OpenSearchDestination:
    request = {
        "AmazonopensearchserviceDestinationConfiguration": {
            "RoleARN": ROLE,
            "IndexName": "events",
            "ClusterEndpoint": url,
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::b"},
            "RetryOptions": {"DurationInSeconds": 10},
            **more,
        }
    }
    return OpenSearchDestination(STREAM, configuration.create(request), lambda: url)


def delivery(*documents: Any) -> tuple[Delivery, list[bytes]]:
    contents = [d if isinstance(d, bytes) else json.dumps(d).encode() for d in documents]
    packed = pack([Record(content, ARRIVAL) for content in contents])
    group = Group(1, 0, len(packed.content), packed.record_count, packed.size, ARRIVAL)
    return Delivery("id", "destination", {}, [group], 0.0, 1, first_attempt_at=0.0), [
        packed.content
    ]


def actions(served: Endpoint, number: int = -1) -> list[dict[str, Any]]:
    lines = served.requests[number].body.splitlines()
    return [json.loads(line)["index"] for line in lines[::2]]


def test_documents_go_to_the_index_of_their_period_with_an_id() -> None:
    with endpoint(lambda request: (200, indexed(request))) as served:
        out = destination(served.url).deliver(*delivery({"a": 1}, {"a": 2}), 1.0)
    assert out == Delivered(2, 16)
    first, second = actions(served)
    assert first["_index"] == "events-2016-02-25"
    assert first["_id"] != second["_id"]


def test_a_repeated_delivery_uses_the_same_ids() -> None:
    with endpoint(lambda request: (200, indexed(request))) as served:
        for _ in range(2):
            destination(served.url).deliver(*delivery({"a": 1}, {"a": 2}), 1.0)
    assert actions(served, 0) == actions(served, 1)


def test_documents_may_be_sent_without_an_id() -> None:
    options = {"DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"}}
    with endpoint(lambda request: (200, indexed(request))) as served:
        destination(served.url, **options).deliver(*delivery({"a": 1}), 1.0)
    assert actions(served) == [{"_index": "events-2016-02-25"}]


def test_only_what_was_turned_away_is_sent_again() -> None:
    busy = {2: 429}
    with endpoint(
        lambda request: (200, indexed(request, lambda d: busy.get(d["a"], 201)))
    ) as served:
        sink, (under_way, contents) = destination(served.url), delivery({"a": 1}, {"a": 2})
        first = sink.deliver(under_way, contents, 1.0)
        assert isinstance(first, TryAgain)
        assert first.error.code == "429"
        under_way.left_over = first.left_over
        busy.clear()
        assert sink.deliver(under_way, contents, 2.0) == Delivered(2, 16)
    assert [action["_id"] for action in actions(served, 1)] == [actions(served, 0)[1]["_id"]]


def test_a_large_buffer_is_several_calls_and_the_rest_waits_when_one_is_turned_away() -> None:
    documents = [{"a": number, "x": "x" * 6_000_000} for number in range(4)]
    limit = [2]

    def answer(request: Request) -> tuple[int, Any]:
        limit[0] -= 1
        return (200, indexed(request)) if limit[0] >= 0 else (503, {})

    with endpoint(answer) as served:
        sink, (under_way, contents) = destination(served.url), delivery(*documents)
        first = sink.deliver(under_way, contents, 1.0)
        assert isinstance(first, TryAgain)
        assert len(served.requests) == 3
        under_way.left_over = first.left_over
        limit[0] = 2
        assert isinstance(sink.deliver(under_way, contents, 2.0), Delivered)
    ids = [action["_id"] for n in (0, 1, 3, 4) for action in actions(served, n)]
    assert len(ids) == len(set(ids)) == 4
    assert actions(served, 2) == actions(served, 3)


def test_a_refused_document_is_kept_with_the_reason() -> None:
    with endpoint(
        lambda request: (200, indexed(request, lambda d: 400 if d["a"] == 2 else 201))
    ) as served:
        outcome = destination(served.url).deliver(*delivery({"a": 1}, {"a": 2}, b"no json"), 1.0)
    assert isinstance(outcome, Delivered)
    assert outcome.records == 1
    lines = {base64.b64decode(json.loads(f.line)["rawData"]): f for f in outcome.failed}
    assert set(lines) == {b'{"a": 2}', b"no json"}
    refused = lines[b'{"a": 2}']
    assert refused.error_output_type == "AmazonOpenSearchService-failed"
    content = json.loads(refused.line)
    assert content["esIndexName"] == "events-2016-02-25"
    assert content["esDocumentId"] == actions(served)[1]["_id"]
    assert "mapper_parsing_exception" in content["errorMessage"]


def test_an_endpoint_that_stays_away_is_given_up_after_the_retry_duration() -> None:
    with endpoint(lambda request: (503, {})) as served:
        sink, (under_way, contents) = destination(served.url), delivery({"a": 1})
        assert isinstance(sink.deliver(under_way, contents, 9.0), TryAgain)
        under_way.attempts = 2
        outcome = sink.deliver(under_way, contents, 10.0)
    assert isinstance(outcome, Delivered)
    (failure,) = outcome.failed
    assert json.loads(failure.line)["attemptsMade"] == 2


def test_failed_documents_and_all_documents_reach_the_bucket(lake: Lake) -> None:
    with endpoint(
        lambda request: (200, indexed(request, lambda d: 400 if d["a"] == 2 else 201))
    ) as served:
        stream = lake.create_with(
            AmazonopensearchserviceDestinationConfiguration={
                "RoleARN": ROLE,
                "IndexName": "events",
                "ClusterEndpoint": served.url,
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
                "S3BackupMode": "AllDocuments",
                "S3Configuration": {
                    **lake.bucket,
                    "Prefix": "all/",
                    "ErrorOutputPrefix": "failed/",
                    "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
                },
            }
        )
        lake.put_json(stream, {"a": 1}, {"a": 2})
        wait_until(lambda: lake.lines("failed/") and lake.lines("all/"), 60)
    (failure,) = lake.lines("failed/AmazonOpenSearchService-failed/")
    assert base64.b64decode(json.loads(failure)["rawData"]) == b'{"a": 2}'
    assert lake.lines("all/") == [b'{"a": 1}{"a": 2}']
