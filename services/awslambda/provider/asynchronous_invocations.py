"""LocalStack's queues of events, with one durable queue of ours behind all of them."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localstack.aws.api import CommonServiceException, ServiceException
from localstack.aws.api.lambda_ import InvocationType
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localstack.services.lambda_.invocation.lambda_models import Function, Invocation
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.utils.xray.trace_header import TraceHeader

from services.awslambda.asynchronous.after_attempt import (
    SUCCESS,
    Answered,
    AsynchronousSettings,
    Attempt,
    CouldNotRun,
)
from services.awslambda.asynchronous.event_journal import EventJournal
from services.awslambda.asynchronous.event_queue import EventQueue, FunctionGone, FunctionNotReady
from services.awslambda.asynchronous.invocation_record import (
    dead_letter_attributes,
    invocation_record,
    object_key,
)
from services.awslambda.asynchronous.queued_event import QueuedEvent
from services.awslambda.destination import Delivery, deliver, queue_url
from services.awslambda.provider.function_metrics import metrics
from services.localstack.running import running
from services.localstack.state.set_aside import set_aside_when_damaged

LOG = logging.getLogger(__name__)

_client_lock = threading.Lock()


def make_event_queue(lambda_service: Callable[[], LambdaService]) -> EventQueue:
    """The engine's one queue; `lambda_service` gives the service that runs functions now."""
    settings, journal = running().settings, None
    if settings.stream_storage == "disk":
        path = settings.data_dir.resolve() / "lambda" / "events.sqlite"
        set_aside_when_damaged(path, "the queue of asynchronous invocations")
        journal = EventJournal(path, sync=settings.stream_sync == "always")
    return EventQueue(running().clock, journal, FunctionEvents(lambda_service))


def event_manager_class(queue: EventQueue) -> type:
    """What LocalStack makes for each version of a function."""

    class EventManager:
        def __init__(self, version_manager: LambdaVersionManager) -> None:
            self._function_arn = version_manager.function_arn

        def enqueue_event(self, invocation: Invocation) -> None:
            queue.put(_queued(invocation, self._function_arn))
            _count(self._function_arn, "AsyncEventsReceived")

        def start(self) -> None:
            """Nothing: the queue finds the version that runs when an event is due."""

        stop_for_update = stop = start

    return EventManager


def _queued(invocation: Invocation, function_arn: str) -> QueuedEvent:
    now = running().clock.now()
    trace = (invocation.trace_context or {}).get("aws_trace_header")
    return QueuedEvent(
        request_id=invocation.request_id,
        function_arn=function_arn,
        invoked_arn=invocation.invoked_arn,
        payload=bytes(invocation.payload),
        invoked_at=now,
        client_context=invocation.client_context or "",
        trace_header=trace.to_header_str() if trace is not None else "",
        due_at=now,
    )


class FunctionEvents:
    """EventDoings with LocalStack's functions."""

    def __init__(self, lambda_service: Callable[[], LambdaService]) -> None:
        self._lambda_service = lambda_service

    def settings(self, event: QueuedEvent) -> AsynchronousSettings:
        function, version = _function_of(event)
        # What the caller named, an alias perhaps, has settings of its own.
        named = event.invoked_arn.split(":")[7:8]
        configs = function.event_invoke_configs
        config = (configs.get(named[0]) if named else None) or configs.get(version)
        dead_letter_arn = function.versions[version].config.dead_letter_arn or ""
        if config is None:
            return AsynchronousSettings(dead_letter_arn=dead_letter_arn)
        given = {
            "maximum_retry_attempts": config.maximum_retry_attempts,
            "maximum_event_age_in_seconds": config.maximum_event_age_in_seconds,
        }
        destinations = config.destination_config or {}
        return AsynchronousSettings(
            **{name: value for name, value in given.items() if value is not None},
            on_success=(destinations.get("OnSuccess") or {}).get("Destination") or "",
            on_failure=(destinations.get("OnFailure") or {}).get("Destination") or "",
            dead_letter_arn=dead_letter_arn,
        )

    def attempt(self, event: QueuedEvent) -> Attempt:
        function, _ = _function_of(event)
        try:
            manager = self._lambda_service().get_lambda_version_manager(event.function_arn)
        except ValueError as error:
            raise FunctionNotReady(event.function_arn) from error
        try:
            result = manager.invoke(invocation=_invocation(event))
        except (ServiceException, CommonServiceException) as error:
            # Throttled, or a fault of the service: AWS tries both again, for hours.
            return CouldNotRun(str(error), function.reserved_concurrent_executions == 0)
        return Answered(result.payload or b"", result.is_error, result.executed_version)

    def tell(self, event: QueuedEvent, attempt: Attempt | None, condition: str) -> None:
        settings, now = self.settings(event), running().clock.now()
        succeeded = condition == SUCCESS
        destination = settings.on_success if succeeded else settings.on_failure
        if not succeeded:
            _count(event.function_arn, "AsyncEventsDropped")
        if destination:
            outcome = "Success" if succeeded else "Failure"
            delivery = Delivery(
                destination,
                invocation_record(event, attempt, condition, now),
                object_key=object_key(event, now, str(uuid.uuid4())),
                detail_type=f"Lambda Function Invocation Result - {outcome}",
                source_arn=event.function_arn,
            )
            _send(event, destination, lambda: deliver(delivery, _client_of(event)))
        if not succeeded and settings.dead_letter_arn:
            arn = settings.dead_letter_arn
            _send(event, arn, lambda: _to_dead_letter_queue(arn, event, attempt))


def _function_of(event: QueuedEvent) -> tuple[Function, str]:
    """The function and the qualifier of the version that an event is for."""
    name, qualifier, account_id, region = function_locators_from_arn(event.function_arn)
    function = lambda_stores[account_id][region].functions.get(name)
    version = qualifier or "$LATEST"
    if function is None or version not in function.versions:
        raise FunctionGone(event.function_arn)
    return function, version


def _invocation(event: QueuedEvent) -> Invocation:
    trace = TraceHeader.from_header_str(event.trace_header).ensure_root_exists()
    return Invocation(
        payload=event.payload,
        invoked_arn=event.invoked_arn,
        client_context=event.client_context or None,
        invocation_type=InvocationType.Event,
        invoke_time=datetime.fromtimestamp(event.invoked_at),
        request_id=event.request_id,
        trace_context={"aws_trace_header": trace},
    )


def _send(event: QueuedEvent, destination: str, send: Callable[[], None]) -> None:
    """A destination that is not there costs its record, not the queue: AWS counts a metric."""
    try:
        send()
    except Exception:
        LOG.exception("What became of %s cannot be sent to %s", event.request_id, destination)
        _count(event.function_arn, "DestinationDeliveryFailures")


def _to_dead_letter_queue(arn: str, event: QueuedEvent, attempt: Attempt | None) -> None:
    service = arn.split(":")[2]
    client = _client_of(event)(service, arn)
    message = json.dumps(json.loads(event.payload))
    attributes = dead_letter_attributes(event, attempt)
    if service == "sns":
        client.publish(TopicArn=arn, Message=message, MessageAttributes=attributes)
    else:
        client.send_message(
            QueueUrl=queue_url(client, arn), MessageBody=message, MessageAttributes=attributes
        )


def _client_of(event: QueuedEvent) -> Callable[[str, str], Any]:
    return lambda service, arn: internal_client(service, arn, event.function_arn)


def internal_client(service: str, arn: str, function_arn: str) -> Any:
    """A client for what an ARN names, on behalf of a function."""
    # Making a botocore client is not safe in several threads at once.
    with _client_lock:
        if service == "s3":
            # A bucket's ARN names neither region nor account: they are the function's.
            return get_internal_client(function_arn, service="s3")
        return get_internal_client(arn)


def _count(function_arn: str, metric: str) -> None:
    name, _, account_id, region = function_locators_from_arn(function_arn)
    metrics().count(account_id, region, name, metric)
