"""Calls of one service's part of the engine to another service, without HTTP between them.

What AWS defines happens all the same: the service's own provider answers (with its errors, its
notifications), and what keeps its state on disk runs before the call returns. What is left out
exists for requests from outside: signature, XML, routing, CORS, the threads of the server.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws import handlers
from localstack.aws.api import RequestContext, ServiceException
from localstack.aws.api.core import ServiceOperation
from localstack.aws.chain import HandlerChain
from localstack.aws.handlers.service import SkeletonHandler
from localstack.aws.handlers.service_plugin import ServiceLoader
from localstack.aws.spec import load_service
from localstack.http import Request, Response
from localstack.runtime import get_current_runtime


def direct_call(
    service: str,
    operation: str,
    request: dict[str, Any],
    *,
    region: str,
    account_id: str,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The operation's answer; blobs that stream are files. Raises botocore's ClientError, as a
    client of boto3 would. `headers` are for providers that look at the HTTP request, too."""
    context = RequestContext(Request("POST", "/", headers=headers or {}))
    context.service, context.operation, context.protocol = _model(service, operation)
    context.region, context.account_id = region, account_id
    context.service_request = request
    response = Response()
    _chain().handle(context, response)
    if context.service_exception is not None or response.status_code >= 300:
        raise _client_error(context, response)
    answer: dict[str, Any] = context.service_response or {}
    return answer


@cache
def _model(service: str, operation: str) -> tuple[Any, Any, str]:
    model = load_service(service)
    return model, model.operation_model(operation), model.resolved_protocol


@cache
def _load_service() -> Any:
    gateway = get_current_runtime().components.gateway
    return next(each for each in gateway.request_handlers if isinstance(each, ServiceLoader))


def _answer(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Ask the provider. As LocalStack's router does, but nobody reads the answer as XML or JSON:
    making that text is a fifth of what a small PutObject costs."""
    key = ServiceOperation(context.service.service_name, context.operation.name)
    router = get_current_runtime().components.gateway.service_request_router
    route = router.handlers.get(key)
    if not isinstance(route, SkeletonHandler):
        router(chain, context, response)
        return
    provider = route.skeleton.dispatch_table[context.operation.name]
    try:
        result = provider(context, context.service_request)
    except ServiceException as refused:
        context.service_exception = refused
        response.status_code = refused.status_code
        return
    if isinstance(result, Response):
        response.update_from(result)
    else:
        context.service_response = result or {}


def _chain() -> HandlerChain:
    gateway = get_current_runtime().components.gateway
    return HandlerChain(
        [
            handlers.serve_custom_service_request_handlers,
            _load_service(),
            _answer,
        ],
        [handlers.run_custom_response_handlers],
        [handlers.run_custom_finalizers],
        gateway.exception_handlers,
    )


def _client_error(context: Any, response: Any) -> ClientError:
    raised, status = context.service_exception, response.status_code
    code = getattr(raised, "code", None) or "InternalError"
    message = str(raised) if raised is not None else "The call could not be completed."
    answer: Any = {
        "Error": {"Code": code, "Message": getattr(raised, "message", None) or message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": context.request_id},
    }
    return ClientError(answer, context.operation.name)
