"""Where LocalStack finds our Lambda: its own provider, with functions as processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.plugins import Service, aws_provider

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
