"""The calls a query is made of, answered by the front without LocalStack's request chain."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from services.athena.errors import AthenaError
from services.localstack.data_calls import DataAnswer, DataRequest, LaterAnswer, data_calls

if TYPE_CHECKING:
    from services.athena.athena import Athena

TARGET_PREFIX = "AmazonAthena"
JSON_TYPE = "application/x-amz-json-1.1"
#: Operation → what its request must hold. Without it LocalStack's chain refuses, in AWS's words.
REQUIRED = {
    "StartQueryExecution": ("QueryString", str),
    "GetQueryExecution": ("QueryExecutionId", str),
    "GetQueryResults": ("QueryExecutionId", str),
    "BatchGetQueryExecution": ("QueryExecutionIds", list),
    "StopQueryExecution": ("QueryExecutionId", str),
    "GetWorkGroup": ("WorkGroup", str),
}
#: Calls answered at once; each may wait for the disk or linger for its query to end.
_PARALLEL_CALLS = 32


def register(core: Callable[[], Athena]) -> None:
    """From now on the front answers these calls."""
    pool = ThreadPoolExecutor(_PARALLEL_CALLS, "athena-call")
    for operation in REQUIRED:
        data_calls[f"{TARGET_PREFIX}.{operation}"] = functools.partial(
            _later, core, pool, operation
        )


def _later(
    core: Callable[[], Athena], pool: ThreadPoolExecutor, operation: str, request: DataRequest
) -> LaterAnswer | None:
    parsed = _parsed(operation, request)
    if parsed is None:
        return None

    def start(send: Callable[[DataAnswer], None]) -> None:
        pool.submit(lambda: send(_answer(core, operation, parsed, request)))

    return LaterAnswer(start)


def _parsed(operation: str, request: DataRequest) -> dict[str, Any] | None:
    """The usual case, JSON with what is required; None for anything else."""
    if not request.headers.get("content-type", "").startswith(JSON_TYPE):
        return None
    try:
        parsed = json.loads(request.body)
    except ValueError:
        return None
    member, kind = REQUIRED[operation]
    if not isinstance(parsed, dict) or not isinstance(parsed.get(member), kind):
        return None
    return parsed


def _answer(
    core: Callable[[], Athena], operation: str, parsed: dict[str, Any], request: DataRequest
) -> DataAnswer:
    try:
        answer = core().call(
            operation, parsed, region=request.region, account_id=request.account_id
        )
    except AthenaError as refused:
        body = {"__type": refused.code, "Message": refused.message, **refused.fields}
        return _json(refused.status, body)
    except Exception as fault:  # noqa: BLE001  a call that is never answered would hang its client
        return _json(500, {"__type": "InternalServerException", "Message": _sentence(fault)})
    return _json(200, answer)


def _sentence(fault: Exception) -> str:
    return f"The engine failed: {type(fault).__name__}: {fault}"


def _json(status: int, answer: dict[str, Any]) -> DataAnswer:
    headers = {"content-type": JSON_TYPE, "x-amzn-requestid": str(uuid.uuid4())}
    return DataAnswer(status, headers, json.dumps(answer).encode())
