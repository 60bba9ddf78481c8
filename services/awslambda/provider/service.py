"""LocalStack's Lambda provider with our checks, and our parts where its own are replaced."""

from __future__ import annotations

import base64
import logging
import os
from typing import Any

from localstack.config import HostAndPort
from localstack.services.lambda_ import provider as localstack_provider
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmState
from localstack.services.lambda_.invocation import (
    execution_environment,
    lambda_models,
    lambda_service,
    version_manager,
)
from localstack.services.lambda_.invocation.execution_environment import (
    ExecutionEnvironment,
)
from localstack.services.lambda_.invocation.lambda_models import Invocation, InvocationResult
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.services.lambda_.provider_utils import get_function_version_from_arn
from localstack.utils.strings import to_str

from services.awslambda.asynchronous.event_queue import EventQueue
from services.awslambda.deadlines import Deadline
from services.awslambda.provider import kept_state, quick_invoke
from services.awslambda.provider.asynchronous_invocations import (
    event_manager_class,
    make_event_queue,
)
from services.awslambda.provider.checked_functions import CheckedFunctions
from services.awslambda.provider.event_source_mappings import StreamWorkerFactory
from services.awslambda.provider.function_metrics import metrics
from services.localstack.running import running

LOG = logging.getLogger(__name__)


class FunctionsProvider(CheckedFunctions):
    """LocalStack's API with our checks; what functions and mappings do is ours."""

    def __init__(self) -> None:
        self._events = make_event_queue(lambda: self.lambda_service)
        replace_parts(self, self._events)
        kept_state.install()
        super().__init__()
        quick_invoke.register(self)

    def on_before_start(self) -> None:
        try:
            kept_state.go_on(self)
        except Exception:
            # LocalStack would tell nobody; one function does not keep the engine from the others.
            LOG.exception("What was kept of functions cannot go on")
        self._events.go_on()

    def on_after_state_load(self) -> None:
        """One function or mapping that cannot be restored does not keep the others from it."""
        try:
            super().on_after_state_load()
        except Exception:
            LOG.exception("A function or a mapping could not be restored")
        for _, _, store in lambda_stores.iter_stores():
            for mapping in list(store.event_source_mappings.values()):
                if mapping["UUID"] not in self.esm_workers:
                    self._restore_mapping(mapping)

    def _restore_mapping(self, mapping: Any) -> None:
        try:
            version = get_function_version_from_arn(mapping["FunctionArn"])
            is_enabled = mapping.get("State") not in (EsmState.DISABLED, EsmState.DISABLING)
            factory = localstack_provider.EsmWorkerFactory(mapping, version.config.role, is_enabled)
            worker = factory.get_esm_worker()
            worker.create()
            self.esm_workers[worker.uuid] = worker
        except Exception as error:
            LOG.exception("Event source mapping %s cannot go on", mapping["UUID"])
            mapping["LastProcessingResult"] = f"PROBLEM: {error}"

    def on_before_stop(self) -> None:
        self._events.stop()
        super().on_before_stop()


def replace_parts(provider: FunctionsProvider, events: EventQueue) -> None:
    """Put our parts where LocalStack looks its own up. May be called again."""

    class WorkerFactory(StreamWorkerFactory):
        @property
        def lambda_service(self) -> LambdaService:
            # Loading a state makes another one.
            return provider.lambda_service

    localstack_provider.EsmWorkerFactory = WorkerFactory
    lambda_service.LambdaEventManager = event_manager_class(events)
    localstack_provider.localstack_host = _host_of_function_urls
    lambda_models.chmod_r = _make_readable

    def count_invocation(function_name: str, account_id: str, region_name: str) -> None:
        metrics().count(account_id, region_name, function_name, "Invocations")

    def count_error(function_name: str, account_id: str, region_name: str) -> None:
        metrics().count(account_id, region_name, function_name, "Invocations", "Errors")

    version_manager.record_cw_metric_invocation = count_invocation
    version_manager.record_cw_metric_error = count_error
    # A thread of its own for one counter would cost more than the invocation.
    version_manager.start_thread = lambda call, **_: call()
    # So would one that waits ten minutes whether the environment is used again.
    execution_environment.Timer = Deadline
    version_manager.LogHandler = _NoLogHandler
    LambdaVersionManager.store_logs = _already_stored
    ExecutionEnvironment.invoke = _invoke


def _host_of_function_urls(custom_port: int | None = None) -> HostAndPort:
    """A function URL is a name below the engine's; below an address there can be none."""
    return HostAndPort("localhost", custom_port or running().settings.port)


def _make_readable(folder: str, _mode: int) -> None:
    """What was unpacked stays as executable as it was packed: AWS refuses a `bootstrap` that is
    not, where LocalStack makes everything executable."""
    for parent, folders, files in os.walk(folder):
        for name in folders:
            os.chmod(os.path.join(parent, name), 0o755)
        for name in files:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o644)


class _NoLogHandler:
    """The executor writes the log itself; LocalStack's handler would keep a thread a version."""

    def __init__(self, *_: object) -> None:
        pass

    def start_subscriber(self) -> None:
        pass

    def stop(self) -> None:
        pass


def _already_stored(self: LambdaVersionManager, **_: object) -> None:
    """See `ProcessRuntimeExecutor.invoke`."""


def _invoke(self: ExecutionEnvironment, invocation: Invocation) -> InvocationResult:
    """As LocalStack's, but the client context reaches the function too."""
    trace = invocation.trace_context.get("aws_trace_header")
    return self.runtime_executor.invoke(
        payload={
            "invoke-id": invocation.request_id,
            "invoked-function-arn": invocation.invoked_arn,
            "payload": to_str(invocation.payload),
            "trace-id": trace.to_header_str() if trace is not None else "",
            "client-context": _client_context(invocation.client_context),
        }
    )


def _client_context(encoded: str | None) -> str:
    return base64.b64decode(encoded).decode(errors="replace") if encoded else ""
