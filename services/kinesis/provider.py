"""Kinesis for LocalStack: the front's data calls, and the calls that come through its chain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, aws_provider

from services.kinesis.answers import TARGET_PREFIX, answer
from services.kinesis.errors import KinesisError
from services.kinesis.kinesis import Kinesis, make_kinesis
from services.kinesis.operations import OPERATIONS
from services.localstack.data_calls import (
    DataAnswer,
    DataRequest,
    StreamingAnswer,
    data_calls,
)
from services.localstack.running import running


def the_kinesis() -> Kinesis:
    """The engine's streams."""
    return running().core("kinesis", make_kinesis)


def _data_call(request: DataRequest) -> DataAnswer | StreamingAnswer:
    return answer(the_kinesis(), request)


data_calls.update(
    {f"{TARGET_PREFIX}.{name}": _data_call for name in (*OPERATIONS, "SubscribeToShard")}
)


@aws_provider(api="kinesis", name="riacho")
def kinesis() -> Service:
    """For clients inside LocalStack, whose calls do not come through our front."""
    model = load_service("kinesis")
    dispatch = {name: _operation(name) for name in model.operation_names if name in OPERATIONS}
    service = Service(name="kinesis", skeleton=Skeleton(model, dispatch))
    service._provider = None
    return service


def _operation(name: str) -> Callable[[RequestContext, dict[str, Any]], dict[str, Any]]:
    def call(context: RequestContext, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answered = the_kinesis().call(
                name,
                _with_seconds(request or {}),
                region=context.region,
                account_id=context.account_id,
            )
        except KinesisError as wrong:
            raise CommonServiceException(
                wrong.code, wrong.message, status_code=wrong.status, sender_fault=wrong.status < 500
            ) from None
        changed: dict[str, Any] = _with_datetimes(answered)
        return changed

    return call


def _with_seconds(value: Any) -> Any:
    """Times as seconds since 1970: LocalStack parses them into datetime."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _with_seconds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_seconds(item) for item in value]
    return value


def _with_datetimes(value: Any) -> Any:
    """The other way around: LocalStack writes times that are datetimes."""
    if isinstance(value, dict):
        return {
            key: datetime.fromtimestamp(item, UTC)
            if key.endswith(("Timestamp", "edAt")) and isinstance(item, float)
            else _with_datetimes(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_datetimes(item) for item in value]
    return value
