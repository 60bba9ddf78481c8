"""Send a flow's buffers, one after the other, and note in the checkpoints what has arrived.

The original sends with many threads and lets a later buffer's checkpoint pass an earlier one
that is still being retried: a crash then loses it. Here the next buffer waits.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from producer.agent.buffering import AgentRecord, Buffer
from producer.agent.checkpoints import Checkpoints
from producer.agent.configuration import Flow
from producer.agent.destinations import Destination, Failure
from producer.agent.files import Position

log = logging.getLogger(__name__)

_JITTER, _RECOVERY = 0.3, 10


@dataclass
class SentCounts:
    """CloudWatch's metrics of a flow, summed since the start."""

    BytesSent: int = 0
    RecordsSent: int = 0
    RecordSendAttempts: int = 0
    RecordSendErrors: int = 0
    ServiceErrors: int = 0


class Backoff:
    """How long to wait: doubled by every failure up to the longest, a tenth after a success."""

    def __init__(self, initial_seconds: float, longest_seconds: float) -> None:
        self._initial, self._longest = initial_seconds, longest_seconds
        self._seconds = 0.0

    def failed(self, chance: float) -> float:
        """The wait now; `chance` from 0 to 1 spreads it by 30 % to either side."""
        self._seconds = min(max(self._seconds * 2, self._initial), self._longest)
        return self._seconds * (1 - _JITTER + 2 * _JITTER * chance)

    def succeeded(self) -> None:
        self._seconds /= _RECOVERY


class Sender:
    """The sending side of a flow.

    `locate` brings positions under their files' present paths (Tailer.locate); `wait(seconds)`
    is True when it is time to give up.
    """

    def __init__(
        self,
        flow: Flow,
        destination: Destination,
        checkpoints: Checkpoints,
        locate: Callable[[list[Position]], tuple[list[Position], dict[str, Path]]],
        wait: Callable[[float], bool],
    ) -> None:
        self._flow = flow
        self._destination = destination
        self._checkpoints = checkpoints
        self._locate = locate
        self._wait = wait
        self._backoff = Backoff(
            flow.values["retryInitialBackoffMillis"] / 1000,
            flow.values["retryMaxBackoffMillis"] / 1000,
        )
        self._last_complaint = ("", float("-inf"))
        self.counts = SentCounts()

    @property
    def destination_name(self) -> str:
        """`KinesisStream:…` or `DeliveryStream:…`."""
        return self._destination.name

    def deliver(self, buffer: Buffer) -> bool:
        """Put all records, then save the positions. False when it had to give up before."""
        left: Sequence[AgentRecord] = buffer.records
        while left:
            left, failures = self._attempt(left)
            if left:
                self._complain(failures[0])
                if self._wait(self._backoff.failed(random.random())):
                    return False
            else:
                self._backoff.succeeded()
        self._checkpoints.save(self._flow.id, *self._locate(buffer.positions))
        return True

    def _attempt(self, records: Sequence[AgentRecord]) -> tuple[list[AgentRecord], list[Failure]]:
        """One call; what failed comes back in its order."""
        answers = self._destination.put(records)
        failed = [r for r, answer in zip(records, answers, strict=True) if answer is not None]
        failures = [answer for answer in answers if answer is not None]
        self.counts.RecordSendAttempts += len(records)
        self.counts.RecordSendErrors += len(failed)
        self.counts.RecordsSent += len(records) - len(failed)
        if len(failed) == len(records):
            self.counts.ServiceErrors += 1
        else:
            sent = [r for r, a in zip(records, answers, strict=True) if a is None]
            self.counts.BytesSent += sum(len(r.data) for r in sent)
        return failed, failures

    def _complain(self, failure: Failure) -> None:
        """Once a minute per kind of failure: throttling may last."""
        kind, at = self._last_complaint
        if kind != failure.code or time.monotonic() - at > 60:
            self._last_complaint = (failure.code, time.monotonic())
            log.warning(
                "%s: %s does not take records (%s: %s); trying again.",
                self._flow.id,
                self._destination.name,
                failure.code,
                failure.message,
            )
