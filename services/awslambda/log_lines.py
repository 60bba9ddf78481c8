"""What a function wrote, cut into log events, and the lines that Lambda itself adds."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: CloudWatch Logs refuses a longer event (256 KiB less 26 bytes of overhead).
MAXIMUM_EVENT_BYTES = 262_118
#: Of a flood, this much is kept per invocation.
MAXIMUM_LOG_BYTES = 16 * 2**20

#: How the runtime marks where one message begins and ends: type, length, microseconds.
#: The type's last byte carries the level. See awslambdaric's FramedTelemetryLogSink.
_FRAME_MARK = b"\xa5\x5a\x00"
_FRAME_HEAD = struct.Struct(">4sIQ")


@dataclass(frozen=True)
class LogEvent:
    """One event of CloudWatch Logs. `timestamp` is in milliseconds."""

    timestamp: int
    message: str


def events(output: bytes, since_millis: int) -> tuple[LogEvent, ...]:
    """The log events in a function's output: a frame is one event, other text one event a line.

    A frame tells its own time; a line has that of what came before it, at first `since_millis`.
    What is not UTF-8 is kept as U+FFFD; empty lines are left out, as CloudWatch refuses them.
    """
    found, time = [], since_millis
    for timestamp, data in _messages(output):
        # CloudWatch wants a batch in order of time.
        time = max(time, timestamp)
        found += [LogEvent(time, message) for message in _pieces(data)]
    return tuple(found)


def _messages(output: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(output):
        mark = output.find(_FRAME_MARK, position)
        end = mark if mark >= 0 else len(output)
        for line in output[position:end].split(b"\n"):
            yield 0, line
        if mark < 0:
            return
        head = output[mark : mark + _FRAME_HEAD.size]
        if len(head) < _FRAME_HEAD.size:
            yield 0, head
            return
        _, length, microseconds = _FRAME_HEAD.unpack(head)
        start = mark + _FRAME_HEAD.size
        if start + length > len(output):
            # Not a frame after all, or one cut by a kill: show it as it is.
            yield 0, output[start:]
            return
        yield microseconds // 1000, output[start : start + length]
        position = start + length


def _pieces(data: bytes) -> Iterator[str]:
    data = data.rstrip(b"\n")
    for start in range(0, len(data), MAXIMUM_EVENT_BYTES):
        text = data[start : start + MAXIMUM_EVENT_BYTES].decode("utf-8", "replace")
        if text.strip():
            yield text


@dataclass(frozen=True, kw_only=True)
class OwnLines:
    """What Lambda adds before and after what the function wrote."""

    start: tuple[str, ...]
    closing: tuple[str, ...]


def invocation(
    own: OwnLines, output: bytes, began_millis: int, ended_millis: int
) -> tuple[LogEvent, ...]:
    """All log events of one invocation, in order."""
    return (
        *(LogEvent(began_millis, line) for line in own.start),
        *events(output, began_millis),
        *(LogEvent(ended_millis, line) for line in own.closing),
    )


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of one invocation's REPORT line. `init_seconds` is there after a cold start;
    `status` is `timeout` or `error` where there was one, with `error_type` for the latter."""

    request_id: str
    version: str
    duration_seconds: float
    memory_size_in_mb: int
    max_memory_used_in_mb: int
    init_seconds: float | None = None
    status: str = ""
    error_type: str = ""


def init_start(runtime: str) -> str:
    return f"INIT_START Runtime Version: {runtime}"


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def report(figures: Report) -> str:
    """The REPORT line, tab-separated as on AWS. Billed are whole milliseconds, init included."""
    millis = figures.duration_seconds * 1000
    billed = int(-(-(millis + (figures.init_seconds or 0) * 1000) // 1))
    fields = [
        f"REPORT RequestId: {figures.request_id}",
        f"Duration: {millis:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {figures.memory_size_in_mb} MB",
        f"Max Memory Used: {figures.max_memory_used_in_mb} MB",
    ]
    if figures.init_seconds is not None:
        fields.append(f"Init Duration: {figures.init_seconds * 1000:.2f} ms")
    if figures.status:
        fields.append(f"Status: {figures.status}")
    if figures.error_type:
        fields.append(f"Error Type: {figures.error_type}")
    return "\t".join(fields) + "\t"


def _level(event_type: str, status: str) -> str:
    """Which level a platform event has.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    return "WARN" if event_type == "platform.report" and status else "INFO"


_LEVELS = ("DEBUG", "INFO", "WARN")


def platform_event(
    event_type: str, record: dict[str, Any], now: float, wanted_level: str, status: str = ""
) -> tuple[str, ...]:
    """A line of Lambda's own in the JSON log format; none where it is below the wanted level."""
    if _LEVELS.index(_level(event_type, status)) < _LEVELS.index(wanted_level):
        return ()
    return (json.dumps({"time": iso_time(now), "type": event_type, "record": record}),)


def report_record(figures: Report) -> dict[str, Any]:
    """What `platform.report` tells: the figures of the REPORT line."""
    millis = figures.duration_seconds * 1000
    metrics: dict[str, Any] = {
        "durationMs": round(millis, 3),
        "billedDurationMs": int(-(-(millis + (figures.init_seconds or 0) * 1000) // 1)),
        "memorySizeMB": figures.memory_size_in_mb,
        "maxMemoryUsedMB": figures.max_memory_used_in_mb,
    }
    if figures.init_seconds is not None:
        metrics["initDurationMs"] = round(figures.init_seconds * 1000, 3)
    record = {
        "requestId": figures.request_id,
        "metrics": metrics,
        "status": figures.status or "success",
    }
    return record | ({"errorType": figures.error_type} if figures.error_type else {})


def iso_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def timed_out(request_id: str, timeout_seconds: float, now: float) -> str:
    return f"{iso_time(now)} {request_id} Task timed out after {timeout_seconds:.2f} seconds"


def failure(error_type: str, request_id: str, message: str) -> bytes:
    """The payload of an invocation that Lambda itself ended."""
    text = f"RequestId: {request_id} Error: {message}"
    return json.dumps({"errorType": error_type, "errorMessage": text}).encode()


def exit_reason(exit_code: int, signal_names: dict[int, str]) -> str:
    """How AWS words the end of a runtime; negative codes are signals, as `subprocess` has them."""
    if exit_code == 0:
        return "Runtime exited without providing a reason"
    if exit_code < 0:
        name = signal_names.get(-exit_code, str(-exit_code))
        return f"Runtime exited with error: signal: {name}"
    return f"Runtime exited with error: exit status {exit_code}"


#: Go's words for signals, which AWS shows.
SIGNAL_NAMES = {
    1: "hangup",
    2: "interrupt",
    4: "illegal instruction",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    15: "terminated",
    25: "file size limit exceeded",
}
