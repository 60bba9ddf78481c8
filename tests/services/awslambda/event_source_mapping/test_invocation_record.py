"""The records that on-failure destinations receive, exactly."""

from __future__ import annotations

from dataclasses import replace

from services.awslambda.event_source_mapping.function_result import Failed
from services.awslambda.event_source_mapping.invocation_record import invocation_record, object_key
from services.awslambda.event_source_mapping.retrying import Discarded
from tests.services.awslambda.event_source_mapping.records import (
    FUNCTION,
    STREAM,
    mapping,
    record,
)

RECORDS = (record(1, 1_700_000_000.25), record(2, 1_700_000_001.0))


def test_used_up_retries_tell_request_and_response() -> None:
    discarded = Discarded(RECORDS, "RetryAttemptsExhausted", 3, Failed("r-1"))
    assert invocation_record(mapping(), "shardId-0", discarded, 1_700_000_002.5) == {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:22.500Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-0",
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.250Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:21.000Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_records_of_a_table_are_told_apart_and_have_whole_seconds() -> None:
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026"
    discarded = Discarded(RECORDS, "RetryAttemptsExhausted", 1, Failed("r-1"))
    told = invocation_record(
        replace(mapping(), event_source_arn=table), "shardId-0", discarded, 1_700_000_002.5
    )
    assert "KinesisBatchInfo" not in told
    assert told["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] == "2023-11-14T22:13:20Z"


def test_records_that_grew_too_old_have_no_response() -> None:
    discarded = Discarded(RECORDS, "RecordAgeExceeded", 0, None)
    told = invocation_record(mapping(), "shardId-0", discarded, 1_700_000_002.5)
    assert "responseContext" not in told
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"


def test_an_object_in_s3_is_found_by_mapping_shard_and_time() -> None:
    assert object_key(mapping(), "shardId-0", 1_700_000_002.5, "x") == (
        "aws/lambda/u-1/shardId-0/2023/11/14/2023-11-14T22.13.22-x"
    )
