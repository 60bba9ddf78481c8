"""Asynchronous invocations through the API: retries on the engine's clock, and destinations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy
from tests.waiting import OFTEN, wait_until

FUNCTION = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no")
    return {"doubled": event["n"] * 2}
"""

#: A destination that is a function: hands on what it got.
RELAY = """
import boto3, json, os

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


class Here:
    """A function, and a queue in which the test sees what a destination received."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self.engine = engine
        self.sqs, self.awslambda = engine.client("sqs"), engine.client("lambda")
        self.name = deploy(self.awslambda, FUNCTION)
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{self.name}"

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}"

    def send_to(self, retries: int = 2, **destinations: str) -> None:
        self.awslambda.put_function_event_invoke_config(
            FunctionName=self.name,
            MaximumRetryAttempts=retries,
            DestinationConfig={kind: {"Destination": arn} for kind, arn in destinations.items()},
        )

    def bury_in(self, arn: str) -> None:
        self.awslambda.update_function_configuration(
            FunctionName=self.name, DeadLetterConfig={"TargetArn": arn}
        )
        self.awslambda.get_waiter("function_updated_v2").wait(
            FunctionName=self.name, WaiterConfig=OFTEN
        )

    def invoke(self, event: dict[str, Any]) -> str:
        answer = self.awslambda.invoke(
            FunctionName=self.name, InvocationType="Event", Payload=json.dumps(event)
        )
        request_id: str = answer["ResponseMetadata"]["RequestId"]
        return request_id

    def messages(self) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.queue, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))

    def message(self) -> dict[str, Any]:
        (message,) = wait_until(self.messages, seconds=60)
        return message


@pytest.fixture
def here(engine: EngineUnderTest) -> Here:
    return Here(engine)


def _queue(here: Here) -> str:
    return here.queue_arn


def _topic(here: Here) -> str:
    sns = here.engine.client("sns")
    topic: str = sns.create_topic(Name=here.name)["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=here.queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    return topic


def _function(here: Here) -> str:
    name = deploy(here.awslambda, RELAY, Environment={"Variables": {"QUEUE": here.queue}})
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def _bus(here: Here) -> str:
    events = here.engine.client("events")
    arn: str = events.create_event_bus(Name=here.name)["EventBusArn"]
    pattern = {"source": ["lambda"]}
    events.put_rule(Name=here.name, EventBusName=here.name, EventPattern=json.dumps(pattern))
    events.put_targets(
        Rule=here.name,
        EventBusName=here.name,
        Targets=[{"Id": "1", "Arn": here.queue_arn}],
    )
    return arn


def _record_of(here: Here, destination: Callable[[Here], str], outcome: str) -> dict[str, Any]:
    """The next record; what EventBridge wraps it in is as AWS has it."""
    content: dict[str, Any] = json.loads(here.message()["Body"])
    if destination is not _bus:
        return content
    assert content["source"] == "lambda"
    assert content["detail-type"] == f"Lambda Function Invocation Result - {outcome}"
    assert f"{here.arn}:$LATEST" in content["resources"]
    detail: dict[str, Any] = content["detail"]
    return detail


def _without_its_time(record: dict[str, Any]) -> dict[str, Any]:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    return record


@pytest.mark.parametrize("destination", [_queue, _topic, _function, _bus])
def test_a_success_reaches_its_destination(here: Here, destination: Callable[[Here], str]) -> None:
    here.send_to(OnSuccess=destination(here))
    request_id = here.invoke({"n": 21})
    assert _without_its_time(_record_of(here, destination, "Success")) == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{here.arn}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 21},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"doubled": 42},
    }


@pytest.mark.parametrize("destination", [_queue, _topic, _function, _bus])
def test_a_failure_reaches_its_destination(here: Here, destination: Callable[[Here], str]) -> None:
    here.send_to(retries=0, OnFailure=destination(here))
    request_id = here.invoke({"fail": True})
    record = _without_its_time(_record_of(here, destination, "Failure"))
    error = record.pop("responsePayload")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{here.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"fail": True},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
    }


@pytest.mark.parametrize("target", [_queue, _topic])
def test_a_dead_letter_is_the_event_with_its_error_as_attributes(
    here: Here, target: Callable[[Here], str]
) -> None:
    here.bury_in(target(here))
    here.send_to(retries=0)
    request_id = here.invoke({"fail": True})
    letter = here.message()
    assert json.loads(letter["Body"]) == {"fail": True}
    assert {
        name: (each["DataType"], each["StringValue"])
        for name, each in letter["MessageAttributes"].items()
    } == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no"),
    }


def test_a_failure_is_tried_three_times_and_then_in_its_dead_letter_queue_and_bucket(
    here: Here,
) -> None:
    s3 = here.engine.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=here.name)
    here.bury_in(here.queue_arn)
    here.send_to(OnFailure=f"arn:aws:s3:::{here.name}")
    request_id = here.invoke({"fail": True})

    def buried() -> list[dict[str, Any]]:
        here.engine.advance_clock(61)  # the pauses before the retries are over
        return here.messages()

    (letter,) = wait_until(buried, seconds=60)
    assert json.loads(letter["Body"]) == {"fail": True}
    attributes = {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no"}
    (found,) = s3.list_objects_v2(Bucket=here.name)["Contents"]
    assert found["Key"].startswith(f"aws/lambda/async/{here.name}/")
    record = json.loads(s3.get_object(Bucket=here.name, Key=found["Key"])["Body"].read())
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_an_event_that_never_may_run_goes_to_its_destination_at_once(here: Here) -> None:
    here.send_to(OnFailure=here.queue_arn)
    here.awslambda.put_function_concurrency(FunctionName=here.name, ReservedConcurrentExecutions=0)
    here.invoke({"n": 1})
    record = json.loads(here.message()["Body"])
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert "responsePayload" not in record
