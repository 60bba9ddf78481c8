"""Functions through Lambda's API, against the real engine."""

from __future__ import annotations

import base64
import json
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import (
    deploy,
    invoke,
    messages,
    package,
    wait_until_active,
)
from tests.waiting import wait_until

ECHO = "def handler(event, context):\n  print('got', event)\n  return event"


@pytest.fixture
def awslambda(engine: EngineUnderTest) -> Any:
    return engine.client("lambda")


def test_a_function_answers_and_its_log_is_in_cloudwatch(
    engine: EngineUnderTest, awslambda: Any
) -> None:
    name = deploy(awslambda, ECHO)
    answer = awslambda.invoke(FunctionName=name, Payload=b'{"a": 1}', LogType="Tail")
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "got {'a': 1}\n" in base64.b64decode(answer["LogResult"]).decode()
    logs = engine.client("logs")
    found = wait_until(lambda: messages(logs, name))
    assert found[2] == "got {'a': 1}"
    kinds = [line.split(" ")[0] for line in found]
    assert kinds == ["INIT_START", "START", "got", "END", "REPORT"]


def test_a_default_client_in_a_function_talks_to_the_engine(awslambda: Any) -> None:
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "  queue = boto3.client('sqs').create_queue(QueueName=event)['QueueUrl']\n"
        "  return queue.rpartition('/')[2]"
    )
    name = deploy(awslambda, source)
    assert invoke(awslambda, name, name) == name


def test_the_client_context_reaches_the_function(awslambda: Any) -> None:
    name = deploy(awslambda, "def handler(_, context):\n  return context.client_context.custom")
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    assert invoke(awslambda, name, ClientContext=context) == {"a": "b"}


def test_a_version_keeps_its_code_while_latest_is_updated_and_an_alias_points(
    awslambda: Any,
) -> None:
    name = deploy(awslambda, "def handler(*_): return 'old'")
    version = awslambda.publish_version(FunctionName=name)["Version"]
    awslambda.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    code = package({"app.py": "def handler(*_): return 'new'"})
    awslambda.update_function_code(FunctionName=name, ZipFile=code)
    wait_until_active(awslambda, name)
    assert invoke(awslambda, name) == "new"
    assert invoke(awslambda, name, Qualifier=version) == "old"
    assert invoke(awslambda, name, Qualifier="live") == "old"


def test_an_alias_shares_its_invocations_between_two_versions(awslambda: Any) -> None:
    name = deploy(awslambda, "def handler(*_): return 'old'")
    awslambda.publish_version(FunctionName=name)
    code = package({"app.py": "def handler(*_): return 'new'"})
    awslambda.update_function_code(FunctionName=name, ZipFile=code)
    wait_until_active(awslambda, name)
    awslambda.publish_version(FunctionName=name)
    awslambda.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    # That 64 tosses all fall on one side happens once in 10^19.
    assert {invoke(awslambda, name, Qualifier="live") for _ in range(64)} == {"old", "new"}
    awslambda.update_alias(
        FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
    )
    assert {invoke(awslambda, name, Qualifier="live") for _ in range(8)} == {"new"}
    for wrong in ({"1": 0.5}, {"2": 1.5}, {"2": 0.1, "3": 0.1}):
        with pytest.raises(ClientError) as raised:
            awslambda.update_alias(
                FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": wrong}
            )
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    awslambda.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig={})
    assert awslambda.get_alias(FunctionName=name, Name="live").get("RoutingConfig") is None


def test_a_later_layer_overwrites_an_earlier_one(awslambda: Any) -> None:
    layers = []
    for value in ("first", "second"):
        content = package({"python/greeting.py": f"text = {value!r}", f"{value}.txt": value})
        layer = awslambda.publish_layer_version(LayerName=value, Content={"ZipFile": content})
        layers.append(layer["LayerVersionArn"])
    source = "import greeting\ndef handler(*_): return greeting.text"
    assert invoke(awslambda, deploy(awslambda, source, Layers=layers)) == "second"


def test_an_event_that_fails_goes_to_its_destination_after_the_retries(
    engine: EngineUnderTest, awslambda: Any
) -> None:
    sqs = engine.client("sqs")
    name = deploy(awslambda, "def handler(event, _): raise ValueError(event)")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    awslambda.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:000000000000:{name}"}
        },
    )
    awslambda.invoke(FunctionName=name, InvocationType="Event", Payload=b'"poison"')
    (message,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")
    )
    record = json.loads(message["Body"])
    assert record["requestPayload"] == "poison"
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_a_log_in_json_has_the_levels_that_were_asked_for(
    engine: EngineUnderTest, awslambda: Any
) -> None:
    source = """
import logging
log = logging.getLogger()

def handler(event, context):
    log.info("not wanted")
    log.warning("look %s", event)
"""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO"}
    name = deploy(awslambda, source, LoggingConfig=logging)
    answer = awslambda.invoke(FunctionName=name, Payload=b"7", LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    lines = [json.loads(line) for line in b64decode(answer["LogResult"]).splitlines()]
    kinds = [line.get("type") or line["level"] for line in lines]
    assert kinds == ["platform.initStart", "platform.start", "WARNING", "platform.report"]
    assert (lines[2]["message"], lines[2]["requestId"]) == ("look 7", request_id)
    report = lines[3]["record"]
    assert (report["requestId"], report["status"]) == (request_id, "success")
    assert {"durationMs", "billedDurationMs", "initDurationMs"} <= set(report["metrics"])

    quiet = logging | {"SystemLogLevel": "WARN"}
    name = deploy(awslambda, source, LoggingConfig=quiet)
    log = awslambda.invoke(FunctionName=name, Payload=b"7", LogType="Tail")["LogResult"]
    assert [json.loads(line)["level"] for line in b64decode(log).splitlines()] == ["WARNING"]


WAITER = """
import boto3, os
sqs = boto3.client("sqs")

def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["AWS_LAMBDA_FUNCTION_NAME"])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="begun")
    while not sqs.receive_message(QueueUrl=event, WaitTimeSeconds=1).get("Messages"):
        pass
"""


def test_more_at_once_than_the_reserved_concurrency_is_throttled(
    engine: EngineUnderTest, awslambda: Any
) -> None:
    sqs, name = engine.client("sqs"), deploy(awslambda, WAITER)
    begun = sqs.create_queue(QueueName=name)["QueueUrl"]
    go_on = sqs.create_queue(QueueName=f"{name}-go-on")["QueueUrl"]
    awslambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoke, awslambda, name, go_on)
        wait_until(lambda: sqs.receive_message(QueueUrl=begun, WaitTimeSeconds=1).get("Messages"))
        with pytest.raises(ClientError) as raised:
            awslambda.invoke(FunctionName=name, Payload=json.dumps(go_on))
        sqs.send_message(QueueUrl=go_on, MessageBody="go on")
        first.result(30)
    assert raised.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_reserved_concurrency_of_zero_throttles(awslambda: Any) -> None:
    name = deploy(awslambda, ECHO)
    awslambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as raised:
        awslambda.invoke(FunctionName=name)
    assert raised.value.response["Error"]["Code"] == "TooManyRequestsException"


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        ({"Payload": b"{"}, "InvalidRequestContentException", 400),
        (
            {"Payload": b'"' + b"x" * 6_300_000 + b'"'},
            "RequestEntityTooLargeException",
            413,
        ),
        (
            {"Payload": b'"' + b"x" * 1_100_000 + b'"', "InvocationType": "Event"},
            "RequestEntityTooLargeException",
            413,
        ),
    ],
    ids=["no JSON", "over 6 MB", "event over 1 MB"],
)
def test_a_bad_payload_is_refused_as_on_aws(
    awslambda: Any, request_: dict[str, Any], code: str, status: int
) -> None:
    name = deploy(awslambda, ECHO)
    with pytest.raises(ClientError) as raised:
        awslambda.invoke(FunctionName=name, **request_)
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
