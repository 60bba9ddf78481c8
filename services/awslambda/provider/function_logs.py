"""Writes what functions log to CloudWatch Logs: many invocations in one request."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from localstack.aws.connect import connect_to

from services.awslambda.log_lines import LogEvent
from services.gathering import Gathering

LOG = logging.getLogger(__name__)

#: How long events gather before they are sent: AWS takes seconds.
_GATHER_SECONDS = 0.2
#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_MAXIMUM_BATCH_EVENTS = 10_000
_MAXIMUM_BATCH_BYTES = 1_048_576
_EVENT_OVERHEAD_BYTES = 26


class Stream(NamedTuple):
    """A log stream, wherever it is."""

    account_id: str
    region: str
    group: str
    name: str


class LogWriter:
    """All functions' logs."""

    def __init__(self) -> None:
        self._gathering: Gathering[dict[Stream, list[LogEvent]]] = Gathering(
            "lambda-log-writer", dict, _send_all, seconds=_GATHER_SECONDS
        )

    def write(
        self, account_id: str, region: str, group: str, name: str, events: Sequence[LogEvent]
    ) -> None:
        if events:
            stream = Stream(account_id, region, group, name)
            self._gathering.add(lambda logs: logs.setdefault(stream, []).extend(events))


def _send_all(logs: dict[Stream, list[LogEvent]]) -> None:
    for stream, events in logs.items():
        try:
            _send(stream, events)
        except Exception:
            LOG.exception("Cannot write to log stream %s of %s", stream.name, stream.group)


def _send(stream: Stream, events: list[LogEvent]) -> None:
    logs = connect_to(aws_access_key_id=stream.account_id, region_name=stream.region).logs
    for batch in _batches(sorted(events, key=lambda event: event.timestamp)):
        entries = [{"timestamp": e.timestamp, "message": e.message} for e in batch]
        try:
            logs.put_log_events(
                logGroupName=stream.group, logStreamName=stream.name, logEvents=entries
            )
        except logs.exceptions.ResourceNotFoundException:
            _create(logs, stream)
            logs.put_log_events(
                logGroupName=stream.group, logStreamName=stream.name, logEvents=entries
            )


def _create(logs: Any, stream: Stream) -> None:
    is_there = logs.exceptions.ResourceAlreadyExistsException
    with contextlib.suppress(is_there):
        logs.create_log_group(logGroupName=stream.group)
    with contextlib.suppress(is_there):
        logs.create_log_stream(logGroupName=stream.group, logStreamName=stream.name)


def _batches(events: list[LogEvent]) -> Iterator[list[LogEvent]]:
    batch: list[LogEvent] = []
    size = 0
    for event in events:
        event_bytes = len(event.message.encode()) + _EVENT_OVERHEAD_BYTES
        if batch and (
            len(batch) == _MAXIMUM_BATCH_EVENTS or size + event_bytes > _MAXIMUM_BATCH_BYTES
        ):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event_bytes
    if batch:
        yield batch
