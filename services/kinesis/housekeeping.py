"""What the stream engine does by itself, once a minute: metrics, scaling, retention."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from services.kinesis import scaling
from services.kinesis.arn import Caller
from services.kinesis.errors import KinesisError
from services.kinesis.kinesis import Kinesis
from services.kinesis.live_stream import LiveStream
from services.kinesis.metrics import metric_data
from services.kinesis.operations_on_shards import scale
from services.kinesis.stream import ACTIVE, ON_DEMAND
from services.kinesis.traffic import Counted, total

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0

#: Hands an account's and region's MetricData to CloudWatch; may raise anything.
type Publish = Callable[[Caller, list[dict[str, Any]]], None]


class Housekeeper:
    """Looks after all streams, in a thread of its own that sleeps in between."""

    def __init__(self, kinesis: Callable[[], Kinesis], publish: Publish) -> None:
        self._kinesis = kinesis
        self._publish = publish
        self._stopping = threading.Event()
        self._busy = threading.Lock()
        self._last_round = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name="kinesis-housekeeping", daemon=True).start()

    def stop(self) -> None:
        """No further rounds; what was counted until now is published."""
        self._stopping.set()
        self.round()

    def _run(self) -> None:
        # Reading the streams back at once: whoever starts the engine sees what is damaged.
        try:
            self._last_round = self._kinesis().clock.now()
        except OSError as failure:
            logger.error("Streams cannot be read back: %s. Mend that and start again.", failure)
            return
        while not self._stopping.wait(INTERVAL_SECONDS):
            try:
                self.round()
            except Exception:
                logger.exception("Housekeeping failed; it goes on in a minute.")

    def round(self) -> None:
        """Publish, scale and trim now."""
        with self._busy:
            kinesis = self._kinesis()
            kinesis.sweep()
            now = kinesis.clock.now()
            # A clock that was moved makes the minute longer, not the traffic smaller.
            seconds = min(max(now - self._last_round, 1.0), INTERVAL_SECONDS)
            self._last_round = now
            metrics: dict[Caller, list[dict[str, Any]]] = {}
            for key, live in list(kinesis.streams.items()):
                counted = live.traffic.take()
                if data := metric_data(live.state, counted, now):
                    metrics.setdefault(Caller(key.account_id, key.region), []).extend(data)
                try:
                    scale_on_demand(live, counted, seconds, now)
                    live.trim(now)
                except (KinesisError, OSError) as failure:
                    # A full disk: the other streams have their turn all the same.
                    logger.warning("Stream %s: %s", key.name, failure)
            for caller, data in metrics.items():
                self._publish(caller, data)


def scale_on_demand(live: LiveStream, counted: Counted, seconds: float, now: float) -> None:
    """Split or merge an on-demand stream's shards as its traffic asks."""
    with live.lock:
        state = live.state
        if state.mode != ON_DEMAND or state.status(now) != ACTIVE:
            return
        needed = scaling.shards_needed(
            total(counted, "IncomingBytes") / seconds, total(counted, "IncomingRecords") / seconds
        )
        peaks = scaling.remember(state.peak_shards, needed, now)
        target = scaling.target_shards(peaks, state.warm_throughput)
        # Saved only when it matters: a minute's quiet is not worth a write.
        if [count for _, count in peaks] == [count for _, count in state.peak_shards] and (
            target == len(state.open_shards())
        ):
            return
        state.peak_shards = peaks
        scale(state, target, now)
        live.save()
