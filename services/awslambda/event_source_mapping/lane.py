"""One sequence of a shard's records on its way through the function, batch after batch."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from services.awslambda.event_source_mapping import tumbling_window
from services.awslambda.event_source_mapping.batching import Take, next_batch
from services.awslambda.event_source_mapping.function_result import (
    Failed,
    FunctionResult,
    NotInvoked,
    Succeeded,
    first_failed,
)
from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.retrying import (
    Batch,
    Discarded,
    after_invocation,
    before_invocation,
)
from services.awslambda.event_source_mapping.stream_record import StreamRecord, sequence_numbers
from services.awslambda.event_source_mapping.tumbling_window import Window

LOG = logging.getLogger(__name__)

#: The engine's clock may be moved: look at it at least this often while something is waited for.
_LOOK_SECONDS = 0.5
_DESTINATION_TRIES = 3


@dataclass(frozen=True)
class Invoked:
    """How the function answered."""

    request_id: str
    payload: bytes
    is_error: bool
    executed_version: str = "$LATEST"


class CannotInvoke(Exception):
    """The function was not run: throttled, not active, gone."""


class LaneDoings(Protocol):
    """What a lane has done for it. Each may be called from several lanes at once."""

    def now(self) -> float:
        """The engine's clock."""

    def invoke(self, payload: bytes) -> Invoked:
        """Run the function. Raises CannotInvoke."""

    def tell_age(self, seconds: float) -> None:
        """How old the last record of a batch is when it is handed over."""

    def give_up(self, discarded: Discarded) -> None:
        """Send records to the on-failure destination."""

    def finish(self, records: Sequence[StreamRecord], window: Window | None) -> None:
        """These records are dealt with: what is before them all may be checkpointed."""

    def keep_window(self, window: Window | None) -> None:
        """Remember the open window."""

    def tell(self, result: str) -> None:
        """The mapping's LastProcessingResult."""

    def lane_failed(self) -> None:
        """Look at `has_failed`."""


class Lane:
    """`put` gives it records (and blocks while it has enough), `run` works until told to stop."""

    def __init__(
        self,
        mapping: Mapping,
        shard_id: str,
        doings: LaneDoings,
        stop: threading.Event,
        window: Window | None = None,
    ) -> None:
        self._mapping = mapping
        self._shard_id = shard_id
        self._doings = doings
        self._stop = stop
        self._window = window
        self._capacity = max(1000, 2 * mapping.batch_size)
        self._changed = threading.Condition()
        self._records: deque[StreamRecord] = deque()
        self._gathering_since = 0.0
        self._is_closed = False
        #: Something unforeseen happened: the shard must be read again from its checkpoint.
        self.has_failed = False

    def put(self, records: Sequence[StreamRecord]) -> None:
        """Add records, in the shard's order. Blocks while the lane is full."""
        with self._changed:
            while len(self._records) >= self._capacity and not self._stop.is_set():
                if self.has_failed:
                    return
                self._changed.wait(_LOOK_SECONDS)
            if not self._records:
                self._gathering_since = self._doings.now()
            self._records.extend(records)
            self._changed.notify_all()

    def close(self) -> None:
        """No more records will come: the shard has ended."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Look whether to stop."""
        with self._changed:
            self._changed.notify_all()

    def run(self) -> None:
        """Until the lane is closed and empty, or told to stop."""
        try:
            while (batch := self._gather()) is not None:
                if batch.records:
                    self._work(batch)
                else:
                    self._end_window(is_early=False)
        except Exception:
            LOG.exception("A batch of %s could not be dealt with", self._shard_id)
            self.has_failed = True
            self._doings.lane_failed()

    # -- gathering ---------------------------------------------------------------------------

    def _gather(self) -> Batch | None:
        """The next batch; one without records is a window's end; None is the end of it all."""
        with self._changed:
            while not self._stop.is_set():
                now = self._doings.now()
                first = self._records[0] if self._records else None
                self._open_window(first)
                if self._is_closed and first is None and self._window is None:
                    return None
                is_last = self._is_closed
                here = len(self._records)
                if self._window is not None:
                    if self._window_is_over(first, now):
                        return Batch(())
                    here = tumbling_window.that_belong(self._records, self._window)
                    is_last = is_last or here < len(self._records)
                if (taken := self._take(here, now, is_last=is_last)) is not None:
                    return Batch(taken)
        return None

    def _open_window(self, first: StreamRecord | None) -> None:
        size = self._mapping.tumbling_window_in_seconds
        if size and self._window is None and first is not None:
            self._window = tumbling_window.window_of(first.arrival, size)

    def _window_is_over(self, first: StreamRecord | None, now: float) -> bool:
        assert self._window is not None
        ended = self._is_closed and first is None
        return tumbling_window.is_over(self._window, first, now, shard_ended=ended)

    def _take(self, here: int, now: float, *, is_last: bool) -> tuple[StreamRecord, ...] | None:
        """A batch if there is one to take now; otherwise wait a while and return None."""
        candidates = list(islice(self._records, min(here, self._mapping.batch_size + 1)))
        spare = len(json.dumps(self._window.state)) if self._window is not None else 0
        decision = next_batch(
            candidates,
            self._gathering_since,
            self._mapping,
            now,
            spare_bytes=spare,
            is_last=is_last,
        )
        if isinstance(decision, Take):
            taken = tuple(self._records.popleft() for _ in range(decision.count))
            self._gathering_since = now
            self._changed.notify_all()
            return taken
        if not (self._is_closed and not self._records):
            waits_for_time = decision.until is not None or self._window is not None
            self._changed.wait(_LOOK_SECONDS if waits_for_time else None)
        return None

    # -- working -----------------------------------------------------------------------------

    def _work(self, batch: Batch) -> None:
        """Hand over until every record is dealt with, or stop in between."""
        mapping, todo = self._mapping, deque([batch])
        while todo and not self._stop.is_set():
            batch = todo.popleft()
            plan = before_invocation(batch, mapping, self._doings.now())
            if plan is None:
                plan = after_invocation(batch, self._hand_over(batch), mapping)
            if plan.discarded is not None:
                self._give_up(plan.discarded)
            if plan.done:
                self._doings.finish(plan.done, self._window)
            todo.extendleft(reversed(plan.todo))
            if plan.wait_seconds:
                self._stop.wait(plan.wait_seconds)
        if self._window is not None and tumbling_window.is_too_large(self._window):
            self._end_window(is_early=True)

    def _hand_over(self, batch: Batch) -> FunctionResult:
        self._doings.tell_age(self._doings.now() - batch.records[-1].arrival)
        result, payload = self._invoke([record.event for record in batch.records])
        if isinstance(result, Succeeded) and self._mapping.report_batch_item_failures:
            place = first_failed(payload, sequence_numbers(batch.records))
            if place is not None:
                result = Failed(self._request_id, place, function_error=None)
        if isinstance(result, Succeeded) and self._window is not None:
            self._window = tumbling_window.with_state(self._window, payload)
        self._doings.tell(_LAST_RESULT[type(result)])
        return result

    def _invoke(
        self, events: Sequence[Any], *, is_final: bool = False, is_early: bool = False
    ) -> tuple[FunctionResult, bytes]:
        event: dict[str, Any] = {"Records": list(events)}
        if self._window is not None:
            event |= tumbling_window.window_fields(
                self._window,
                self._shard_id,
                self._mapping.event_source_arn,
                is_final=is_final,
                is_early=is_early,
            )
        try:
            invoked = self._doings.invoke(json.dumps(event).encode())
        except CannotInvoke as error:
            return NotInvoked(str(error)), b""
        self._request_id = invoked.request_id
        if invoked.is_error:
            return Failed(
                invoked.request_id, executed_version=invoked.executed_version
            ), invoked.payload
        return Succeeded(), invoked.payload

    def _give_up(self, discarded: Discarded) -> None:
        if not self._mapping.on_failure_destination:
            return
        for attempt in range(_DESTINATION_TRIES):
            try:
                return self._doings.give_up(discarded)
            except Exception:
                LOG.exception(
                    "Cannot send what %s gave up of %s to %s",
                    self._mapping.function_arn,
                    self._shard_id,
                    self._mapping.on_failure_destination,
                )
            self._stop.wait(2**attempt)

    def _end_window(self, *, is_early: bool) -> None:
        """The final invocation of the open window; tried again as a batch would be."""
        tries = 0
        while not self._stop.is_set():
            result, _ = self._invoke((), is_final=True, is_early=is_early)
            if isinstance(result, Succeeded):
                break
            limit = self._mapping.maximum_retry_attempts
            if isinstance(result, Failed):
                if 0 <= limit <= tries:
                    break
                tries += 1
            self._stop.wait(min(30.0, 0.1 * 2 ** min(tries, 9)))
        else:
            return
        self._window = None
        self._doings.keep_window(None)


_LAST_RESULT: dict[type[FunctionResult], str] = {
    Succeeded: "OK",
    Failed: "PROBLEM: Function call failed",
    NotInvoked: "PROBLEM: Function call failed",
}
