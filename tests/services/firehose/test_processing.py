"""The processors in AWS's order, and that every record ends somewhere."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.firehose import configuration
from services.firehose.destinations.destination import StreamIdentity
from services.firehose.processing import Invoke, Processed, Processing
from services.firehose.record import Record
from services.firehose.transform import InvocationFailed
from tests.services.firehose.lake import APPEND_NEWLINE, processing, processor
from tests.services.firehose.test_validation import BUCKET, LAMBDA, METADATA, PARTITIONED

STREAM = StreamIdentity("s", "arn", "us-east-1", "000000000000")
FAILED = "error:processing-failed"
NOW = 9.0


def upper(lambda_arn: str, event: Mapping[str, Any]) -> Any:
    """A function that shouts."""
    return {
        "records": [
            {
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode(base64.b64decode(record["data"]).upper()).decode(),
                "metadata": {"partitionKeys": {"device": "from-lambda"}},
            }
            for record in event["records"]
        ]
    }


def run(
    content: dict[str, Any],
    *contents: bytes,
    invoke: Invoke = upper,
    active: set[str] | None = None,
) -> Processed:
    request = {"ExtendedS3DestinationConfiguration": BUCKET | content}
    made = Processing(STREAM, configuration.create(request), invoke)
    return made.run([Record(content, 1.0) for content in contents], active or set(), NOW)


def data_of(processed: Processed) -> dict[str, list[bytes]]:
    return {
        name: [record.data for record in records] for name, records in processed.buffers.items()
    }


def failures(processed: Processed) -> list[dict[str, Any]]:
    return [json.loads(record.data) for record in processed.buffers.get(FAILED, ())]


def with_processors(*processors: dict[str, Any]) -> dict[str, Any]:
    return {"ProcessingConfiguration": processing(*processors)}


def test_records_are_taken_apart_then_transformed_then_partitioned_then_delimited() -> None:
    everything = processing(
        METADATA,
        APPEND_NEWLINE,
        LAMBDA,
        processor("RecordDeAggregation", SubRecordType="JSON"),
    )
    content = PARTITIONED | {"ProcessingConfiguration": everything}
    processed = run(content, b'{"d":"tv"}{"d":"web"}')
    # The transform's upper-case keys are what the query sees: it finds no device any more.
    assert [failure["errorCode"] for failure in failures(processed)] == [
        "DynamicPartitioning.PartitionKeysMissing"
    ] * 2
    by_lambda = content | {
        "Prefix": "!{partitionKeyFromLambda:device}/",
        "ProcessingConfiguration": processing(
            APPEND_NEWLINE, LAMBDA, processor("RecordDeAggregation", SubRecordType="JSON")
        ),
    }
    ((name, records),) = data_of(run(by_lambda, b'{"d":"tv"}\n{"d":"web"}')).items()
    assert "from-lambda" in name
    assert records == [b'{"D":"TV"}\n', b'{"D":"WEB"}\n']


def test_a_full_set_of_partitions_turns_new_ones_away() -> None:
    active = {f"destination:{n}" for n in range(499)}
    processed = run(PARTITIONED, b'{"d":"a"}', b'{"d":"b"}', b'{"d":"a"}', active=active)
    assert processed.partition_limit_exceeded
    (failure,) = failures(processed)
    assert failure["errorCode"] == "DynamicPartitioning.ActivePartitionLimitExceeded"
    assert base64.b64decode(failure["rawData"]) == b'{"d":"b"}'
    assert sum(map(len, data_of(processed).values())) == 3


@pytest.mark.parametrize(("retries", "attempts"), [("0", 1), ("2", 3)])
def test_an_invocation_that_fails_is_repeated_and_then_its_records_are_kept(
    retries: str, attempts: int
) -> None:
    asked = []

    def fail(lambda_arn: str, event: Mapping[str, Any]) -> Any:
        asked.append(dict(event))
        raise InvocationFailed("Lambda.FunctionError", "no")

    transform = processor("Lambda", LambdaArn="f", NumberOfRetries=retries)
    processed = run(with_processors(transform), b"a", b"b", invoke=fail)
    assert len(asked) == attempts
    # Each attempt is an invocation of its own, of the same records.
    assert len({event["invocationId"] for event in asked}) == attempts
    assert all(event["records"] == asked[0]["records"] for event in asked)
    assert [failure["attemptsMade"] for failure in failures(processed)] == [attempts] * 2
    assert [error.code for error in processed.errors] == ["Lambda.FunctionError"]


def test_an_invocation_that_succeeds_at_the_second_attempt_counts() -> None:
    answers = iter([InvocationFailed("Lambda.FunctionTimedOut", "slow"), None])

    def sometimes(lambda_arn: str, event: Mapping[str, Any]) -> Any:
        if (failure := next(answers)) is not None:
            raise failure
        return upper(lambda_arn, event)

    processed = run(with_processors(LAMBDA), b"a", invoke=sometimes)
    assert data_of(processed) == {"destination": [b"A"]}
    assert processed.errors == []


def test_a_transform_is_called_with_batches_of_its_buffer_size() -> None:
    sizes = []

    def count(lambda_arn: str, event: Mapping[str, Any]) -> Any:
        sizes.append(len(event["records"]))
        return upper(lambda_arn, event)

    run(with_processors(LAMBDA), *[b"x" * 400_000] * 5, invoke=count)
    assert sizes == [2, 2, 1]


LOG_EVENT = {
    "messageType": "DATA_MESSAGE",
    "logEvents": [{"message": "one"}, {"message": "two"}],
}
DECOMPRESSION = processor("Decompression", CompressionFormat="GZIP")


def test_log_events_are_decompressed_whole_or_message_by_message() -> None:
    packed = gzip.compress(json.dumps(LOG_EVENT).encode())
    whole = run(with_processors(DECOMPRESSION), packed)
    assert [json.loads(d) for d in data_of(whole)["destination"]] == [LOG_EVENT]
    messages = with_processors(
        DECOMPRESSION, processor("CloudWatchLogProcessing", DataMessageExtraction="true")
    )
    assert data_of(run(messages, packed)) == {"destination": [b"one\ntwo\n"]}
    control = gzip.compress(b'{"messageType":"CONTROL_MESSAGE"}')
    assert data_of(run(messages, control)) == {}


@pytest.mark.parametrize(
    "data",
    [b"plain", gzip.compress(b"[]"), gzip.compress(b'{"a":1')],
    ids=["not compressed", "a list", "half an object"],
)
def test_what_is_no_log_event_is_kept_as_failed(data: bytes) -> None:
    messages = with_processors(
        DECOMPRESSION, processor("CloudWatchLogProcessing", DataMessageExtraction="true")
    )
    processed = run(messages, data)
    (line,) = data_of(processed)["error:decompression-failed"]
    failure = json.loads(line)
    assert failure["errorCode"] == "Decompression.Failed"
    assert base64.b64decode(failure["rawData"]) == data
    assert processed.metrics == {
        "OutputDecompressedRecords_Failed": 1,
        "OutputDecompressedBytes_Failed": len(data),
    }


def test_what_a_transform_passed_is_counted_with_the_bytes_it_was_given() -> None:
    def choose(lambda_arn: str, event: Mapping[str, Any]) -> Any:
        results = ["Ok", "Dropped", "ProcessingFailed"]
        named = [
            {"recordId": record["recordId"], "result": result, "data": "bG9uZ2Vy"}
            for record, result in zip(event["records"], results, strict=True)
        ]
        return {"records": named}

    counted = run(with_processors(LAMBDA), b"abc", b"de", b"f", invoke=choose).metrics
    assert counted["SucceedProcessing_Records"] == 1
    assert counted["SucceedProcessing_Bytes"] == 3
    assert counted["ExecuteProcessing_Success"] == 1


def test_the_time_of_a_query_is_counted_where_there_is_one() -> None:
    assert run(PARTITIONED, b'{"d":"tv"}').metrics["JQProcessing_Duration"] > 0
    assert "JQProcessing_Duration" not in run({}, b"x").metrics
