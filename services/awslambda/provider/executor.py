"""LocalStack's runtime executor, with one execution environment of ours behind each."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from services.awslambda.execution_environment import (
    ExecutionEnvironment,
    InitFailed,
    Outcome,
)
from services.awslambda.function_settings import FunctionSettings
from services.awslambda.launcher import Launcher
from services.awslambda.provider.function_logs import LogWriter
from services.awslambda.provider.function_metrics import Measured, metrics
from services.awslambda.runtime_api import Work
from services.awslambda.runtimes.command import lay_out_python_runtime, refuse_runtime
from services.awslambda.usage_watch import UsageWatch
from services.localstack.running import Running, running

#: LocalStack's own, for its helper inside a container; nothing that a function needs.
_INTERNAL_VARIABLES = (
    "LOCALSTACK_RUNTIME_ID",
    "LOCALSTACK_RUNTIME_ENDPOINT",
    "LOCALSTACK_FUNCTION_ACCOUNT_ID",
    "LOCALSTACK_USER",
    "LOCALSTACK_MAX_PAYLOAD_SIZE",
    "LOCALSTACK_POST_INVOKE_WAIT_MS",
    "EDGE_PORT",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
)


class Machinery:
    """What all execution environments of the engine share."""

    def __init__(self, engine: Running) -> None:
        self.launcher = Launcher()
        self.usage_watch = UsageWatch()
        self.log_writer = LogWriter()
        self.runtime_folder = lay_out_python_runtime(
            engine.settings.data_dir.resolve() / "lambda" / "runtime"
        )


def machinery() -> Machinery:
    return running().core("awslambda", Machinery)


class ProcessRuntimeExecutor(RuntimeExecutor):
    """See `ExecutionEnvironment`; LocalStack reserves it for one invocation at a time."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._log_group = ""
        self._log_stream = ""
        shared = machinery()
        self._environment = ExecutionEnvironment(
            _settings(function_version),
            launcher=shared.launcher,
            usage_watch=shared.usage_watch,
            runtime_folder=shared.runtime_folder,
            scratch=Path(tempfile.gettempdir()) / "lambda-scratch" / id,
        )

    def start(self, env_vars: dict[str, Any]) -> None:
        config = self.function_version.config
        variables = {
            name: str(value)
            for name, value in env_vars.items()
            if name not in _INTERNAL_VARIABLES or name in (config.environment or {})
        }
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{config.runtime}"
        if group := config.logging_config.get("LogGroup"):
            variables["AWS_LAMBDA_LOG_GROUP_NAME"] = group
        self._log_group = variables["AWS_LAMBDA_LOG_GROUP_NAME"]
        self._log_stream = variables["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._environment.start(variables)
        if variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency":
            try:
                self._environment.require_ready()
            except InitFailed as failed:
                raise StatusErrorException(str(failed), payload=failed.payload) from None

    def stop(self) -> None:
        self._environment.stop()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        outcome = self._environment.invoke(
            Work(
                request_id=payload["invoke-id"],
                payload=payload["payload"].encode(),
                invoked_function_arn=payload["invoked-function-arn"],
                deadline=0,
                trace_id=payload["trace-id"],
                client_context=payload.get("client-context", ""),
            )
        )
        self._write_log(outcome)
        function = self.function_version.id
        measured = Measured(
            function.account, function.region, function.function_name, "Duration", "Milliseconds"
        )
        metrics().measure(measured, round(outcome.duration_seconds * 1000, 2))
        return InvocationResult(
            request_id=payload["invoke-id"],
            payload=outcome.payload,
            is_error=outcome.is_error,
            logs=outcome.log_text,
        )

    def _write_log(self, outcome: Outcome) -> None:
        function = self.function_version.id
        machinery().log_writer.write(
            function.account, function.region, self._log_group, self._log_stream, outcome.log
        )

    def get_logs(self) -> str:
        return ""

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack code and layers. What it raises becomes the reason of the state `Failed`."""
        config = function_version.config
        refuse_runtime(config.runtime or "")
        config.code.prepare_for_execution()
        if config.layers:
            _merge_layers(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        shutil.rmtree(_layers_folder(function_version), ignore_errors=True)


def _settings(function_version: FunctionVersion) -> FunctionSettings:
    config = function_version.config
    return FunctionSettings(
        runtime=config.runtime,
        version=function_version.id.qualifier,
        memory_size_in_mb=config.memory_size,
        timeout_seconds=config.timeout,
        code=Path(config.code.get_unzipped_code_location()),
        layers=_layers_folder(function_version),
        ephemeral_storage_in_mb=config.ephemeral_storage.size,
        architecture=str(config.architectures[0]),
        log_format=str(config.logging_config.get("LogFormat") or "Text"),
        system_log_level=str(config.logging_config.get("SystemLogLevel") or "INFO"),
    )


def _layers_folder(function_version: FunctionVersion) -> Path:
    revision = function_version.config.internal_revision
    return Path(tempfile.gettempdir()) / "lambda-layers" / str(revision)


def _merge_layers(function_version: FunctionVersion) -> None:
    """AWS unpacks them into one folder, /opt, in their order: a later one overwrites."""
    folder = _layers_folder(function_version)
    for layer in function_version.config.layers:
        if layer.code:
            layer.code.prepare_for_execution()
            source = layer.code.get_unzipped_code_location()
            shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
