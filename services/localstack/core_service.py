"""A core as a LocalStack service: for calls that come through LocalStack's chain, not our front."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime
from typing import Any, Protocol

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import Service


class Core(Protocol):
    """What `running().core(…)` of our services gives."""

    def call(
        self, operation: str, request: dict[str, Any], *, region: str, account_id: str
    ) -> dict[str, Any]:
        """Any operation, in AWS's shapes; times are seconds since 1970."""


def core_service(
    api: str,
    core: Callable[[], Core],
    refused: type[Exception],
    *,
    operations: Container[str] | None = None,
    outward: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer,
) -> Service:
    """The service of `api`. `refused` is the core's error, with `code`, `message` and `status`;
    `operations` are those it knows (all of the model when None); `outward` changes answers."""

    def operation(name: str) -> Callable[[RequestContext, dict[str, Any]], dict[str, Any]]:
        def call(context: RequestContext, request: dict[str, Any]) -> dict[str, Any]:
            asked = with_seconds(request or {})
            try:
                answer = core().call(
                    name, asked, region=context.region, account_id=context.account_id
                )
            except refused as error:
                raise as_localstack(error) from None
            return outward(answer)

        return call

    model = load_service(api)
    # A newer botocore's operations may be unknown to LocalStack's model, and the other way around.
    known = [n for n in model.operation_names if operations is None or n in operations]
    service = Service(name=api, skeleton=Skeleton(model, {name: operation(name) for name in known}))
    service._provider = None
    return service


def as_localstack(error: Any) -> CommonServiceException:
    """A core's refusal as the exception that LocalStack serializes."""
    raised = CommonServiceException(
        error.code, error.message, status_code=error.status, sender_fault=error.status < 500
    )
    for name, value in getattr(error, "fields", {}).items():  # more members of AWS's exception
        setattr(raised, name, value)
    return raised


def with_seconds(value: Any) -> Any:
    """Times as seconds since 1970: LocalStack parses them into datetime."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: with_seconds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_seconds(item) for item in value]
    return value
