"""The bulk API as its documentation tells it: what is sent, and what each answer leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from opensearchpy.exceptions import ConnectionError as OpenSearchConnectionError
from opensearchpy.exceptions import TransportError

from consumers.processors.row import Row, split_rows
from consumers.processors.to_opensearch import OpenSearchIndex
from tests.consumers.processors.records import record


class Cluster:
    """A BulkClient with documents by id. `script` says how the next calls end instead: an
    exception, or the status of each row."""

    def __init__(self, *script: Exception | list[int]) -> None:
        self._script = list(script)
        self.documents: dict[tuple[str, str], Any] = {}
        self.calls: list[int] = []

    def bulk(self, *, body: bytes) -> Mapping[str, Any]:
        lines = [orjson.loads(line) for line in body.splitlines()]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        self.calls.append(len(pairs))
        scripted = self._script.pop(0) if self._script else [201] * len(pairs)
        if isinstance(scripted, Exception):
            raise scripted
        items = [self._index(*pair, status) for pair, status in zip(pairs, scripted, strict=True)]
        return {"took": 1, "errors": any(s >= 400 for s in scripted), "items": items}

    def _index(self, action: Any, document: Any, status: int) -> dict[str, Any]:
        told: dict[str, Any] = action["index"] | {"status": status}
        if status < 400:
            self.documents[told["_index"], told["_id"]] = document
        else:
            told["error"] = {"type": "mapper_parsing_exception", "reason": "failed to parse"}
        return {"index": told}


def rows(*numbers: int) -> list[Row]:
    return split_rows([record(number) for number in numbers])[0]


def index(cluster: Cluster, **options: Any) -> OpenSearchIndex:
    made = OpenSearchIndex(cluster, "clicks", sleep=lambda _: None, **options)
    made.open("stream", "shardId-0")
    return made


def test_a_row_stored_again_leaves_one_document() -> None:
    cluster = Cluster()
    for _ in range(2):
        assert index(cluster, id_attribute="event_id").store(rows(1, 2), record(2).position) == []
    assert cluster.documents == {
        ("clicks", "1"): {"event_id": "1"},
        ("clicks", "2"): {"event_id": "2"},
    }


def test_without_an_id_attribute_the_place_in_the_stream_is_the_id() -> None:
    cluster = Cluster()
    index(cluster).store(rows(7), record(7).position)
    assert list(cluster.documents) == [("clicks", "stream-shardId-0-7")]


def test_indexes_rotate_by_the_time_of_arrival() -> None:
    cluster = Cluster()
    index(cluster, rotation="OneHour").store(rows(1), record(1).position)
    assert [name for name, _ in cluster.documents] == ["clicks-2026-07-01-09"]


def test_rows_that_find_no_room_are_sent_again_and_only_those() -> None:
    cluster = Cluster([201, 429, 503])
    assert index(cluster).store(rows(1, 2, 3), record(3).position) == []
    assert cluster.calls == [3, 2]
    assert len(cluster.documents) == 3


@pytest.mark.parametrize(
    "error",
    [
        TransportError(429, "rejected_execution_exception", {}),
        TransportError(503, "unavailable", {}),
        OpenSearchConnectionError("N/A", "refused", {}),
    ],
)
def test_a_cluster_that_is_full_or_away_is_waited_for(error: Exception) -> None:
    cluster = Cluster(error, error)
    index(cluster).store(rows(1), record(1).position)
    assert len(cluster.documents) == 1


def test_an_error_that_will_not_pass_is_raised() -> None:
    cluster = Cluster(TransportError(401, "security_exception", {}))
    with pytest.raises(TransportError, match="security_exception"):
        index(cluster).store(rows(1), record(1).position)


def test_a_row_that_the_mapping_refuses_is_told_with_its_reason() -> None:
    cluster = Cluster([201, 400])
    (refused,) = index(cluster).store(rows(1, 2), record(2).position)
    assert refused.record.sequence_number == "2"
    assert refused.reason == "mapper_parsing_exception: failed to parse"
    assert cluster.calls == [2]


@pytest.mark.parametrize("event_id", ["", None, True, 1.5, ["x"], "x" * 513])
def test_a_row_without_a_usable_id_is_rejected(event_id: Any) -> None:
    (row,), _ = split_rows([record(1, orjson.dumps({"event_id": event_id}))])
    assert index(Cluster(), id_attribute="event_id").reason_to_reject(row) is not None


def test_many_rows_go_in_several_calls() -> None:
    cluster = Cluster()
    index(cluster).store(rows(*range(1, 2502)), record(2501).position)
    assert cluster.calls == [1000, 1000, 501]


def test_an_unknown_rotation_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="OneHour, OneDay"):
        index(Cluster(), rotation="Weekly")
