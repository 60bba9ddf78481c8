"""Contract: functions, and what their invocations answer."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.awslambda.conftest import Functions
from tests.services.awslambda.functions import package
from tests.waiting import OFTEN


def test_a_function_returns_what_its_handler_returns(functions: Functions) -> None:
    name = functions.create("def handler(event, context): return {'got': event}")
    assert functions.invoke(name, {"a": [1, None, "é"]}) == ({"got": {"a": [1, None, "é"]}}, None)


def test_the_context_tells_request_function_and_time(functions: Functions) -> None:
    name = functions.create(
        "def handler(event, c):\n"
        "  return [c.function_name, c.function_version, c.memory_limit_in_mb, c.log_group_name,\n"
        "          0 < c.get_remaining_time_in_millis() <= 10000, len(c.aws_request_id)]"
    )
    found, _ = functions.invoke(name)
    assert found == [name, "$LATEST", "128", f"/aws/lambda/{name}", True, 36]


def test_the_tail_of_the_log_has_lambdas_own_lines(functions: Functions) -> None:
    name = functions.create("def handler(*_): print('hello')")
    answer = functions.client.invoke(FunctionName=name, LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    kinds = [line.split(" ")[0] for line in lines if line]
    assert [kind for kind in kinds if kind != "INIT_START"] == ["START", "hello", "END", "REPORT"]
    assert "Billed Duration" in lines[-1] or "Billed Duration" in lines[-2]


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("def handler(*_): raise ValueError('no')", "ValueError"),
        ("def other(*_): pass", "Runtime.HandlerNotFound"),
        ("import nowhere", "Runtime.ImportModuleError"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("import os\ndef handler(*_): os._exit(1)", "Runtime.ExitError"),
        ("def handler(*_): return {1}", "Runtime.MarshalError"),
    ],
)
def test_a_function_that_fails_is_unhandled_with_its_kind_of_error(
    functions: Functions, source: str, error_type: str
) -> None:
    found, function_error = functions.invoke(functions.create(source))
    assert (found["errorType"], function_error) == (error_type, "Unhandled")


def test_a_function_that_takes_too_long_times_out(functions: Functions) -> None:
    name = functions.create("import time\ndef handler(*_): time.sleep(60)", Timeout=1)
    found, function_error = functions.invoke(name)
    assert function_error == "Unhandled"
    assert "Task timed out after 1.00 seconds" in found["errorMessage"]


def test_globals_live_on_between_invocations(functions: Functions) -> None:
    name = functions.create("n = 0\ndef handler(*_):\n  global n\n  n += 1\n  return n")
    assert [functions.invoke(name)[0] for _ in range(3)] == [1, 2, 3]


def test_a_version_keeps_its_code(functions: Functions) -> None:
    name = functions.create("def handler(*_): return 'old'")
    version = functions.client.publish_version(FunctionName=name)["Version"]
    assert version == "1"
    functions.client.update_function_code(
        FunctionName=name, ZipFile=package({"app.py": "def handler(*_): return 'new'"})
    )
    functions.client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=OFTEN)
    assert functions.invoke(name)[0] == "new"
    assert functions.invoke(name, Qualifier="1")[0] == "old"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"Payload": b"{"}, "InvalidRequestContentException"),
        ({"Qualifier": "99"}, "ResourceNotFoundException"),
        ({"Payload": b'"' + b"x" * 6_300_000 + b'"'}, "RequestEntityTooLargeException"),
    ],
    ids=["no JSON", "no such version", "over 6 MB"],
)
def test_a_bad_invocation_is_refused(
    functions: Functions, request_: dict[str, Any], code: str
) -> None:
    name = functions.create("def handler(event, _): return event")
    with pytest.raises(ClientError) as raised:
        functions.client.invoke(FunctionName=name, **request_)
    assert raised.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    "settings",
    [
        {"Runtime": "python9.9"},
        {"Code": {"ZipFile": b"no zip"}},
        {"Environment": {"Variables": {"AA": "x" * 4100}}},
        {"Timeout": 901},
    ],
    ids=["runtime", "zip", "environment", "timeout"],
)
def test_a_bad_function_is_refused(functions: Functions, settings: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as raised:
        functions.create("def handler(*_): pass", **settings)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["Error"]["Code"] in (
        "InvalidParameterValueException",
        "ValidationException",
    )
