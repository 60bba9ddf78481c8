"""Reads all shards of one mapping's stream, parents before children, until told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.positions import Positions
from services.awslambda.event_source_mapping.shard_order import readable
from services.awslambda.event_source_mapping.shard_poller import ShardPoller
from services.awslambda.event_source_mapping.source import SourceGone, StreamSource

LOG = logging.getLogger(__name__)

#: How long until a stream that is gone, or a shard whose poller failed, is looked at again.
_AGAIN_SECONDS = 1.0
#: A stream without any shard to read may get one without telling (DynamoDB).
_NOTHING_TO_READ_SECONDS = 2.0

MakeShardPoller = Callable[[str, threading.Event], ShardPoller]


class StreamPoller:
    """A thread for each shard that is being read; `run` is the one that starts them."""

    def __init__(
        self,
        mapping: Mapping,
        source: StreamSource,
        positions: Positions,
        make_shard_poller: MakeShardPoller,
        tell: Callable[[str], None],
    ) -> None:
        self._mapping = mapping
        self._source = source
        self._positions = positions
        self._make_shard_poller = make_shard_poller
        self._tell = tell
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._under_way: dict[str, ShardPoller | None] = {}

    def run(self) -> None:
        """Until `stop`. Invocations that are under way are waited for."""
        threads: list[threading.Thread] = []
        while not self._stop.is_set():
            for shard_id in self._next_shards():
                self._under_way[shard_id] = None
                thread = threading.Thread(
                    target=self._read_shard, args=(shard_id,), name="lambda-shard", daemon=True
                )
                thread.start()
                threads.append(thread)
            with self._changed:
                if not self._stop.is_set():
                    pause = None if self._under_way else _NOTHING_TO_READ_SECONDS
                    self._changed.wait(pause)
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Begin to stop; `run` returns when everything has."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for poller in list(self._under_way.values()):
            if poller is not None:
                poller.wake()
        try:
            self._source.wake()
        except SourceGone as gone:
            LOG.debug("Stopping to read a stream that is gone: %s", gone)

    def _next_shards(self) -> tuple[str, ...]:
        try:
            shards = self._source.shards()
        except SourceGone as gone:
            self._tell(f"PROBLEM: {gone}")
            self._stop.wait(_AGAIN_SECONDS)
            return ()
        return readable(shards, self._positions.ended(), self._under_way)

    def _read_shard(self, shard_id: str) -> None:
        try:
            while not self._stop.is_set() and not self._read_once(shard_id):
                self._stop.wait(_AGAIN_SECONDS)
        finally:
            with self._changed:
                del self._under_way[shard_id]
                self._changed.notify_all()

    def _read_once(self, shard_id: str) -> bool:
        """Whether this shard needs no more reading."""
        try:
            poller = self._make_shard_poller(shard_id, self._stop)
            self._under_way[shard_id] = poller
            return poller.run()
        except SourceGone as gone:
            self._tell(f"PROBLEM: {gone}")
            return True
        except Exception:
            LOG.exception(
                "Reading %s of %s failed; it goes on at its position",
                shard_id,
                self._mapping.event_source_arn,
            )
            return False
