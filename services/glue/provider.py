"""Glue for LocalStack: AWS's wire format outside, the core inside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, aws_provider

from services.glue.errors import GlueError
from services.glue.glue import Glue, catalog_file, make_glue
from services.localstack.data_calls import DataAnswer, DataCall, DataRequest, data_calls
from services.localstack.running import running

JSON_TYPE = "application/x-amz-json-1.1"
#: What is asked often and answered in a millisecond skips LocalStack's request chain.
QUICK_OPERATIONS = (
    "CreateDatabase",
    "GetDatabase",
    "GetDatabases",
    "CreateTable",
    "GetTable",
    "UpdateTable",
    "DeleteTable",
    "GetTableVersions",
    "CreatePartition",
    "BatchCreatePartition",
    "GetPartition",
    "UpdatePartition",
    "DeletePartition",
)


@aws_provider(api="glue", name="default")
def glue() -> Service:
    """Community LocalStack has no Glue; this is the only provider."""
    return _service()


@aws_provider(api="glue", name="riacho")
def glue_riacho() -> Service:
    return _service()


def glue_core() -> Glue:
    """This engine's Glue, made at the first call."""
    return running().core("glue", make_glue)


if catalog_file(running()).exists():
    # Crawlers of an earlier run may be scheduled: their clockwork starts with the engine.
    glue_core()


def _service() -> Service:
    model = load_service("glue")
    dispatch = {name: _operation(name) for name in model.operation_names}
    service = Service(name="glue", skeleton=Skeleton(model, dispatch))
    service._provider = None
    return service


def _operation(name: str) -> Callable[[RequestContext, dict[str, Any]], dict[str, Any]]:
    def call(context: RequestContext, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return glue_core().call(
                name,
                _with_seconds(request or {}),
                region=context.region,
                account_id=context.account_id,
            )
        except GlueError as wrong:
            raise CommonServiceException(
                wrong.code, wrong.message, status_code=wrong.status, sender_fault=wrong.status < 500
            ) from None

    return call


def _data_call(name: str) -> DataCall:
    def call(request: DataRequest) -> DataAnswer | None:
        if not request.headers.get("content-type", "").startswith(JSON_TYPE):
            return None  # CBOR: LocalStack's chain speaks it.
        try:
            answer = glue_core().call(
                name,
                _parsed(request.body),
                region=request.region,
                account_id=request.account_id,
            )
        except GlueError as wrong:
            return _json(wrong.status, {"__type": wrong.code, "message": wrong.message})
        return _json(200, answer)

    return call


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        raise GlueError("SerializationException", "The request is not valid JSON.") from None
    if not isinstance(request, dict):
        raise GlueError("SerializationException", "The request is not a JSON object.")
    return request


def _json(status: int, answer: dict[str, Any]) -> DataAnswer:
    headers = {"content-type": JSON_TYPE, "x-amzn-requestid": str(uuid.uuid4())}
    return DataAnswer(status, headers, json.dumps(answer).encode())


data_calls.update({f"AWSGlue.{name}": _data_call(name) for name in QUICK_OPERATIONS})


def _with_seconds(value: Any) -> Any:
    """Times as seconds since 1970: LocalStack parses them into datetime."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _with_seconds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_seconds(item) for item in value]
    return value
