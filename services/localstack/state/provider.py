"""Where LocalStack hands its services to the keeper: before each starts, after each call."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

from localstack import config
from localstack.aws.api import CommonServiceException
from localstack.aws.handlers import run_custom_response_handlers
from localstack.aws.protocol.serializer import create_serializer
from localstack.runtime import hooks
from localstack.services.plugins import SERVICE_PLUGINS, Service, ServiceContainer

from services.localstack.running import running
from services.localstack.state import containers, going_on
from services.localstack.state.keeper import Keeper
from services.localstack.state.own_rows import OWN_ROWS, AfterStart
from services.localstack.state.pickling import NotKept
from services.localstack.state.rows import StateRows
from services.localstack.state.set_aside import set_aside_when_damaged

LOG = logging.getLogger(__name__)

#: Services that keep their state themselves, or have none.
KEPT_ELSEWHERE = frozenset(
    {"athena", "dynamodb", "dynamodbstreams", "es", "firehose", "glue", "kinesis"}
    | {"kinesisanalyticsv2", "resourcegroupstaggingapi", "s3", "s3control", "support"}
)
#: These go on with their work without being asked for; the others are loaded at their first call.
GO_ON = (
    "lambda",
    "sqs",
    "sns",
    "cloudwatch",
    "events",
    "scheduler",
    "cloudformation",
    "stepfunctions",
)
#: Calls that change nothing that is kept here.
READING = ("Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Search", "Test", "Filter")
UNCHANGING = frozenset(
    {
        # A publication is handed on; a metric is written to CloudWatch's own database.
        *(("sns", name) for name in ("Publish", "PublishBatch", "CheckIfPhoneNumberIsOptedOut")),
        ("cloudwatch", "PutMetricData"),
        *(("lambda", name) for name in ("Invoke", "InvokeAsync", "InvokeWithResponseStream")),
        # Each message, event and log event is a row of its own.
        ("events", "PutEvents"),
        *(("logs", name) for name in ("PutLogEvents", "StartLiveTail", "StartQuery")),
        *(("sqs", f"{verb}Message") for verb in ("Send", "Receive", "Delete")),
        *(("sqs", f"{verb}MessageBatch") for verb in ("Send", "Delete")),
        ("sqs", "ChangeMessageVisibility"),
        ("sqs", "ChangeMessageVisibilityBatch"),
    }
)

NOT_KEPT = "The change could not be written to disk. Please try again."


def is_kept() -> bool:
    """Whether anything outlives this engine."""
    return running().settings.stream_storage == "disk"


@cache
def keeper() -> Keeper:
    """The one of this engine."""
    settings = running().settings
    made_by = {name: version(name) for name in ("localstack-core", "moto-ext")}
    made = Keeper(
        settings.data_dir.resolve() / "state", made_by, sync=settings.stream_sync == "always"
    )
    running().when_stopping(made.stop)
    return made


@hooks.on_infra_start()
def install() -> None:
    """From here on every service is loaded before it starts, and kept."""
    if not is_kept():
        return
    # CloudWatch's database of metrics lies there; LocalStack's default is a temporary folder.
    folders = keeper()._folder / "folders"
    config.dirs.data = str(folders)
    set_aside_when_damaged(folders / "cloudwatch" / "metrics.db", "cloudwatch")
    run_custom_response_handlers.append(_after_a_call)
    _load_before_start()


@hooks.on_infra_ready()
def go_on() -> None:
    """What must go on goes on, without waiting for a call to its service."""
    threading.Thread(target=_start_kept, name="riacho-go-on", daemon=True).start()


def _start_kept() -> None:
    from services.localstack.s3.provider import has_journal

    if has_journal():
        # It is asked first, by people and by functions: the others do not take its time.
        SERVICE_PLUGINS.require("s3")
    kept = keeper().kept_services() if is_kept() else ()
    for name in GO_ON:
        if name in kept:
            SERVICE_PLUGINS.require(name)


def _load_before_start() -> None:
    start = ServiceContainer.start

    def load_and_start(container: ServiceContainer) -> bool:
        service = container.service
        name = service.name()
        if name in KEPT_ELSEWHERE:
            return bool(start(container))
        state = ServiceState(service)
        keeper().load(name, state)
        started = bool(start(container))
        if (rebuild := going_on.BEFORE_CALLS.get(name)) is not None:
            rebuild(service)
        after = [going_on.AFTER_START.get(name), state.after_start]
        threading.Thread(
            target=_take_up, args=(name, service, after), name=f"{name}-goes-on", daemon=True
        ).start()
        return started

    ServiceContainer.start = load_and_start


def _take_up(name: str, service: Service, after: list[AfterStart | None]) -> None:
    try:
        for each in after:
            if each is not None:
                each(service)
    except Exception:
        LOG.exception("%s could not go on with what it kept", name)


class ServiceState:
    """One of LocalStack's services, as the keeper sees it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        own = OWN_ROWS.get(service.name())
        self._bring_back = own() if own else None
        self.after_start: AfterStart | None = None

    def rows(self) -> Iterable[tuple[str, Any]]:
        return containers.rows(self._service)

    def put_back(self, rows: Iterable[tuple[str, Any]]) -> None:
        for name, content in rows:
            containers.put_back(self._service, name, content)

    def bring_back_own_rows(self, file: StateRows) -> None:
        if self._bring_back is not None:
            self.after_start = self._bring_back(file)

    def forget(self) -> None:
        containers.forget(self._service)

    def is_busy(self) -> bool:
        ask = going_on.IS_BUSY.get(self._service.name())
        return ask is not None and ask()


def _after_a_call(chain: Any, context: Any, response: Any) -> None:
    if context.service is None or context.operation is None:
        return
    name, operation = context.service.service_name, context.operation.name
    if name in KEPT_ELSEWHERE or operation.startswith(READING) or (name, operation) in UNCHANGING:
        return
    try:
        keeper().changed(name)
    except (OSError, sqlite3.Error, NotKept, RuntimeError) as error:
        LOG.error("%s could not keep what %s changed: %s", name, operation, error)
        _answer_that_it_is_not_kept(context, response)


def _answer_that_it_is_not_kept(context: Any, response: Any) -> None:
    """AWS's 5xx, in the service's own protocol."""
    serializer = create_serializer(context.service, context.protocol)
    told = serializer.serialize_error_to_response(
        CommonServiceException("InternalFailure", NOT_KEPT, status_code=500),
        context.operation,
        context.request.headers,
        context.request_id,
    )
    response.update_from(told)
