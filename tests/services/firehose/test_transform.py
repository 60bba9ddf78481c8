"""What a transformation function's answer means, record by record."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firehose.record import KinesisMetadata, Record
from services.firehose.transform import (
    InvocationFailed,
    batches,
    event,
    read_answer,
    record_id,
)

RECORDS = [Record(f"r{n}".encode(), 10.0 + n) for n in range(4)]


def item(number: int, result: str = "Ok", data: str = "new", **more: Any) -> dict[str, Any]:
    encoded = base64.b64encode(data.encode()).decode()
    return {"recordId": record_id(number), "result": result, "data": encoded, **more}


def test_the_event_has_aws_s_shape() -> None:
    metadata = KinesisMetadata("495", 2, "key", "shardId-000000000000")
    sent = event(
        [Record(b"hi", 1.25, metadata)],
        invocation_id="i",
        delivery_stream_arn="arn",
        region="us-east-1",
        source_stream_arn="source",
    )
    assert sent == {
        "invocationId": "i",
        "deliveryStreamArn": "arn",
        "sourceKinesisStreamArn": "source",
        "region": "us-east-1",
        "records": [
            {
                "recordId": record_id(0),
                "approximateArrivalTimestamp": 1250,
                "data": "aGk=",
                "kinesisRecordMetadata": {
                    "sequenceNumber": "495",
                    "subsequenceNumber": 2,
                    "partitionKey": "key",
                    "shardId": "shardId-000000000000",
                    "approximateArrivalTimestamp": 1250,
                },
            }
        ],
    }
    json.dumps(sent)


def test_ok_dropped_and_failed_are_told_apart() -> None:
    answer = read_answer(
        RECORDS,
        {
            "records": [
                item(0, metadata={"partitionKeys": {"device": "tv"}}),
                item(1, "Dropped"),
                item(2, "ProcessingFailed"),
                item(3),
            ]
        },
    )
    assert [t.record.data for t in answer.transformed] == [b"new", b"new"]
    assert answer.transformed[0].partition_keys == {"device": "tv"}
    assert answer.transformed[0].record.arrival == 10.0
    assert answer.dropped == 1
    (failed,) = answer.failed
    # A failed record is kept as it was before the transform.
    assert failed.record == RECORDS[2]
    assert failed.error_code == "Lambda.ProcessingFailedStatus"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], "Lambda.MissingRecordId"),
        ([item(0), item(0)], "Lambda.DuplicatedRecordId"),
        ([item(0, "ok")], "Lambda.InvalidResult"),
        ([{"recordId": record_id(0), "data": ""}], "Lambda.MissingResult"),
        ([{"recordId": record_id(0), "result": "Ok"}], "Lambda.InvalidData"),
        ([{"recordId": record_id(0), "result": "Ok", "data": "%"}], "Lambda.InvalidData"),
        ([{"recordId": record_id(0), "result": "Ok", "data": 7}], "Lambda.InvalidData"),
        (["nonsense"], "Lambda.MissingRecordId"),
    ],
)
def test_what_is_malformed_for_one_record_fails_that_record(items: list[Any], code: str) -> None:
    answer = read_answer(RECORDS[:1], {"records": items})
    assert (answer.transformed, answer.dropped) == ([], 0)
    assert [failed.error_code for failed in answer.failed] == [code]


def test_an_answer_may_be_in_another_order_and_name_strangers() -> None:
    answer = read_answer(RECORDS[:2], {"records": [item(1, data="b"), item(99), item(0, data="a")]})
    assert [t.record.data for t in answer.transformed] == [b"a", b"b"]


@pytest.mark.parametrize("answer", [None, [], "text", {}, {"records": None}, {"Records": []}])
def test_an_answer_without_records_fails_the_invocation(answer: Any) -> None:
    with pytest.raises(InvocationFailed) as failed:
        read_answer(RECORDS, answer)
    assert failed.value.error_code == "Lambda.JsonProcessingException"


@given(
    st.lists(
        st.fixed_dictionaries(
            {"recordId": st.sampled_from([record_id(n) for n in range(6)])},
            optional={
                "result": st.sampled_from(["Ok", "Dropped", "ProcessingFailed", "?"]),
                "data": st.sampled_from(["", "aGk=", "%", None]),
                "metadata": st.none() | st.dictionaries(st.text(), st.none() | st.text()),
            },
        )
    )
)
def test_whatever_comes_back_every_record_is_counted_once(items: list[dict[str, Any]]) -> None:
    answer = read_answer(RECORDS, {"records": items})
    assert len(answer.transformed) + len(answer.failed) + answer.dropped == len(RECORDS)


def test_an_event_of_many_small_records_fits_into_an_invocation() -> None:
    metadata = KinesisMetadata("4" * 56, 0, "é" * 20, "shardId-000000000000")
    records = [Record(b"x" * 50, 1_700_000_000.123, metadata)] * 40_000
    found = list(batches(records, 3 * 1024 * 1024))
    assert len(found) > 1
    for batch in found:
        sent = event(
            batch, invocation_id="i" * 36, delivery_stream_arn="a" * 512, region="us-east-1"
        )
        assert len(json.dumps(sent).encode()) <= 6 * 1024 * 1024
    assert sum(map(len, found)) == 40_000


@given(st.lists(st.binary(max_size=30)), st.integers(min_value=1, max_value=60))
def test_batches_keep_order_and_size(contents: list[bytes], size: int) -> None:
    records = [Record(content, 0.0) for content in contents]
    found = list(batches(records, size))
    assert [record for batch in found for record in batch] == records
    assert all(len(b) == 1 or sum(len(r.data) for r in b) <= size for b in found)
