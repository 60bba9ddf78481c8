"""Synchronous invocations straight from the engine's front, past LocalStack's request chain."""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from localstack.aws.api import CommonServiceException, ServiceException

from services.awslambda.limits import refuse_payload
from services.localstack.data_calls import DataAnswer, DataRequest, LaterAnswer, path_calls

if TYPE_CHECKING:
    from localstack.services.lambda_.invocation.lambda_models import InvocationResult

    from services.awslambda.provider.service import FunctionsProvider

LOG = logging.getLogger(__name__)

PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
#: AWS lets an account run so many at once.
_MAXIMUM_CONCURRENT = 1000
_TAIL_BYTES = 4096
#: Members of AWS's exceptions for Lambda, besides the message.
_ERROR_MEMBERS = ("Type", "Reason", "retryAfterSeconds")


def register(provider: FunctionsProvider) -> None:
    """From now on the front answers what this can; LocalStack's chain answers the rest."""
    pool = ThreadPoolExecutor(_MAXIMUM_CONCURRENT, thread_name_prefix="lambda-invoke")
    call = functools.partial(_answer, provider, pool)
    path_calls[:] = [each for each in path_calls if each[0] is not PATH]
    path_calls.append((PATH, call))


def _answer(
    provider: FunctionsProvider, pool: ThreadPoolExecutor, request: DataRequest
) -> LaterAnswer | None:
    """The usual case: a function by its name or ARN, `RequestResponse`, nothing to refuse."""
    from localstack.services.lambda_.invocation.models import lambda_stores

    kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
    name = _function_name(request)
    if (
        request.method != "POST"
        or kind != "RequestResponse"
        or name is None
        or name not in lambda_stores[request.account_id][request.region].functions
        or refuse_payload(request.body, is_event=False) is not None
    ):
        return None

    def start(send: Callable[[DataAnswer], None]) -> None:
        pool.submit(lambda: send(_invoke(provider, request, name)))

    return LaterAnswer(start)


def _function_name(request: DataRequest) -> str | None:
    match = PATH.fullmatch(request.target)
    given = unquote(match[1]) if match else ""
    prefix = f"arn:aws:lambda:{request.region}:{request.account_id}:function:"
    name = given.removeprefix(prefix)
    # A colon is left of another place's ARN, or of a version or an alias.
    return name if name and ":" not in name else None


def _invoke(provider: FunctionsProvider, request: DataRequest, name: str) -> DataAnswer:
    from localstack.utils.xray.trace_header import TraceHeader

    request_id = str(uuid.uuid4())
    given = request.headers.get("x-amzn-trace-id", "")
    trace = TraceHeader.from_header_str(given).ensure_root_exists()
    try:
        result = provider.lambda_service.invoke(
            function_name=name,
            qualifier=None,
            region=request.region,
            account_id=request.account_id,
            invocation_type="RequestResponse",
            client_context=request.headers.get("x-amz-client-context"),
            request_id=request_id,
            payload=request.body or None,
            trace_context={"aws_trace_header": trace},
            user_agent=request.headers.get("user-agent"),
        )
    except (ServiceException, CommonServiceException) as error:
        return _error(error, request_id)
    except Exception as error:
        LOG.exception("Function %s could not be invoked", name)
        wrong = CommonServiceException("ServiceException", str(error), status_code=500)
        return _error(wrong, request_id)
    headers = _headers(result, request_id, trace.to_header_str())
    if request.headers.get("x-amz-log-type") == "Tail":
        tail = (result.logs or "").encode()[-_TAIL_BYTES:]
        headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
    return DataAnswer(200, headers, result.payload or b"")


def _headers(result: InvocationResult, request_id: str, trace: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "x-amzn-RequestId": request_id,
        "X-Amz-Executed-Version": result.executed_version,
        "X-Amzn-Trace-Id": trace,
    }
    if result.is_error:
        headers["X-Amz-Function-Error"] = "Unhandled"
    return headers


def _error(error: Any, request_id: str) -> DataAnswer:
    members = {name: getattr(error, name, None) for name in _ERROR_MEMBERS}
    content = {name: value for name, value in members.items() if value is not None}
    headers = {
        "Content-Type": "application/json",
        "x-amzn-RequestId": request_id,
        "x-amzn-ErrorType": error.code,
    }
    body = json.dumps({**content, "message": error.message}).encode()
    return DataAnswer(error.status_code, headers, body)
