from __future__ import annotations

from services.awslambda.asynchronous.after_attempt import Answered, CouldNotRun
from services.awslambda.asynchronous.invocation_record import (
    dead_letter_attributes,
    invocation_record,
    object_key,
)
from tests.services.awslambda.asynchronous.events import FUNCTION, event

FAILED = Answered(b'{"errorMessage": "no", "errorType": "ValueError"}', is_error=True)


def test_a_success_has_the_answer() -> None:
    record = invocation_record(event(), Answered(b"[1]", False), "Success", 1000.5)
    assert record == {
        "version": "1.0",
        "timestamp": "1970-01-01T00:16:40.500Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": FUNCTION,
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": [1],
    }


def test_a_failure_has_the_error_and_the_number_of_attempts() -> None:
    record = invocation_record(event(retries=2), FAILED, "RetriesExhausted", 1000)
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_an_event_that_never_ran_has_no_answer() -> None:
    for attempt in (None, CouldNotRun("none reserved", never_will=True)):
        record = invocation_record(event(), attempt, "ZeroReservedConcurrency", 1000)
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert "responseContext" not in record
        assert "responsePayload" not in record


def test_a_bucket_keeps_failures_by_function_and_day() -> None:
    assert object_key(event(), 0, "u-1") == (
        "aws/lambda/async/f/1970/01/01/1970-01-01T00.00.00-u-1"
    )


def test_a_dead_letter_carries_request_code_and_message() -> None:
    attributes = dead_letter_attributes(event(), FAILED)
    assert {name: each["StringValue"] for name, each in attributes.items()} == {
        "RequestID": "r-1",
        "ErrorCode": "200",
        "ErrorMessage": "no",
    }
    long = Answered(b'{"errorMessage": "' + b"n" * 5000 + b'"}', is_error=True)
    assert len(dead_letter_attributes(event(), long)["ErrorMessage"]["StringValue"]) == 1024
