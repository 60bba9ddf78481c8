"""Play a data set: at its own timestamps, at a rate, or as fast as the stream takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from producer.datasets.event import Event, RejectedRow
from producer.kinesis_producer import KinesisProducer


@dataclass
class Replayed:
    """How far a replay is, or how it ended. Seconds are those of the clock it was given."""

    events: int = 0
    bytes: int = 0
    rejected: int = 0
    seconds: float = 0.0
    rejected_rows: list[RejectedRow] = field(default_factory=list)


def due_seconds(
    event: Event, number: int, first: datetime, *, speed: float | None, rate: float | None
) -> float:
    """How long after the start of the replay the event (the first is number 0) is due.

    `speed` 60 plays an hour in a minute; `rate` is events per second; neither: at once.
    """
    if speed is not None:
        return max(0.0, (event.timestamp - first).total_seconds() / speed)
    return number / rate if rate is not None else 0.0


def replay(
    events: Iterable[Event | RejectedRow],
    add: Callable[[Event], object],
    *,
    speed: float | None = None,
    rate: float | None = None,
    on_rejected: Callable[[RejectedRow], object] | None = None,
    progress: Callable[[Replayed], object] | None = None,
    progress_every: int = 1_000,
    stop: Callable[[], bool] = lambda: False,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Replayed:
    """Give every event to `add` when it is due. `progress` sees each `progress_every`th event.

    Rejected rows go to `on_rejected` (kept in `rejected_rows` without it). Raises ValueError
    when both `speed` and `rate` are given, or one is not above 0.
    """
    _check(speed, rate)
    done, started_at, first = Replayed(), now(), None
    for item in events:
        if stop():
            break
        if isinstance(item, RejectedRow):
            done.rejected += 1
            (on_rejected or done.rejected_rows.append)(item)
            continue
        first = first or item.timestamp
        if speed is not None or rate is not None:
            due = due_seconds(item, done.events, first, speed=speed, rate=rate)
            while (wait := started_at + due - now()) > 0 and not stop():
                sleep(min(wait, 0.5))
            if stop():
                break
        add(item)
        done.events += 1
        done.bytes += len(item.data)
        if progress is not None and done.events % progress_every == 0:
            done.seconds = now() - started_at
            progress(done)
    done.seconds = now() - started_at
    if progress is not None:
        progress(done)
    return done


def add_to(producer: KinesisProducer) -> Callable[[Event], object]:
    """An `add` for replay that puts each event into the producer's stream."""

    def add(event: Event) -> object:
        return producer.add(
            event.data, event.partition_key, event_id=event.event_id, amounts=event.amounts
        )

    return add


def _check(speed: float | None, rate: float | None) -> None:
    if speed is not None and rate is not None:
        raise ValueError("Give speed or rate, not both: each says when an event is due.")
    for name, value in (("speed", speed), ("rate", rate)):
        if value is not None and value <= 0:
            raise ValueError(f"{name} is {value}; it must be above 0.")
