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
from localstack.aws.handlers import run_custom_response_handlers
from localstack.runtime import hooks
from localstack.services.plugins import SERVICE_PLUGINS, Service, ServiceContainer

from services.localstack.running import running
from services.localstack.state import containers, going_on, reducers
from services.localstack.state.keeper import Keeper
from services.localstack.state.pickling import NotKept

LOG = logging.getLogger(__name__)

#: Services that keep their state themselves, or have none.
KEPT_ELSEWHERE = frozenset(
    {"athena", "dynamodb", "dynamodbstreams", "es", "firehose", "glue", "kinesis"}
    | {"kinesisanalyticsv2", "lambda", "resourcegroupstaggingapi", "s3", "s3control", "support"}
)
#: These go on with their work without being asked for; the others are loaded at their first call.
GO_ON = ("sqs", "sns", "cloudwatch", "events", "scheduler", "cloudformation", "stepfunctions")
#: Calls that change nothing that is kept here.
READING = ("Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Search", "Test", "Filter")
UNCHANGING = frozenset(
    {
        # A publication is handed on; a metric is written to CloudWatch's own database.
        *(("sns", name) for name in ("Publish", "PublishBatch", "CheckIfPhoneNumberIsOptedOut")),
        ("cloudwatch", "PutMetricData"),
        ("logs", "StartLiveTail"),
        ("sqs", "ChangeMessageVisibility"),
        ("sqs", "ChangeMessageVisibilityBatch"),
    }
)


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
    config.dirs.data = str(keeper()._folder / "folders")
    run_custom_response_handlers.append(_after_a_call)
    _load_before_start()


@hooks.on_infra_ready()
def go_on() -> None:
    """What must go on goes on, without waiting for a call to its service."""
    if is_kept():
        threading.Thread(target=_start_kept, name="riacho-go-on", daemon=True).start()


def _start_kept() -> None:
    kept = keeper().kept_services()
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
        if (register := reducers.OF_SERVICE.get(name)) is not None:
            register()
        keeper().load(name, ServiceState(service))
        started = bool(start(container))
        if (after := going_on.AFTER_START.get(name)) is not None:
            threading.Thread(
                target=_take_up, args=(name, after, service), name=f"{name}-goes-on", daemon=True
            ).start()
        return started

    ServiceContainer.start = load_and_start


def _take_up(name: str, after: Any, service: Service) -> None:
    try:
        after(service)
    except Exception:
        LOG.exception("%s could not go on with what it kept", name)


class ServiceState:
    """One of LocalStack's services, as the keeper sees it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def rows(self) -> Iterable[tuple[str, Any]]:
        return containers.rows(self._service)

    def put_back(self, rows: Iterable[tuple[str, Any]]) -> None:
        for name, content in list(rows):
            containers.put_back(self._service, name, content)

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
