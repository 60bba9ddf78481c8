"""Glue for LocalStack: AWS's wire format outside, the core inside."""

from __future__ import annotations

import json
import uuid
from typing import Any

from localstack.services.plugins import Service, aws_provider

from services.glue.errors import GlueError
from services.glue.glue import Glue, catalog_file, make_glue
from services.localstack.core_service import core_service
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
    return core_service("glue", glue_core, GlueError)


@aws_provider(api="glue", name="riacho")
def glue_riacho() -> Service:
    return core_service("glue", glue_core, GlueError)


def glue_core() -> Glue:
    """This engine's Glue, made at the first call."""
    return running().core("glue", make_glue)


if catalog_file(running()).exists():
    # Crawlers of an earlier run may be scheduled: their clockwork starts with the engine.
    glue_core()


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
