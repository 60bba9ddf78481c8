"""Where LocalStack finds our Lambda: its own provider, with functions as processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.plugins import SERVICE_PLUGINS, Service, aws_provider

from services.localstack.running import running

if TYPE_CHECKING:
    from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """`LAMBDA_RUNTIME_EXECUTOR=riacho` selects this executor."""

    name = "riacho"

    def load(self, *args: object, **kwargs: object) -> type[RuntimeExecutor]:
        from services.awslambda.provider.executor import ProcessRuntimeExecutor

        return ProcessRuntimeExecutor


@aws_provider(api="lambda", name="riacho")
def awslambda() -> Service:
    """`PROVIDER_OVERRIDE_LAMBDA=riacho` selects this provider."""
    from services.awslambda.provider.service import FunctionsProvider

    return Service.for_provider(FunctionsProvider())


@hooks.on_infra_ready()
def go_on_invoking() -> None:
    """Mappings and queued events of a former engine go on without a request to Lambda.

    LocalStack knows a hook by its name alone: a second `go_on` would replace the first.
    """
    settings = running().settings
    kept = settings.data_dir.resolve() / "lambda" / "functions.pickle"
    if settings.stream_storage == "disk" and kept.exists():
        # Loading takes seconds; the engine's start does not wait for it.
        threading.Thread(
            target=SERVICE_PLUGINS.require, args=("lambda",), name="lambda-go-on", daemon=True
        ).start()
