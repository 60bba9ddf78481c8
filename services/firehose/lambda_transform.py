"""Invoking a transformation function through Lambda's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from services.firehose.transform import MAX_ANSWER_BYTES, InvocationFailed

# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
_FAILURES = {
    "ResourceNotFoundException": (
        "Lambda.ResourceNotFound",
        "The specified Lambda function does not exist. Use a different function that does exist.",
    ),
    "TooManyRequestsException": (
        "Lambda.InvokeLimitExceeded",
        "The Lambda function limit of concurrent invocations was exceeded.",
    ),
    "AccessDeniedException": (
        "Lambda.InvokeAccessDenied",
        "Access was denied. Ensure that the access policy allows access to the Lambda function.",
    ),
}


class LambdaTransform:
    """`client` makes a Lambda client for the region of a function."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def invoke(self, lambda_arn: str, event: Mapping[str, Any]) -> Any:
        """The function's answer as parsed JSON. Raises InvocationFailed."""
        try:
            answer = self._client(_region_of(lambda_arn)).invoke(
                FunctionName=lambda_arn, Payload=orjson.dumps(event)
            )
            payload = answer["Payload"].read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            other = f"Lambda.{code}", error.response["Error"].get("Message", code)
            raise InvocationFailed(*_FAILURES.get(code, other)) from None
        except BotoCoreError as error:
            raise InvocationFailed("Lambda.ServiceUnavailable", str(error)) from None
        return _read(answer, payload)


def _region_of(lambda_arn: str) -> str:
    return lambda_arn.split(":")[3]


def _read(answer: Mapping[str, Any], payload: bytes) -> Any:
    if answer.get("FunctionError"):
        code = "Lambda.FunctionTimedOut" if b"Task timed out" in payload else "Lambda.FunctionError"
        raise InvocationFailed(
            code,
            "The Lambda function was successfully invoked but it returned an error result: "
            + payload[:1000].decode(errors="replace"),
        )
    if len(payload) > MAX_ANSWER_BYTES:
        raise InvocationFailed(
            "Lambda.ResponseTooLarge",
            f"The Lambda function returned {len(payload)} bytes; 6 MB is the most.",
        )
    try:
        return orjson.loads(payload)
    except ValueError as error:
        raise InvocationFailed(
            "Lambda.JsonProcessingException",
            "There was an error parsing returned records from the Lambda function. Ensure that "
            "the returned records follow the status model required by Amazon Data Firehose. "
            f"({error})",
        ) from None
