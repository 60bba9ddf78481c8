"""CloudWatch Logs' events as rows of their own, written before the answer: there are many."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from moto.logs.models import LogEvent, LogGroup, LogsBackend, LogStream, logs_backends

from services.localstack.state import pickling
from services.localstack.state.pickling import Reduced, maker, reducer
from services.localstack.state.rows import StateRows

PREFIX = "events/"
#: What a stream has of its events.
_FROM_EVENTS = frozenset(
    {"events", "stored_bytes", "upload_sequence_token", "last_ingestion_time"}
    | {"first_event_timestamp", "last_event_timestamp"}
)


def register() -> None:
    """How streams are written: without their events."""
    reducer(LogStream)(_stream)


def _stream(stream: Any) -> Reduced:
    state = {name: value for name, value in list(vars(stream).items()) if name not in _FROM_EVENTS}
    return empty_stream, (), state


@maker
def empty_stream() -> Any:
    stream = LogStream.__new__(LogStream)
    stream.events, stream.stored_bytes, stream.upload_sequence_token = [], 0, 0
    stream.first_event_timestamp = stream.last_event_timestamp = stream.last_ingestion_time = None
    return stream


class LogEvents:
    """The rows of every stream's events: `events/` stream `/` number of the call."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows

    def bring_back(self) -> None:
        """Put the events into their streams; those of streams that are gone are removed."""
        streams = {stream.kept_id: stream for stream in _streams()}
        gone = []
        for name, content in self._rows.below(PREFIX):
            stream = streams.get(name.split("/")[1])
            if stream is None:
                gone.append(name)
            else:
                _append(stream, pickling.loads(content))
        if gone:
            self._rows.write([], gone)

    def watch(self) -> None:
        """Write what streams get from now on."""
        begin, put = LogStream.__init__, LogStream.put_log_events
        delete_stream, delete_group = LogGroup.delete_log_stream, LogsBackend.delete_log_group

        def begin_with_id(stream: Any, *arguments: Any, **named: Any) -> None:
            begin(stream, *arguments, **named)
            stream.kept_id = uuid.uuid4().hex

        def put_and_keep(stream: Any, log_events: list[dict[str, Any]]) -> Any:
            number = stream.upload_sequence_token
            answer = put(stream, log_events)
            events = [(event["timestamp"], event["message"]) for event in log_events]
            name = f"{PREFIX}{stream.kept_id}/{number:012d}"
            self._rows.write([(name, pickling.dumps((stream.last_ingestion_time, events)))])
            return answer

        def delete_stream_too(group: Any, name: str) -> None:
            stream = group.streams.get(name)
            delete_stream(group, name)
            self._forget([stream])

        def delete_group_too(backend: Any, name: str) -> None:
            group = backend.groups.get(name)
            delete_group(backend, name)
            self._forget(list(group.streams.values()))

        LogStream.__init__, LogStream.put_log_events = begin_with_id, put_and_keep
        LogGroup.delete_log_stream = delete_stream_too
        LogsBackend.delete_log_group = delete_group_too

    def _forget(self, streams: list[Any]) -> None:
        for stream in streams:
            self._rows.remove_below(f"{PREFIX}{stream.kept_id}/")


def _append(stream: Any, kept: tuple[int, list[tuple[int, str]]]) -> None:
    ingestion_time, events = kept
    stream.last_ingestion_time = ingestion_time
    stream.upload_sequence_token += 1
    for timestamp, message in events:
        stream.events.append(LogEvent(ingestion_time, {"timestamp": timestamp, "message": message}))
        stream.stored_bytes += len(message)


def _streams() -> Iterator[Any]:
    for _, _, backend in logs_backends.iter_backends():
        for group in backend.groups.values():
            yield from group.streams.values()
