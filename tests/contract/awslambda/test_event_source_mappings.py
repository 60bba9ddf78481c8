"""Contract: what a mapping of a stream hands to its function, and does when that fails."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.contract.awslambda.conftest import Functions

REPORTER = """
import base64, boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    data = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps([data, event]))
    if "poison" in data:
        if os.environ.get("REPORT"):
            number = event["Records"][data.index("poison")]["kinesis"]["sequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
        raise ValueError("poison")
"""


def reporter(functions: Functions, **variables: str) -> tuple[str, str]:
    url, _ = functions.queue()
    environment = {"Variables": {"QUEUE": url, **variables}}
    return functions.create(REPORTER, Environment=environment), url


def test_a_new_mapping_has_awss_defaults(functions: Functions) -> None:
    name, _ = reporter(functions)
    _, arn = functions.stream()
    mapping = functions.map(name, arn, MaximumRetryAttempts=-1)
    assert (mapping["State"], mapping["BatchSize"]) == ("Creating", 100)
    assert mapping["ParallelizationFactor"] == 1
    assert mapping["MaximumRetryAttempts"] == mapping["MaximumRecordAgeInSeconds"] == -1
    assert mapping["BisectBatchOnFunctionError"] is False
    assert mapping["DestinationConfig"] == {"OnFailure": {}}
    assert mapping["FunctionResponseTypes"] == []


def test_an_event_has_awss_shape(functions: Functions) -> None:
    name, url = reporter(functions)
    stream, arn = functions.stream()
    (number,) = functions.put(stream, "hello")
    functions.map(name, arn)
    _, event = functions.message(url)
    (record,) = event["Records"]
    assert record["eventID"] == f"shardId-000000000000:{number}"
    assert record["eventSourceARN"] == arn
    assert (record["eventSource"], record["eventName"]) == (
        "aws:kinesis",
        "aws:kinesis:record",
    )
    assert record["kinesis"]["sequenceNumber"] == number
    assert record["kinesis"]["kinesisSchemaVersion"] == "1.0"
    assert isinstance(record["kinesis"]["approximateArrivalTimestamp"], float)


def test_batches_have_at_most_their_size_and_keep_the_order(functions: Functions) -> None:
    name, url = reporter(functions)
    stream, arn = functions.stream()
    functions.put(stream, "a", "b", "c")
    functions.map(name, arn, BatchSize=2)
    assert [functions.message(url)[0] for _ in range(2)] == [["a", "b"], ["c"]]


def test_a_filter_on_the_data_drops_what_does_not_match(functions: Functions) -> None:
    name, url = reporter(functions)
    stream, arn = functions.stream()
    pattern = json.dumps({"data": {"kind": ["order"]}})
    functions.map(name, arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    functions.put(stream, '{"kind": "view"}', "no JSON", '{"kind": "order"}')
    assert functions.message(url)[0] == ['{"kind": "order"}']


def test_used_up_retries_go_to_the_on_failure_destination(functions: Functions) -> None:
    name, _ = reporter(functions)
    failures, failures_arn = functions.queue()
    stream, arn = functions.stream()
    numbers = functions.put(stream, "a", "poison")
    functions.map(
        name,
        arn,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": failures_arn}},
    )
    record = functions.message(failures)
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["KinesisBatchInfo"]["startSequenceNumber"] == numbers[0]
    assert record["KinesisBatchInfo"]["batchSize"] == 2


def test_bisecting_isolates_the_poison(functions: Functions) -> None:
    name, _ = reporter(functions)
    failures, failures_arn = functions.queue()
    stream, arn = functions.stream()
    numbers = functions.put(stream, "a", "b", "poison", "c")
    functions.map(
        name,
        arn,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": failures_arn}},
    )
    info = functions.message(failures)["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["batchSize"]) == (numbers[2], 1)


def test_a_reported_failure_is_the_checkpoint(functions: Functions) -> None:
    name, url = reporter(functions, REPORT="1")
    stream, arn = functions.stream()
    functions.put(stream, "a", "poison")
    functions.map(
        name,
        arn,
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    assert [functions.message(url)[0] for _ in range(2)] == [["a", "poison"], ["poison"]]


def test_a_tumbling_window_tells_its_bounds(functions: Functions) -> None:
    name, url = reporter(functions)
    stream, arn = functions.stream()
    functions.put(stream, "a")
    functions.map(name, arn, TumblingWindowInSeconds=60)
    _, event = functions.message(url)
    assert event["isFinalInvokeForWindow"] is False
    assert event["state"] == {}
    assert event["shardId"] == "shardId-000000000000"
    assert set(event["window"]) == {"start", "end"}


@pytest.mark.parametrize(
    "settings",
    [
        {"BatchSize": 10_001},
        {"ParallelizationFactor": 11},
        {"MaximumRetryAttempts": -2},
        {"MaximumRecordAgeInSeconds": 59},
        {"TumblingWindowInSeconds": 901},
        {"MaximumBatchingWindowInSeconds": 301},
        {"StartingPosition": "SOMEWHERE"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_setting_out_of_its_range_is_refused(
    functions: Functions, settings: dict[str, int | str]
) -> None:
    name, _ = reporter(functions)
    _, arn = functions.stream()
    with pytest.raises(ClientError) as raised:
        functions.map(name, arn, **settings)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_mapping_of_a_stream_that_is_not_there_is_refused(functions: Functions) -> None:
    name, _ = reporter(functions)
    _, arn = functions.stream()
    with pytest.raises(ClientError) as raised:
        functions.map(name, f"{arn}-nowhere")
    assert raised.value.response["Error"]["Code"] == "InvalidParameterValueException"
