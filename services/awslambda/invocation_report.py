"""What the caller and the log are told of how an invocation went. Pure."""

from __future__ import annotations

import json
from typing import Any

from services.awslambda import log_lines
from services.awslambda.function_settings import FunctionSettings
from services.awslambda.limits import MAXIMUM_RESPONSE_BYTES
from services.awslambda.runtime_api import Event
from services.awslambda.usage_watch import MEMORY, STORAGE


def payload_of(event: Event, request_id: str, timeout_seconds: float, *, excess: str = "") -> bytes:
    """What the caller gets: the function's own answer or error, or the one of Lambda.

    `excess` is what the process was ended for, see `usage_watch`.
    """
    match event.kind:
        case "response" | "error" | "init_error":
            return event.body
        case "timeout":
            message = f"Task timed out after {timeout_seconds:.2f} seconds"
            return log_lines.failure("Sandbox.Timedout", request_id, message)
        case "too_large":
            message = (
                f"Response payload size ({event.body.decode()} bytes) exceeded maximum "
                f"allowed payload size ({MAXIMUM_RESPONSE_BYTES} bytes)."
            )
            error = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
            return json.dumps(error).encode()
        case "launch_failed":
            return log_lines.failure("Runtime.InvalidEntrypoint", request_id, event.body.decode())
    kind = "Runtime.OutOfMemory" if excess == MEMORY else "Runtime.ExitError"
    reason = log_lines.exit_reason(event.exit_code, log_lines.SIGNAL_NAMES)
    if excess == STORAGE:
        # On AWS the function would have met this as an error of its own.
        reason += " (No space left on device: it wrote more than its ephemeral storage)"
    return log_lines.failure(kind, request_id, reason)


def cold_lines(settings: FunctionSettings, now: float) -> tuple[str, ...]:
    """Lambda's own lines of a cold start."""
    if settings.log_format != "JSON":
        return (log_lines.init_start(settings.runtime),)
    variables = settings.variables
    record = {
        "initializationType": variables.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        "phase": "init",
        "runtimeVersion": settings.runtime,
        "functionName": variables.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "functionVersion": settings.version,
    }
    return _platform_event(settings, "platform.initStart", record, now)


def own_lines(
    settings: FunctionSettings,
    figures: log_lines.Report,
    event: Event,
    payload: bytes,
    now: float,
) -> log_lines.OwnLines:
    """Lambda's own lines before and after what the function wrote."""
    request_id = figures.request_id
    if settings.log_format == "JSON":
        started = {"requestId": request_id, "version": figures.version}
        report = log_lines.report_record(figures)
        return log_lines.OwnLines(
            start=_platform_event(settings, "platform.start", started, now),
            closing=_platform_event(settings, "platform.report", report, now, figures.status),
        )
    return log_lines.OwnLines(
        start=(log_lines.start(request_id, figures.version),),
        closing=(
            *_fault_lines(settings, figures, event, payload, now),
            log_lines.end(request_id),
            log_lines.report(figures),
        ),
    )


def _fault_lines(
    settings: FunctionSettings,
    figures: log_lines.Report,
    event: Event,
    payload: bytes,
    now: float,
) -> tuple[str, ...]:
    if event.kind == "timeout":
        return (log_lines.timed_out(figures.request_id, settings.timeout_seconds, now),)
    if event.kind in ("exit", "launch_failed"):
        return (json.loads(payload)["errorMessage"], figures.error_type)
    return ()


def _platform_event(
    settings: FunctionSettings,
    event_type: str,
    record: dict[str, Any],
    now: float,
    status: str = "",
) -> tuple[str, ...]:
    return log_lines.platform_event(event_type, record, now, settings.system_log_level, status)


def status_of(event: Event) -> str:
    """What the REPORT line calls this way to end."""
    return {"response": "", "timeout": "timeout"}.get(event.kind, "error")


def error_type_of(payload: bytes) -> str:
    """The `errorType` in a function's error; empty where it is of another shape."""
    try:
        error = json.loads(payload)
    except ValueError:
        return ""
    return str(error.get("errorType", "")) if isinstance(error, dict) else ""
